"""Whole calls against fake_milvus: the same program through pymilvus and through milvus_native.

Each peer runs in a process of its own (`python -m benchmarks.calls PEER PORT SECONDS`), so that
getrusage weighs one client alone; peers take turns for several rounds.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
from typing import Any

from . import data
from .measure import cpu_seconds, freeze_heap

IN_FLIGHT = 64
PEERS = ("milvus_native", "pymilvus")


def client_classes(peer: str) -> tuple[Any, Any]:
    if peer == "pymilvus":
        import pymilvus

        return pymilvus.MilvusClient, pymilvus.AsyncMilvusClient
    import milvus_native

    return milvus_native.MilvusClient, milvus_native.AsyncMilvusClient


def sync_cases(client: Any) -> dict[str, tuple[Any, int]]:
    """Name -> (one call, calls per round). Each call checks its own answer's shape."""
    query = [data.vectors(1)[0].tolist()]
    numpy_rows, list_rows = data.rows_of("numpy"), data.rows_of("list")

    def insert(rows: Any) -> None:
        if client.insert(data.COLLECTION, rows)["insert_count"] != data.ROWS:
            raise AssertionError("insert: wrong count")

    def search(nq: int, k: int, fields: list[str]) -> None:
        result = client.search(data.COLLECTION, query * nq, limit=k, output_fields=fields)
        hits = [hit for hits in result for hit in hits]
        if len(hits) != nq * k or set(hits[-1]["entity"]) != set(fields):
            raise AssertionError("search: wrong shape")

    def run_query(fields: list[str]) -> None:
        rows = list(client.query(data.COLLECTION, "id >= 0", output_fields=fields, limit=1000))
        if len(rows) != 1000 or set(rows[-1]) != set(fields):
            raise AssertionError("query: wrong shape")

    return {
        "insert 1000 x 768, numpy rows": (lambda: insert(numpy_rows), 20),
        "insert 1000 x 768, list rows": (lambda: insert(list_rows), 20),
        "search nq=1 k=10": (lambda: search(1, 10, []), 1000),
        "search nq=10 k=100, one field": (lambda: search(10, 100, ["text"]), 100),
        "query 1000 rows, two scalars": (lambda: run_query(["id", "text"]), 50),
        "query 1000 rows with vectors": (lambda: run_query(["id", "vector"]), 10),
    }


async def async_search(client: Any, calls: int) -> None:
    query = [data.vectors(1)[0].tolist()]

    async def worker(count: int) -> None:
        for _ in range(count):
            result = await client.search(data.COLLECTION, query, limit=10)
            if len(result[0]) != 10:
                raise AssertionError("search: wrong shape")

    await asyncio.gather(*(worker(calls // IN_FLIGHT) for _ in range(IN_FLIGHT)))


async def async_cases(client: Any) -> dict[str, float]:
    calls = 40 * IN_FLIGHT
    await async_search(client, IN_FLIGHT)
    before = cpu_seconds()
    await async_search(client, calls)
    cost = (cpu_seconds() - before) / calls
    await client.close()
    return {f"search nq=1 k=10, asyncio, {IN_FLIGHT} in flight": cost}


def child(peer: str, port: str) -> None:
    sync_class, async_class = client_classes(peer)
    uri = f"http://127.0.0.1:{port}"
    client = sync_class(uri)
    costs = {}
    cases = sync_cases(client)
    freeze_heap()
    for name, (call, count) in cases.items():
        call()
        before = cpu_seconds()
        for _ in range(count):
            call()
        costs[name] = (cpu_seconds() - before) / count
    client.close()
    costs.update(asyncio.run(async_cases(async_class(uri))))
    json.dump(costs, sys.stdout)


def run(port: int, rounds: int) -> list[dict[str, Any]]:
    samples: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        for peer in PEERS:
            output = subprocess.run(
                [sys.executable, "-m", "benchmarks.calls", peer, str(port)],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            ).stdout
            for case, cost in json.loads(output).items():
                samples.setdefault(case, {}).setdefault(peer, []).append(cost)
    return [
        {
            "case": case,
            "correct": True,
            "samples": by_peer,
            "median": {peer: statistics.median(values) for peer, values in by_peer.items()},
        }
        for case, by_peer in samples.items()
    ]


if __name__ == "__main__":
    child(sys.argv[1], sys.argv[2])
