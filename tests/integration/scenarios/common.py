"""What the scenarios share: collections made in one line, and rows that come from a seed."""

from __future__ import annotations

import random
from typing import Any

from pymilvus import DataType

from ..harness import Side

DIM = 8
VECTOR_TYPES = {
    DataType.FLOAT_VECTOR: ("FLAT", "L2"),
    DataType.BINARY_VECTOR: ("BIN_FLAT", "HAMMING"),
    DataType.SPARSE_FLOAT_VECTOR: ("SPARSE_INVERTED_INDEX", "IP"),
}

ID = ("id", DataType.INT64, {"is_primary": True})
VARCHAR_ID = ("id", DataType.VARCHAR, {"is_primary": True, "max_length": 200})
VECTOR = ("vector", DataType.FLOAT_VECTOR, {"dim": DIM})
NUMBER = ("number", DataType.INT64, {})
TEXT = ("text", DataType.VARCHAR, {"max_length": 400})

Field = tuple[str, DataType, dict[str, Any]]


async def create(
    side: Side,
    *fields: Field,
    name: str | None = None,
    auto_id: bool = False,
    dynamic: bool = False,
    indexes: dict[str, dict[str, Any]] | None = None,
    functions: tuple[Any, ...] = (),
    **options: Any,
) -> None:
    """Makes and loads a collection with Strong consistency.

    `indexes` gives add_index's arguments for a field; a vector field without gets a flat one.
    """
    schema = side.create_schema(auto_id=auto_id, enable_dynamic_field=dynamic)
    index = side.prepare_index_params()
    for field, data_type, keywords in fields:
        schema.add_field(field, data_type, **keywords)
        if indexes and field in indexes:
            index.add_index(field, **indexes[field])
        elif data_type in VECTOR_TYPES:
            kind, metric = VECTOR_TYPES[data_type]
            index.add_index(field, index_type=kind, metric_type=metric)
    for function in functions:
        schema.add_function(function)
    options.setdefault("consistency_level", "Strong")
    async with side.maker() as maker:
        await maker.quietly(
            "create_collection", name or side.name, schema=schema, index_params=index, **options
        )


def vector(seed: int, dim: int = DIM) -> list[float]:
    """A vector that is its own exact float32 form, so that it comes back as it was sent."""
    source = random.Random(seed)
    return [source.randrange(-(2**20), 2**20) / 2**16 for _ in range(dim)]


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Rows for (ID, VECTOR, NUMBER, TEXT)."""
    return [
        {"id": i, "vector": vector(i), "number": i * 10, "text": f"row {i}"}
        for i in range(start, start + count)
    ]
