"""What is refused: same class as pymilvus, its text, and the place."""

from __future__ import annotations

import datetime
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from pymilvus.exceptions import DataNotMatchException, MilvusException, ParamError

from milvus_native._core import Schema, encode_rows
from tests.faker import DataType, FakeField, Faker, FakeSchema
from tests.oldest import has
from tests.oracle.rows.test_requests import insert_message, upsert_message

ARRAY = DataType.ARRAY


def collection(*fields: FakeField, dynamic: bool = False) -> FakeSchema:
    key = FakeField("id", DataType.INT64, primary=True)
    return Faker(0).describe([key, *fields], dynamic=dynamic)


def encode(fakes: FakeSchema, rows: Any, **kwargs: Any) -> bytes:
    schema = Schema.from_reply(fakes.reply_bytes)
    return encode_rows(schema, rows, collection_name="books", **kwargs)


def cell(kind: DataType, value: Any, element: DataType = DataType.NONE) -> tuple[Any, Any]:
    """A collection and rows of which the second has a bad cell."""
    fake = Faker(0)
    field = FakeField("f", kind, element_type=element)
    good = fake.value(field)
    return collection(field), [{"id": 1, "f": good}, {"id": 2, "f": value}]


# What pymilvus refuses too.
BAD_CELLS = [
    (DataType.BOOL, "True", DataType.NONE),
    (DataType.BOOL, 1.5, DataType.NONE),
    (DataType.BOOL, [True], DataType.NONE),
    (DataType.BOOL, np.array([True]), DataType.NONE),
    (DataType.BOOL, np.array(True), DataType.NONE),
    (DataType.INT8, 1.5, DataType.NONE),
    (DataType.INT8, "1", DataType.NONE),
    (DataType.INT8, True, DataType.NONE),
    (DataType.INT8, 2**31, DataType.NONE),
    (DataType.INT8, np.float32(1), DataType.NONE),
    (DataType.INT16, -(2**31) - 1, DataType.NONE),
    (DataType.INT32, 2**31, DataType.NONE),
    (DataType.INT32, np.int64(2**40), DataType.NONE),
    (DataType.INT32, np.bool_(True), DataType.NONE),
    (DataType.INT32, [1], DataType.NONE),
    (DataType.INT64, True, DataType.NONE),
    (DataType.INT64, 3.0, DataType.NONE),
    (DataType.INT64, "3", DataType.NONE),
    (DataType.INT64, 2**63, DataType.NONE),
    (DataType.INT64, -(2**63) - 1, DataType.NONE),
    (DataType.INT64, np.uint64(2**63), DataType.NONE),
    (DataType.INT64, np.array([1, 2]), DataType.NONE),
    (DataType.INT64, {"a": 1}, DataType.NONE),
    (DataType.FLOAT, "1.5", DataType.NONE),
    (DataType.FLOAT, [1.5], DataType.NONE),
    (DataType.FLOAT, np.array([1.5]), DataType.NONE),
    (DataType.FLOAT, np.array(1.5), DataType.NONE),
    (DataType.DOUBLE, 1j, DataType.NONE),
    (DataType.DOUBLE, b"1.5", DataType.NONE),
    (DataType.DOUBLE, object(), DataType.NONE),
    (DataType.VARCHAR, 5, DataType.NONE),
    (DataType.VARCHAR, b"abc", DataType.NONE),
    (DataType.VARCHAR, ["abc"], DataType.NONE),
    (DataType.VARCHAR, "\ud800", DataType.NONE),
    (DataType.VARCHAR, "a\udfffé漢", DataType.NONE),
    *(
        (DataType.TEXT, value, DataType.NONE)
        for value in (5, b"\xff", ["a"], "\udc80")
        if has("pymilvus:DataType.TEXT")
    ),
    (DataType.GEOMETRY, 5, DataType.NONE),
    (DataType.GEOMETRY, b"POINT (1 1)", DataType.NONE),
    (DataType.TIMESTAMPTZ, 5, DataType.NONE),
    (DataType.TIMESTAMPTZ, datetime.datetime(2025, 1, 1), DataType.NONE),
    (DataType.JSON, "{", DataType.NONE),
    (DataType.JSON, "not json " * 100, DataType.NONE),
    (DataType.JSON, "\ud800", DataType.NONE),
    (DataType.JSON, {1: 2}, DataType.NONE),
    (DataType.JSON, {"a": {1: 2}}, DataType.NONE),
    (DataType.JSON, {1, 2}, DataType.NONE),
    (DataType.JSON, b"{}", DataType.NONE),
    (DataType.JSON, 2**70, DataType.NONE),
    (DataType.JSON, {"a": object()}, DataType.NONE),
    (DataType.JSON, {"a": np.datetime64("2025-01-01")}, DataType.NONE),
    (DataType.JSON, (np.int64(1),), DataType.NONE),
    (DataType.JSON, {"a": "\ud800"}, DataType.NONE),
    (ARRAY, 5, DataType.INT64),
    (ARRAY, ["1"], DataType.INT64),
    (ARRAY, [1, 2.5], DataType.INT64),
    (ARRAY, [None], DataType.INT64),
    (ARRAY, [2**63], DataType.INT64),
    (ARRAY, [[1]], DataType.INT64),
    (ARRAY, np.array([1.5]), DataType.INT32),
    (ARRAY, np.array([True]), DataType.INT32),
    (ARRAY, np.array([[1, 2]]), DataType.INT32),
    (ARRAY, np.array([2**40]), DataType.INT32),
    (ARRAY, np.array(5), DataType.INT32),
    (ARRAY, ["a"], DataType.BOOL),
    (ARRAY, ["a"], DataType.FLOAT),
    (ARRAY, [[1.0]], DataType.DOUBLE),
    (ARRAY, [1], DataType.VARCHAR),
    (ARRAY, [b"\xff"], DataType.VARCHAR),
    (ARRAY, ["\ud800"], DataType.VARCHAR),
    (ARRAY, 5, DataType.VARCHAR),
    (ARRAY, [{}], DataType.JSON),
]

# What pymilvus lets through, or answers with an error that says nothing.
STRICTER = [
    (DataType.INT8, 128, DataType.NONE, "element (128) out of range: [-128, 127]"),
    (DataType.INT8, -129, DataType.NONE, "out of range"),
    (DataType.INT16, 2**15, DataType.NONE, "(32768) out of range: [-32768, 32767]"),
    (ARRAY, [0, 300], DataType.INT8, "element 1: Value out of range: 300"),
    (ARRAY, np.array([0, 300]), DataType.INT8, "element 1: Value out of range: 300"),
    (ARRAY, [2**15], DataType.INT16, "out of range"),
    (DataType.FLOAT, 10**400, DataType.NONE, "too large"),
    (DataType.VARCHAR, "a" * 201, DataType.NONE, "length of varchar field f exceeds max length"),
    (DataType.VARCHAR, "é" * 101, DataType.NONE, "length: 202, max length: 200"),
    (ARRAY, ["", "é" * 101], DataType.VARCHAR, "length: 202, max length: 200"),
    (DataType.INT64, None, DataType.NONE, "not nullable"),
    (DataType.VARCHAR, None, DataType.NONE, "not nullable"),
    (DataType.JSON, None, DataType.NONE, "not nullable"),
    (ARRAY, None, DataType.INT64, "not nullable"),
]


@pytest.mark.parametrize(("kind", "value", "element"), BAD_CELLS)
def test_bad_cells(kind: DataType, value: Any, element: DataType) -> None:
    fakes, rows = cell(kind, value, element)
    with pytest.raises(MilvusException) as theirs:
        insert_message(fakes, rows)
    with pytest.raises(MilvusException) as ours:
        encode(fakes, rows)
    assert type(ours.value) is type(theirs.value)
    assert ours.value.code == theirs.value.code
    core = theirs.value.message.split(" Detail: ")[0]
    if not core.startswith(("Invalid JSON string", "Unsupported element type", "JSON key")):
        assert core in ours.value.message
        assert ours.value.message.startswith('rows[1]["f"]: ')
    else:
        assert core.split(":")[0] in ours.value.message


@pytest.mark.parametrize(("kind", "value", "element", "text"), STRICTER)
def test_stricter_than_pymilvus(kind: DataType, value: Any, element: DataType, text: str) -> None:
    fakes, rows = cell(kind, value, element)
    with pytest.raises(DataNotMatchException) as ours:
        encode(fakes, rows)
    assert ours.value.message.startswith('rows[1]["f"]: ')
    assert text in ours.value.message
    try:
        insert_message(fakes, rows)
    except (OverflowError, ParamError):
        assert kind == DataType.FLOAT
    else:
        assert kind != DataType.FLOAT


def test_columns_name_the_place_too() -> None:
    fakes, rows = cell(DataType.INT64, "x")
    data = {"id": [r["id"] for r in rows], "f": [r["f"] for r in rows]}
    with pytest.raises(DataNotMatchException) as ours:
        encode(fakes, data)
    assert ours.value.message.startswith('data["f"][1]: ')


ROW_CASES: list[tuple[FakeSchema, Any, dict[str, Any]]] = [
    (collection(FakeField("f", DataType.BOOL)), [{"id": 1, "f": True}, {"id": 2}], {}),
    (collection(), [{"id": 1}, {"id": 2, "other": 3}], {}),
    (collection(), [{"id": 1}, {"id": 2, 7: 3}], {}),
    (collection(), [{"id": 1}, ["id", 2]], {}),
    (collection(), [{"id": 1}, None], {}),
    (collection(), [{"id": 1}, OrderedDict(other=1)], {}),
    (collection(dynamic=True), [{"id": 1}, {"id": 2, 7: 3}], {}),
    (collection(dynamic=True), [{"id": 1}, {"id": 2, "x": {1, 2}}], {}),
    (collection(dynamic=True), [{"id": 1}, {"id": 2, "x": 2**70}], {}),
    (collection(dynamic=True), [{"id": 1}, {"id": 2, "\ud800": 1}], {}),
    (
        collection(FakeField("f", DataType.SPARSE_FLOAT_VECTOR, function_output=True)),
        [{"id": 1}, {"id": 2, "f": {1: 0.5}}],
        {},
    ),
    (
        collection(
            FakeField("f", DataType.SPARSE_FLOAT_VECTOR, function_output=True), dynamic=True
        ),
        [{"id": 1}, {"id": 2, "f": {1: 0.5}}],
        {"upsert": True},
    ),
    (collection(), [{"id": 1}, {"x": 2}], {"upsert": True}),
]


@pytest.mark.parametrize(("fakes", "rows", "options"), ROW_CASES)
def test_bad_rows(fakes: FakeSchema, rows: Any, options: dict[str, Any]) -> None:
    build = upsert_message if options.get("upsert") else insert_message
    with pytest.raises(MilvusException) as theirs:
        build(fakes, rows)
    with pytest.raises(MilvusException) as ours:
        encode(fakes, rows, **options)
    assert type(ours.value) is type(theirs.value)
    assert theirs.value.message in ours.value.message
    if "JSON key" not in ours.value.message:
        assert ours.value.message.startswith("rows[1]")


STRUCT = FakeField(
    "s",
    DataType._ARRAY_OF_STRUCT,
    nullable=True,
    sub_fields=(FakeField("a", ARRAY, element_type=DataType.INT32),),
)


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("dynamic", [False, True])
def test_sub_fields_of_structs_are_no_keys_of_an_upsert(partial: bool, dynamic: bool) -> None:
    fakes, rows = collection(STRUCT, dynamic=dynamic), [{"id": 1, "s[a]": [1]}]
    with pytest.raises(DataNotMatchException) as theirs:
        upsert_message(fakes, rows, partial_update=partial)
    with pytest.raises(DataNotMatchException) as ours:
        encode(fakes, rows, upsert=True, partial_update=partial)
    assert ours.value.message == "rows[0]: " + theirs.value.message


def test_the_column_of_dynamic_keys_is_no_key() -> None:
    for upsert in (False, True):
        with pytest.raises(DataNotMatchException, match=r"rows\[1\].*\$meta"):
            encode(
                collection(dynamic=True), [{"id": 1}, {"id": 2, "$meta": {"a": 1}}], upsert=upsert
            )


def test_the_dynamic_key_that_fails_is_named() -> None:
    rows = [{"id": 1, "good": 1, "bad": {1, 2}}]
    with pytest.raises(DataNotMatchException, match=r'rows\[0\]\["bad"\]'):
        encode(collection(dynamic=True), rows)


def auto(dynamic: bool = False) -> FakeSchema:
    key = FakeField("id", DataType.INT64, primary=True, auto_id=True)
    return Faker(0).describe([key, FakeField("f", DataType.BOOL)], dynamic=dynamic)


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("given", [(True, True, False), (False, False, True), (True, False, True)])
def test_a_generated_key_is_given_in_all_rows_or_none(
    dynamic: bool, given: tuple[bool, ...]
) -> None:
    rows = [{"id": 1, "f": True} if has_key else {"f": True} for has_key in given]
    first = next(i for i, has_key in enumerate(given) if has_key != given[0])
    with pytest.raises(DataNotMatchException) as ours:
        encode(auto(dynamic), rows)
    assert ours.value.message.startswith(f'rows[{first}]["id"]: ')
    assert f"rows[{first - 1}]" in ours.value.message


def test_a_partial_update_gives_a_field_in_all_rows_or_none() -> None:
    fakes = collection(FakeField("f", DataType.BOOL), FakeField("g", DataType.BOOL))
    for rows in (
        [{"id": 1, "f": True}, {"id": 2}],
        [{"id": 1}, {"id": 2, "f": True}],
        [{"id": 1, "f": True}, {"id": 2, "g": True}],  # pymilvus sends this
    ):
        with pytest.raises(DataNotMatchException, match=r"rows\[1\].*length is inconsistent"):
            encode(fakes, rows, upsert=True, partial_update=True)


def test_an_unknown_type_is_refused() -> None:
    fakes = collection()
    fakes.reply.schema.fields.add(name="new", data_type=99)
    schema = Schema.from_reply(fakes.reply.SerializeToString())
    for rows in ([{"id": 1, "new": 1}], {"id": [1], "new": [1]}):
        with pytest.raises(ParamError, match="Unsupported data type: 99"):
            encode_rows(schema, rows, collection_name="c")
    with pytest.raises(DataNotMatchException):
        encode_rows(schema, [{"id": 1, "new": None}], collection_name="c")


@pytest.mark.parametrize("data", [(1, 2), "rows", None, 5, {1, 2}])
def test_data_of_the_wrong_type(data: Any) -> None:
    with pytest.raises(TypeError, match="wrong type of argument 'data'"):
        encode(collection(), data)
