"""milvus-lite as a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from .shared import Launch, ServerSpec, free_ports


def _launch(data_dir: Path, *options: str) -> Launch:
    (port,) = free_ports(1)
    arguments = ["server", "--data-dir", str(data_dir), "--host", "127.0.0.1", "--port", str(port)]
    return Launch(
        command=[sys.executable, "-m", "milvus_lite.cmdline", *arguments, *options],
        uri=f"http://127.0.0.1:{port}",
        ports=[port],
    )


def _prepare(folder: Path, data_dir: Path) -> Launch:
    return _launch(data_dir)


def _with_one_worker(folder: Path, data_dir: Path) -> Launch:
    return _launch(data_dir, "--max-workers", "1")


lite_spec = ServerSpec("lite", "lite", _prepare, ready_seconds=60)

# Its workers write to one log without a lock. What they tear there is lost if the process is
# killed, acknowledged or not: of 2000 rows in 400 inserts that grpcio alone had sent at once, 300
# to 440 were left. Of those sent one after the other, or to a single worker, none is lost.
mortal_lite_spec = ServerSpec("lite-mortal", "lite", _with_one_worker, ready_seconds=60)
