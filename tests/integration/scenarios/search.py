"""Search: its options, each against data where the right answer can be computed here."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..harness import LITE, Side, scenario
from .common import ID, NUMBER, TEXT, VECTOR, create, rows, vector

COUNT = 60


async def filled(side: Side, **index: Any) -> np.ndarray:
    await create(side, ID, VECTOR, NUMBER, TEXT, indexes={"vector": index} if index else None)
    await side.insert(side.name, rows(COUNT))
    return np.asarray([vector(i) for i in range(COUNT)], dtype=np.float32)


def nearest(matrix: np.ndarray, query: list[float]) -> list[int]:
    return [int(i) for i in np.argsort(((matrix - np.asarray(query, np.float32)) ** 2).sum(axis=1))]


@scenario()
async def nearest_neighbours(w: Side, r: Side) -> None:
    matrix = await filled(w)
    queries = [vector(1000 + i) for i in range(7)]
    found = await r.search(r.name, queries, limit=10, output_fields=["number", "text", "vector"])
    assert len(found) == 7
    for query, hits in zip(queries, found, strict=True):
        assert list(hits.ids) == nearest(matrix, query)[:10]
        for hit in hits:
            assert hit["entity"]["number"] == hit["id"] * 10
            assert hit["entity"]["vector"] == vector(hit["id"])


@scenario()
async def metrics(w: Side, r: Side) -> None:
    for metric in ("L2", "IP", "COSINE"):
        name = f"{w.name}_{metric}"
        w.trace.hide([name], "name")
        index = {"vector": {"index_type": "FLAT", "metric_type": metric}}
        await create(w, ID, VECTOR, NUMBER, TEXT, name=name, indexes=index)
        try:
            await w.insert(name, rows(COUNT))
            found = await r.search(
                name, [vector(5)], limit=4, search_params={"metric_type": metric, "params": {}}
            )
            if metric != "IP":
                assert found[0][0]["id"] == 5
            distances = [hit["distance"] for hit in found[0]]
            assert distances == sorted(distances, reverse=metric != "L2")
        finally:
            await w.quietly("drop_collection", name)


@scenario()
async def filters(w: Side, r: Side) -> None:
    matrix = await filled(w)
    for text, allowed in (
        ("id < 10", set(range(10))),
        ("number >= 300 and number < 400", set(range(30, 40))),
        ('text in ["row 3", "row 33"]', {3, 33}),
        ('text like "row 1%"', {1, *range(10, 20)}),
        ("not (id > 5)", set(range(6))),
    ):
        found = await r.search(r.name, [vector(2000)], filter=text, limit=5)
        want = [i for i in nearest(matrix, vector(2000)) if i in allowed][:5]
        assert [hit["id"] for hit in found[0]] == want, text


@scenario()
async def pages(w: Side, r: Side) -> None:
    matrix = await filled(w)
    want = nearest(matrix, vector(3000))
    for offset in (0, 5, 20, 55):
        found = await r.search(r.name, [vector(3000)], limit=10, search_params={"offset": offset})
        assert [hit["id"] for hit in found[0]] == want[offset : offset + 10]
    found = await r.search(r.name, [vector(3000)], limit=4, offset=3)
    assert [hit["id"] for hit in found[0]] == want[3:7]


@scenario()
async def ranges(w: Side, r: Side) -> None:
    matrix = await filled(w)
    distances = ((matrix - np.asarray(vector(4000), np.float32)) ** 2).sum(axis=1)
    low, high = (float(value) for value in np.quantile(distances, [0.2, 0.5]))
    found = await r.search(
        r.name,
        [vector(4000)],
        limit=COUNT,
        search_params={"params": {"radius": high, "range_filter": low}},
    )
    want = [i for i in nearest(matrix, vector(4000)) if low <= distances[i] < high]
    assert [hit["id"] for hit in found[0]] == want
    assert 5 < len(want) < 40


@scenario()
async def graph_index(w: Side, r: Side) -> None:
    index = {
        "index_type": "HNSW",
        "metric_type": "COSINE",
        "params": {"M": 8, "efConstruction": 64},
    }
    await filled(w, **index)
    await w.quietly("flush", w.name)
    found = await r.quietly(
        "search",
        r.name,
        [vector(11)],
        limit=3,
        search_params={"metric_type": "COSINE", "params": {"ef": 64}},
    )
    # The last digits depend on whether the server has built the graph yet.
    r.trace.note("search", [(hit["id"], round(hit["distance"], 4)) for hit in found[0]])
    assert found[0][0]["id"] == 11


@scenario()
async def rounded_distances(w: Side, r: Side) -> None:
    await filled(w)
    for digits in (0, 2, 6):
        found = await r.search(r.name, [vector(5000)], limit=5, round_decimal=digits)
        if digits == 2:
            assert all(hit["distance"] == round(hit["distance"], 2) for hit in found[0])


@scenario()
async def consistency_levels(w: Side, r: Side) -> None:
    await filled(w)
    for level in ("Strong", "Session", "Bounded", "Eventually", 0, 2):
        found = await r.search(
            r.name, [vector(6)], limit=1, consistency_level=level, filter="id >= 0"
        )
        assert len(found) == 1
        await r.rows(
            "query", r.name, filter="id == 6", output_fields=["number"], consistency_level="Strong"
        )
    # The writer's own Session reads see its writes at once.
    for i in range(100, 105):
        await w.insert(w.name, rows(1, start=i))
        (row,) = await w.rows("get", w.name, ids=i, consistency_level="Session")
        assert row["number"] == i * 10


@scenario()
async def reading_hits(w: Side, r: Side) -> None:
    """The ways of a Hit: item, get, attribute, and the lists beside the hits."""
    await filled(w)
    found = await r.search(r.name, [vector(8)], limit=3, output_fields=["number", "text"])
    hits = found[0]
    assert [hit.id for hit in hits] == list(hits.ids)
    assert [hit.distance for hit in hits] == list(hits.distances)
    first = hits[0]
    assert (first["id"], first.pk, first.get("number"), first["text"]) == (8, 8, 80, "row 8")
    assert first.entity.get("text") == "row 8"
    assert first.get("nothing", "default") == "default"
    assert first.fields == {"number": 80, "text": "row 8"}
    assert len(hits[0:2]) == 2
    assert [dict(hit) for hit in hits] == [hit.to_dict() for hit in hits]


@scenario(LITE)
async def grouping(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, NUMBER, TEXT)
    await w.insert(w.name, [{**row, "number": row["id"] % 5} for row in rows(COUNT)])
    query = [vector(6000)]
    found = await r.search(
        r.name, query, limit=5, group_by_field="number", output_fields=["number"]
    )
    assert sorted(hit["entity"]["number"] for hit in found[0]) == [0, 1, 2, 3, 4]
    found = await r.search(
        r.name, query, limit=2, group_by_field="number", group_size=3, strict_group_size=True,
        output_fields=["number"],
    )  # fmt: skip
    numbers = [hit["entity"]["number"] for hit in found[0]]
    assert len(numbers) == 6
    assert len(set(numbers)) == 2
