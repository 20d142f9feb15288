"""Every allocation of Python's own fails once: MemoryError comes out, and nothing is broken.

JSON is left out: orjson crashes when its allocations fail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pymilvus.exceptions import DataNotMatchException

from milvus_native._core import Schema, SchemaCache, encode_rows
from tests.faker import ALL_TYPES, DataType, FakeField, Faker
from tests.hardening.memory import fail_each

pytestmark = pytest.mark.usefixtures("undisturbed")


def failures(action: Callable[[], Any], expected: Any) -> int:
    """How often `action` told want of memory; whenever it did not, it gave `expected`."""
    seen = fail_each(lambda _: action())
    assert seen.results == {repr(expected)}
    return seen.no_memory


@pytest.fixture(scope="module")
def data() -> tuple[bytes, Schema, list[dict[str, Any]]]:
    fake = Faker("memory")
    kinds = [k for k in ALL_TYPES if k != DataType.JSON]
    fields = [fake.field(kind) for kind in kinds]
    key = FakeField("id", DataType.INT64, primary=True)
    fakes = fake.describe([key, *fields])
    return fakes.reply_bytes, Schema.from_reply(fakes.reply_bytes), fake.rows(fakes, 4)


def test_schema(data: tuple[bytes, Schema, list[dict[str, Any]]]) -> None:
    reply, schema, _ = data
    names = schema.field_names
    assert failures(lambda: Schema.from_reply(reply).field_names, names) > 10


def test_rows(data: tuple[bytes, Schema, list[dict[str, Any]]]) -> None:
    _, schema, rows = data
    want = encode_rows(schema, rows, collection_name="c")
    encode = lambda: encode_rows(schema, rows, collection_name="c")  # noqa: E731
    assert failures(encode, want) > 20


def test_a_failing_row(data: tuple[bytes, Schema, list[dict[str, Any]]]) -> None:
    _, schema, rows = data

    def encode() -> bool:
        try:
            encode_rows(schema, [*rows, {"unknown": 1}], collection_name="c")
        except DataNotMatchException:
            return True
        return False

    assert encode()
    assert failures(encode, True) > 10


def test_columns() -> None:
    fields = [
        FakeField("id", DataType.INT64, primary=True),
        FakeField("t", DataType.VARCHAR),
        FakeField("v", DataType.FLOAT_VECTOR, dim=4),
    ]
    schema = Schema.from_reply(Faker(0).describe(fields).reply_bytes)
    columns = {"id": np.arange(5), "t": list("abcde"), "v": np.ones((5, 4), dtype=np.float32)}
    want = encode_rows(schema, columns, collection_name="c")
    encode = lambda: encode_rows(schema, columns, collection_name="c")  # noqa: E731
    assert failures(encode, want) > 5


def test_cache(data: tuple[bytes, Schema, list[dict[str, Any]]]) -> None:
    schema = data[1]
    # Made beforehand: CPython 3.13.0 itself crashes when it cannot make a function.
    none = lambda key, schema: False  # noqa: E731

    def use() -> int:
        cache = SchemaCache(capacity=2)
        generation = cache.generation()
        for i in range(4):
            cache.put(("a", i), schema, generation)
        cache.invalidate(("a", 3))
        cache.stats()
        cache.invalidate_if(none)
        cache.clear()
        return len(cache)

    assert failures(use, 0) > 5
