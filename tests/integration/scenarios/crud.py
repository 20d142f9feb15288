"""Insert, upsert, delete, get, query: what a program does all day."""

from __future__ import annotations

from pymilvus import DataType

from ..harness import LITE, Side, scenario
from .common import DIM, ID, NUMBER, TEXT, VARCHAR_ID, VECTOR, create, rows, vector


@scenario()
async def quick_setup(w: Side, r: Side) -> None:
    """The two-argument create_collection of the quick start: id, vector, dynamic fields."""
    async with w.maker() as maker:
        await maker.quietly("create_collection", w.name, dimension=DIM, consistency_level="Strong")
    data = [{"id": i, "vector": vector(i), "color": f"c{i}"} for i in range(20)]
    assert (await w.insert(w.name, data))["insert_count"] == 20
    assert len(await r.rows("query", r.name, filter="id >= 0", output_fields=["color"])) == 20
    found = await r.search(r.name, [vector(7)], limit=3, output_fields=["color"])
    assert found[0][0]["id"] == 7
    assert found[0][0]["entity"]["color"] == "c7"


@scenario()
async def life_of_a_row(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    assert (await w.insert(w.name, rows(10)))["ids"] == list(range(10))
    (row,) = await r.rows("get", r.name, ids=3)
    assert row == rows(10)[3]
    changed = {**rows(10)[3], "number": -1, "text": "changed"}
    assert (await w.upsert(w.name, changed))["upsert_count"] == 1
    assert await r.rows("get", r.name, ids=[3]) == [changed]
    await w.delete(w.name, ids=[3, 4])
    assert await r.rows("get", r.name, ids=[3, 4]) == []
    remaining = await r.rows("query", r.name, filter="id >= 0", output_fields=["id"])
    assert [row["id"] for row in remaining] == [0, 1, 2, 5, 6, 7, 8, 9]


@scenario()
async def a_single_dict(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    (row,) = rows(1, start=41)
    assert (await w.insert(w.name, row))["insert_count"] == 1
    assert await r.rows("get", r.name, ids=41) == [row]


@scenario()
async def generated_ids(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT, auto_id=True)
    data = [{key: value for key, value in row.items() if key != "id"} for row in rows(12)]
    result = await w.quietly("insert", w.name, data)
    ids = list(result["ids"])
    assert len(set(ids)) == 12
    w.trace.hide(ids, "generated id")
    w.trace.note("insert", result)
    got = await r.rows("get", r.name, ids=ids[:4], output_fields=["number", "text"])
    assert {row["number"] for row in got} == {0, 10, 20, 30}
    await w.delete(w.name, ids=ids[0])
    assert len(await r.rows("get", r.name, ids=ids)) == 11


@scenario()
async def string_keys(w: Side, r: Side) -> None:
    await create(w, VARCHAR_ID, VECTOR, NUMBER)
    keys = ["a", "b b", "ä", "0", "k" * 190, "日本"]
    data = [{"id": key, "vector": vector(i), "number": i} for i, key in enumerate(keys)]
    assert (await w.insert(w.name, data))["ids"] == keys
    assert len(await r.rows("get", r.name, ids=keys)) == len(keys)
    assert (await r.rows("get", r.name, ids="ä"))[0]["number"] == 2
    found = await r.search(r.name, [vector(4)], limit=1)
    assert found[0][0]["id"] == keys[4]
    await w.delete(w.name, ids=["a", "日本"])
    assert len(await r.rows("query", r.name, filter="number >= 0")) == len(keys) - 2


UNUSUAL_KEYS = [
    "O'Brien",
    'say "hi"',
    "x'] or id != ['",
    'x"] or id != ["',
    "back\\slash",
    "trailing\\",
    "\\'",
    "new\nline",
    "tab\tand\rreturn",
    "{braces}",
    "%s",
    "🙂",
    " ",
]


@scenario(oracle=False)
async def unusual_keys(w: Side, r: Side) -> None:
    """pymilvus pastes keys into the filter as they are, so it can neither get nor delete these."""
    await create(w, VARCHAR_ID, VECTOR, NUMBER)
    data = [{"id": key, "vector": vector(i), "number": i} for i, key in enumerate(UNUSUAL_KEYS)]
    assert (await w.insert(w.name, data))["ids"] == UNUSUAL_KEYS
    for i, key in enumerate(UNUSUAL_KEYS):
        got = await w.rows("get", w.name, ids=[key], output_fields=["number"])
        assert got == [{"id": key, "number": i}], key
    assert len(await w.rows("query", w.name, ids=UNUSUAL_KEYS)) == len(UNUSUAL_KEYS)
    assert len(await r.rows("query", r.name, filter="number >= 0")) == len(UNUSUAL_KEYS)
    left = len(UNUSUAL_KEYS)
    for key in UNUSUAL_KEYS:
        await w.delete(w.name, ids=key)
        left -= 1
        found = await r.rows("query", r.name, filter="number >= 0", output_fields=["id"])
        assert len(found) == left, key


@scenario()
async def upsert_replaces_and_adds(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    await w.insert(w.name, rows(6))
    second = [{**row, "number": -row["id"]} for row in rows(6, start=3)]
    assert (await w.upsert(w.name, second))["upsert_count"] == 6
    got = await r.rows("query", r.name, filter="id >= 0")
    assert [row["number"] for row in got] == [0, 10, 20, -3, -4, -5, -6, -7, -8]


@scenario(LITE)
async def partial_update(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    await w.insert(w.name, rows(5))
    await w.upsert(w.name, [{"id": 2, "number": 77}, {"id": 4, "number": 78}], partial_update=True)
    got = await r.rows("query", r.name, filter="id >= 0")
    assert [row["number"] for row in got] == [0, 10, 77, 30, 78]
    assert [row["text"] for row in got] == [row["text"] for row in rows(5)]
    assert [row["vector"] for row in got] == [row["vector"] for row in rows(5)]


@scenario()
async def delete_by_filter(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    await w.insert(w.name, rows(20))
    await w.delete(w.name, filter="id in [1, 2, 3]")
    await w.delete(w.name, filter="id in [100, 101]")
    await w.delete(w.name, ids=[19])
    got = await r.rows("query", r.name, filter="number >= 0", output_fields=["number"])
    assert len(got) == 16
    assert await r.rows("query", r.name, filter="id in [1, 2, 3, 19]") == []


@scenario()
async def nothing_to_do(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    assert (await w.insert(w.name, []))["insert_count"] == 0
    assert (await w.upsert(w.name, []))["upsert_count"] == 0
    assert await r.get(r.name, ids=[]) == []
    assert await r.rows("query", r.name, filter="id > 5") == []
    found = await r.search(r.name, [vector(1), vector(2)], limit=5)
    assert [len(hits) for hits in found] == [0, 0]


@scenario()
async def query_forms(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    await w.insert(w.name, rows(30))
    assert await r.query(r.name, filter="", output_fields=["count(*)"]) == [{"count(*)": 30}]
    assert len(await r.rows("query", r.name, ids=[4, 5], output_fields=["text"])) == 2
    page = await r.query(r.name, filter="id >= 10", output_fields=["id"], limit=5, offset=5)
    assert len(page) == 5
    star = await r.rows("query", r.name, filter="id == 9", output_fields=["*"])
    assert star == rows(1, start=9)
    text = 'text in ["row 1", "row 2"] or (number > 280 and text like "row%")'
    assert len(await r.rows("query", r.name, filter=text, output_fields=["id"])) == 3


@scenario()
async def a_larger_batch(w: Side, r: Side) -> None:
    wide = ("vector", DataType.FLOAT_VECTOR, {"dim": 64})
    await create(w, ID, wide, NUMBER, TEXT)
    data = [
        {"id": i, "vector": vector(i, 64), "number": i, "text": f"text of row {i} " * (i % 7)}
        for i in range(2000)
    ]
    assert (await w.insert(w.name, data))["insert_count"] == 2000
    for start in range(0, 2000, 500):
        part = await r.rows("query", r.name, filter=f"id >= {start} and id < {start + 500}")
        assert {row["id"]: row for row in part} == {
            row["id"]: row for row in data[start : start + 500]
        }


@scenario()
async def many_inserts_at_once(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    calls = [(w.name, rows(25, start=25 * batch)) for batch in range(16)]
    results = await w.gather("insert", calls)
    assert [result["insert_count"] for result in results] == [25] * 16
    got = await r.rows("query", r.name, filter="id >= 0", output_fields=["number"])
    assert [row["number"] for row in got if row["id"] == 399] == [3990]
    assert len(got) == 400
    answers = await r.gather("search", [(r.name, [vector(i)], "", 1) for i in range(0, 400, 10)])
    assert [answer[0][0]["id"] for answer in answers] == list(range(0, 400, 10))
