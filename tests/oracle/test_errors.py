"""A table of mistakes: each must fail here with the class and the code it has in pymilvus, name
the place, send nothing, and leave the client usable.

Rows of `MISTAKES` are held against pymilvus itself, run on the same server. Rows of `STRICTER` are
inputs that pymilvus takes and corrupts, or only fails on by accident: ours refuse them on purpose
(docs/differences.md), with the class pymilvus uses for that family of faults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pymilvus
import pytest
from pymilvus import CollectionSchema, DataType, FieldSchema, Function, FunctionType
from pymilvus.client.prepare import Prepare
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import milvus_pb2, schema_pb2

import milvus_native
from tests.servers.recording import RecordingServer

NAME = "mistakes"
Row = dict[str, Any]
Mistake = Callable[[Any], object]


def described() -> bytes:
    schema = CollectionSchema(
        [
            FieldSchema("id", DataType.INT64, is_primary=True),
            FieldSchema("s", DataType.VARCHAR, max_length=16),
            FieldSchema("b", DataType.BOOL),
            FieldSchema("i8", DataType.INT8),
            FieldSchema("i16", DataType.INT16),
            FieldSchema("i32", DataType.INT32),
            FieldSchema("f", DataType.FLOAT),
            FieldSchema("d", DataType.DOUBLE),
            FieldSchema("j", DataType.JSON),
            FieldSchema("a", DataType.ARRAY, element_type=DataType.INT64, max_capacity=4),
            FieldSchema("v", DataType.FLOAT_VECTOR, dim=4),
            FieldSchema("h", DataType.FLOAT16_VECTOR, dim=4),
            FieldSchema("y", DataType.BINARY_VECTOR, dim=16),
            FieldSchema("q", DataType.INT8_VECTOR, dim=4),
            FieldSchema("p", DataType.SPARSE_FLOAT_VECTOR),
            FieldSchema("n", DataType.INT64, nullable=True),
            FieldSchema("t", DataType.VARCHAR, max_length=99, enable_analyzer=True),
            FieldSchema("bm", DataType.SPARSE_FLOAT_VECTOR),
        ],
        functions=[Function("bm25", FunctionType.BM25, ["t"], ["bm"])],
    )
    request = Prepare.create_collection_request(NAME, schema)
    return milvus_pb2.DescribeCollectionResponse(
        schema=schema_pb2.CollectionSchema.FromString(request.schema),
        collection_name=NAME,
        update_timestamp=5,
    ).SerializeToString()


def row(**changes: Any) -> Row:
    good: Row = {
        "id": 1,
        "s": "text",
        "b": True,
        "i8": 1,
        "i16": 1,
        "i32": 1,
        "f": 1.0,
        "d": 1.0,
        "j": {"k": 1},
        "a": [1, 2],
        "v": [0.0, 1.0, 2.0, 3.0],
        "h": np.zeros(4, np.float16),
        "y": b"\x00\x01",
        "q": np.zeros(4, np.int8),
        "p": {1: 0.5},
        "n": None,
        "t": "words",
    }
    return {**good, **changes}


def without(name: str) -> Row:
    return {key: value for key, value in row().items() if key != name}


def insert(bad: Any, rows_before: int = 0) -> Mistake:
    return lambda client: client.insert(NAME, [*(row() for _ in range(rows_before)), bad])


def cell(name: str, value: Any) -> Mistake:
    return insert(row(**{name: value}), rows_before=2)


QUERY = [[0.0, 1.0, 2.0, 3.0]]

# What one cell of rows[2] can be wrong about: field and value.
CELLS: dict[str, tuple[str, Any]] = {
    # -- scalars
    "bool from string": ("b", "yes"),
    "int8 from string": ("i8", "1"),
    "int8 from float": ("i8", 1.5),
    "int16 from list": ("i16", [1]),
    "int32 too large": ("i32", 2**31),
    "int32 too small": ("i32", -(2**31) - 1),
    "int64 from string": ("id", "1"),
    "int64 from float": ("id", 1.0),
    "int64 from bool": ("id", True),
    "int64 too large": ("id", 2**63),
    "nullable int64 from string": ("n", "x"),
    "float from string": ("f", "1.0"),
    "float from list": ("f", [1.0]),
    "double from string": ("d", "x"),
    "double from dict": ("d", {}),
    "varchar from int": ("s", 7),
    "varchar from bytes": ("s", b"text"),
    "varchar from list": ("s", ["text"]),
    "varchar with a lone surrogate": ("s", "\ud800"),
    "json from a bad string": ("j", "{not json"),
    "json with a set": ("j", {"k": {1}}),
    "json with bytes": ("j", {"k": b"x"}),
    "json with an integer of 70 bits": ("j", {"k": 2**70}),
    "json with a number as key": ("j", {1: 2}),
    "array from a number": ("a", 5),
    "array of strings": ("a", ["x"]),
    "array of floats": ("a", [1.5]),
    # -- vectors
    "vector from string": ("v", "abcd"),
    "vector from number": ("v", 5),
    "vector with a string": ("v", [0.0, 1.0, "x", 3.0]),
    "vector with None": ("v", [0.0, None, 2.0, 3.0]),
    "vector nested": ("v", [[0.0, 1.0, 2.0, 3.0]]),
    "float16 from a number": ("h", 5),
    "float16 from string": ("h", "abcd"),
    "int8 vector from string": ("q", "abcd"),
    "binary vector from string": ("y", "ab"),
    "binary vector out of range": ("y", [256, 0]),
    "sparse from string": ("p", "x"),
    "sparse index negative": ("p", {-1: 0.5}),
    "sparse index too large": ("p", {2**32: 0.5}),
    "sparse value NaN": ("p", {1: float("nan")}),
    "sparse value a string": ("p", {1: "x"}),
}

MISTAKES: dict[str, Mistake] = {
    **{name: cell(*wrong) for name, wrong in CELLS.items()},
    # -- rows
    "data is a string": lambda c: c.insert(NAME, "rows"),
    "data is a tuple": lambda c: c.insert(NAME, (row(),)),
    "data is None": lambda c: c.insert(NAME, None),
    "upsert data is a number": lambda c: c.upsert(NAME, 5),
    "a row is a number": insert(5),
    "a row is a string": insert("row"),
    "a row is None": insert(None, 1),
    "missing field": insert(without("f")),
    "missing vector": insert(without("v")),
    "missing in upsert": lambda c: c.upsert(NAME, [without("s")]),
    "unexpected field": insert(row(x=1)),
    "function output given": insert(row(bm={1: 0.5})),
    # -- upsert
    "field_ops unknown": lambda c: c.upsert(NAME, [row()], field_ops={"a": "multiply"}),
    "field_ops of a wrong type": lambda c: c.upsert(NAME, [row()], field_ops={"a": 1.5}),
    "field_ops of a wrong number": lambda c: c.upsert(NAME, [row()], field_ops={"a": 99}),
    # -- delete
    "delete without ids or filter": lambda c: c.delete(NAME),
    "delete with both": lambda c: c.delete(NAME, ids=[1], filter="id > 0"),
    "delete by float": lambda c: c.delete(NAME, ids=1.5),
    "delete by list of floats": lambda c: c.delete(NAME, ids=[1.5]),
    "delete with empty filter": lambda c: c.delete(NAME, filter=""),
    "delete with empty ids": lambda c: c.delete(NAME, ids=[]),
    "delete with empty partition": lambda c: c.delete(NAME, filter="id > 0", partition_name=""),
    "delete filter is a number": lambda c: c.delete(NAME, filter=5),
    "delete pks of floats": lambda c: c.delete(NAME, pks=[1.5]),
    # -- search
    "search name is a number": lambda c: c.search(5, QUERY),
    "search without data": lambda c: c.search(NAME),
    "search flat list": lambda c: c.search(NAME, QUERY[0]),
    "search string": lambda c: c.search(NAME, "text"),
    "search tuple": lambda c: c.search(NAME, tuple(QUERY)),
    "search int64 array": lambda c: c.search(NAME, [np.zeros(4, np.int64)]),
    "search limit zero": lambda c: c.search(NAME, QUERY, limit=0),
    "search limit a string": lambda c: c.search(NAME, QUERY, limit="10"),
    "search round_decimal 9": lambda c: c.search(NAME, QUERY, round_decimal=9),
    "search output_fields a string": lambda c: c.search(NAME, QUERY, output_fields="id"),
    "search output_fields of numbers": lambda c: c.search(NAME, QUERY, output_fields=[1]),
    "search partition_names a string": lambda c: c.search(NAME, QUERY, partition_names="p"),
    "search anns_field a number": lambda c: c.search(NAME, QUERY, anns_field=5),
    "search params a list": lambda c: c.search(NAME, QUERY, search_params=["x"]),
    "search offset twice": lambda c: c.search(
        NAME, QUERY, search_params={"offset": 1, "params": {}}, offset=2
    ),
    "search consistency unknown": lambda c: c.search(NAME, QUERY, consistency_level="Sometimes"),
    "search timeout a string": lambda c: c.search(NAME, QUERY, timeout="soon"),
    "search ids of bool": lambda c: c.search(NAME, ids=[True]),
    "search ids mixed": lambda c: c.search(NAME, ids=[1, "a"]),
    "search ranker a string": lambda c: c.search(NAME, QUERY, ranker="rrf"),
    "search group_by_fields a string": lambda c: c.search(NAME, QUERY, group_by_fields="s"),
    "search order_by_fields wrong": lambda c: c.search(NAME, QUERY, order_by_fields=[{"x": 1}]),
    "search json_type unknown": lambda c: c.search(
        NAME, QUERY, group_by_field="j", json_path="/k", json_type="complex"
    ),
    # -- hybrid search, query, get
    "hybrid ranker a string": lambda c: c.hybrid_search(
        NAME, [pymilvus.AnnSearchRequest(QUERY, "v", {}, 5)], "rrf"
    ),
    "hybrid limit zero": lambda c: c.hybrid_search(
        NAME, [pymilvus.AnnSearchRequest(QUERY, "v", {}, 5)], pymilvus.RRFRanker(), limit=0
    ),
    "hybrid name is None": lambda c: c.hybrid_search(None, [], pymilvus.RRFRanker()),
    "query filter a number": lambda c: c.query(NAME, filter=5),
    "query filter and ids": lambda c: c.query(NAME, filter="id > 0", ids=[1]),
    "query consistency unknown": lambda c: c.query(NAME, "id > 0", consistency_level="X"),
    "query template of None": lambda c: c.query(NAME, "id in {x}", filter_params={"x": None}),
}

STRICTER: dict[str, tuple[Mistake, str, str]] = {
    "vector too short": (cell("v", [1.0, 2.0, 3.0]), "DataNotMatchException", 'rows[2]["v"]'),
    "vector too long": (cell("v", [1.0] * 5), "DataNotMatchException", 'rows[2]["v"]'),
    "vector empty": (cell("v", []), "DataNotMatchException", 'rows[2]["v"]'),
    "array vector too short": (
        cell("v", np.zeros(3, np.float32)),
        "DataNotMatchException",
        'rows[2]["v"]',
    ),
    "vector from dict": (cell("v", {0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0}), "", 'rows[2]["v"]'),
    "vector from bytes": (cell("v", b"abcd"), "", 'rows[2]["v"]'),
    "float16 bytes of odd length": (cell("h", b"1234567"), "DataNotMatchException", 'rows[2]["h"]'),
    "binary vector too short": (cell("y", b"\x00"), "", 'rows[2]["y"]'),
    "binary vector of floats": (cell("y", np.zeros(2, np.float32)), "", 'rows[2]["y"]'),
    "int8 out of its range": (cell("i8", 300), "DataNotMatchException", 'rows[2]["i8"]'),
    "int16 out of its range": (cell("i16", 40000), "DataNotMatchException", 'rows[2]["i16"]'),
    "search empty data": (
        lambda c: c.search(NAME, []),
        "ParamError",
        "Unexpected error, message=<list index out of range>",
    ),
    "varchar too long": (cell("s", "x" * 17), "", 'rows[2]["s"]'),
    "None in a field that is not nullable": (
        cell("f", None),
        "DataNotMatchException",
        'rows[2]["f"]',
    ),
}


@pytest.fixture(scope="module")
def server() -> Iterator[RecordingServer]:
    mutation = milvus_pb2.MutationResult(insert_cnt=1).SerializeToString()
    with RecordingServer(
        {"DescribeCollection": described(), "Insert": mutation, "Upsert": mutation}
    ) as running:
        yield running


@pytest.fixture(scope="module")
def native(server: RecordingServer) -> Iterator[Any]:
    with milvus_native.MilvusClient(server.uri) as client:
        yield client


@pytest.fixture(scope="module")
def oracle(server: RecordingServer) -> Iterator[Any]:
    client = pymilvus.MilvusClient(server.uri, dedicated=True)
    yield client
    client.close()


def failure(mistake: Mistake, client: Any) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011  (which class is what is compared)
        mistake(client)
    return caught.value


def check_nothing_was_lost(server: RecordingServer, client: Any) -> None:
    sent = server.take("Insert", "Upsert", "Delete", "Search", "HybridSearch", "Query")
    assert sent == []
    assert client.insert(NAME, row())["insert_count"] == 1
    server.take()


@pytest.mark.parametrize("name", MISTAKES)
def test_same_class_and_code_as_pymilvus(
    name: str, server: RecordingServer, native: Any, oracle: Any
) -> None:
    theirs = failure(MISTAKES[name], oracle)
    server.take()
    ours = failure(MISTAKES[name], native)
    assert type(ours) is type(theirs), f"{ours!r} is not like {theirs!r}"
    if isinstance(theirs, MilvusException):
        assert ours.code == theirs.code
        assert ours.compatible_code == theirs.compatible_code
    check_nothing_was_lost(server, native)


@pytest.mark.parametrize("name", CELLS)
def test_cell_errors_name_the_place(name: str, native: Any) -> None:
    field, value = CELLS[name]
    assert f'rows[2]["{field}"]' in str(failure(cell(field, value), native))


@pytest.mark.parametrize("name", STRICTER)
def test_refused_on_purpose(name: str, server: RecordingServer, native: Any) -> None:
    mistake, expected, place = STRICTER[name]
    server.take()
    ours = failure(mistake, native)
    assert isinstance(ours, MilvusException)
    if expected:
        assert type(ours).__name__ == expected
    assert place in str(ours)
    check_nothing_was_lost(server, native)


def test_the_table_is_large_enough() -> None:
    assert len(MISTAKES) + len(STRICTER) >= 60
