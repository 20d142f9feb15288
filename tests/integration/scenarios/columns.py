"""Columns instead of rows, which pymilvus's client does not take."""

from __future__ import annotations

import numpy as np
from pymilvus import DataType

from ..harness import Side, scenario
from .common import DIM, ID, NUMBER, TEXT, VECTOR, create, rows

COUNT = 300


def matrix() -> np.ndarray:
    return np.asarray([row["vector"] for row in rows(COUNT)], dtype=np.float32)


@scenario(oracle=False)
async def columns_in_schema_order(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    want = rows(COUNT)
    columns = [
        list(range(COUNT)),
        matrix(),
        [row["number"] for row in want],
        [row["text"] for row in want],
    ]
    assert (await w.insert(w.name, columns))["insert_count"] == COUNT
    got = await r.rows("query", r.name, filter="id >= 0")
    assert sorted(got, key=lambda row: row["id"]) == want


@scenario(oracle=False)
async def dict_of_columns(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    want = rows(COUNT)
    columns = {
        "vector": matrix(),
        "id": np.arange(COUNT),
        "text": [row["text"] for row in want],
        "number": np.arange(COUNT) * 10,
    }
    assert (await w.insert(w.name, columns))["insert_count"] == COUNT
    got = await r.rows("query", r.name, filter="id >= 0")
    assert sorted(got, key=lambda row: row["id"]) == want
    moved = {**columns, "vector": matrix() + 1}
    assert (await w.upsert(w.name, moved))["upsert_count"] == COUNT
    (row,) = await r.rows("get", r.name, ids=5)
    assert row["vector"] == [value + 1 for value in want[5]["vector"]]


@scenario(oracle=False)
async def generated_ids_with_columns(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, ("score", DataType.DOUBLE, {}), auto_id=True)
    scores = np.linspace(0, 1, COUNT)
    result = await w.quietly("insert", w.name, [matrix(), scores])
    assert result["insert_count"] == COUNT
    ids = list(result["ids"])
    w.trace.hide(ids, "generated id")
    got = await r.rows("get", r.name, ids=ids, output_fields=["score", "vector"])
    assert sorted(row["score"] for row in got) == list(scores)
    assert len(got[0]["vector"]) == DIM
