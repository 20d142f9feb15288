"""Where our own time goes in the headline cases: samples of `perf`, by what was running.

    python -m benchmarks.profiles      needs perf (Debian: linux-perf); writes results/profile.json

Not part of `make bench`, since perf has to match the kernel and be allowed to look at it.
"""

from __future__ import annotations

import collections
import re
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from . import calls
from .run import Recorder
from .server import HERE, FakeMilvus, fake_milvus
from .work import Work

WORKS = [
    calls.SEARCH,
    Work("search", nq=1, k=10, fields="ids", mode="async", width=64),
    Work("insert", rows=1000, form="numpy"),
    Work("search", nq=10, k=100, fields="scalar"),
]

RPC = r"mvn_(connection|session|reply|call|outbox|metadata|request_headers|keepalive)|Rpc|rpc_"
# First match wins: (part, pattern of the object file, pattern of the symbol).
PARTS = [
    ("kernel: system calls, TCP", r"\[kernel|\[vdso\]", r""),
    ("HTTP/2: nghttp2", r"nghttp2", r""),
    ("HTTP/2: our engine and its binding", r"_core", RPC),
    ("encode and decode: our C core", r"_core", r""),
    ("copies: memcpy, memmove", r"libc", r"memcpy|memmove|memset"),
    ("allocator", r"libc|python", r"(?i)malloc|_free$|^_?free|realloc|PyMem|arena|pymalloc"),
    ("numpy", r"numpy|multiarray|blas", r""),
    ("cyclic collector", r"python", r"gc_collect|visit_|_traverse|subtract_refs|untrack"),
    ("interpreter: Python code, objects, asyncio", r"", r""),
]


def part_of(dso: str, symbol: str) -> str:
    for part, files, symbols in PARTS:
        if re.search(files, dso) and re.search(symbols, symbol):
            return part
    raise AssertionError("the last pattern matches everything")


def profile(server: FakeMilvus, work: Work, folder: Path, requests: Path) -> dict[str, Any]:
    data = folder / "perf.data"
    peer = calls.Peer("native", server.port, requests)
    peer.run(work.lasting(0.3))
    perf = subprocess.Popen(
        ["perf", "record", "-q", "-e", "cpu-clock", "-F", "5000", "-o", data, "-p", str(peer.pid)]
    )
    peer.run(work.lasting(4.0))
    perf.send_signal(signal.SIGINT)
    perf.wait()
    peer.close()
    lines = subprocess.run(
        ["perf", "script", "-i", data, "-F", "ip,sym,dso"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    parts: collections.Counter[str] = collections.Counter()
    symbols: collections.Counter[str] = collections.Counter()
    for line in lines:
        match = re.match(r"\s*[0-9a-f]+ (.*) \((.*)\)$", line)
        if match:
            symbol, dso = match[1].split("+")[0], Path(match[2]).name
            parts[part_of(dso, symbol)] += 1
            symbols[f"{symbol} ({dso})"] += 1
    total = sum(parts.values())
    return {
        "case": work.title,
        "correct": total > 1000,
        "parts": {part: parts[part] / total for part, *_ in PARTS},
        "symbols": {symbol: count / total for symbol, count in symbols.most_common(25)},
    }


def main() -> None:
    record = Recorder(HERE / "results")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with fake_milvus(folder) as server:
            calls.write_requests(server, WORKS, folder / "requests")
            record.section(
                "profile",
                lambda: [profile(server, work, folder, folder / "requests") for work in WORKS],
            )


if __name__ == "__main__":
    main()
