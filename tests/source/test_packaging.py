"""What a builder meets: a clear word when protobuf-c is missing, and a complete source archive."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from .sources import CSRC, ROOT


def setup(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PROTOBUF_C")}
    return subprocess.run(
        [sys.executable, "setup.py", *arguments],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_missing_library_is_named(tmp_path: Path) -> None:
    done = setup("--version", PATH=str(tmp_path))  # no pkg-config there
    assert done.returncode != 0
    assert "libprotobuf-c-dev" in done.stderr
    assert "Traceback" not in done.stderr


def test_flags_may_come_from_the_environment(tmp_path: Path) -> None:
    libraries = {"PROTOBUF_C": "-lprotobuf-c", "NGHTTP2": "-lnghttp2", "ZLIB": "-lz"}
    environment = {f"{prefix}_LIBS": flag for prefix, flag in libraries.items()}
    environment |= {f"{prefix}_CFLAGS": "" for prefix in libraries}
    done = setup("--version", PATH=str(tmp_path), **environment)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in the source archive, without its top folder."""
    folder = tmp_path_factory.mktemp("sdist")
    done = setup("-q", "egg_info", "--egg-base", str(folder), "sdist", "-d", str(folder))
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.tar.gz")
    with tarfile.open(path) as tar:
        return {name.partition("/")[2] for name in tar.getnames()}


def test_source_archive_can_be_built(archive: set[str]) -> None:
    wanted = {path for path in CSRC.rglob("*") if path.suffix in {".c", ".h", ".proto"}}
    wanted |= {
        path
        for path in (ROOT / "milvus_native").rglob("*")
        if path.suffix in {".py", ".pyi"} or path.name == "py.typed"
    }
    names = {str(path.relative_to(ROOT)) for path in wanted}
    assert len(names) > 40
    assert names | {"setup.py", "pyproject.toml", "LICENSE", "README.md"} <= archive
    assert not [name for name in archive if name.endswith((".so", ".o"))]
