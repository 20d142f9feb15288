"""python -m milvus_native PROGRAM: runs a Python program with our clients in pymilvus's place.

PROGRAM is what would follow `python` on its command line, a script or -m and a module, or the name
of a command that is written in Python. Its arguments follow.
"""

from __future__ import annotations

import os
import runpy
import shutil
import sys

from .installation import install

USAGE = """\
usage: python -m milvus_native SCRIPT [ARGUMENT ...]
       python -m milvus_native COMMAND [ARGUMENT ...]
       python -m milvus_native -m MODULE [ARGUMENT ...]

Runs a Python program in which `from pymilvus import MilvusClient` (or AsyncMilvusClient) gives the
one of milvus_native.
"""


def main(arguments: list[str]) -> int | None:
    """Runs the program; returns only if there is none, or when it is done."""
    if arguments[:1] in (["-h"], ["--help"]):
        sys.stdout.write(USAGE)
        return 0
    is_module = arguments[:1] == ["-m"]
    program = arguments[1:] if is_module else arguments
    if not program or program[0].startswith("-"):
        sys.stderr.write(USAGE)
        return 2
    install()
    sys.argv = program
    if is_module:
        runpy.run_module(program[0], run_name="__main__", alter_sys=True)
        return None
    script = program[0] if os.path.exists(program[0]) else shutil.which(program[0])
    if script is None:
        sys.stderr.write(f"milvus_native: there is no script and no command {program[0]!r}\n")
        return 2
    # Of a folder, runpy itself sees to it; under `python -P` no program has its place there.
    if not (os.path.isdir(script) or getattr(sys.flags, "safe_path", False)):
        sys.path[0] = os.path.dirname(os.path.realpath(script))
    runpy.run_path(script, run_name="__main__")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
