"""milvus-lite as a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from .shared import Launch, ServerSpec, free_ports


def _prepare(folder: Path, data_dir: Path) -> Launch:
    (port,) = free_ports(1)
    arguments = ["server", "--data-dir", str(data_dir), "--host", "127.0.0.1", "--port", str(port)]
    return Launch(
        command=[sys.executable, "-m", "milvus_lite.cmdline", *arguments],
        uri=f"http://127.0.0.1:{port}",
        ports=[port],
    )


lite_spec = ServerSpec("lite", "lite", _prepare, ready_seconds=60)
