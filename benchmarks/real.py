"""Real servers: what a client can change of the whole, and what it cannot.

milvus-lite and Milvus 2.3.5, each in its own processes, and two programs through each client in a
process of its own: the 100,000 vectors of examples/concurrent_insert.py, and a mixed load of
inserts and searches that wait for each other's server. The server's CPU stands beside the client's.

    python -m benchmarks.real CLIENT URI INSERTS SEARCHES     runs the mixed load alone
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .measure import cpu_seconds, percentiles

ROOT = Path(__file__).resolve().parent.parent
CLIENTS = ("milvus_native", "pymilvus")
DIM, BATCH, COLLECTION = 128, 200, "mixed"
TICK = os.sysconf("SC_CLK_TCK")


def descendants_cpu() -> float:
    """CPU seconds of all processes below this one: the servers, while no client runs."""
    parents, used = {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(entry.name)
        parents[pid] = int(fields[1])
        used[pid] = sum(map(int, fields[11:15])) / TICK  # its own and its waited-for children's
    total = 0.0
    for pid, seconds in used.items():
        above = parents.get(pid, 0)
        while above and above != os.getpid():
            above = parents.get(above, 0)
        if above:
            total += seconds
    return total


async def mixed(client_name: str, uri: str, inserts: int, searches: int) -> dict[str, Any]:
    """4 writers and 16 readers at the same time, until all the work is done."""
    import numpy as np

    module = importlib.import_module(client_name)
    vectors = np.random.default_rng(7).standard_normal((inserts * BATCH, DIM), dtype=np.float32)
    batches = [
        [{"id": i, "vector": vectors[i], "title": f"document {i}"} for i in range(b, b + BATCH)]
        for b in range(0, inserts * BATCH, BATCH)
    ]
    with_schema = module.MilvusClient(uri)
    if with_schema.has_collection(COLLECTION):
        with_schema.drop_collection(COLLECTION)
    schema = with_schema.create_schema()
    schema.add_field("id", module.DataType.INT64, is_primary=True)
    schema.add_field("vector", module.DataType.FLOAT_VECTOR, dim=DIM)
    schema.add_field("title", module.DataType.VARCHAR, max_length=200)
    index = with_schema.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="L2")
    with_schema.create_collection(
        COLLECTION, schema=schema, index_params=index, consistency_level="Eventually"
    )
    with_schema.insert(COLLECTION, batches[0])
    client = module.AsyncMilvusClient(uri)
    latencies: list[int] = []
    to_insert, to_search = iter(batches[1:]), iter(range(searches))
    counts = {"inserted": BATCH, "hits": 0}

    async def write() -> None:
        for rows in to_insert:
            done = await client.insert(COLLECTION, rows)
            counts["inserted"] += done["insert_count"]

    async def read() -> None:
        for i in to_search:
            begun = time.perf_counter_ns()
            hits = (await client.search(COLLECTION, [vectors[i % BATCH]], limit=10))[0]
            latencies.append(time.perf_counter_ns() - begun)
            counts["hits"] += len(hits)

    await client.search(COLLECTION, [vectors[0]], limit=10)
    before, start = cpu_seconds(), time.perf_counter()
    await asyncio.gather(*(write() for _ in range(4)), *(read() for _ in range(16)))
    spent = {"wall": time.perf_counter() - start, "cpu": cpu_seconds() - before}
    await client.close()
    with_schema.drop_collection(COLLECTION)
    with_schema.close()
    correct = counts["inserted"] == inserts * BATCH and counts["hits"] > 0
    return {**spent, **percentiles(latencies), "correct": correct, **counts}


def _child(*command: str) -> tuple[str, float]:
    """What a client prints, and what the server spent meanwhile."""
    before = descendants_cpu()
    done = subprocess.run(
        [sys.executable, *command], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    return done.stdout, descendants_cpu() - before


def _article(client: str, uri: str, folder: Path) -> dict[str, Any]:
    report = folder / "steps.json"
    options = ["--uri", uri, "--client", client, "--json", str(report), "--searches", "4"]
    _, server = _child("examples/concurrent_insert.py", *options)
    steps = {step["step"]: step for step in json.loads(report.read_text())}
    return {
        "wall": steps["insert"]["wall"],
        "cpu": steps["insert"]["cpu"],
        "whole_wall": sum(step["wall"] for step in steps.values()),
        "whole_cpu": sum(step["cpu"] for step in steps.values()),
        "server_cpu": server,
        "correct": True,  # the program checks what it finds, and ends otherwise
    }


def run(folder: Path, rounds: int) -> list[dict[str, Any]]:
    os.environ["MVN_TEST_SERVERS"] = str(folder)
    sys.path.insert(0, str(ROOT))
    from tests import servers

    rows = []
    # milvus-lite is one Python process: a fraction of the load keeps it busy for as long.
    plans = ((servers.lite_spec, 20, 100), (servers.milvus_spec, 100, 2000))
    for spec, inserts, searches in plans:
        with servers.join(spec) as server:
            samples: dict[str, dict[str, list[Any]]] = {"article": {}, "mixed": {}}
            for _ in range(rounds):
                for client in CLIENTS:
                    samples["article"].setdefault(client, []).append(
                        _article(client, server.uri, folder)
                    )
                    output, spent = _child(
                        *("-m", "benchmarks.real", client, server.uri, str(inserts), str(searches))
                    )
                    samples["mixed"].setdefault(client, []).append(
                        {**json.loads(output), "server_cpu": spent}
                    )
            cases = {
                "article": "100,000 vectors by asyncio.gather",
                "mixed": f"{inserts} inserts of {BATCH} among {searches} searches",
            }
            for name, by_client in samples.items():
                rows.append(
                    {
                        "server": f"milvus {server.version}".replace("milvus lite", "milvus-lite"),
                        "case": cases[name],
                        "correct": all(s["correct"] for taken in by_client.values() for s in taken),
                        "samples": by_client,
                    }
                )
                print(f"  {rows[-1]['server']}: {rows[-1]['case']}", flush=True)
    servers.wait_until_gone(folder)
    return rows


if __name__ == "__main__":
    name, uri, *numbers = sys.argv[1:]
    print(json.dumps(asyncio.run(mixed(name, uri, *map(int, numbers)))))
