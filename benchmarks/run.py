"""Runs the benchmarks and writes benchmarks/results/*.json.

    python -m benchmarks.run [--quick]

Client CPU throughout (getrusage), medians of interleaved rounds, ratios within one run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import calls, codec, data
from .measure import environment

HERE = Path(__file__).parent
ROOT = HERE.parent


def build_server(folder: Path) -> Path:
    binary = folder / "fake_milvus"
    sources = [HERE / "fake_milvus" / "fake_milvus.c", *sorted((ROOT / "csrc/core").glob("*.c"))]
    subprocess.run(
        ["cc", "-std=c11", "-O2", "-o", binary, *sources, "-lnghttp2", "-lm"], check=True
    )
    return binary


@contextmanager
def fake_server() -> Iterator[int]:
    """Port of a running fake_milvus."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data.write_replies(folder / "replies")
        server = subprocess.Popen(
            [build_server(folder), folder / "replies"], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline().split()[1])
        finally:
            server.terminate()
            server.wait()


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["| case | milvus_native | pymilvus | ratio |", "|---|---:|---:|---:|"]
    for row in rows:
        ours = row["median"].get("milvus_native", row["median"].get("memcpy"))
        theirs = row["median"].get("pymilvus")
        rest = f"{theirs * 1e6:,.0f} us | {theirs / ours:.1f}x" if theirs else " | "
        lines.append(f"| {row['case']} | {ours * 1e6:,.1f} us | {rest} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer, shorter rounds")
    options = parser.parse_args()
    seconds, rounds = (0.1, 1) if options.quick else (0.5, 3)
    sections = {
        "encode": codec.encode(seconds),
        "decode": codec.decode(seconds),
    }
    with fake_server() as port:
        sections["calls"] = calls.run(port, rounds)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    for name, rows in sections.items():
        command = ["python", "-m", "benchmarks.run", *sys.argv[1:]]
        record = {"command": command, "environment": environment(), "rows": rows}
        (results / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
        print(f"\n## {name}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
