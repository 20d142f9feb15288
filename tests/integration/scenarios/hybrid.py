"""Hybrid search over two vector fields, with both rankers of the older servers' protocol."""

from __future__ import annotations

from pymilvus import AnnSearchRequest, DataType, RRFRanker, WeightedRanker

from ..harness import LITE, Side, scenario
from .common import ID, NUMBER, VECTOR, create, vector

OTHER = ("other", DataType.FLOAT_VECTOR, {"dim": 4})
L2 = {"metric_type": "L2", "params": {}}


async def filled(side: Side) -> None:
    await create(side, ID, VECTOR, OTHER, NUMBER)
    await side.insert(
        side.name,
        [
            {"id": i, "vector": vector(i), "other": vector(-i - 1, 4), "number": i * 10}
            for i in range(40)
        ],
    )


def requests(near: int, other: int, count: int = 1, **keywords: str) -> list[AnnSearchRequest]:
    return [
        AnnSearchRequest([vector(near + i) for i in range(count)], "vector", L2, 10, **keywords),
        AnnSearchRequest([vector(-other - 1 - i, 4) for i in range(count)], "other", L2, 10),
    ]


@scenario(LITE)
async def reciprocal_ranks(w: Side, r: Side) -> None:
    await filled(w)
    found = await r.hybrid_search(
        r.name, requests(12, 12), RRFRanker(), limit=5, output_fields=["number"]
    )
    assert found[0][0]["id"] == 12
    assert found[0][0]["entity"]["number"] == 120
    await r.hybrid_search(r.name, requests(3, 30), RRFRanker(k=10), limit=8)
    several = await r.hybrid_search(r.name, requests(5, 5, count=3), RRFRanker(60), limit=4)
    assert [hits[0]["id"] for hits in several] == [5, 6, 7]


@scenario(LITE)
async def weighted_ranks(w: Side, r: Side) -> None:
    await filled(w)
    for weights in ((1.0, 0.0), (0.0, 1.0), (0.3, 0.7)):
        found = await r.hybrid_search(
            r.name, requests(3, 30), WeightedRanker(*weights), limit=6, output_fields=["number"]
        )
        if weights[1] == 0.0:
            assert found[0][0]["id"] == 3
        if weights[0] == 0.0:
            assert found[0][0]["id"] == 30
    await r.hybrid_search(r.name, requests(3, 30), WeightedRanker(0.5, 0.5, norm_score=False), 6)


@scenario(LITE)
async def filtered_requests(w: Side, r: Side) -> None:
    await filled(w)
    both = requests(3, 3, expr="id >= 10")
    found = await r.hybrid_search(r.name, both, RRFRanker(), limit=20, output_fields=["*"])
    assert 3 in [hit["id"] for hit in found[0]]
    page = await r.hybrid_search(r.name, requests(3, 3), RRFRanker(), limit=5, offset=2)
    assert len(page[0]) == 5
    await r.hybrid_search(r.name, requests(3, 3), RRFRanker(), limit=5, round_decimal=3)
