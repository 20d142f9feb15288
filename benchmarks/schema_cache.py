"""The schema cache: what a look-up costs, what an entry weighs, what a herd of first calls asks.

    python -m benchmarks.schema_cache            # Milvus 2.3.5 and milvus-lite, ours and pymilvus
    python -m benchmarks.schema_cache lookups    # without servers

Each peer of the herd runs in a process of its own, with cold caches. Results go to
results/schema_cache.json.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

INSERTS = 1000
PEERS = ("milvus_native", "pymilvus")
TICKS = os.sysconf("SC_CLK_TCK")
RESULTS = Path(__file__).with_name("results") / "schema_cache.json"


# --- look-ups ---


def description(name: str, fields: int = 10) -> bytes:
    """A DescribeCollectionResponse: a key, a vector, the rest VARCHAR."""
    from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

    described = [
        schema_pb2.FieldSchema(fieldID=100, name="id", is_primary_key=True, data_type=5),
        schema_pb2.FieldSchema(fieldID=101, name="vector", data_type=101),
    ]
    described[1].type_params.add(key="dim", value="768")
    for number in range(2, fields):
        field = schema_pb2.FieldSchema(fieldID=100 + number, name=f"f{number}", data_type=21)
        field.type_params.add(key="max_length", value="100")
        described.append(field)
    reply = milvus_pb2.DescribeCollectionResponse(
        status=common_pb2.Status(),
        schema=schema_pb2.CollectionSchema(name=name, fields=described),
        collection_name=name,
        collectionID=1,
    )
    serialized: bytes = reply.SerializeToString()
    return serialized


def nanoseconds(work: Callable[[range], None], times: int, rounds: int = 9) -> float:
    """Of one turn of a loop: the median of several rounds."""
    turns = range(times)
    samples = []
    for _ in range(rounds):
        begin = time.process_time_ns()
        work(turns)
        samples.append((time.process_time_ns() - begin) / times)
    return statistics.median(samples)


def lookups() -> dict[str, Any]:
    from milvus_native._core import Schema, SchemaCache
    from milvus_native.scope import Scope

    capacity = 4096
    scope = Scope("localhost:19530", "root", "default")
    names = [f"collection_{number}" for number in range(capacity)]
    replies = [description(name) for name in names]
    cache = SchemaCache(capacity=capacity)
    before = resident()
    for name, reply in zip(names, replies, strict=True):
        cache.put(scope.schema_key(name), Schema.from_reply(reply), cache.generation())
    grown = resident() - before

    get, schema_key = cache.get, scope.schema_key
    key = schema_key(names[0])
    keys = [schema_key(name) for name in names]

    def nothing(turns: range) -> None:
        for _ in turns:
            pass

    def hot(turns: range) -> None:
        for _ in turns:
            get(key)

    def spread(turns: range) -> None:
        for number in turns:
            get(keys[number & 4095])

    def with_key(turns: range) -> None:
        for _ in turns:
            get(schema_key("collection_0"))

    small = SchemaCache(capacity=capacity)
    schema = Schema.from_reply(replies[0])
    fresh = [("e", "", "default", str(number)) for number in range(20_000)]

    def evicting(turns: range) -> None:
        for number in turns:
            small.put(fresh[number], schema, 0)

    loop = nanoseconds(nothing, 1_000_000)
    found = {
        "hit, same collection (ns)": nanoseconds(hot, 1_000_000) - loop,
        "hit, 4096 collections in turn (ns)": nanoseconds(spread, 1_000_000) - loop,
        "hit, its key made first (ns)": nanoseconds(with_key, 1_000_000) - loop,
        "put into a full cache (ns)": nanoseconds(evicting, len(fresh)) - loop,
        "reply of DescribeCollection (bytes)": len(replies[0]),
        "schema of 10 fields, stats()['bytes'] (bytes)": cache.stats()["bytes"] / capacity,
        "entry with key, resident memory (bytes)": grown / capacity,
    }
    full = resident()
    for _ in range(10):
        cache.clear()
        for name, reply in zip(names, replies, strict=True):
            cache.put(scope.schema_key(name), Schema.from_reply(reply), cache.generation())
    found["growth by ten more fillings, each after clear() (bytes an entry)"] = (
        resident() - full
    ) / capacity
    return {name: round(value, 2) for name, value in found.items()}


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


# --- the herd ---


async def herd(uri: str, names: list[str], peer: str) -> dict[str, Any]:
    """1,000 inserts at once, by a client that has never seen their collections."""
    described = 0
    row = {"id": 1, "vector": [0.5] * 8}
    if peer == "pymilvus":
        from pymilvus import AsyncMilvusClient
        from pymilvus.client.async_grpc_handler import AsyncGrpcHandler

        original = AsyncGrpcHandler.describe_collection

        async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal described
            described += 1
            return await original(self, *args, **kwargs)

        AsyncGrpcHandler.describe_collection = counted
        client: Any = AsyncMilvusClient(uri)
        await client.list_collections()  # connects
    else:
        from milvus_native import AsyncMilvusClient as Native

        def on_call(event: Any) -> None:
            nonlocal described
            described += event.method == "DescribeCollection"

        client = Native(uri, on_call=on_call)
        await client._connect()
    await asyncio.sleep(0.5)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    begin, cpu = time.perf_counter(), usage.ru_utime + usage.ru_stime
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    results = await asyncio.gather(
        *(client.insert(names[number % len(names)], [row]) for number in range(INSERTS))
    )
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = time.perf_counter() - begin
    if any(result["insert_count"] != 1 for result in results):
        raise AssertionError("insert: wrong count")
    return {
        "DescribeCollection calls": described,
        "seconds": round(seconds, 3),
        "client CPU seconds": round(usage.ru_utime + usage.ru_stime - cpu, 3),
    }


def server_cpu(folder: Path) -> float:
    """CPU seconds so far of the server whose data is in `folder`, with all its children."""
    total, groups = 0, set()
    processes = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    for path in processes:
        try:
            if str(folder).encode() in (path / "cmdline").read_bytes():
                groups.add(os.getpgid(int(path.name)))
        except (OSError, ProcessLookupError):
            continue
    for path in processes:
        try:
            stat = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat[2]) in groups:
            total += int(stat[11]) + int(stat[12])
    return total / TICKS


def herds(server: Any) -> dict[str, Any]:
    from milvus_native import MilvusClient

    names = [f"herd_{number}" for number in range(100)]
    found: dict[str, Any] = {}
    with MilvusClient(server.uri) as client:
        schema = client.create_schema()
        schema.add_field("id", 5, is_primary=True)
        schema.add_field("vector", 101, dim=8)
        for name in names:
            client.create_collection(name, schema=schema)
        for count in (1, 100):
            rounds: dict[str, list[dict[str, Any]]] = {peer: [] for peer in PEERS}
            for _ in range(3):
                for peer in PEERS:
                    time.sleep(1)
                    rounds[peer].append(run_peer(server, names[:count], peer))
            found[f"{INSERTS} inserts into {count}"] = {
                peer: {name: statistics.median(run[name] for run in runs) for name in runs[0]}
                for peer, runs in rounds.items()
            }
        for name in names:
            client.drop_collection(name)
    return found


def run_peer(server: Any, names: list[str], peer: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.schema_cache", "herd", server.uri, peer]
    with subprocess.Popen(
        [*command, ",".join(names)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise AssertionError(f"{peer} did not start")
        cpu = server_cpu(server.folder)
        process.stdin.write("\n")
        process.stdin.flush()
        found: dict[str, Any] = json.loads(process.stdout.readline())
        found["server CPU seconds"] = round(server_cpu(server.folder) - cpu, 3)
    return found


def main() -> None:
    if sys.argv[1:2] == ["herd"]:
        uri, peer, names = sys.argv[2:]
        print(json.dumps(asyncio.run(herd(uri, names.split(","), peer))), flush=True)
        return
    report: dict[str, Any] = {"look-ups": lookups()}
    if sys.argv[1:] != ["lookups"]:
        os.environ["MVN_TEST_SERVERS"] = tempfile.mkdtemp()
        from tests import servers

        for label, spec in (
            ("Milvus 2.3.5", servers.milvus_spec),
            ("milvus-lite", servers.lite_spec),
        ):
            with servers.join(spec) as server:
                report[label] = herds(server)
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
