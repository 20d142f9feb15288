"""The compiled module: what it exports, what its state holds, and what its stub says."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
from pathlib import Path

from milvus_native import _core

from .sources import CSRC, ROOT, c_files, without_comments


def state_members() -> list[str]:
    text = without_comments((CSRC / "py" / "state.h").read_text())
    macro = text[text.index("#define MVN_STATE_OBJECTS") : text.index("typedef struct")]
    return re.findall(r"X\(\s*\w+\s*,\s*(\w+)\s*\)", macro)


def test_only_the_init_function_is_exported() -> None:
    listing = subprocess.run(
        ["nm", "--dynamic", "--defined-only", "--format=posix", _core.__file__],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = {line.split()[0] for line in listing.splitlines()}
    assert names - {"_init", "_fini"} == {"PyInit__core"}


def test_state_struct_is_the_macro_alone() -> None:
    """Traverse and clear go through the macro, so a member beside it would be forgotten."""
    text = without_comments((CSRC / "py" / "state.h").read_text())
    (body,) = re.findall(r"typedef struct \{(.*?)\} PyMvn_State;", text, re.DOTALL)
    lines = [line.strip() for line in body.splitlines() if line.strip()]
    assert lines == [
        "#define MVN_MEMBER(type, name) type *name;",
        "MVN_STATE_OBJECTS(MVN_MEMBER)",
        "#undef MVN_MEMBER",
    ]
    module = without_comments((CSRC / "py" / "module.c").read_text())
    assert "Py_VISIT(state->name)" in module
    assert "Py_CLEAR(state->name)" in module
    assert module.count("MVN_STATE_OBJECTS(") == 2


def test_state_members_are_all_used() -> None:
    members = state_members()
    assert len(members) == len(set(members)) > 5
    code = "\n".join(without_comments(path.read_text()) for path in c_files("py"))
    used = set(re.findall(r"state->(\w+)", code)) | set(re.findall(r"MVN_INTERN\((\w+)", code))
    assert not [member for member in members if member not in used]


def test_no_mutable_statics() -> None:
    """What changes lives in the module's state: file-level statics are const or tables of
    functions that CPython wants writable."""
    writable = re.compile(
        r"Py(MethodDef|GetSetDef|MemberDef|Type_Slot|Type_Spec|ModuleDef(_Slot)?)\b"
    )
    for path in c_files("core", "rpc", "py"):
        text = without_comments(path.read_text())
        text = re.sub(r"#ifdef MVN_FAULT_INJECTION.*?#e(lse|ndif)", "", text, flags=re.DOTALL)
        # At the start of a line: at file level, given how the code is laid out.
        for line in re.findall(r"^static [^\n(]*?(?:=|;|\[)", text, re.MULTILINE):
            assert re.search(r"\bconst\b", line) or writable.search(line), f"{path}: {line}"


def test_stub_matches_the_module() -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy.stubtest"),
            *("--mypy-config-file", "pyproject.toml", "milvus_native._core"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_module_is_ours() -> None:
    """The tests test this tree, not another milvus_native that is installed."""
    assert ROOT in Path(_core.__file__).resolve().parents


def test_the_collector_sees_what_the_module_holds() -> None:
    """Each object of its state is visited, and a visitor that wants no more is obeyed."""
    held = gc.get_referents(_core)
    assert len(held) >= len(state_members()) - 3  # three are written late
    types = [value for value in vars(_core).values() if isinstance(value, type)]
    assert {id(kind) for kind in types} <= {id(item) for item in held}
    assert {"id", "distance", "entity", "$meta"} <= {item for item in held if type(item) is str}
    for item in held:
        assert any(referrer is _core for referrer in gc.get_referrers(item))
