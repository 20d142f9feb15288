"""The work that is measured: schemas, rows, queries, and the fake server's reply files.

Replies are built with pymilvus's own message classes, so that what the clients decode is what a
server could have sent. Everything is seeded: two runs measure the same bytes.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
from pymilvus import CollectionSchema, DataType, FieldSchema
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

COLLECTION = "bench"
DIM = 768
ROWS = 1000
SEED = 20260923


def schema(dim: int = DIM) -> CollectionSchema:
    """The collection that every whole call works on: int64 key, float vector, varchar."""
    return CollectionSchema(
        [
            FieldSchema("id", DataType.INT64, is_primary=True),
            FieldSchema("vector", DataType.FLOAT_VECTOR, dim=dim),
            FieldSchema("text", DataType.VARCHAR, max_length=512),
        ]
    )


def describe_reply(dim: int = DIM) -> milvus_pb2.DescribeCollectionResponse:
    from pymilvus.client.prepare import Prepare

    request = Prepare.create_collection_request(COLLECTION, schema(dim))
    described = schema_pb2.CollectionSchema.FromString(request.schema)
    for number, field in enumerate(described.fields, 100):
        field.fieldID = number
    return milvus_pb2.DescribeCollectionResponse(
        schema=described,
        collectionID=449,
        collection_name=COLLECTION,
        consistency_level=2,
        num_partitions=1,
        shards_num=1,
        update_timestamp=1,
    )


def vectors(rows: int = ROWS, dim: int = DIM) -> np.ndarray:
    return np.random.default_rng(SEED).random((rows, dim), dtype=np.float32)


def texts(rows: int = ROWS) -> list[str]:
    rng = random.Random(SEED)
    return [f"document {i}: {rng.getrandbits(128):032x}" for i in range(rows)]


def rows_of(form: str, rows: int = ROWS, dim: int = DIM) -> Any:
    """Insert data as `numpy` (rows of arrays), `list` (rows of lists) or `columns`."""
    array, words = vectors(rows, dim), texts(rows)
    if form == "columns":
        return {"id": list(range(rows)), "vector": array, "text": words}
    cells = list(array) if form == "numpy" else array.tolist()
    return [
        {"id": i, "vector": vector, "text": text}
        for i, (vector, text) in enumerate(zip(cells, words, strict=True))
    ]


def search_reply(nq: int, k: int, fields: list[str]) -> milvus_pb2.SearchResults:
    """nq x k hits keyed by int64, with the asked fields ("text", "vector")."""
    rng = np.random.default_rng(SEED)
    total = nq * k
    result = schema_pb2.SearchResultData(
        num_queries=nq,
        top_k=k,
        scores=np.sort(rng.random(total, dtype=np.float32))[::-1].tolist(),
        topks=[k] * nq,
        output_fields=fields,
        primary_field_name="id",
    )
    result.ids.int_id.data.extend(rng.integers(0, 1 << 40, total).tolist())
    result.fields_data.extend(columns(total, fields))
    return milvus_pb2.SearchResults(results=result, collection_name=COLLECTION)


def columns(rows: int, fields: list[str]) -> list[schema_pb2.FieldData]:
    made = []
    for name in fields:
        if name == "id":
            data = schema_pb2.FieldData(type=DataType.INT64, field_name=name)
            data.scalars.long_data.data.extend(range(rows))
        elif name == "text":
            data = schema_pb2.FieldData(type=DataType.VARCHAR, field_name=name)
            data.scalars.string_data.data.extend(texts(rows))
        else:
            data = schema_pb2.FieldData(type=DataType.FLOAT_VECTOR, field_name=name)
            data.vectors.dim = DIM
            data.vectors.float_vector.data.extend(vectors(rows).ravel().tolist())
        made.append(data)
    return made


def query_reply(rows: int, fields: list[str]) -> milvus_pb2.QueryResults:
    return milvus_pb2.QueryResults(
        fields_data=columns(rows, fields),
        collection_name=COLLECTION,
        output_fields=fields,
        primary_field_name="id",
    )


def mutation_reply(rows: int) -> milvus_pb2.MutationResult:
    reply = milvus_pb2.MutationResult(insert_cnt=rows, upsert_cnt=rows, timestamp=457)
    reply.IDs.int_id.data.extend(range(rows))
    return reply


SEARCHES = [(1, 10, []), (1, 10, ["text"]), (10, 100, ["text"]), (1, 1000, ["vector"])]
QUERIES = [(1000, ["id", "text"]), (1000, ["id", "vector"])]


def write_replies(folder: Path) -> None:
    """Writes the files that fake_milvus answers from (see its head for their names)."""
    messages: dict[str, Any] = {
        "Connect": milvus_pb2.ConnectResponse(
            identifier=7, server_info=common_pb2.ServerInfo(build_tags="2.6.0-fake")
        ),
        "GetVersion": milvus_pb2.GetVersionResponse(version="2.6.0-fake"),
        "DescribeCollection": describe_reply(),
        "Delete": milvus_pb2.MutationResult(delete_cnt=1, timestamp=457),
    }
    for rows in (1, 10, 100, 1000, 5000):
        messages[f"Insert-{rows}"] = mutation_reply(rows)
        messages[f"Upsert-{rows}"] = mutation_reply(rows)
    for nq, k, fields in SEARCHES:
        messages[f"Search-{nq}-{k}-{','.join(fields)}"] = search_reply(nq, k, fields)
    for rows, fields in QUERIES:
        messages[f"Query-{rows}-{','.join(fields)}"] = query_reply(rows, fields)
    folder.mkdir(parents=True, exist_ok=True)
    for name, message in messages.items():
        (folder / name).write_bytes(message.SerializeToString())
