"""Partitions by name and by key."""

from __future__ import annotations

from pymilvus import DataType

from ..harness import STANDALONE, Side, scenario
from .common import ID, NUMBER, TEXT, VECTOR, create, rows, vector


@scenario()
async def named_partitions(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    for partition in ("north", "south"):
        await w.quietly("create_partition", w.name, partition)
    assert await r.has_partition(r.name, "north") is True
    assert await r.has_partition(r.name, "west") is False
    await w.insert(w.name, rows(10), partition_name="north")
    await w.insert(w.name, rows(10, start=100), partition_name="south")
    await w.insert(w.name, rows(10, start=200))
    everywhere = await r.rows("query", r.name, filter="id >= 0", output_fields=["id"])
    assert len(everywhere) == 30
    for partition, low in (("north", 0), ("south", 100), ("_default", 200)):
        got = await r.rows(
            "query", r.name, filter="id >= 0", output_fields=["id"], partition_names=[partition]
        )
        assert [row["id"] for row in got] == list(range(low, low + 10))
        found = await r.search(r.name, [vector(105)], limit=10, partition_names=[partition])
        assert {hit["id"] for hit in found[0]} == set(range(low, low + 10))
    assert await r.rows("get", r.name, ids=[105], partition_names=["north"]) == []
    await w.upsert(w.name, rows(1, start=3), partition_name="north")
    await w.delete(w.name, filter="id in [1, 101]", partition_name="north")
    got = await r.rows("query", r.name, filter="id in [1, 3, 101]", output_fields=["id"])
    assert 1 not in [row["id"] for row in got]  # of 101, in the other partition, servers differ
    await r.tries("search", r.name, [vector(0)], limit=1, partition_names=["west"])
    await w.fails("insert", w.name, rows(1), partition_name="west")


@scenario(STANDALONE)
async def loading_partitions(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    await w.quietly("create_partition", w.name, "north")
    await w.insert(w.name, rows(5), partition_name="north")
    await w.quietly("release_collection", w.name)
    await r.fails("search", r.name, [vector(0)], limit=1)
    await w.quietly("load_partitions", w.name, ["north"])
    found = await r.search(r.name, [vector(2)], limit=1, partition_names=["north"])
    assert found[0][0]["id"] == 2


@scenario()
async def partition_key(w: Side, r: Side) -> None:
    key = ("tenant", DataType.VARCHAR, {"max_length": 30, "is_partition_key": True})
    await create(w, ID, VECTOR, key)
    data = [{"id": i, "vector": vector(i), "tenant": f"tenant {i % 4}"} for i in range(24)]
    await w.insert(w.name, data)
    got = await r.rows("query", r.name, filter='tenant == "tenant 2"', output_fields=["tenant"])
    assert {row["id"] for row in got} == set(range(2, 24, 4))
    found = await r.search(
        r.name, [vector(5)], filter='tenant in ["tenant 1", "tenant 3"]', limit=24,
        output_fields=["tenant"],
    )  # fmt: skip
    assert len(found[0]) == 12
    assert found[0][0]["id"] == 5
    await w.delete(w.name, filter='tenant == "tenant 0" and id >= 0')
    assert len(await r.rows("query", r.name, filter="id >= 0", output_fields=["id"])) == 18
