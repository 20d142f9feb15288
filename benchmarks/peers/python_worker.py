"""A Python client that does the work it is told on standard input, line by line (see work.py).

    python -m benchmarks.peers.python_worker PEER PORT REQUESTS

PEER: native and grpc (milvus_native over its own transport and over grpcio), pymilvus, and grpcio
(bytes that are ready beforehand, from the folder REQUESTS; replies stay bytes). Answers each line
with a JSON object: calls, cpu and wall seconds, latency percentiles in seconds, context switches,
and for clients a digest of the first result. A wrong result ends the process.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import resource
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from .. import data
from ..measure import freeze_heap, percentiles
from ..work import Work

SERVICE = "/milvus.proto.milvus.MilvusService/"
METHODS = {"insert": "Insert", "search": "Search", "query": "Query"}
CHANNEL = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def client_class(peer: str, asynchronous: bool) -> Callable[[str], Any]:
    name = "AsyncMilvusClient" if asynchronous else "MilvusClient"
    if peer == "pymilvus":
        import pymilvus

        return getattr(pymilvus, name)
    import milvus_native

    return lambda uri: getattr(milvus_native, name)(uri, transport=peer)


def read_hits(result: Any, work: Work) -> None:
    """Reads each hit as a program would: key, distance, and the fields it asked for."""
    names = work.output_fields
    count = 0
    for hits in result:
        for hit in hits:
            _ = hit["id"], hit["distance"]
            if names:
                entity = hit["entity"]
                for name in names:
                    _ = entity[name]
            count += 1
    if count != work.nq * work.k:
        raise AssertionError(f"search: {count} hits, not {work.nq * work.k}")


def read_rows(rows: Any, work: Work) -> None:
    names = work.output_fields
    count = 0
    for row in rows:
        for name in names:
            _ = row[name]
        count += 1
    if count != work.rows:
        raise AssertionError(f"query: {count} rows, not {work.rows}")


def plain(value: Any) -> Any:
    """A result as plain objects, equal for every client."""
    if isinstance(value, dict) or hasattr(value, "items"):
        return {key: plain(value[key]) for key in sorted(value.keys())}
    if isinstance(value, (str, bytes, int, float)) or value is None:
        return value
    return [plain(item) for item in value]


def digest(work: Work, result: Any) -> str:
    if work.op == "insert":
        facts: Any = [result["insert_count"], plain(result["ids"])]
    elif work.op == "search":
        names = work.output_fields
        facts = [
            [hit["id"], hit["distance"], {name: plain(hit["entity"][name]) for name in names}]
            for hits in result
            for hit in hits
        ]
    else:
        facts = [{name: plain(row[name]) for name in work.output_fields} for row in result]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def call_of(client: Any, work: Work) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    """(makes the call, reads its result); the first may give an awaitable."""
    if work.op == "insert":
        rows = data.rows_of(form_for(client, work.form), work.rows, work.dim)

        def check(result: Any) -> None:
            if result["insert_count"] != work.rows:
                raise AssertionError("insert: wrong count")

        return lambda: client.insert(work.collection, rows), check
    fields = work.output_fields
    if work.op == "search":
        queries = [data.query_vector(work.dim)] * work.nq
        return (
            lambda: client.search(
                work.collection, queries, limit=work.k, output_fields=fields, anns_field="vector"
            ),
            lambda result: read_hits(result, work),
        )
    return (
        lambda: client.query(work.collection, "id >= 0", output_fields=fields, limit=work.rows),
        lambda result: read_rows(result, work),
    )


def form_for(client: Any, form: str) -> str:
    """pymilvus takes no columns: its users hand it rows of arrays."""
    theirs = type(client).__module__.startswith("pymilvus")
    return "numpy" if form == "columns" and theirs else form


class Timer:
    """Calls, CPU and wall time, and each call's latency, between start and stop."""

    def __init__(self) -> None:
        self.latencies: list[int] = []

    def start(self) -> None:
        self._usage = resource.getrusage(resource.RUSAGE_SELF)
        self._wall = time.perf_counter()

    def stop(self) -> dict[str, Any]:
        wall = time.perf_counter() - self._wall
        usage, before = resource.getrusage(resource.RUSAGE_SELF), self._usage
        return {
            "calls": len(self.latencies),
            "cpu": usage.ru_utime + usage.ru_stime - before.ru_utime - before.ru_stime,
            "system": usage.ru_stime - before.ru_stime,
            "wall": wall,
            "switches": usage.ru_nvcsw + usage.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw,
            **percentiles(self.latencies),
        }


def run_blocking(call: Callable[[], Any], check: Callable[[Any], None], work: Work) -> Any:
    timer, clock = Timer(), time.perf_counter_ns
    failures: list[BaseException] = []

    def caller() -> None:
        try:
            latencies, now = [], clock()
            while now < end:
                check(call())
                before, now = now, clock()
                latencies.append(now - before)
            timer.latencies.extend(latencies)
        except BaseException as error:
            failures.append(error)

    timer.start()
    end = time.perf_counter_ns() + int(work.seconds * 1e9)
    if work.mode == "sync":
        caller()
    else:
        threads = [threading.Thread(target=caller) for _ in range(work.width)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    return timer.stop()


async def run_async(
    call: Callable[[], Awaitable[Any]], check: Callable[[Any], None], work: Work
) -> Any:
    timer, clock = Timer(), time.perf_counter_ns

    async def caller() -> None:
        now = clock()
        while now < end:
            check(await call())
            before, now = now, clock()
            timer.latencies.append(now - before)

    timer.start()
    end = time.perf_counter_ns() + int(work.seconds * 1e9)
    await asyncio.gather(*(caller() for _ in range(work.width)))
    return timer.stop()


class Worker:
    """One client of each kind, made when it is first needed and kept."""

    def __init__(self, peer: str, port: str, requests: str) -> None:
        self.peer = peer
        self.address = f"127.0.0.1:{port}"
        self.requests = Path(requests)
        self._kept: dict[str, Any] = {}

    def run(self, work: Work) -> dict[str, Any]:
        if work.mode in ("sync", "threads"):
            call, check = self._calls("sync", work)
            first = call()
            check(first)
            return self._finish(work, first, lambda: run_blocking(call, check, work))
        loop = self._loop(work.mode)
        first, call, check = loop.run_until_complete(self._first(work))
        return self._finish(
            work, first, lambda: loop.run_until_complete(run_async(call, check, work))
        )

    def _finish(
        self, work: Work, first: Any, measured: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        seen = None if self.peer == "grpcio" else digest(work, first)
        del first
        freeze_heap()
        answer = measured()
        gc.unfreeze()
        return {**answer, "digest": seen}

    async def _first(self, work: Work) -> Any:
        call, check = self._calls(work.mode, work)
        first = await call()
        check(first)
        return first, call, check

    def _loop(self, mode: str) -> asyncio.AbstractEventLoop:
        key = f"loop-{mode}"
        if key not in self._kept:
            if mode == "uvloop":
                import uvloop

                self._kept[key] = uvloop.new_event_loop()
            else:
                self._kept[key] = asyncio.new_event_loop()
        return self._kept[key]

    def _calls(self, mode: str, work: Work) -> Any:
        if self.peer == "grpcio":
            return self._raw_calls(mode, work)
        if mode not in self._kept:
            make = client_class(self.peer, asynchronous=mode != "sync")
            self._kept[mode] = make(f"http://{self.address}")
        return call_of(self._kept[mode], work)

    def _raw_calls(self, mode: str, work: Work) -> Any:
        import grpc
        import grpc.aio

        if mode not in self._kept:
            module = grpc if mode == "sync" else grpc.aio
            self._kept[mode] = module.insecure_channel(self.address, options=CHANNEL)
        method = self._kept[mode].unary_unary(SERVICE + METHODS[work.op])
        request = (self.requests / work.key).read_bytes()

        def check(reply: bytes) -> None:
            if len(reply) < work.rows + work.nq * work.k:
                raise AssertionError("the reply is too short")

        return lambda: method(request), check


def main() -> None:
    worker = Worker(*sys.argv[1:])
    for line in sys.stdin:
        print(json.dumps(worker.run(Work.parse(line))), flush=True)


if __name__ == "__main__":
    main()
