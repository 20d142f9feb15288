"""Whole calls against fake_milvus: the same work by every peer, in turn, in one run.

A peer is a process that lives as long as the run and does one piece of work at a time while the
others sleep; getrusage weighs it alone, all its threads included. Each row says whether it is
correct: the results of milvus_native and pymilvus are equal, every peer has checked the shape of
each of its replies, and the server has counted as many calls as the peer says it made.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import data
from .server import HERE, ROOT, FakeMilvus, build_c, build_go, node_command
from .work import Work

METHODS = {"insert": "Insert", "search": "Search", "query": "Query"}
CLIENTS = ("native", "grpc", "pymilvus")  # whose results are compared
SEARCH = Work("search", nq=1, k=10, fields="ids")


def headline() -> list[Work]:
    """The cases of the README and of the issue's targets."""
    inserts = [Work("insert", rows=1000, form=form) for form in ("numpy", "list", "columns")]
    return [
        *inserts,
        SEARCH,
        Work("search", nq=1, k=10, fields="ids", mode="async", width=64),
        Work("search", nq=10, k=100, fields="scalar"),
        Work("query", rows=1000, fields="vectors"),
    ]


def standard() -> list[Work]:
    """Lines through the grid, each along one of its axes."""
    works = [Work("insert", rows=rows, form="numpy") for rows in (10, 100, 5000)]
    works += [Work("insert", rows=1000, dim=dim, form="numpy") for dim in (128, 1536)]
    works += [
        Work("insert", rows=1000, form=form)
        for form in ("fp16", "int8", "binary", "sparse", "scalars")
    ]
    shapes = [(1, 10, "scalar"), (1, 10, "json"), (1, 100, "ids"), (1, 1000, "ids"),
              (10, 100, "ids"), (10, 100, "json"), (100, 100, "scalars"), (100, 1000, "ids"),
              (1, 100, "vectors")]  # fmt: skip
    works += [Work("search", nq=nq, k=k, fields=fields) for nq, k, fields in shapes]
    works += [Work("query", rows=rows, fields="scalars") for rows in (1, 100, 1000, 16384)]
    return works + concurrent((1, 4, 16, 64, 256, 1024), (1, 64, 1024), (1, 2, 4, 8, 16, 32))


def concurrent(
    asyncio: tuple[int, ...], uvloop: tuple[int, ...], threads: tuple[int, ...]
) -> list[Work]:
    modes = {"async": asyncio, "uvloop": uvloop, "threads": threads}
    works = [
        Work("search", nq=1, k=10, fields="ids", mode=mode, width=width)
        for mode, widths in modes.items()
        for width in widths
    ]
    return works + [
        Work("insert", rows=100, form="numpy", mode="threads", width=width) for width in threads
    ]


def full() -> list[Work]:
    """The whole grid, without what would need gigabytes of vectors in one reply."""
    works = [
        Work("insert", rows=rows, dim=dim, form=form)
        for form in data.FORMS
        for rows in (10, 100, 1000, 5000)
        for dim in data.DIMS
    ]
    for nq in (1, 10, 100):
        for k in (10, 100, 1000):
            for fields in ("ids", "scalars", "json", "vectors"):
                if fields == "vectors" and nq * k > 1000:
                    continue
                works.append(Work("search", nq=nq, k=k, fields=fields))
    works += [
        Work("query", rows=rows, fields=fields)
        for rows in (1, 10, 100, 1000, 16384)
        for fields in ("scalars", "json", "vectors")
        if fields != "vectors" or rows <= 1000
    ]
    widths = tuple(2**i for i in range(11))
    return works + concurrent(widths, widths, widths[:6])


def peers_of(work: Work) -> list[str]:
    """Who can do it. Go's inserts are columns, its only form; C has one loop, no threads; Node's
    inserts are rows of lists, and it does the headline cases alone."""
    peers = ["native", "grpc", "pymilvus", "grpcio"]
    if work.op != "insert" or work.form in ("numpy", "columns"):
        peers.append("go")
    if work.mode in ("sync", "async"):
        peers.append("floor")
    if work.mode == "uvloop":
        peers.remove("go")
    if work in headline() and work.form in ("-", "list"):
        peers.append("node")
    return peers


def write_requests(server: FakeMilvus, works: list[Work], folder: Path) -> None:
    """The requests' bytes, for the peers that do not make any."""
    import milvus_native

    from .peers.python_worker import call_of

    class Recorder:
        def __init__(self, transport: Any) -> None:
            self.transport = transport
            self.request = b""

        def unary(self, method: str, request: bytes, **options: Any) -> bytes:
            self.request = request
            return bytes(self.transport.unary(method, request, **options))

    folder.mkdir()
    client = milvus_native.MilvusClient(f"http://127.0.0.1:{server.port}", transport="grpc")
    link = client._mvn_connection.link()
    recorder = link.transport = Recorder(link.transport)
    for work in works:
        if not (folder / work.key).exists():
            call, check = call_of(client, work)
            check(call())
            (folder / work.key).write_bytes(recorder.request)
    link.transport = recorder.transport
    client.close()


class Peer:
    """A worker process."""

    def __init__(self, name: str, port: int, requests: Path) -> None:
        self.name = name
        if name == "go":
            command = [str(build_go()), str(port)]
        elif name == "node":
            command = [*node_command(), str(port)]
        elif name == "floor":
            binary = build_c("floor", HERE / "peers" / "floor", "-lnghttp2")
            command = [str(binary), str(port), str(requests)]
        else:
            worker = "benchmarks.peers.python_worker"
            command = [sys.executable, "-m", worker, name, str(port), str(requests)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, work: Work) -> dict[str, Any]:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{work}\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended at: {work}")
        return dict(json.loads(line))

    def close(self) -> None:
        self._process.communicate()


def measure(server: FakeMilvus, peer: Peer, work: Work) -> dict[str, Any]:
    before = server.stats()
    answer = peer.run(work)
    after = server.stats()
    method = METHODS[work.op]
    counted = after["calls"].get(method, 0) - before["calls"].get(method, 0)
    warm_up = answer.pop("warm_up", work.width if peer.name == "floor" else 1)
    answer["counted"] = counted == answer["calls"] + warm_up
    answer["server_cpu"] = (after["cpu"] - before["cpu"]) / counted
    answer["server_busy"] = (after["cpu"] - before["cpu"]) / answer["wall"]
    return answer


def summary(samples: list[dict[str, Any]]) -> dict[str, float]:
    """Medians over the rounds, per call and in seconds where not said otherwise."""

    def median(of: Any) -> float:
        return statistics.median(of(s) for s in samples)

    return {
        "cpu": median(lambda s: s["cpu"] / s["calls"]),
        "system": median(lambda s: s["system"] / s["calls"]),
        "rate": median(lambda s: s["calls"] / s["wall"]),
        "server_cpu": median(lambda s: s["server_cpu"]),
        "server_busy": min(1.0, median(lambda s: s["server_busy"])),
        **{p: median(lambda s, p=p: s[p]) for p in ("p50", "p95", "p99")},
    }


def run(
    server: FakeMilvus, works: list[Work], folder: Path, *, rounds: int, seconds: float
) -> list[dict[str, Any]]:
    """`folder` holds the requests' bytes, see write_requests."""
    works = list(dict.fromkeys(works))
    peers = {
        name: Peer(name, server.port, folder)
        for name in dict.fromkeys(name for work in works for name in peers_of(work))
    }
    rows = []
    try:
        for work in works:
            samples: dict[str, list[dict[str, Any]]] = {name: [] for name in peers_of(work)}
            for _ in range(rounds):
                for name, taken in samples.items():
                    taken.append(measure(server, peers[name], work.lasting(seconds)))
            digests = {s["digest"] for name in CLIENTS for s in samples[name]}
            rows.append(
                {
                    "case": work.title,
                    "work": str(work),
                    "key": work.key,
                    "mode": work.mode,
                    "width": work.width,
                    "correct": len(digests) == 1
                    and all(s["counted"] for taken in samples.values() for s in taken),
                    "samples": samples,
                    "median": {name: summary(taken) for name, taken in samples.items()},
                }
            )
            costs = ", ".join(
                f"{name} {value['cpu'] * 1e6:,.0f}" for name, value in rows[-1]["median"].items()
            )
            print(f"  {work.title}: {costs} us CPU", flush=True)
    finally:
        for peer in peers.values():
            peer.close()
    return rows
