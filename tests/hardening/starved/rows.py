"""Rows and columns of every type and form, and those that are refused."""

from __future__ import annotations

import sys
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import scipy.sparse

from tests.faker import ALL_TYPES, DENSE, ELEMENTS, DataType, FakeField, Faker

from .scenario import Scenario, anew, outcome


def encoding(reply: bytes, data: Any, **options: Any) -> Scenario:
    def run(core: Any, argument: Any) -> bytes:
        sys._getframe()
        schema = core.Schema.from_reply(reply)
        encoder = core.RowEncoder(schema, argument, collection_name="c", **options)
        while not encoder.step(7):
            pass
        return encoder.finish()

    return Scenario(run, anew(data))


def refused(reply: bytes, data: Any, **options: Any) -> Scenario:
    def run(core: Any, argument: Any) -> str:
        sys._getframe()
        schema = core.Schema.from_reply(reply)
        made = outcome(core.encode_rows, schema, argument, collection_name="c", **options)
        assert isinstance(made, str), "nothing was refused"
        return made

    return Scenario(run, anew(data))


VECTORS = (*DENSE, DataType.SPARSE_FLOAT_VECTOR)
DTYPES = {
    DataType.FLOAT_VECTOR: np.float32,
    DataType.FLOAT16_VECTOR: np.float16,
    DataType.BFLOAT16_VECTOR: ml_dtypes.bfloat16,
    DataType.INT8_VECTOR: np.int8,
    DataType.BINARY_VECTOR: np.uint8,
}


def schema_of(*fields: FakeField, dynamic: bool = False) -> bytes:
    key = FakeField("id", DataType.INT64, primary=True)
    return Faker("memory").describe([key, *fields], dynamic=dynamic).reply_bytes


def rows_of(*values: Any, **others: Any) -> list[dict[str, Any]]:
    return [{"id": i, "v": value, **others} for i, value in enumerate(values)]


def variant(field: FakeField, form: str) -> FakeField:
    structured = (*VECTORS, DataType.ARRAY, DataType._ARRAY_OF_STRUCT)
    return replace(
        field,
        nullable=form == "nullable",
        has_default=form == "default" and field.type not in structured,
    )


def rows_of_each_type() -> Iterator[tuple[str, Scenario]]:
    """Random rows of every type; with nulls, or defaults and dynamic fields, or neither."""
    for kind in ALL_TYPES:
        fake = Faker(f"memory {kind}")
        field = fake.field(kind, "v")
        for form in ("plain", "nullable", "default"):
            key = FakeField("id", DataType.INT64, primary=True)
            described = fake.describe([key, variant(field, form)], dynamic=form == "default")
            rows = fake.rows(described, 4)
            yield f"{form} {kind.name}", encoding(described.reply_bytes, rows)
    for element in ELEMENTS:
        fake = Faker(f"memory {element}")
        field = FakeField("v", DataType.ARRAY, element_type=element)
        cells = [fake.array(element) for _ in range(5)]
        yield f"array of {element.name}", encoding(schema_of(field), rows_of(*cells))
        whole = np.array([0, 1, 1]).astype(bool if element == DataType.BOOL else int)
        if element != DataType.VARCHAR:
            yield f"numpy array of {element.name}", encoding(schema_of(field), rows_of(whole))


def vectors_of(kind: DataType) -> list[Any]:
    """Vectors of 8 dimensions (and 16 bits), in each form."""
    numbers = [0.5, 1.0, -2.0, 0.0, 3, 4, 5.5, True]
    if kind in (DataType.INT8_VECTOR, DataType.BINARY_VECTOR):
        numbers = [1, 2, 3, 4, 5, 6, 7, 8]
    if kind == DataType.BINARY_VECTOR:
        numbers = [1, 255]
    array = np.array(numbers).astype(DTYPES[kind])
    forms: list[Any] = [numbers, tuple(numbers), deque(numbers), array, np.repeat(array, 2)[::2]]
    if kind != DataType.FLOAT_VECTOR:
        forms += [array.tobytes(), bytearray(array.tobytes())]
    return forms


def vectors_in_each_form() -> Iterator[tuple[str, Scenario]]:
    for kind in DENSE:
        dim = 16 if kind == DataType.BINARY_VECTOR else 8
        field = FakeField("v", kind, dim=dim)
        forms = vectors_of(kind)
        yield f"forms of {kind.name}", encoding(schema_of(field), rows_of(*forms))
        rows = np.stack([forms[3]] * 3)
        columns = {"id": np.arange(3), "v": rows}
        yield f"columns of {kind.name}", encoding(schema_of(field), columns)
        yield f"strided {kind.name}", encoding(schema_of(field), {"id": [1], "v": rows[::3]})
        yield f"listed {kind.name}", encoding(schema_of(field), {"id": [1, 2], "v": forms[:2]})
        sub = FakeField("s", DataType._ARRAY_OF_VECTOR, dim=dim, element_type=kind)
        structs = FakeField("v", DataType._ARRAY_OF_STRUCT, sub_fields=(sub,))
        cells = [[{"s": form} for form in forms], [], [{"s": forms[0]}]]
        yield f"structs of {kind.name}", encoding(schema_of(structs), rows_of(*cells))
    matrix = scipy.sparse.csr_matrix(np.array([[0, 0.5, 0.25], [1, 0, 0], [0, 0, 0.5]]))
    sparse = [
        {1: 0.5, 7: 2.0},
        {"3": "1.5", np.int64(9): np.float32(2)},
        [(5, 0.5), (1, 0.25)],
        [[5, 0.5], [1, 0.25]],
        matrix[0],
        matrix.tocoo().getrow(1),
        OrderedDict({1: 0.5}),
        dict.fromkeys(range(60, 0, -1), 0.5),
        {},
    ]
    field = FakeField("v", DataType.SPARSE_FLOAT_VECTOR)
    yield "forms of sparse", encoding(schema_of(field), rows_of(*sparse))
    yield "matrix of sparse", encoding(schema_of(field), {"id": [1, 2, 3], "v": matrix})
    yield "column of sparse", encoding(schema_of(field), {"id": [1, 2], "v": sparse[:2]})
    coo = {"id": [1, 2, 3], "v": matrix.tocoo()}
    yield "coo matrix of sparse", encoding(schema_of(field), coo)


class Mapped(dict[str, Any]):
    """A subclass, whose items are asked for."""


class Text(str):
    __slots__ = ()


def whole_requests() -> Iterator[tuple[str, Scenario]]:
    text = FakeField("v", DataType.VARCHAR)
    sub = FakeField("s", DataType.ARRAY, element_type=DataType.INT32)
    structs = FakeField("v", DataType._ARRAY_OF_STRUCT, sub_fields=(sub,), nullable=True)
    rows = rows_of("a", "bé", "c" * 150)
    dynamic = schema_of(text, dynamic=True)
    yield "upsert", encoding(schema_of(text), rows, upsert=True, partition_name="né")
    yield "partial", encoding(schema_of(text), rows, upsert=True, partial_update=True)
    yield (
        "operations",
        encoding(schema_of(text), rows, upsert=True, field_ops=[("v", 1), ("né", 2)]),
    )
    yield "namespace", encoding(schema_of(text), rows, namespace="né")
    yield "one row", encoding(schema_of(text), rows[0])
    yield "dynamic", encoding(dynamic, rows_of("a", "b", x={"a": [1, 2.5, None, "é"]}, y=1))
    yield "numpy in JSON", encoding(dynamic, rows_of("a", x=[np.float32(0.5), np.arange(2)]))
    yield "odd rows", encoding(dynamic, [Mapped(row) for row in rows_of("a", "b", x=1)])
    odd = [{Text(key): value for key, value in row.items()} for row in rows_of("a", "b", x=1)]
    yield "odd keys", encoding(dynamic, odd)
    yield "columns in order", encoding(schema_of(text), [[1, 2], ["a", "b"]])
    yield "columns of arrays", encoding(schema_of(text), {"id": np.arange(2), "v": ["a", "é"]})
    yield "dynamic columns", encoding(dynamic, {"id": [1, 2], "v": ["a", "b"], "x": [{}, [1]]})
    yield (
        "null structs",
        encoding(schema_of(structs), rows_of([{"s": 1}], None, [{"s": 2}, {"s": 3}])),
    )
    yield (
        "array of structs",
        encoding(schema_of(structs), rows_of(np.array([{"s": 1}, {"s": 2}], dtype=object))),
    )
    for kind, dtype in (
        (DataType.BOOL, bool),
        (DataType.INT8, np.int8),
        (DataType.INT16, np.int64),
        (DataType.INT32, np.uint8),
        (DataType.FLOAT, np.float32),
        (DataType.DOUBLE, np.float16),
    ):
        column = {"id": [1, 2], "v": np.array([0, 1]).astype(dtype)}
        field = FakeField("v", kind)
        yield f"array as a column of {kind.name}", encoding(schema_of(field), column)
        yield f"scalars of {kind.name}", encoding(schema_of(field), rows_of(*column["v"]))


def refused_requests() -> Iterator[tuple[str, Scenario]]:
    wrong: dict[DataType, list[Any]] = {
        DataType.BOOL: ["x", 2.5],
        DataType.INT8: [300, "x", 2**70],
        DataType.INT64: [2**63, "x", 1.5],
        DataType.FLOAT: ["x", 10**400],
        DataType.DOUBLE: ["x", object],
        DataType.VARCHAR: [1, "x" * 300, "\ud800", b"x"],
        DataType.JSON: ["{", {1: 2}, {"a": object}, {"a": {1, 2}}],
        DataType.GEOMETRY: [1],
        DataType.TIMESTAMPTZ: [1],
        DataType.ARRAY: [1, ["x"], [None], [2**40], "x"],
        DataType.FLOAT_VECTOR: [[1.0], ["x"] * 4, "abcd", 5, np.ones((2, 2)), [10**400] * 4],
        DataType.FLOAT16_VECTOR: [b"x", [1.0], np.array(["x"] * 4)],
        DataType.BFLOAT16_VECTOR: [b"x", [1.0], np.ones(3), np.datetime64(1, "D")],
        DataType.INT8_VECTOR: [[300] * 4, [1.5] * 4, np.full(4, 300), b"x"],
        DataType.BINARY_VECTOR: [b"", [1, 2], np.ones(1), [300]],
        DataType.SPARSE_FLOAT_VECTOR: [{-1: 1}, {1: "x"}, {"x": 1}, [1], 5, {1: float("nan")}],
    }
    for kind, values in wrong.items():
        dim = 8 if kind == DataType.BINARY_VECTOR else 4 if kind in DENSE else 0
        element = DataType.INT32 if kind == DataType.ARRAY else DataType.NONE
        field = FakeField("v", kind, dim=dim, element_type=element)
        for i, value in enumerate(values):
            yield f"wrong {kind.name} {i}", refused(schema_of(field), rows_of(value))
        column = {"id": [1], "v": [values[0]]}
        yield f"wrong column of {kind.name}", refused(schema_of(field), column)
    sub = FakeField("s", DataType.ARRAY, element_type=DataType.INT32)
    other = FakeField("t", DataType._ARRAY_OF_VECTOR, dim=2, element_type=DataType.FLOAT_VECTOR)
    structs = FakeField("v", DataType._ARRAY_OF_STRUCT, sub_fields=(sub, other))
    good = {"s": 1, "t": [1.0, 2.0]}
    for i, cell in enumerate(
        (
            5,
            [5],
            [{"s": 1}],
            [{**good, "u": 1}],
            [{"s": 1, "u": [1.0, 2.0]}],
            [{**good, "s": None}],
            [{**good, "s": "x"}],
            [{**good, "t": [1.0]}],
            np.array([1, 2]),
        )
    ):
        yield f"wrong struct {i}", refused(schema_of(structs), rows_of(cell))
    text = FakeField("v", DataType.VARCHAR)
    sub_key = rows_of([], **{"v[s]": 1})
    yield "sub-field as a key", refused(schema_of(structs, dynamic=True), sub_key, upsert=True)
    yield "missing", refused(schema_of(text), [{"id": 1}])
    yield "unknown", refused(schema_of(text), rows_of("a", z=1))
    yield "no dict", refused(schema_of(text), [{"id": 1, "v": "a"}, 5])
    yield "uneven columns", refused(schema_of(text), {"id": [1, 2], "v": ["a"]})
    yield "too few columns", refused(schema_of(text), [[1, 2]])
    yield "null", refused(schema_of(text), rows_of(None))
    uneven = [{"id": 1, "v": "a"}, {"id": 2}]
    yield "uneven partial", refused(schema_of(text), uneven, upsert=True, partial_update=True)
    yield "bad dynamic", refused(schema_of(text, dynamic=True), rows_of("a", x={1, 2}))
    yield "meta as a key", refused(schema_of(text, dynamic=True), rows_of("a", **{"$meta": {}}))
