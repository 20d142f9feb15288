"""Runs examples/concurrent_insert.py with milvus_native and with pymilvus, side by side.

Each run is a process of its own, and has a milvus-lite server of its own, also a process: what is
measured is the client alone. Further arguments are passed on to the example.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "concurrent_insert.py"
CLIENTS = ("milvus_native", "pymilvus")
READY_SECONDS = 60
COMPARABLE_SECONDS = 0.1

Steps = list[dict[str, float | str]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def milvus_lite(folder: Path) -> Iterator[str]:
    """The URI of a new, empty milvus-lite server."""
    port = free_port()
    arguments = ["--data-dir", str(folder / "data"), "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("w+") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "milvus_lite.cmdline", "server", *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + READY_SECONDS
            while True:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                if server.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise SystemExit(f"milvus-lite did not start:\n{log.read()}")
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def measure(client: str, arguments: list[str]) -> Steps:
    with tempfile.TemporaryDirectory(prefix="milvus-native-demo-") as name:
        folder = Path(name)
        report = folder / "steps.json"
        with milvus_lite(folder) as uri:
            options = ["--uri", uri, "--client", client, "--json", str(report), *arguments]
            subprocess.run([sys.executable, str(EXAMPLE), *options], check=True)
        steps: Steps = json.loads(report.read_text())
        return steps


def compare(measured: dict[str, Steps]) -> None:
    ours, theirs = (measured[client] for client in CLIENTS)
    total = {key: [sum(float(s[key]) for s in steps) for steps in (ours, theirs)]
             for key in ("cpu", "wall")}  # fmt: skip
    lines = [
        (str(a["step"]), float(a["cpu"]), float(b["cpu"]), float(a["wall"]), float(b["wall"]))
        for a, b in zip(ours, theirs, strict=True)
    ]
    lines.append(("all", *total["cpu"], *total["wall"]))
    print("\n" + " " * 12 + "client CPU, seconds" + " " * 24 + "wall, seconds")
    print(f"{'':12}{'milvus_native':>13}  {'pymilvus':>8}  {'times less':>10}"
          f"     {'milvus_native':>13}  {'pymilvus':>8}")  # fmt: skip
    for step, cpu, their_cpu, wall, their_wall in lines:
        # Below that the clock's own grain and the waiting loop are what is seen.
        ratio = f"{their_cpu / cpu:.1f}" if max(cpu, their_cpu) >= COMPARABLE_SECONDS else "-"
        print(f"{step:12}{cpu:13.3f}  {their_cpu:8.3f}  {ratio:>10}"
              f"     {wall:13.3f}  {their_wall:8.3f}")  # fmt: skip
    print(
        "\nThe wall time is mostly the server's: milvus-lite is a Python program too.\n"
        "milvus_native imports pymilvus at its first control call, which here is create."
    )


def main() -> None:
    measured = {}
    for client in CLIENTS:
        measured[client] = measure(client, sys.argv[1:])
        print()
    compare(measured)


if __name__ == "__main__":
    main()
