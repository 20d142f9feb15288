"""Instructions of encoding and decoding, counted by callgrind: the same from run to run, so that a
later change can be judged by a fraction of a percent.

    python -m benchmarks.instructions FOLDER MARKS     counts, inside valgrind
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from .work import Work

WORKS = [
    *(Work("insert", rows=1000, form=form) for form in ("numpy", "list", "columns", "fp16")),
    *(Work("insert", rows=100, form=form) for form in ("sparse", "scalars", "binary")),
    Work("search", nq=1, k=10, fields="ids"),
    Work("search", nq=10, k=100, fields="scalar"),
    Work("search", nq=1, k=100, fields="json"),
    Work("search", nq=1, k=100, fields="vectors"),
]


def count(folder: Path, marks: str) -> None:
    import milvus_native.results  # noqa: F401  (registers the result types with the core)
    from milvus_native import _core

    from . import data

    library = ctypes.PyDLL(marks)
    for work in WORKS:
        if work.op == "insert":
            schema = _core.Schema.from_reply((folder / work.collection).read_bytes())
            rows = data.rows_of(work.form, work.rows, work.dim)
            call: Any = partial(_core.encode_rows, schema, rows, collection_name=work.collection)
        else:
            call = partial(_core.decode_search, (folder / f"{work.key}.reply").read_bytes())
        for _ in range(3):
            call()
        name = str(work).encode()
        gc.collect()
        gc.disable()  # a collection would be counted wherever it happens to fall
        library.begin()
        call()
        library.end(name)
        gc.enable()


def run(collections: Path, requests: Path, channel: Any, folder: Path) -> list[dict[str, Any]]:
    """One row for each of WORKS."""
    from .server import HERE, OUT, ROOT

    folder.mkdir()
    for work in WORKS:
        if work.op == "insert":
            (folder / work.collection).write_bytes((collections / work.collection).read_bytes())
        else:
            search = channel.unary_unary("/milvus.proto.milvus.MilvusService/Search")
            reply = search((requests / work.key).read_bytes())
            (folder / f"{work.key}.reply").write_bytes(reply)
    marks = OUT / "marks.so"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", marks, HERE / "marks.c"], check=True)
    out = folder / "callgrind"
    subprocess.run(
        [
            "valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}",
            sys.executable, "-m", "benchmarks.instructions", str(folder), str(marks),
        ],
        check=True,
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )  # fmt: skip
    counted = {}
    for dump in folder.glob("callgrind*"):
        text = dump.read_text()
        trigger = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
        totals = re.search(r"^(?:summary|totals): (\d+)", text, re.MULTILINE)
        if trigger and totals:
            counted[trigger[1]] = int(totals[1])
    return [
        {
            "case": work.title.replace("insert", "encode").replace("search", "decode"),
            "correct": counted[str(work)] > 0,
            "instructions": counted[str(work)],
        }
        for work in WORKS
    ]


if __name__ == "__main__":
    count(Path(sys.argv[1]), sys.argv[2])
