"""What takes a fresh process to see: first calls, memory, allocations, stalls, herds.

    python -m benchmarks.probes PROBE PEER PORT

A probe is a function below; it prints what it returns as JSON. run() starts them.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from . import first_call, measure
from .server import HERE, OUT, ROOT, FakeMilvus

CLIENTS = ("native", "grpc", "pymilvus")


def _client(peer: str, port: str, asynchronous: bool = False) -> Any:
    from .peers.python_worker import client_class

    return client_class(peer, asynchronous)(f"http://127.0.0.1:{port}")


def memory_of(peer: str, port: str) -> dict[str, Any]:
    """Resident memory over 50 inserts of 1000 x 768 numpy rows and 50 searches, nq=10 k=100."""
    from . import data
    from .peers.python_worker import call_of
    from .work import Work

    rows = data.rows_of("numpy", 1000, data.DIM)
    client = _client(peer, port)
    idle = measure.memory()["rss"]
    for work in (
        Work("insert", rows=1000, form="numpy"),
        Work("search", nq=10, k=100, fields="scalar"),
    ):
        call, check = call_of(client, work)
        for _ in range(50):
            check(call())
    seen = measure.memory()
    client.close()
    return {
        "idle": idle,
        "steady": seen["rss"],
        "peak": seen["peak_rss"],
        "data": sum(row["vector"].nbytes for row in rows),
    }


def allocations(peer: str, port: str) -> dict[str, Any]:
    """Allocations of one call, by the preloaded count_malloc.so."""
    from .calls import headline
    from .peers.python_worker import call_of

    library = ctypes.CDLL(None)
    counters = library.counted_calls, library.counted_bytes
    for counter in counters:
        counter.restype = ctypes.c_ulong
    client, counted = _client(peer, port), {}
    for work in headline():
        if work.mode != "sync":
            continue
        call, check = call_of(client, work)
        for _ in range(3):
            check(call())
        before = [counter() for counter in counters]
        for _ in range(5):
            check(call())
        counted[work.title] = [(c() - b) / 5 for c, b in zip(counters, before, strict=True)]
    client.close()
    return counted


def loop_stall(peer: str, port: str) -> dict[str, Any]:
    """Longest time between two turns of an event loop while 5000 x 768 rows are inserted."""
    from . import data

    stalls = {}

    async def ticking(done: asyncio.Event, gaps: list[float]) -> None:
        last = time.perf_counter()
        while not done.is_set():
            await asyncio.sleep(0)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    async def run() -> None:
        client = _client(peer, port, asynchronous=True)
        for form in ("numpy", "list"):
            rows = data.rows_of(form, 5000, data.DIM)
            await client.insert("float_768", rows)
            longest = []
            for _ in range(5):
                done, gaps = asyncio.Event(), [0.0]
                ticker = asyncio.create_task(ticking(done, gaps))
                await asyncio.sleep(0)
                await client.insert("float_768", rows)
                done.set()
                await ticker
                longest.append(max(gaps))
            stalls[f"loop, {form}"] = statistics.median(longest)
        await client.close()

    asyncio.run(run())
    return stalls


def thread_stall(peer: str, port: str) -> dict[str, Any]:
    """Longest time another thread does not run while this one inserts 5000 x 768 rows."""
    from . import data

    stalls, client = {}, _client(peer, port)
    for form in ("numpy", "list"):
        rows = data.rows_of(form, 5000, data.DIM)
        client.insert("float_768", rows)
        longest = []
        for _ in range(5):
            done, gaps = threading.Event(), [0.0]

            def spin(done: threading.Event = done, gaps: list[float] = gaps) -> None:
                last = time.perf_counter()
                while not done.is_set():
                    time.sleep(0.0001)
                    now = time.perf_counter()
                    gaps[0] = max(gaps[0], now - last)
                    last = now

            thread = threading.Thread(target=spin)
            thread.start()
            time.sleep(0.002)
            client.insert("float_768", rows)
            done.set()
            thread.join()
            longest.append(gaps[0])
        stalls[f"thread, {form}"] = statistics.median(longest)
    client.close()
    return stalls


def herd(peer: str, port: str) -> dict[str, Any]:
    """100 first inserts at the same time: the server counts the DescribeCollection calls."""
    from . import data

    rows = data.rows_of("numpy", 10, 768)
    start, before = time.perf_counter(), measure.cpu_seconds()

    async def run() -> None:
        client = _client(peer, port, asynchronous=True)
        await asyncio.gather(*(client.insert("float_768", rows) for _ in range(100)))
        await client.close()

    asyncio.run(run())
    return {"wall": time.perf_counter() - start, "cpu": measure.cpu_seconds() - before}


def thread_herd(peer: str, port: str) -> dict[str, Any]:
    """The same from 100 threads that share one client."""
    from . import data

    rows = data.rows_of("numpy", 10, 768)
    client = _client(peer, port)
    barrier = threading.Barrier(100)
    failures: list[BaseException] = []

    def insert() -> None:
        barrier.wait()
        try:
            client.insert("float_768", rows)
        except BaseException as error:
            failures.append(error)

    start, before = time.perf_counter(), measure.cpu_seconds()
    threads = [threading.Thread(target=insert) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    if failures:
        raise failures[0]
    return {"wall": time.perf_counter() - start, "cpu": measure.cpu_seconds() - before}


PROBES: dict[str, tuple[Callable[[str, str], dict[str, Any]], int]] = {
    "first_call": (first_call.first_call, 5),
    "memory": (memory_of, 1),
    "allocations": (allocations, 1),
    "loop_stall": (loop_stall, 1),
    "thread_stall": (thread_stall, 1),
    "herd": (herd, 3),
    "thread_herd": (thread_herd, 3),
}


def _counting_environment() -> dict[str, str]:
    OUT.mkdir(exist_ok=True)
    library = OUT / "count_malloc.so"
    subprocess.run(
        ["cc", "-O2", "-shared", "-fPIC", "-o", library, HERE / "count_malloc.c"], check=True
    )
    return {**os.environ, "LD_PRELOAD": str(library), "PYTHONMALLOC": "malloc"}


def run(server: FakeMilvus, quick: bool) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """{probe: {peer: [what it returned, ...]}}"""
    results: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name, (_, rounds) in PROBES.items():
        peers = (*CLIENTS, "bare") if name == "first_call" else CLIENTS
        environment = _counting_environment() if name == "allocations" else None
        for _ in range(1 if quick else rounds):
            for peer in peers:
                before = server.stats()["calls"]
                # first_call is a module of its own: this one imports what it is to weigh.
                command = (
                    ["benchmarks.first_call"]
                    if name == "first_call"
                    else ["benchmarks.probes", name]
                )
                output = subprocess.run(
                    [sys.executable, "-m", *command, peer, str(server.port)],
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                    env=environment,
                ).stdout
                after = server.stats()["calls"]
                answer = json.loads(output)
                answer["calls"] = {
                    method: count - before.get(method, 0) for method, count in after.items()
                }
                results.setdefault(name, {}).setdefault(peer, []).append(answer)
        print(f"  {name}", flush=True)
    return results


if __name__ == "__main__":
    probe, *arguments = sys.argv[1:]
    print(json.dumps(PROBES[probe][0](*arguments)))
