"""The data that is measured: collections, rows, queries. Seeded: two runs measure the same bytes.

A collection is named `KIND_DIM`; KIND says which fields it has beside the int64 key `id`.
"""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

SEED = 20260923
DIM = 768

# Kinds of collections: the vector's type, and whether there are scalars and documents beside it.
DIMS = (128, 768, 1536)
VECTOR_TYPES = {"float": "FLOAT_VECTOR", "fp16": "FLOAT16_VECTOR", "int8": "INT8_VECTOR",
                "binary": "BINARY_VECTOR", "sparse": "SPARSE_FLOAT_VECTOR"}  # fmt: skip

# Forms of insert data: (collection kind, what a row holds).
FORMS = {
    "numpy": "rows of numpy arrays",
    "list": "rows of lists",
    "columns": "a 2-D array as a column",
    "fp16": "rows of float16 arrays",
    "int8": "rows of int8 arrays",
    "binary": "rows of bytes",
    "sparse": "rows of sparse dicts, 32 values each",
    "scalars": "rows of scalars and JSON only",
}

# Output fields of searches and queries.
OUTPUTS: dict[str, list[str]] = {
    "ids": [],
    "scalar": ["text"],
    "scalars": ["text", "number", "flag"],
    "json": ["doc", "color"],
    "vectors": ["vector"],
}


def collection_of(form: str, dim: int) -> str:
    kind = form if form in VECTOR_TYPES else "scalars" if form == "scalars" else "float"
    return f"{kind}_{dim}"


def schema(name: str) -> Any:
    """A pymilvus CollectionSchema."""
    from pymilvus import CollectionSchema, DataType, FieldSchema

    kind, dim = name.split("_")
    fields = [
        FieldSchema("id", DataType.INT64, is_primary=True),
        FieldSchema("text", DataType.VARCHAR, max_length=512),
    ]
    if kind in ("full", "scalars"):
        fields += [
            FieldSchema("number", DataType.DOUBLE),
            FieldSchema("flag", DataType.BOOL),
            FieldSchema("doc", DataType.JSON),
        ]
    vector = {"full": "float", "scalars": "int8"}.get(kind, kind)
    options = {} if vector == "sparse" else {"dim": 8 if kind == "scalars" else int(dim)}
    fields.append(FieldSchema("vector", DataType[VECTOR_TYPES[vector]], **options))
    return CollectionSchema(fields, enable_dynamic_field=kind == "full")


def describe_reply(name: str) -> Any:
    """A DescribeCollectionResponse such as a server sends."""
    from pymilvus.client.prepare import Prepare
    from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

    request = Prepare.create_collection_request(name, schema(name))
    described = schema_pb2.CollectionSchema.FromString(request.schema)
    for number, field in enumerate(described.fields, 100):
        field.fieldID = number
    return milvus_pb2.DescribeCollectionResponse(
        status=common_pb2.Status(),
        schema=described,
        collectionID=449,
        collection_name=name,
        consistency_level=2,
        num_partitions=1,
        shards_num=1,
        update_timestamp=1,
    )


def write_collections(folder: Path) -> None:
    """The files that fake_milvus reads its collections from."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in (*VECTOR_TYPES, "scalars", "full"):
        for dim in DIMS:
            name = f"{kind}_{dim}"
            (folder / name).write_bytes(describe_reply(name).SerializeToString())


def vectors(rows: int, dim: int) -> np.ndarray:
    return np.random.default_rng(SEED).random((rows, dim), dtype=np.float32)


def texts(rows: int) -> list[str]:
    rng = random.Random(SEED)
    return [f"document {i}: {rng.getrandbits(128):032x}" for i in range(rows)]


def query_vector(dim: int) -> list[float]:
    return [float(x) for x in vectors(1, dim)[0]]


def cells_of(form: str, rows: int, dim: int) -> Any:
    rng = np.random.default_rng(SEED)
    if form == "fp16":
        return list(vectors(rows, dim).astype(np.float16))
    if form == "int8":
        return list(rng.integers(-128, 128, (rows, dim), dtype=np.int8))
    if form == "scalars":
        return list(rng.integers(-128, 128, (rows, 8), dtype=np.int8))
    if form == "binary":
        return [row.tobytes() for row in rng.integers(0, 256, (rows, dim // 8), dtype=np.uint8)]
    if form == "sparse":
        places = np.sort(rng.integers(0, 30_000, (rows, 32)), axis=1).tolist()
        values = rng.random((rows, 32)).tolist()
        return [dict(zip(p, v, strict=True)) for p, v in zip(places, values, strict=True)]
    array = vectors(rows, dim)
    return array.tolist() if form == "list" else list(array)


@lru_cache(maxsize=2)  # peers of one process share them
def rows_of(form: str, rows: int, dim: int) -> Any:
    """Insert data in one of FORMS, for collection_of(form, dim)."""
    words = texts(rows)
    if form == "columns":
        return {"id": list(range(rows)), "vector": vectors(rows, dim), "text": words}
    made = [
        {"id": i, "vector": cell, "text": text}
        for i, (cell, text) in enumerate(zip(cells_of(form, rows, dim), words, strict=True))
    ]
    if form == "scalars":
        for i, row in enumerate(made):
            row.update(number=i / 7, flag=i % 2 == 0, doc={"source": f"page-{i}", "rank": i % 97})
    return made
