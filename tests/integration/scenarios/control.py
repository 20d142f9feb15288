"""Control calls around the data path: aliases, databases, and schemas that change under a client
that has used them."""

from __future__ import annotations

import contextlib

from ..harness import LITE, Side, scenario
from .common import ID, NUMBER, TEXT, VARCHAR_ID, VECTOR, create, rows, vector


@scenario()
async def describing(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    await w.insert(w.name, rows(3))
    assert await r.has_collection(r.name) is True
    assert await r.has_collection("no_such_collection") is False
    assert r.name in await r.quietly("list_collections")
    description = await r.quietly("describe_collection", r.name)
    assert [field["name"] for field in description["fields"]] == ["id", "vector", "number", "text"]
    assert await r.list_indexes(r.name) == ["vector"]
    await w.quietly("flush", w.name)
    assert (await r.get_collection_stats(r.name)) == {"row_count": 3}
    state = await r.get_load_state(r.name)
    assert str(state["state"]) == "Loaded"


@scenario(alone=True)  # milvus-lite writes all aliases to one temporary file
async def aliases(w: Side, r: Side) -> None:
    """An alias names one collection, then another with a different schema."""
    other, alias = f"{w.name}_other", f"{w.name}_alias"
    w.trace.hide([other, alias], "name")
    await create(w, ID, VECTOR, NUMBER, TEXT)
    await create(w, VARCHAR_ID, VECTOR, name=other)
    try:
        await w.create_alias(w.name, alias)
        await w.insert(alias, rows(5))
        assert len(await r.rows("query", alias, filter="id >= 0", output_fields=["number"])) == 5
        assert await r.rows("get", alias, ids=3) == rows(1, start=3)
        await w.alter_alias(other, alias)
        await w.insert(alias, [{"id": "now a string", "vector": vector(1)}])
        got = await r.rows("get", other, ids="now a string", output_fields=["id"])
        assert got == [{"id": "now a string"}]
        found = await r.search(alias, [vector(1)], limit=1)
        assert found[0][0]["id"] == "now a string"
    finally:
        for call in (("drop_alias", alias), ("drop_collection", other)):
            with contextlib.suppress(Exception):
                await w.quietly(*call)


@scenario()
async def databases(w: Side, r: Side) -> None:
    """The same collection name in two databases, with different schemas."""
    database = f"db_{w.name}"
    w.trace.hide([database], "name")
    await create(w, ID, VECTOR, NUMBER, TEXT)
    await w.insert(w.name, rows(4))
    await w.create_database(database)
    async with w.connected(db_name=database) as w2, r.connected(db_name=database) as r2:
        try:
            await create(w2, VARCHAR_ID, VECTOR)
            await w2.insert(w.name, [{"id": "elsewhere", "vector": vector(9)}])
            got = await r2.rows("query", r.name, filter='id != ""', output_fields=["id"])
            assert got == [{"id": "elsewhere"}]
            assert await r2.rows("get", r.name, ids="elsewhere", output_fields=["id"]) == got
            both = await r.rows("query", r.name, filter="id >= 0", output_fields=["text"])
            assert len(both) == 4
            assert await r.rows("get", r.name, ids=2) == rows(1, start=2)
        finally:
            with contextlib.suppress(Exception):
                await w2.quietly("drop_collection", w.name)
            with contextlib.suppress(Exception):
                await w.quietly("drop_database", database)


@scenario(LITE)
async def changing_the_database(w: Side, r: Side) -> None:
    """use_database on one client; Milvus 2.3.5 lacks the call it makes first."""
    database = f"db_{w.name}"
    w.trace.hide([database], "name")
    await create(w, ID, VECTOR, NUMBER, TEXT)
    await w.insert(w.name, rows(4))
    await w.create_database(database)
    async with w.connected(db_name=database) as inside:
        await create(inside, VARCHAR_ID, VECTOR)
    async with w.connected() as w2:
        assert await w2.rows("get", w.name, ids=2) == rows(1, start=2)
        await w2.use_database(database)
        await w2.insert(w.name, [{"id": "elsewhere", "vector": vector(9)}])
        assert (await w2.rows("get", w.name, ids="elsewhere"))[0]["vector"] == vector(9)
        await w2.use_database("default")
        assert await w2.rows("get", w.name, ids=2) == rows(1, start=2)
        await w2.insert(w.name, rows(1, start=50))
        await w2.fails("use_database", "no_such_database")
        await w2.quietly("use_database", database)
        await w2.quietly("drop_collection", w.name)
    await w.quietly("drop_database", database)
    assert len(await r.rows("query", r.name, filter="id >= 0", output_fields=["text"])) == 5


@scenario()
async def collection_made_anew(w: Side, r: Side) -> None:
    """One client drops and makes the collection that the other has a schema of."""
    await create(w, ID, VECTOR, NUMBER, TEXT)
    await r.insert(r.name, rows(3))
    await w.quietly("drop_collection", w.name)
    await create(w, ID, VECTOR, NUMBER, TEXT, ("more", *NUMBER[1:]))
    data = [{**row, "more": row["id"]} for row in rows(3, start=10)]
    assert (await r.insert(r.name, data))["insert_count"] == 3
    assert await r.rows("query", r.name, filter="id >= 0", output_fields=["*"]) == data
    await w.quietly("drop_collection", w.name)
    await create(w, ID, VECTOR)
    await r.insert(r.name, [{"id": 1, "vector": vector(1)}])
    assert await r.rows("get", r.name, ids=1) == [{"id": 1, "vector": vector(1)}]


@scenario()
async def renaming(w: Side, r: Side) -> None:
    new_name = f"{w.name}_renamed"
    w.trace.hide([new_name], "name")
    await create(w, ID, VECTOR, NUMBER, TEXT)
    await w.insert(w.name, rows(3))
    await w.rename_collection(w.name, new_name)
    try:
        await w.insert(new_name, rows(3, start=3))
        await w.quietly("load_collection", new_name)
        assert len(await r.rows("query", new_name, filter="id >= 0", output_fields=["id"])) == 6
        await r.fails("query", r.name, filter="id >= 0")
        # A rename drops the cached schema here, so it is the lookup that fails, not the insert.
        assert (await w.refuses("insert", w.name, rows(1))).code == 100
    finally:
        await w.quietly("drop_collection", new_name)


@scenario(LITE)
async def truncating(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    await w.insert(w.name, rows(5))
    await w.quietly("truncate_collection", w.name)
    assert await r.rows("query", r.name, filter="id >= 0") == []
    await w.insert(w.name, rows(2))
    assert len(await r.rows("query", r.name, filter="id >= 0")) == 2


@scenario()
async def releasing(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    await w.insert(w.name, rows(5))
    await w.quietly("release_collection", w.name)
    await r.fails("search", r.name, [vector(1)], limit=1)
    await r.fails("query", r.name, filter="id >= 0")
    await w.quietly("load_collection", w.name)
    assert len(await r.rows("query", r.name, filter="id >= 0", output_fields=["id"])) == 5
