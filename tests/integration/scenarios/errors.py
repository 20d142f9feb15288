"""Mistakes that only a server can answer, and some that never reach it; class and code are held
equal. The table of mistakes that need no server is elsewhere."""

from __future__ import annotations

from ..harness import Side, scenario
from .common import DIM, ID, NUMBER, TEXT, VECTOR, create, rows, vector

MISSING = "no_such_collection"


@scenario()
async def missing_collection(w: Side, r: Side) -> None:
    await w.fails("insert", MISSING, rows(1))
    await w.fails("upsert", MISSING, rows(1))
    await w.fails("delete", MISSING, ids=[1])
    await r.fails("search", MISSING, [vector(1)], limit=1)
    await r.fails("query", MISSING, filter="id > 0")
    await r.fails("get", MISSING, ids=[1])
    await r.fails("describe_collection", MISSING)
    # The same client goes on working.
    await create(w, ID, VECTOR, NUMBER, TEXT)
    await w.insert(w.name, rows(1))
    assert len(await r.rows("query", r.name, filter="id >= 0")) == 1


@scenario()
async def bad_requests(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    await w.insert(w.name, rows(3))
    await r.fails("query", r.name, filter="id >>> 1")
    await r.fails("query", r.name, filter="nothing > 1")
    await r.fails("search", r.name, [vector(1)], limit=1, filter="id >")
    await r.fails("search", r.name, [vector(1, DIM * 2)], limit=1)
    await r.fails("search", r.name, [vector(1)], limit=1, anns_field="nothing")
    await r.fails("search", r.name, [vector(1)], limit=0)
    await r.tries("query", r.name, filter="id > 0", output_fields=["nothing"])
    await w.fails("delete", w.name, filter="id >>> 1")
    assert len(await r.rows("query", r.name, filter="id >= 0")) == 3


@scenario()
async def bad_rows(w: Side, r: Side) -> None:
    """A bad row sends nothing."""
    await create(w, ID, VECTOR, NUMBER, TEXT)
    good, second = rows(2)
    for bad in (
        {key: value for key, value in second.items() if key != "number"},
        {**second, "unknown": 1},
        {**second, "number": "text"},
        {**second, "text": 5},
        {**second, "vector": "text"},
    ):
        await w.fails("insert", w.name, [good, bad])
        await w.fails("upsert", w.name, [good, bad])
    await w.fails("insert", w.name, "text")
    assert await r.rows("query", r.name, filter="id >= 0") == []


@scenario(oracle=False)
async def null_where_none_is_allowed(w: Side, r: Side) -> None:
    """pymilvus leaves the value out, and the server finds the columns of unequal length."""
    await create(w, ID, VECTOR, NUMBER, TEXT)
    good, second = rows(2)
    for field in ("id", "vector", "number", "text"):
        for method in ("insert", "upsert"):
            error = await w.refuses(method, w.name, [good, {**second, field: None}])
            assert "rows[1]" in str(error)
            assert field in str(error)
    assert await r.rows("query", r.name, filter="id >= 0") == []
