"""Builds and runs what is not written in Python: the canned server, and the peers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from . import data

HERE = Path(__file__).parent
ROOT = HERE.parent
OUT = HERE / "out"  # built binaries, kept between runs
STATS = "/milvus.proto.milvus.MilvusService/Stats"


def build_c(name: str, folder: Path, *libraries: str) -> Path:
    """Compiles all C files of `folder` with the core into OUT/`name`."""
    OUT.mkdir(exist_ok=True)
    sources = [*sorted(folder.glob("*.c")), *sorted((ROOT / "csrc/core").glob("*.c"))]
    binary = OUT / name
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra"]
    subprocess.run(["cc", *flags, "-o", binary, *sources, *libraries, "-lm"], check=True)
    return binary


def build_go() -> Path:
    """Compiles the Go peer. `go` is the machine's, or the one that `make bench` put into .venv."""
    OUT.mkdir(exist_ok=True)
    binary = OUT / "go_peer"
    go = os.environ.get("GO") or shutil.which("go")
    if go is None:
        raise SystemExit("the Go SDK cannot be measured without `go`; run this by `make bench`")
    subprocess.run([go, "build", "-o", binary, "."], cwd=HERE / "peers" / "go", check=True)
    return binary


def node_command() -> list[str]:
    """Starts the Node peer, whose packages `make bench` has put beside it."""
    folder = HERE / "peers" / "node"
    node = shutil.which("node")
    if node is None or not (folder / "node_modules").exists():
        raise SystemExit(
            "the Node SDK cannot be measured without `node` and its packages; run this by "
            "`make bench`"
        )
    return [node, "--expose-gc", str(folder / "peer.js")]


@dataclass
class FakeMilvus:
    port: int
    pid: int
    channel: grpc.Channel

    def stats(self) -> dict[str, Any]:
        """{"cpu": seconds, "bytes": received, "calls": {method: count}}"""
        return dict(json.loads(self.channel.unary_unary(STATS)(b"")))


@contextmanager
def fake_milvus(folder: Path) -> Iterator[FakeMilvus]:
    """A running canned server; `folder` is for its files."""
    data.write_collections(folder / "collections")
    binary = build_c("fake_milvus", HERE / "fake_milvus", "-lnghttp2")
    process = subprocess.Popen(
        [binary, folder / "collections"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        port = int(process.stdout.readline().split()[1])
        options = [("grpc.max_receive_message_length", -1)]
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            yield FakeMilvus(port, process.pid, channel)
    finally:
        process.stdin.close()
        process.wait()
