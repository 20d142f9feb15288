"""Runs the benchmarks, writes benchmarks/results/*.json, and renders the pages made from them.

    python -m benchmarks.run            about ten minutes; see report.py for what it renders
    python -m benchmarks.run --quick    the headline cases in less than two; writes only to
                                        benchmarks/out, and prints a table
    python -m benchmarks.run --full     the whole grid, about half an hour

Client CPU (getrusage), medians of interleaved rounds, ratios within one run. Ends with an error
if any row is wrong.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import calls, codec, instructions, probes, real
from .measure import command_line, environment
from .server import HERE, OUT, FakeMilvus, fake_milvus


def peers_environment() -> dict[str, str]:
    go = re.search(r"client/v2 v(\S+)", (HERE / "peers" / "go" / "go.mod").read_text())
    node = json.loads((HERE / "peers" / "node" / "package.json").read_text())["dependencies"]
    return {
        "go_sdk": go[1] if go else "unknown",
        "go": command_line("go", "version"),
        "node_sdk": node["@zilliz/milvus2-sdk-node"],
        "node": command_line("node", "--version"),
    }


class Recorder:
    """Writes each section to a file of its own, with what is needed to judge it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wrong: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        self.environment = {**environment(), **peers_environment()}
        self.command = ["python", "-m", "benchmarks.run", *sys.argv[1:]]

    def section(self, name: str, measured: Callable[[], Any]) -> Any:
        print(f"{name}:", flush=True)
        start = time.monotonic()
        rows = measured()
        seconds = time.monotonic() - start
        record = {
            "command": self.command,
            "environment": self.environment,
            "seconds": round(seconds, 1),
            "rows": rows,
        }
        (self.folder / f"{name}.json").write_text(as_text(compact(record)))
        print(f"  {seconds:.0f} s", flush=True)
        if isinstance(rows, list):
            self.wrong += [f"{name}: {row['case']}" for row in rows if not row["correct"]]
        return rows


def as_text(record: dict[str, Any]) -> str:
    """JSON with a line for each row, so that a diff shows which have changed."""
    rows = record["rows"]
    lines = [json.dumps(row) for row in rows] if isinstance(rows, list) else [json.dumps(rows)]
    head = json.dumps({**record, "rows": []}, indent=1).removesuffix("[]\n}")
    if isinstance(rows, list):
        return head + "[\n" + ",\n".join(lines) + "\n]}\n"
    return head + lines[0] + "}\n"


def compact(value: Any) -> Any:
    """Seven significant digits: the clocks give no more."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {key: compact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [compact(item) for item in value]
    return value


def measure_all(
    record: Recorder, server: FakeMilvus, folder: Path, works: list[calls.Work], whole: bool
) -> None:
    requests = folder / "requests"
    codec_works = codec.grid(whole)
    calls.write_requests(server, [*works, *codec_works, *instructions.WORKS], requests)
    record.section(
        "encode",
        lambda: [*codec.encode(codec_works, 3, 0.1), codec.list_walk(5, 0.2)],
    )
    record.section("decode", lambda: codec.decode(server, codec_works, requests, 3, 0.1))
    record.section(
        "instructions",
        lambda: instructions.run(
            folder / "collections", requests, server.channel, folder / "callgrind"
        ),
    )
    record.section("probes", lambda: probes.run(server, quick=False))
    record.section("calls", lambda: calls.run(server, works, requests, rounds=3, seconds=0.3))
    (folder / "servers").mkdir()
    record.section("real", lambda: real.run(folder / "servers", rounds=1))


def quick(record: Recorder, server: FakeMilvus, folder: Path) -> None:
    works = calls.headline()
    requests = folder / "requests"
    calls.write_requests(server, works, requests)
    record.section("encode", lambda: codec.encode(works, 3, 0.1))
    record.section("decode", lambda: codec.decode(server, works, requests, 3, 0.1))
    rows = record.section(
        "calls", lambda: calls.run(server, works, requests, rounds=3, seconds=0.2)
    )
    from .report import headline_table

    print(f"\n{headline_table(rows)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="the headline cases alone")
    size.add_argument("--full", action="store_true", help="the whole grid")
    options = parser.parse_args()
    record = Recorder(OUT / "quick" if options.quick else HERE / "results")
    with tempfile.TemporaryDirectory(
        prefix="milvus-native-bench-", ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        with fake_milvus(folder) as server:
            if options.quick:
                quick(record, server, folder)
            else:
                works = calls.headline() + (calls.full() if options.full else calls.standard())
                measure_all(record, server, folder, works, options.full)
    if not options.quick:
        from .report import render

        render()
    if record.wrong:
        raise SystemExit("wrong: " + "; ".join(record.wrong))


if __name__ == "__main__":
    main()
