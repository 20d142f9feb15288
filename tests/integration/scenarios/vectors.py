"""Vectors: each input form a client may hold, and the kinds of vector the servers here have."""

from __future__ import annotations

import numpy as np
import scipy.sparse
from pymilvus import DataType

from ..harness import LITE, STANDALONE, Side, scenario
from .common import DIM, ID, NUMBER, VECTOR, create, vector


@scenario()
async def float_vector_forms(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR)
    want = [vector(i) for i in range(6)]
    matrix = np.asarray(want, dtype=np.float32)
    forms = [
        want[0],
        tuple(want[1]),
        matrix[2],
        matrix[3].astype(np.float64),
        np.asarray([matrix[4], matrix[4]]).T[:, 0],  # strided
        [np.float32(value) for value in want[5]],
    ]
    for i, form in enumerate(forms):
        await w.insert(w.name, [{"id": i, "vector": form}])
    got = await r.rows("query", r.name, filter="id >= 0", output_fields=["vector"])
    assert [row["vector"] for row in got] == want
    for query in (want[3], matrix[3], matrix[3].astype(np.float64)):
        found = await r.search(r.name, [query], limit=1)
        assert found[0][0]["id"] == 3
    both = await r.search(r.name, matrix[:2], limit=1)
    assert [hits[0]["id"] for hits in both] == [0, 1]


@scenario(STANDALONE)
async def binary_vectors(w: Side, r: Side) -> None:
    field = ("bits", DataType.BINARY_VECTOR, {"dim": 64})
    await create(w, ID, field, NUMBER)
    values = [bytes((i * 37 + j * 11) % 256 for j in range(8)) for i in range(40)]
    await w.insert(
        w.name, [{"id": i, "bits": value, "number": i} for i, value in enumerate(values)]
    )
    found = await r.search(
        r.name, [values[9], values[20]], limit=2, output_fields=["bits", "number"]
    )
    assert [hits[0]["id"] for hits in found] == [9, 20]
    assert found[0][0]["distance"] == 0.0
    got = await r.rows("query", r.name, filter="id < 3", output_fields=["bits"])
    assert [row["bits"] for row in got] == [[value] for value in values[:3]]
    await w.upsert(w.name, [{"id": 0, "bits": np.frombuffer(values[1], np.uint8), "number": 0}])
    (changed,) = await r.rows("get", r.name, ids=0)
    assert changed["bits"] == [values[1]]


@scenario(LITE)
async def sparse_vectors(w: Side, r: Side) -> None:
    field = ("sparse", DataType.SPARSE_FLOAT_VECTOR, {})
    await create(w, ID, field, NUMBER)
    forms = [
        {1: 0.5, 100: 2.0, 40_000: 1.25},
        [(2, 0.75), (1, 0.5)],
        scipy.sparse.csr_matrix(([1.5, 2.5], ([0, 0], [3, 70]))),
        {7: 1.0, 2**31: 4.0},
        scipy.sparse.coo_array(([3.5], ([0], [9]))),
    ]
    want = [
        {1: 0.5, 100: 2.0, 40_000: 1.25},
        {1: 0.5, 2: 0.75},
        {3: 1.5, 70: 2.5},
        {7: 1.0, 2**31: 4.0},
        {9: 3.5},
    ]
    for i, form in enumerate(forms):
        await w.insert(w.name, [{"id": i, "sparse": form, "number": i}])
    got = await r.rows("query", r.name, filter="id >= 0", output_fields=["sparse"])
    assert [row["sparse"] for row in got] == want
    found = await r.search(
        r.name, [{100: 1.0}, {70: 1.0, 9: 0.5}], limit=3, anns_field="sparse",
        output_fields=["sparse", "number"],
    )  # fmt: skip
    assert [hit["id"] for hit in found[1]] == [2, 4]
    assert found[0][0]["id"] == 0
    assert found[0][0]["entity"]["sparse"] == want[0]


@scenario(LITE)
async def several_vectors_in_a_row(w: Side, r: Side) -> None:
    other = ("other", DataType.FLOAT_VECTOR, {"dim": 4})
    await create(w, ID, VECTOR, other)
    data = [{"id": i, "vector": vector(i), "other": vector(-i - 1, 4)} for i in range(10)]
    await w.insert(w.name, data)
    got = await r.rows("query", r.name, filter="id >= 0", output_fields=["*"])
    assert got == data
    found = await r.search(r.name, [vector(-4, 4)], anns_field="other", limit=1)
    assert found[0][0]["id"] == 3
    found = await r.search(r.name, [vector(4, DIM)], anns_field="vector", limit=1)
    assert found[0][0]["id"] == 4
