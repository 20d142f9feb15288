"""Every allocation of Python's own fails once, and then for good, in a scenario per operation and
type: MemoryError comes out or the right result, never another error, and the operation works again.

Inputs are new for each failure: a str keeps its UTF-8 and a list its array, so that what was used
before allocates less. JSON is Python's own here (see memory.with_plain_json). A record of
NumPy's is left out: its own tolist() crashes.
"""

from __future__ import annotations

import gc
import operator
import pickle
import sys
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from tests.faker import ALL_TYPES, DENSE, ELEMENTS, DataType, FakeField, Faker
from tests.oracle.results.faker import ReplyFaker
from tests.servers import frames

from . import memory, scenarios

pytestmark = pytest.mark.usefixtures("undisturbed")


@pytest.fixture(scope="module")
def core() -> Any:
    return memory.with_plain_json()


class Scenario(NamedTuple):
    """`run(core, argument)`, with what `make` gives; made anew for each failure."""

    run: Callable[[Any, Any], Any]
    make: Callable[[], Any] = lambda: None


def anew(value: Any) -> Callable[[], Any]:
    """Copies of `value` that share nothing with it, not even a str."""
    pickled = pickle.dumps(value)
    return lambda: pickle.loads(pickled)


def outcome(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What `function` returns, or the name of the error that it raises."""
    sys._getframe()
    try:
        return function(*arguments, **options)
    except Exception as error:
        if isinstance(error, MemoryError | SystemError):
            raise
        return type(error).__name__


def live_blocks(core: Any) -> int:
    """Those of the C core, which counts them in builds with MVN_DEBUG."""
    UNSENT.__traceback__ = None  # keeps what it was raised through, a connection for one
    gc.collect()
    return int(core._live_blocks()) if hasattr(core, "_live_blocks") else 0


def check(scenario: Scenario, core: Any, *, for_good: bool) -> int:
    """How often want of memory was told."""
    expected = repr(scenario.run(core, scenario.make()))
    assert expected == repr(scenario.run(core, scenario.make()))
    blocks = live_blocks(core)
    seen = memory.fail_each(partial(scenario.run, core), scenario.make, for_good=for_good)
    assert live_blocks(core) == blocks
    assert seen.results <= {expected}
    assert repr(scenario.run(core, scenario.make())) == expected
    return seen.no_memory


# --- rows ---


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


# --- requests ---


def searching(data: Any, **options: Any) -> Scenario:
    def run(core: Any, argument: tuple[Any, dict[str, Any]]) -> bytes:
        sys._getframe()
        data, options = argument
        return core.encode_search(collection_name="c", data=data, params=[("né", "é")], **options)

    return Scenario(run, anew((data, options)))


def refused_search(data: Any, **options: Any) -> Scenario:
    def run(core: Any, argument: tuple[Any, dict[str, Any]]) -> str:
        sys._getframe()
        data, options = argument
        made = outcome(core.encode_search, collection_name="c", data=data, params=[], **options)
        assert isinstance(made, str), "nothing was refused"
        return made

    return Scenario(run, anew((data, options)))


TEMPLATES: dict[str, Any] = {
    "bools": [True, False],
    "ints": [1, -1, np.int64(5)],
    "floats": [1.5, np.float32(0.5)],
    "texts": ["a", "é"],
    "lists": [[1, 2], [3]],
    "mixed": [1, "a", 2.5, None, {"é": np.arange(2)}],
    "documents": [{"a": 1}, {"b": [1]}],
    "array": np.arange(3),
    "matrix": np.ones((2, 2)),
    "long": np.longdouble(2),
    "half": ml_dtypes.bfloat16(1.5),
    "minus": -1,
    "minus ones": [-1, -1],
    "minus one": -1.0,
    "bool array": np.array([True]),
    "text": "é",
    "int": 2**40,
    "float": 1.5,
    "bool": np.bool_(True),
    "bytes": b"x",
    "empty": [],
}


def searches() -> Iterator[tuple[str, Scenario]]:
    for kind in DENSE:
        forms = vectors_of(kind)
        yield f"search by arrays of {kind.name}", searching([forms[3], forms[4]])
        yield f"search by a matrix of {kind.name}", searching(np.stack([forms[3]] * 2))
        yield f"search by lists, {kind.name}", searching(embedding_list=True, data=[forms[3]])
        if kind != DataType.FLOAT_VECTOR:
            bytes_type = int(kind)
            yield f"search by bytes, {kind.name}", searching(forms[5:], bytes_type=bytes_type)
    matrix = scipy.sparse.csr_matrix(np.array([[0, 0.5, 0.25], [1, 0, 0]]))
    yield "search by floats", searching([[0.5, 1, np.float32(2)], [np.float64(1), 2, 3]])
    yield "search by memory", searching([bytearray(b"x"), b"y"])
    yield "search by text", searching(["a", "né"])
    yield "search by pairs", searching([[(1, 0.5)], [[2, 0.5]]])
    yield "search by dicts", searching([{1: 0.5}, {"7": "1.5"}])
    yield "search by a sparse matrix", searching(matrix)
    yield "search by sparse rows", searching([matrix[0], matrix[1]])
    yield "search by ids", searching(None, ids=[1, -1, np.int64(5)])
    yield "search by rows of a subclass", searching([OrderedDict({1: 0.5}), {}])
    yield "search by nothing", refused_search(None)
    yield "search by unknown bytes", refused_search([b"x"], bytes_type=7)
    yield "search by bytes of a text", refused_search([b"x"], bytes_type="x")
    yield "search by bytes of a large type", refused_search([b"x"], bytes_type=2**70)
    yield "search by text ids", searching(None, ids=["a", "né"])
    yield "templates", searching([[1.0]], dsl="né", templates=TEMPLATES)
    yield (
        "search with all",
        searching(
            [[1.0]],
            partition_names=["p", "né"],
            output_fields=["é"],
            guarantee_timestamp=2**63,
            consistency_level=2,
            use_default_consistency=True,
            namespace="né",
            extra=b"x",
        ),
    )
    for i, data in enumerate(
        (
            [["x"]],
            [np.array(["x"])],
            [np.ones((2, 2))],
            ["a", 1],
            [b"a", 1],
            [{-1: 1}],
            [{1: "x"}],
            [5],
            5,
            "text",
            {},
            [],
            [[1.0], 5],
            [[10**400]],
            ([0.5, 1.0], [1.0, 2.0]),
            np.ones((1, 1, 1)),
            ["\ud800"],
            [np.array(["2020"], dtype="datetime64[D]")],
            [np.float32(1)],
            [np.ones(2, np.int8), np.full(2, 300)],
        )
    ):
        yield f"refused search {i}", refused_search(data)
    for i, ids in enumerate(([], 5, [True], [2**70], ["x", 1], [1, "x"], [""], [1.5])):
        yield f"refused ids {i}", refused_search(None, ids=ids)
    for i, value in enumerate(
        (
            object,
            [object],
            2**70,
            [2**70],
            [b"x"],
            {"a": 1},
            "\ud800",
            np.datetime64(1, "D"),
            np.array([1, 2], dtype="datetime64[D]"),
            [np.datetime64(1, "D")],
            np.zeros(2, dtype=[("a", "i4")]),
            np.array([object]),
            1 + 2j,
            ["a", "\ud800"],
            [[1], object],
        )
    ):
        yield f"refused template {i}", refused_search([[1.0]], templates={"é": value})
    yield "refused name", refused_search([[1.0]], templates={1: 1})
    yield "refused timestamp", refused_search([[1.0]], guarantee_timestamp=2**70)
    yield "refused level", refused_search([[1.0]], consistency_level="x")
    yield "refused texts", refused_search([[1.0]], output_fields=["a", 1])


def calling(function: str, *arguments: Any, **options: Any) -> Scenario:
    """The same function of `_core`, whatever becomes of it."""

    def run(core: Any, argument: tuple[tuple[Any, ...], dict[str, Any]]) -> Any:
        sys._getframe()
        arguments, options = argument
        return outcome(getattr(core, function), *arguments, **options)

    return Scenario(run, anew((arguments, options)))


def requests() -> Iterator[tuple[str, Scenario]]:
    pairs = [("topk", "3"), ("né", "é")]
    yield (
        "query",
        calling(
            "encode_query",
            collection_name="né",
            expr="a in {é}",
            output_fields=["é", "*"],
            partition_names=["né"],
            params=pairs,
            templates=TEMPLATES,
            namespace="é",
        ),
    )
    yield (
        "delete",
        calling(
            "encode_delete", collection_name="né", expr="é > 1", templates=TEMPLATES, namespace="é"
        ),
    )
    yield (
        "hybrid search",
        calling(
            "encode_hybrid_search",
            collection_name="né",
            requests=[scenarios.SEARCH] * 3,
            params=pairs,
            output_fields=["é"],
        ),
    )
    yield (
        "hybrid search of str",
        calling("encode_hybrid_search", collection_name="c", requests=["x"], params=[]),
    )
    yield "params that are none", calling("encode_delete", collection_name="c", expr=5)
    yield "int keys", calling("primary_key_expression", "né", [1, 2**62, np.int64(3)], 5)
    yield "text keys", calling("primary_key_expression", "né", ["a", "é'", '"\\'], 21)
    yield "untyped keys", calling("primary_key_expression", "né", ("a", 1))
    yield "bad keys", calling("primary_key_expression", "né", [object], 5)
    yield "bad text keys", calling("primary_key_expression", "né", ["\ud800"], 21)
    yield "many keys", calling("primary_key_expression", "é", list(range(-1, 40)), 5)
    yield "digits", calling("primary_key_expression", "é", ["-1", "5", "0"], 5)
    for i, keys in enumerate((["x"], ["9" * 30], [2**70], [1.5], [None], 5, ["1" * 9000], [True])):
        yield f"refused keys {i}", calling("primary_key_expression", "é", keys, 5)
    for i, keys in enumerate(([1], [b"x"], [None], [object])):
        yield f"refused text keys {i}", calling("primary_key_expression", "é", keys, 21)
    yield "no field", calling("primary_key_expression", 5, [1], 5)
    yield "no literal", calling("key_literal", 1.5)
    yield "literal", calling("key_literal", "é'")
    yield "int literal", calling("key_literal", 2**40)
    yield "describe", calling("describe_request", "né")
    yield "describe nothing", calling("describe_request", 5)
    yield "indexes of", calling("index_request", "né")
    yield (
        "connect",
        calling(
            "connect_request",
            sdk_type="é",
            sdk_version="1é",
            local_time="té",
            user="üé",
            host="hé",
            reserved={"é": "é", "b": "c"},
        ),
    )
    for i, reserved in enumerate(({"a": 1}, {1: "a"}, {"a\0": "b"}, 5, {"a": "\ud800"})):
        texts = dict.fromkeys(("sdk_type", "sdk_version", "local_time", "user", "host"), "é")
        yield f"refused connect {i}", calling("connect_request", **texts, reserved=reserved)


# --- replies ---


def rich_description() -> bytes:
    """Everything that a collection can have, with a name outside of ASCII."""
    fake = Faker("description")
    kinds = [kind for kind in ALL_TYPES for _ in range(2)]
    fields = [fake.field(kind, f"é{i}") for i, kind in enumerate(kinds)]
    fields.sort(key=lambda field: field.type == DataType._ARRAY_OF_STRUCT)
    fields.insert(3, FakeField("out", DataType.SPARSE_FLOAT_VECTOR, function_output=True))
    key = FakeField("id", DataType.VARCHAR, primary=True, auto_id=True)
    reply = fake.describe([key, *fields], dynamic=True).reply
    reply.aliases.extend(["é", "b"])
    reply.properties.add(key="é", value="ü")
    reply.schema.description = "é"
    for i, field in enumerate(reply.schema.fields):
        field.description = "é"
        field.type_params.add(key="params", value='{"a": 1}')
        field.type_params.add(key="mmap.enabled", value="true")
        field.type_params.add(key="other", value="é")
        field.is_partition_key = i == 1
        field.is_clustering_key = i == 2
    defaults = iter(reply.schema.fields)
    for member, value in (
        ("bool_data", True),
        ("int_data", 5),
        ("long_data", 2**40),
        ("float_data", 0.5),
        ("double_data", 0.25),
        ("string_data", "é"),
        ("bytes_data", b"{}"),
        ("timestamptz_data", 2**40),
    ):
        setattr(next(defaults).default_value, member, value)
    for struct in reply.schema.struct_array_fields:
        struct.description = "é"
        struct.type_params.add(key="mmap.enabled", value="true")
        struct.type_params.add(key="é", value="not JSON")
    return reply.SerializeToString()


DESCRIPTION = rich_description()
NOT_FOUND = milvus_pb2.DescribeCollectionResponse(
    status=common_pb2.Status(code=100, error_code=4, reason="né", extra_info={"a": "é"})
).SerializeToString()


def use_schema(core: Any, argument: bytes) -> list[Any]:
    sys._getframe()
    schema = core.Schema.from_reply(argument)
    found = [schema.field_names, schema.to_dict(), repr(schema), schema.primary_field]
    found += [schema.collection_name, schema.db_name, schema.aliases, schema.collection_id]
    found += [schema.created_timestamp, schema.update_timestamp, schema.nbytes]
    for name in schema.field_names:
        found += [schema.field_type(name), schema.field_dim(name)]
    return found


def use_cache(core: Any, schema: bytes) -> list[Any]:
    sys._getframe()
    compiled = core.Schema.from_reply(schema)
    cache = core.SchemaCache(capacity=2, max_age=1000.0)
    generation = cache.generation()
    found: list[Any] = [cache.put(("é", i, None), compiled, generation) for i in range(5)]
    found.append(cache.put(("é", 4, None), compiled, generation))
    found += [cache.get(("é", i, None)) is compiled for i in range(5)]
    found += [cache.peek(("é", 4, None)) is compiled, cache.is_current(("a",), generation)]
    found += [cache.invalidate(("é", 4, None)), cache.invalidate(("b",)), len(cache)]
    found.append(cache.invalidate_if(operator.is_))
    found.append(cache.stats())
    found.append(cache.put(("z",), compiled, generation))
    cache.configure(capacity=1, max_age=None)
    cache.clear()
    return found


def use_hit(core: Any, argument: dict[str, Any]) -> list[Any]:
    sys._getframe()
    hit = core.Hit(argument, pk_name="né")
    found = [hit.id, hit.pk, hit.distance, hit.score, hit.fields, hit.entity, hit.get("x")]
    found += [hit.get("title"), hit["title"], "title" in hit, hit.to_dict(), hit.title]
    found += [outcome(hit.__getattr__, 5), len(hit.__reduce_ex__(4)), hit.__class__]
    found += [outcome(core.Hit, 5), outcome(core.Hit, pk_name="é"), outcome(core.Hit, [("a", 1)])]
    found += [outcome(hit.__getitem__, "nothing"), hit.highlight, hasattr(hit, "é")]
    return found


def index_reply() -> bytes:
    reply = milvus_pb2.DescribeIndexResponse(status=common_pb2.Status())
    for i in range(3):
        index = reply.index_descriptions.add(index_name=f"é{i}", field_name="né")
        index.params.add(key="é", value="ü")
        index.params.add(key="metric_type", value="L2")
    return reply.SerializeToString()


def aggregation_replies() -> list[bytes]:
    found = []
    for seed in range(8):
        fake = ReplyFaker(f"aggregation {seed}")
        reply = milvus_pb2.SearchResults()
        fake.aggregation(reply.results)
        found.append(reply.SerializeToString())
    return found


def each(function: str, replies: list[bytes], **options: Any) -> Scenario:
    """One decoder, one reply after the other."""

    def run(core: Any, argument: list[bytes]) -> list[Any]:
        sys._getframe()
        return [outcome(getattr(core, function), reply, **options) for reply in argument]

    return Scenario(run, anew(replies))


def connect_reply(**options: Any) -> bytes:
    server = common_pb2.ServerInfo(build_tags="é", go_version="é", reserved={"é": "ü", "a": "b"})
    return milvus_pb2.ConnectResponse(
        status=common_pb2.Status(**options), identifier=2**40, server_info=server
    ).SerializeToString()


def replies() -> Iterator[tuple[str, Scenario]]:
    yield "description", Scenario(use_schema, anew(DESCRIPTION))
    yield "no description", each("decode_query", [NOT_FOUND])
    yield "schema cache", Scenario(use_cache, anew(scenarios.REPLY))
    yield "indexes", calling("parse_indexes", index_reply())
    yield "connected", calling("parse_connect", connect_reply())
    yield "not connected", calling("parse_connect", connect_reply(code=5, reason="é"))
    yield "no reply", calling("parse_connect", "x")
    yield "no reply", calling("parse_indexes", b"\xff")
    yield (
        "mutations",
        each("decode_mutation", [ReplyFaker(i).mutation().SerializeToString() for i in range(12)]),
    )
    yield "failed mutation", each("decode_mutation", [scenarios.FAILED])
    yield "aggregations", each("decode_search", aggregation_replies())
    for seed in range(16):
        search = ReplyFaker(f"search {seed}").search().SerializeToString()
        query = ReplyFaker(f"query {seed}").query().SerializeToString()
        strict = {"strict_float32": True} if seed % 4 == 3 else {}
        rounded = {"round_decimal": 2} if seed % 4 == 3 else {}
        yield f"search reply {seed}", each("decode_search", [search], **rounded)
        yield f"query reply {seed}", each("decode_query", [query], **strict)
    values = {"né": 5, "distance": 0.5, "entity": {"title": "é", "x": None}, "highlight": {"a": 1}}
    yield "hit", Scenario(use_hit, anew(values))


# --- calls ---


#: Of calls and connections that say themselves that they have failed; made while there is memory.
UNSENT = MemoryError()


def submit(connection: Any, *arguments: Any) -> None:
    sys._getframe()
    try:
        connection.submit(*arguments)
    except ConnectionError:
        raise UNSENT from None


def call_over_engine(core: Any, argument: tuple[Any, list[Any]]) -> list[Any]:
    """Without a `try`: in a function as long as this one, CPython 3.11 never leaves it for good."""
    sys._getframe()
    message, metadata = argument
    connection = core.RpcConnection("localhost:19530", "http", "test/1", keepalive_time=100.0)
    found: list[Any] = []
    connection.data_to_send()
    found += connection.receive(frames.settings())
    submit(connection, "/s/M", message, metadata, 5.0, "tag")
    submit(connection, "/s/M", b"x", None, None, "other")
    while connection.data_to_send():
        pass
    connection.cancel(3, 1, "né")
    found += connection.finished()
    found += connection.receive(frames.reply(1, b"answer"))
    connection.ping()
    connection.tick()
    found += [connection.open_calls, connection.free_streams, connection.goaway_code]
    if connection.error:
        raise UNSENT
    found += connection.receive(frames.goaway(5, 2, b"over"))
    connection.lost("né")
    for result in found:
        if isinstance(result, tuple) and result[1] not in (0, 1):
            raise UNSENT
    return found


def calls() -> Iterator[tuple[str, Scenario]]:
    metadata = [("authorization", "token"), ("trace-bin", b"\x00")]
    yield "call", Scenario(call_over_engine, anew(([b"question", b"x" * 5000], metadata)))
    yield "call of bytes", Scenario(call_over_engine, anew((b"question", [])))
    yield "call of memory", Scenario(call_over_engine, anew((bytearray(b"question"), metadata)))


GROUPS = (
    rows_of_each_type,
    vectors_in_each_form,
    whole_requests,
    refused_requests,
    searches,
    requests,
    replies,
    calls,
)
SCENARIOS = {name: scenario for group in GROUPS for name, scenario in group()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_allocation_once(name: str, core: Any) -> None:
    assert check(SCENARIOS[name], core, for_good=False) > 0


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_allocation_and_all_after_it(name: str, core: Any) -> None:
    assert check(SCENARIOS[name], core, for_good=True) > 0


def test_the_module_itself() -> None:
    """What of the module exists when its execution fails is given back, and the next one works."""
    seen = memory.fail_each(lambda _: type(memory.another_core()).__name__)
    assert seen.no_memory > 50
    assert seen.results == {"'module'"}
