"""RowEncoder: data by columns, and what tells columns from rows."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from pymilvus.exceptions import DataNotMatchException, ParamError

from milvus_native._core import RowEncoder, encode_rows
from tests.faker import DENSE, VECTORS, DataType, FakeField

from .books import NOTE, PRICE, TITLE, Upsert, column, columns_of, compiled, insert

EVERY = (
    TITLE,
    NOTE,
    PRICE,
    FakeField("tags", DataType.ARRAY, element_type=DataType.INT32),
    FakeField("doc", DataType.JSON),
)
ROWS = [
    {"id": i, "title": str(i), "note": None if i else "n", "price": i / 2, "tags": [i], "doc": {}}
    for i in range(4)
]


def test_columns_equal_rows() -> None:
    schema = compiled(*EVERY)
    want = encode_rows(schema, ROWS, collection_name="c")
    columns = columns_of(ROWS)
    assert encode_rows(schema, columns, collection_name="c") == want
    assert encode_rows(schema, list(columns.values()), collection_name="c") == want
    as_tuples = [tuple(c) for c in columns.values()]
    assert encode_rows(schema, as_tuples, collection_name="c") == want
    assert encode_rows(schema, OrderedDict(columns), collection_name="c") == want
    assert RowEncoder(schema, columns, collection_name="c").rows == 4


def test_columns_of_arrays_equal_rows() -> None:
    schema = compiled(PRICE, FakeField("small", DataType.INT8), FakeField("flag", DataType.BOOL))
    rows = [{"id": i, "price": i / 3, "small": -i, "flag": i % 2 == 0} for i in range(5)]
    want = encode_rows(schema, rows, collection_name="c")
    for data in (
        {
            "id": np.arange(5),
            "price": np.arange(5) / 3,
            "small": -np.arange(5, dtype=np.int8),
            "flag": np.arange(5) % 2 == 0,
        },
        {
            "id": np.arange(10, dtype=np.uint32)[::2] // 2,
            "price": memoryview(np.arange(5) / 3),
            "small": (-np.arange(5)).astype(">i2"),
            "flag": [True, False, True, False, True],
        },
        {
            "id": range(5),
            "price": [np.float64(i / 3) for i in range(5)],
            "small": [np.int8(-i) for i in range(5)],
            "flag": np.array([1, 0, 2, 0, 3], dtype=np.uint8),
        },
    ):
        assert encode_rows(schema, data, collection_name="c") == want


@pytest.mark.parametrize(
    "values",
    [
        np.array([1, 2, 2**40]),
        np.array([1, 2, -(2**31) - 1]),
        np.array([1, 2, 2**63], dtype=np.uint64),
    ],
)
def test_arrays_of_integers_out_of_range(values: Any) -> None:
    schema = compiled(FakeField("n", DataType.INT32))
    with pytest.raises(DataNotMatchException, match=r'data\["n"\]\[2\].*out of range'):
        insert(schema, {"id": [1, 2, 3], "n": values})


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.5, 2.0]),
        np.array([True, False]),
        np.array(["1", "2"]),
        np.ma.masked_array([1, 2], mask=[False, True]),
        np.array([[1], [2]]),
    ],
)
def test_arrays_of_other_things_are_no_integers(values: Any) -> None:
    schema = compiled(FakeField("n", DataType.INT32))
    with pytest.raises(DataNotMatchException, match=r'data\["n"\]\[[01]\]'):
        insert(schema, {"id": [1, 2], "n": values})


def test_missing_columns() -> None:
    schema = compiled(TITLE, NOTE)
    message = insert(schema, {"id": [1, 2], "title": ["a", "b"]})
    (note,) = (f for f in message.fields_data if f.field_name == "note")
    assert list(note.valid_data) == [False, False]
    message = insert(schema, {"id": [1, 2], "title": ["a", "b"], "note": None})
    assert column(message, "note") == []
    with pytest.raises(DataNotMatchException, match="Insert missed an field `title`"):
        insert(schema, {"id": [1, 2], "note": None})
    with pytest.raises(ParamError, match="expected 3 fields, got 2"):
        insert(schema, [[1, 2], ["a", "b"]])


def test_generated_keys_need_no_column() -> None:
    schema = compiled(TITLE, auto_id=True)
    assert [f.field_name for f in insert(schema, [["a", "b"]]).fields_data] == ["title"]
    rows = [{"title": "a", "id": 1}, {"title": "b", "id": 2}]
    assert insert(schema, {"title": ["a", "b"], "id": [1, 2]}) == insert(schema, rows)


def test_dynamic_columns() -> None:
    schema = compiled(dynamic=True)
    message = insert(schema, {"id": [1, 2], "x": ["a", None], "y": np.array([1.5, 2.5])})
    assert column(message, "$meta") == [b'{"x":"a","y":1.5}', b'{"x":null,"y":2.5}']
    with pytest.raises(DataNotMatchException, match=r'data\["x"\]\[1\]'):
        insert(schema, {"id": [1, 2], "x": ["a", {1, 2}]})
    with pytest.raises(DataNotMatchException, match="unexpected field `x`"):
        insert(compiled(), {"id": [1, 2], "x": ["a", "b"]})


def test_a_partial_update_of_columns() -> None:
    schema = compiled(TITLE, NOTE)
    data = encode_rows(
        schema,
        {"id": [1, 2], "note": ["a", None]},
        collection_name="c",
        upsert=True,
        partial_update=True,
    )
    assert [f.field_name for f in Upsert.FromString(data).fields_data] == ["id", "note"]


@pytest.mark.parametrize(
    "data",
    [
        {"id": [1, 2, 3], "title": ["a", "b"]},
        [[1, 2, 3], ["a", "b"]],
        {"id": range(3), "title": ("a",)},
    ],
)
def test_columns_of_different_length(data: Any) -> None:
    with pytest.raises(ParamError, match=r"misaligned for field \[title\] got size"):
        insert(compiled(TITLE), data)


@pytest.mark.parametrize("bad", ["ab", b"ab", 5, {"a": 1}, np.array(5), object(), iter("ab")])
def test_what_is_no_column(bad: Any) -> None:
    with pytest.raises(DataNotMatchException, match=r'data\["title"\]: expected a column'):
        insert(compiled(TITLE), {"id": [1, 2], "title": bad})


COLUMNS, ROW = "columns", "row"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"id": 1, "tags": [1, 2], "doc": [1]}, ROW),
        ({"id": [1], "tags": [[1, 2]], "doc": [[1]]}, COLUMNS),
        ({"id": np.array([1]), "tags": [[1, 2]], "doc": [{}]}, COLUMNS),
        ({"id": np.int64(1), "tags": [1, 2], "doc": [1]}, ROW),
        ({"id": np.array(1), "tags": [1, 2], "doc": [1]}, ROW),
        ({"id": (1,), "tags": ([1, 2],), "doc": ({},)}, COLUMNS),
        ({"id": range(1, 2), "tags": [[1, 2]], "doc": [{}]}, COLUMNS),
    ],
)
def test_a_primary_key_tells_columns_from_a_row(data: Any, expected: str) -> None:
    schema = compiled(
        FakeField("tags", DataType.ARRAY, element_type=DataType.INT32),
        FakeField("doc", DataType.JSON),
    )
    message = insert(schema, data)
    assert column(message, "id") == [1]
    assert list(column(message, "tags")[0].int_data.data) == [1, 2]


def test_without_a_key_scalars_and_then_arrays_tell_columns_from_a_row() -> None:
    tags = FakeField("tags", DataType.ARRAY, element_type=DataType.INT32)
    schema = compiled(TITLE, tags, auto_id=True)
    assert insert(schema, {"title": "a", "tags": [1, 2]}).num_rows == 1
    assert insert(schema, {"title": ["a", "b"], "tags": [[1], [2]]}).num_rows == 2
    schema = compiled(tags, auto_id=True)
    assert insert(schema, {"tags": [1, 2]}).num_rows == 1
    assert insert(schema, {"tags": []}).num_rows == 1
    assert insert(schema, {"tags": [[1], [2]]}).num_rows == 2
    assert insert(schema, {"tags": np.array([[1, 2], [3, 4], [5, 6]])}).num_rows == 3


FLOATS = FakeField("v", DataType.FLOAT_VECTOR, dim=2)
BITS = FakeField("v", DataType.BINARY_VECTOR, dim=16, nullable=True)
SPARSE = FakeField("v", DataType.SPARSE_FLOAT_VECTOR, nullable=True)
PARTS = FakeField(
    "v",
    DataType._ARRAY_OF_STRUCT,
    sub_fields=(FakeField("n", DataType.ARRAY, element_type=DataType.INT32),),
)


@pytest.mark.parametrize(
    ("field", "value", "rows"),
    [
        (FLOATS, [1.0, 2.0], 1),
        (FLOATS, np.ones(2, dtype=np.float32), 1),
        (FLOATS, [np.float32(1), np.float32(2)], 1),
        (FLOATS, [[1.0, 2.0]], 1),
        (FLOATS, [[1.0, 2.0], [3.0, 4.0]], 2),
        (FLOATS, np.ones((3, 2), dtype=np.float32), 3),
        (FLOATS, [np.ones(2), np.ones(2)], 2),
        (FLOATS, ((1.0, 2.0), (3.0, 4.0)), 2),
        (BITS, b"ab", 1),
        (BITS, [1, 2], 1),
        (BITS, [b"ab", b"cd"], 2),
        (BITS, [None, b"cd"], 2),
        (BITS, [None, None], 2),
        (BITS, np.array([1, 2], dtype=np.uint8), 1),
        (BITS, np.ones((4, 2), dtype=np.uint8), 4),
        (SPARSE, {1: 0.5}, 1),
        (SPARSE, {}, 1),
        (SPARSE, [(1, 0.5), (2, 0.25)], 1),
        (SPARSE, [[1, 0.5], [2, 0.25]], 1),
        (SPARSE, [{1: 0.5}, {2: 0.5}, {}], 3),
        (SPARSE, [None, {2: 0.5}], 2),
        (SPARSE, [[(1, 0.5)], [(2, 0.5)]], 2),
        (SPARSE, scipy.sparse.csr_matrix([[0.0, 1.0]]), 1),
        (SPARSE, scipy.sparse.csr_matrix([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]), 3),
        (SPARSE, [scipy.sparse.csr_matrix([[0.0, 1.0]])] * 2, 2),
        (PARTS, [{"n": 1}, {"n": 2}], 1),
        (PARTS, [[{"n": 1}], []], 2),
    ],
)
def test_without_a_key_the_depth_of_vectors_tells_columns_from_a_row(
    field: FakeField, value: Any, rows: int
) -> None:
    assert insert(compiled(field, auto_id=True), {"v": value}).num_rows == rows


@pytest.mark.parametrize("kind", [DataType.ARRAY, *VECTORS])
@pytest.mark.parametrize("value", [np.datetime64("2025-01-01"), np.timedelta64(1, "s")])
def test_a_buffer_without_strides_is_refused(kind: DataType, value: Any) -> None:
    field = FakeField("f", kind, dim=64 * (kind in DENSE), element_type=DataType.INT64)
    for data in ([{"id": 1, "f": value}], {"id": [1], "f": [value]}, {"id": [1], "f": value}):
        with pytest.raises((DataNotMatchException, ParamError)):
            insert(compiled(field), data)
