"""Full-text search: a BM25 function makes the sparse vector on the server."""

from __future__ import annotations

from pymilvus import DataType, Function, FunctionType

from ..harness import LITE, Side, scenario
from .common import ID, create

SENTENCES = [
    "information retrieval is a field of study",
    "vector databases store embeddings",
    "full text search finds documents by their words",
    "the field mouse lives in a field",
    "search engines rank documents",
]


@scenario(LITE)
async def full_text_search(w: Side, r: Side) -> None:
    text = ("text", DataType.VARCHAR, {"max_length": 500, "enable_analyzer": True})
    sparse = ("sparse", DataType.SPARSE_FLOAT_VECTOR, {})
    bm25 = Function(
        name="bm25",
        function_type=FunctionType.BM25,
        input_field_names=["text"],
        output_field_names=["sparse"],
    )
    index = {"sparse": {"index_type": "SPARSE_INVERTED_INDEX", "metric_type": "BM25"}}
    await create(w, ID, text, sparse, indexes=index, functions=(bm25,))
    data = [{"id": i, "text": sentence} for i, sentence in enumerate(SENTENCES)]
    assert (await w.insert(w.name, data))["insert_count"] == len(SENTENCES)
    found = await r.search(
        r.name, ["field", "search documents"], anns_field="sparse", limit=3, output_fields=["text"]
    )
    assert found[0][0]["id"] == 3
    assert {hit["id"] for hit in found[1]} == {2, 4}
    assert found[0][0]["entity"]["text"] == SENTENCES[3]
    await w.upsert(w.name, [{"id": 3, "text": "nothing of the kind"}])
    found = await r.search(r.name, ["field"], anns_field="sparse", limit=3)
    assert [hit["id"] for hit in found[0]] == [0]


@scenario(LITE)
async def text_match(w: Side, r: Side) -> None:
    text = (
        "text",
        DataType.VARCHAR,
        {"max_length": 500, "enable_analyzer": True, "enable_match": True},
    )
    vector_field = ("vector", DataType.FLOAT_VECTOR, {"dim": 2})
    await create(w, ID, text, vector_field)
    data = [
        {"id": i, "text": sentence, "vector": [float(i), 1.0]}
        for i, sentence in enumerate(SENTENCES)
    ]
    await w.insert(w.name, data)
    got = await r.rows("query", r.name, filter="TEXT_MATCH(text, 'field mouse')")
    assert [row["id"] for row in got] == [0, 3]
    found = await r.search(
        r.name, [[0.0, 1.0]], filter="TEXT_MATCH(text, 'documents')", limit=5, anns_field="vector"
    )
    assert [hit["id"] for hit in found[0]] == [2, 4]
