"""Inserts 100,000 vectors by asyncio.gather, then flushes, searches, queries and deletes.

    python examples/concurrent_insert.py --uri http://127.0.0.1:19530 --client milvus_native

The same program runs with `--client pymilvus`: only the import differs. It prints, for each step,
the wall time and the CPU time that this process, the client, spent on it. `make demo` starts a
server and runs it with both.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import resource
import time
from collections.abc import Iterator
from types import ModuleType

import numpy as np

COLLECTION = "concurrent_insert"


class Stopwatch:
    """Wall and CPU seconds of this process, step by step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, str | float]] = []

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Times the block; what it appends to the list is printed beside its name."""
        remarks: list[str] = []
        wall, cpu = time.perf_counter(), self.cpu()
        yield remarks
        wall, cpu = time.perf_counter() - wall, self.cpu() - cpu
        remark = ", ".join(remarks)
        self.steps.append({"step": name, "wall": wall, "cpu": cpu, "remark": remark})
        print(f"  {name:<10} wall {wall:7.3f} s   client CPU {cpu:7.3f} s   {remark}", flush=True)

    @staticmethod
    def cpu() -> float:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime


def make_batches(rows: int, batch: int, dim: int) -> list[list[dict[str, object]]]:
    """Rows as an application has them: dicts, each with a numpy vector."""
    vectors = np.random.default_rng(42).standard_normal((rows, dim), dtype=np.float32)
    return [
        [
            {"id": i, "vector": vectors[i], "title": f"document {i}"}
            for i in range(start, min(start + batch, rows))
        ]
        for start in range(0, rows, batch)
    ]


def create(module: ModuleType, uri: str, dim: int) -> None:
    """A collection of id, vector and title. With the sync client: milvus-lite does not have the
    AllocTimestamp call that the async one makes for an index."""
    client = module.MilvusClient(uri=uri)
    if client.has_collection(COLLECTION):
        client.drop_collection(COLLECTION)
    schema = client.create_schema()
    schema.add_field("id", module.DataType.INT64, is_primary=True)
    schema.add_field("vector", module.DataType.FLOAT_VECTOR, dim=dim)
    schema.add_field("title", module.DataType.VARCHAR, max_length=200)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="L2")
    client.create_collection(
        COLLECTION, schema=schema, index_params=index, consistency_level="Strong"
    )
    client.close()


async def run(arguments: argparse.Namespace) -> list[dict[str, str | float]]:
    batches = make_batches(arguments.rows, arguments.batch, arguments.dim)
    watch = Stopwatch()
    with watch.step("import"):
        module = importlib.import_module(arguments.client)
    with watch.step("create"):
        create(module, arguments.uri, arguments.dim)

    client = module.AsyncMilvusClient(uri=arguments.uri)
    with watch.step("insert") as remarks:
        slots = asyncio.Semaphore(arguments.in_flight)

        async def insert(rows: list[dict[str, object]]) -> int:
            async with slots:
                return (await client.insert(COLLECTION, rows))["insert_count"]

        counts = await asyncio.gather(*(insert(rows) for rows in batches))
        assert sum(counts) == arguments.rows
        remarks.append(f"{sum(counts):,} vectors in {len(batches)} batches")

    with watch.step("flush"):
        await client.flush(COLLECTION)

    with watch.step("search") as remarks:
        wanted = [batches[i % len(batches)][0] for i in range(arguments.searches)]
        answers = await asyncio.gather(
            *(
                client.search(COLLECTION, [row["vector"]], limit=10, output_fields=["title"])
                for row in wanted
            )
        )
        for row, answer in zip(wanted, answers, strict=True):
            assert answer[0][0]["id"] == row["id"]
            assert answer[0][0]["entity"]["title"] == row["title"]
        remarks.append(f"{len(answers)} searches, each found its own vector first")

    with watch.step("query") as remarks:
        found = await client.query(
            COLLECTION, filter="id < 500", output_fields=["title", "vector"], limit=500
        )
        assert sorted(row["id"] for row in found) == list(range(500))
        remarks.append(f"{len(found)} rows with their vectors")

    with watch.step("delete") as remarks:
        deleted = list(range(100))
        await client.delete(COLLECTION, ids=deleted)
        left = await client.get(COLLECTION, ids=list(range(200)), output_fields=["id"])
        assert sorted(row["id"] for row in left) == list(range(100, 200))
        remarks.append(f"{len(deleted)} rows gone")

    with watch.step("close"):
        await client.drop_collection(COLLECTION)
        await client.close()
    return watch.steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uri", default="http://127.0.0.1:19530")
    parser.add_argument("--client", choices=["milvus_native", "pymilvus"], default="milvus_native")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--in-flight", type=int, default=16, help="inserts at the same time")
    parser.add_argument("--searches", type=int, default=10)
    parser.add_argument("--json", help="write the steps' times to this file")
    arguments = parser.parse_args()

    print(f"{arguments.client}: {arguments.rows:,} vectors of {arguments.dim} floats")
    steps = asyncio.run(run(arguments))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(steps, file)


if __name__ == "__main__":
    main()
