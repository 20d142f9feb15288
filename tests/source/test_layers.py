"""Dependencies point one way: core and rpc know no Python, codecs know no requests, and nothing
in C knows the Python package on top."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .sources import CSRC, c_files, included_files, includes, without_comments

# Folder of csrc -> the folders whose files it may include, besides its own.
ALLOWED = {
    "core": set(),
    "rpc": {"core"},
    "proto": set(),
    "py": {"core", "rpc", "proto", "py/codecs"},
    "py/codecs": {"core", "py"},
    "tests": {"core", "rpc", "proto"},
}

# What a codec may see of csrc/py: none of these nouns.
ABOVE_CODECS = re.compile(r"^(requests|templates|results|hit|reply|schema_cache|connect)\b")


def layer(path: Path) -> str:
    return str(path.parent.relative_to(CSRC))


def name(path: Path) -> str:
    return str(path.relative_to(CSRC))


def test_every_folder_has_a_rule() -> None:
    assert {layer(path) for path in c_files()} <= set(ALLOWED)


@pytest.mark.parametrize("path", c_files(), ids=name)
def test_includes_point_down(path: Path) -> None:
    for included in included_files(path):
        if layer(included) != layer(path):
            assert layer(included) in ALLOWED[layer(path)], name(included)


@pytest.mark.parametrize("path", c_files("core", "rpc", "tests"), ids=name)
def test_below_py_nothing_knows_python(path: Path) -> None:
    assert not [header for header in includes(path) if "python" in header.lower()]
    words = re.findall(r"\bPy[A-Z_]\w*", without_comments(path.read_text()))
    assert not words


@pytest.mark.parametrize(
    "path", [path for path in c_files("core", "rpc") if path.suffix == ".h"], ids=name
)
def test_below_py_external_names_have_the_prefix(path: Path) -> None:
    """In a header, whatever is declared at the start of a line is mvn_ or MVN_."""
    text = without_comments(path.read_text())
    declared = re.findall(r"^[a-z][\w \t]*?[ *](\w+)\s*\(", text, re.MULTILINE)
    assert not [word for word in declared if not word.startswith(("mvn_", "MVN_", "nghttp2_"))]


@pytest.mark.parametrize("path", c_files("py/codecs"), ids=name)
def test_codecs_know_no_requests(path: Path) -> None:
    assert not [file.name for file in included_files(path) if ABOVE_CODECS.match(file.name)]


@pytest.mark.parametrize("path", c_files("py"), ids=name)
def test_c_does_not_know_the_package(path: Path) -> None:
    """No module of the package is named, but for _core itself, in the names of its types."""
    text = without_comments(path.read_text())
    assert not re.findall(r'"milvus_native(?:\.(?!_core\b)[^"]*)?"', text)


@pytest.mark.parametrize("path", c_files("py"), ids=name)
def test_py_writes_no_wire_bytes_by_hand(path: Path) -> None:
    """Varints are core's affair: no 7-bit shifting above it."""
    text = without_comments(path.read_text())
    assert not re.search(r">>=?\s*7\b|\|\s*0x80\b", text)
