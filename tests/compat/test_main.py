"""python -m milvus_native runs programs that know nothing of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pymilvus import AsyncMilvusClient, MilvusClient
from pymilvus.milvus_client import MilvusClient as again
import neighbour

class Store(MilvusClient):
    pass

if __name__ == "__main__":
    print(again is MilvusClient, MilvusClient.__module__, AsyncMilvusClient.__module__)
    print(*sys.argv[1:], neighbour.WORD, sys.modules["__main__"].Store is Store)
    with ThreadPoolExecutor() as pool:
        print(pool.submit(lambda: Store.__name__).result())
    sys.exit(7)
"""
EXPECTED = ["True milvus_native.sync_client milvus_native.async_client", "one --two beside True"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "neighbour.py").write_text("WORD = 'beside'\n")
    (tmp_path / "program.py").write_text(PROGRAM)
    package = tmp_path / "package"
    package.mkdir()
    (package / "__main__.py").write_text("import neighbour\n" + PROGRAM)
    command = tmp_path / "a-command"
    command.write_text(f"#!{sys.executable}\n{PROGRAM}")
    command.chmod(0o755)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(folder)] if "package" in arguments else [str(root)])
    return subprocess.run(
        [sys.executable, "-m", "milvus_native", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "program",
    [["program.py"], ["./program.py"], ["-m", "program"], ["a-command"], ["package"]],
    ids=" ".join,
)
def test_programs(folder: Path, program: list[str]) -> None:
    done = run(folder, *program, "one", "--two")
    assert done.stderr == ""
    assert done.stdout.splitlines() == [*EXPECTED, "Store"]
    assert done.returncode == 7


def test_a_program_far_away(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    done = run(tmp_path_factory.mktemp("elsewhere"), str(folder / "program.py"), "one", "--two")
    assert done.stdout.splitlines() == [*EXPECTED, "Store"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="python -P came with 3.11")
def test_with_a_safe_path(folder: Path) -> None:
    (folder / "shown.py").write_text("import sys\nprint(sys.path)\n")
    ours, plain = (
        subprocess.run(
            [sys.executable, "-P", *arguments, "shown.py"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout
        for arguments in (["-m", "milvus_native"], [])
    )
    assert ours == plain


def test_a_failing_program(folder: Path) -> None:
    (folder / "broken.py").write_text("def f():\n    raise ValueError('of its own')\nf()\n")
    done = run(folder, "broken.py")
    assert done.returncode == 1
    assert 'broken.py", line 2, in f' in done.stderr
    assert done.stderr.endswith("ValueError: of its own\n")


@pytest.mark.parametrize("arguments", [[], ["-m"], ["-x"], ["nowhere.py"]])
def test_nothing_to_run(folder: Path, arguments: list[str]) -> None:
    done = run(folder, *arguments)
    assert done.returncode == 2
    assert ("usage:" in done.stderr) == (arguments != ["nowhere.py"])
    assert "Traceback" not in done.stderr


def test_help(folder: Path) -> None:
    done = run(folder, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: python -m milvus_native SCRIPT")
