"""RowEncoder: forms of data, slices, and data that changes while it is read."""

from __future__ import annotations

import gc
import sys
import sysconfig
import threading
import tracemalloc
import weakref
from collections import OrderedDict, UserDict, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from pymilvus.exceptions import DataNotMatchException, ParamError
from pymilvus.grpc_gen import milvus_pb2

from milvus_native._core import RowEncoder, Schema, encode_rows
from tests.faker import DENSE, VECTORS, DataType, FakeField, Faker, FakeSchema

Insert = milvus_pb2.InsertRequest
Upsert = milvus_pb2.UpsertRequest


def compiled(*fields: FakeField, dynamic: bool = False, auto_id: bool = False) -> Schema:
    key = FakeField("id", DataType.INT64, primary=True, auto_id=auto_id)
    return Schema.from_reply(Faker(0).describe([key, *fields], dynamic=dynamic).reply_bytes)


def insert(schema: Schema, data: Any, **kwargs: Any) -> milvus_pb2.InsertRequest:
    return Insert.FromString(encode_rows(schema, data, collection_name="books", **kwargs))


def column(message: Any, name: str) -> list[Any]:
    (found,) = (f for f in message.fields_data if f.field_name == name)
    payload = getattr(found.scalars, found.scalars.WhichOneof("data"))
    return list(payload.data)


TITLE = FakeField("title", DataType.VARCHAR)
NOTE = FakeField("note", DataType.VARCHAR, nullable=True)
PRICE = FakeField("price", DataType.FLOAT)


# --- rows ---


class Shown(dict[str, Any]):
    """Stores other items than it shows."""

    def items(self) -> Any:
        return [("id", 7), ("title", "shown")]


class Key(str):
    """Equal to a plain str, by Python code."""

    def __eq__(self, other: object) -> bool:
        return str(self) == other

    def __hash__(self) -> int:
        return hash(str(self))


@pytest.mark.parametrize(
    "row",
    [
        {"id": 7, "title": "shown"},
        {"title": "shown", "id": 7},
        OrderedDict(title="shown", id=7),
        defaultdict(int, id=7, title="shown"),
        Shown(id=1, title="stored"),
        {Key("id"): 7, Key("title"): "shown"},
        {np.str_("id"): 7, "title": np.str_("shown")},
        {"i" + "d": 7, "".join(["ti", "tle"]): "shown"},
    ],
)
def test_any_dict_is_a_row(row: dict[str, Any]) -> None:
    for rows in ([row], [{"id": 1, "title": "a"}, row], [row, {"id": 1, "title": "a"}]):
        message = insert(compiled(TITLE), rows)
        position = rows.index(row)
        assert column(message, "id")[position] == 7
        assert column(message, "title")[position] == "shown"


def test_a_lone_dict_is_one_row() -> None:
    assert insert(compiled(TITLE), {"id": 7, "title": "x"}).num_rows == 1


def test_other_mappings_are_no_rows() -> None:
    with pytest.raises(DataNotMatchException, match="expected Dict, got 'UserDict'"):
        insert(compiled(TITLE), [UserDict(id=7, title="x")])


def test_rows_with_keys_in_changing_order_and_number() -> None:
    schema = compiled(TITLE, NOTE, PRICE, dynamic=True)
    rows: list[dict[str, Any]] = []
    for i in range(50):
        row = {"id": i, "title": str(i), "price": i / 2}
        if i % 3:
            row["note"] = None if i % 2 else f"note {i}"
        if i % 5 == 0:
            row["extra"] = i
        keys = list(row)
        rotated = keys[i % len(keys) :] + keys[: i % len(keys)]
        rows.append({k: row[k] for k in rotated})
    message = insert(schema, rows)
    assert column(message, "id") == list(range(50))
    assert column(message, "title") == [str(i) for i in range(50)]
    assert column(message, "note") == [f"note {i}" for i in range(50) if i % 3 and not i % 2]
    assert column(message, "$meta") == [
        b'{"extra":%d}' % i if i % 5 == 0 else b"{}" for i in range(50)
    ]


def test_text_keeps_nul_and_every_plane() -> None:
    texts = ["a\0b", "\0", "", "é\0", "漢字", "🙂🙂", "\u07ff\u0800\uffff\U00010000\U0010ffff"]
    message = insert(compiled(TITLE), [{"id": i, "title": t} for i, t in enumerate(texts)])
    assert column(message, "title") == texts


def test_text_is_not_cached_in_the_strings() -> None:
    text = "é漢" * 25
    before = sys.getsizeof(text)
    insert(compiled(TITLE), [{"id": 1, "title": text}])
    assert sys.getsizeof(text) == before


def test_no_rows() -> None:
    message = insert(compiled(TITLE, NOTE), [])
    assert message.num_rows == 0
    assert [f.field_name for f in message.fields_data] == ["id", "title", "note"]


def test_envelope() -> None:
    schema = compiled()
    rows = [{"id": 1}]
    message = insert(schema, rows, partition_name="p", namespace="n")
    assert (message.collection_name, message.partition_name, message.namespace) == (
        "books",
        "p",
        "n",
    )
    assert message.schema_timestamp == schema.update_timestamp
    assert not insert(schema, rows, partition_name=None).HasField("namespace")
    assert insert(schema, rows, namespace="").HasField("namespace")
    data = encode_rows(
        schema,
        rows,
        collection_name="books",
        upsert=True,
        namespace="n",
        field_ops=[("tags", 1), ("other", 0)],
    )
    upsert = Upsert.FromString(data)
    assert upsert.namespace == "n"
    assert upsert.partial_update is True
    assert [(o.field_name, o.op) for o in upsert.field_ops] == [("tags", 1), ("other", 0)]


@pytest.mark.parametrize(
    "kwargs",
    [
        {"collection_name": 3},
        {"collection_name": "c", "partition_name": 3},
        {"collection_name": "c", "namespace": 3},
        {"collection_name": "c", "field_ops": [("a", "b")]},
        {"collection_name": "c", "field_ops": ["ab"]},
        {"collection_name": "c", "field_ops": 3},
        {"collection_name": "c", "unknown": 3},
        {},
    ],
)
def test_wrong_arguments(kwargs: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        encode_rows(compiled(), [{"id": 1}], **kwargs)


# --- columns ---

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


def columns_of(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


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


# --- slices and life ---


def large(count: int = 300) -> tuple[Schema, list[dict[str, Any]]]:
    fakes: FakeSchema = Faker(3).schema(
        (DataType.VARCHAR, DataType.JSON, DataType.ARRAY, DataType.INT64), dynamic=True
    )
    return Schema.from_reply(fakes.reply_bytes), Faker(4).rows(fakes, count)


@pytest.mark.parametrize("budget", [-5, 0, 1, 1000, 50_000, 2**62])
def test_slices_make_the_same_request(budget: int) -> None:
    schema, rows = large()
    want = encode_rows(schema, rows, collection_name="c")
    encoder = RowEncoder(schema, rows, collection_name="c")
    steps = 1
    while not encoder.step(budget):
        steps += 1
    assert encoder.step(budget) is True
    assert encoder.finish() == want
    assert encoder.finish() is encoder.finish()
    if budget == 1:
        assert steps > 300
    if budget == 2**62:
        assert steps == 1


def test_finish_goes_on_after_steps() -> None:
    schema, rows = large()
    want = encode_rows(schema, rows, collection_name="c")
    for steps in (1, 10, 100, 400):
        encoder = RowEncoder(schema, rows, collection_name="c")
        for _ in range(steps):
            encoder.step(1)
        assert encoder.finish() == want


def test_a_failed_encoder_stays_failed() -> None:
    encoder = RowEncoder(compiled(TITLE), [{"id": 1, "title": 5}], collection_name="c")
    with pytest.raises(DataNotMatchException):
        encoder.finish()
    with pytest.raises(RuntimeError, match="failed before"):
        encoder.finish()
    with pytest.raises(RuntimeError, match="failed before"):
        encoder.step(1)


class Number:
    """A number whose conversion runs a callback."""

    def __init__(self, callback: Any) -> None:
        self.callback = callback

    def __index__(self) -> int:
        self.callback()
        return 5

    def __float__(self) -> float:
        self.callback()
        return 5.0


def test_a_cell_may_not_enter_the_encoder() -> None:
    seen: list[BaseException] = []

    def enter() -> None:
        for call in (encoder.finish, lambda: encoder.step(1)):
            with pytest.raises(RuntimeError, match="already at work") as caught:
                call()
            seen.append(caught.value)

    encoder = RowEncoder(compiled(PRICE), [{"id": 1, "price": Number(enter)}], collection_name="c")
    assert column(Insert.FromString(encoder.finish()), "price") == [5.0]
    assert len(seen) == 2


def test_rows_that_change_while_they_are_read() -> None:
    rows: list[dict[str, Any]] = []

    def clear_all() -> None:
        for row in list(rows):
            row.clear()
        rows.clear()

    tags = FakeField("tags", DataType.ARRAY, element_type=DataType.INT64)
    rows += [
        {"id": Number(clear_all), "tags": [i, Number(clear_all), i], "title": "a" * 50}
        for i in range(100)
    ]
    message = insert(compiled(tags, TITLE), rows)
    assert column(message, "id") == [5] * 100
    assert [list(t.long_data.data) for t in column(message, "tags")] == [
        [i, 5, i] for i in range(100)
    ]


def test_an_array_that_changes_while_it_is_read() -> None:
    values: list[Any] = []
    values += [1, Number(values.clear), 3]
    tags = FakeField("tags", DataType.ARRAY, element_type=DataType.INT64)
    message = insert(compiled(tags), [{"id": 1, "tags": values}])
    # Without the GIL the list is copied first, since other threads may change it at any time.
    copied = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    assert list(column(message, "tags")[0].long_data.data) == ([1, 5, 3] if copied else [1, 5])


class Evil(str):
    """A key whose comparison empties the row it is in."""

    row: dict[Any, Any]

    def __eq__(self, other: object) -> bool:
        self.row.clear()
        return str(self) == other

    def __hash__(self) -> int:
        return hash(str(self))


def test_keys_that_change_the_row() -> None:
    for position in range(3):
        key = Evil("title")
        row: dict[Any, Any] = {"id": 1, "note": "n", "price": 2.0}
        items = list(row.items())
        items.insert(position, (key, "t"))
        key.row = row
        row.clear()
        row.update(items)
        message = insert(compiled(TITLE, NOTE, PRICE), [row])
        assert column(message, "title") == ["t"]


def test_a_list_of_rows_that_shrinks_between_slices() -> None:
    rows = [{"id": i} for i in range(1000)]
    encoder = RowEncoder(compiled(), rows, collection_name="c")
    encoder.step(1)
    rows.clear()
    with pytest.raises(RuntimeError, match="shrank"):
        encoder.finish()


def test_a_failing_cell_raises_its_own_error() -> None:
    def fail() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        insert(compiled(PRICE), [{"id": 1, "price": Number(fail)}])


class Value(str):
    pass


def test_nothing_is_kept_and_nothing_is_dropped_twice() -> None:
    schema = compiled(TITLE, NOTE, dynamic=True)
    value = Value("text")
    tracked = [value, "note" + str(id(value)), schema]
    rows = [{"id": i, "title": value, "note": tracked[1], "x": value} for i in range(50)]
    bad = [*rows, {"id": 1, "title": 3}]
    columns = columns_of(rows)

    def use() -> None:
        encode_rows(schema, rows, collection_name="c")
        encode_rows(schema, columns, collection_name="c")
        encode_rows(schema, list(columns.values())[:3], collection_name="c")
        for data in (bad, {**columns, "title": [3] * 50}, {"id": [1], "title": ["a", "b"]}):
            with pytest.raises((DataNotMatchException, ParamError)):
                encode_rows(schema, data, collection_name="c")
        for steps in range(0, 200, 10):
            encoder = RowEncoder(schema, rows, collection_name="c")
            for _ in range(steps):
                encoder.step(1)

    use()
    before = [sys.getrefcount(x) for x in tracked]
    for _ in range(3):
        use()
    assert [sys.getrefcount(x) for x in tracked] == before


def test_an_encoder_in_its_own_data_is_collected() -> None:
    class Row(dict[str, Any]):
        pass

    rows = [Row(id=i, title="a") for i in range(100)]
    encoder = RowEncoder(compiled(TITLE, dynamic=True), rows, collection_name="c")
    rows[50]["self"] = encoder
    encoder.step(1)
    watch = weakref.ref(rows[50])
    del rows, encoder
    gc.collect()
    assert watch() is None


def test_too_large_for_one_message() -> None:
    text = "a" * 200_000_000
    schema = compiled(FakeField("text", DataType.TEXT))
    tracemalloc.start()
    try:
        with pytest.raises(ParamError, match="2 GiB"):
            insert(schema, [{"id": i, "text": text} for i in range(11)])
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def documents(count: int) -> Iterator[dict[str, Any]]:
    for i in range(count):
        yield {"id": i, "doc": {"text": "x" * 2000, "n": i}, "title": "é" * 50, "extra": "y" * 500}


@pytest.mark.parametrize("form", ["arrays", "lists", "matrix"])
def test_vectors_are_in_memory_once(form: str) -> None:
    matrix = np.random.default_rng(0).random((500, 768), dtype=np.float32)
    schema = compiled(FakeField("v", DataType.FLOAT_VECTOR, dim=768))
    vectors = list(matrix) if form == "arrays" else matrix.tolist()
    data: Any = [{"id": i, "v": v} for i, v in enumerate(vectors)]
    if form == "matrix":
        data = {"id": np.arange(500), "v": matrix}
    tracemalloc.start()
    try:
        size = len(encode_rows(schema, data, collection_name="c"))
        assert tracemalloc.get_traced_memory()[1] < 1.2 * size
    finally:
        tracemalloc.stop()


def test_documents_are_not_kept_beside_the_request() -> None:
    schema = compiled(TITLE, FakeField("doc", DataType.JSON), dynamic=True)
    rows = list(documents(2000))
    size = len(encode_rows(schema, rows, collection_name="c"))
    tracemalloc.start()
    try:
        encode_rows(schema, rows, collection_name="c")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.3 * size  # documents, which exist before their size is known, and the request


def test_two_threads_at_one_encoder() -> None:
    schema, rows = large(2000)
    want = encode_rows(schema, rows, collection_name="c")
    encoder = RowEncoder(schema, rows, collection_name="c")
    done: list[bytes] = []

    def work() -> None:
        while not done:
            try:
                if encoder.step(1000):
                    done.append(encoder.finish())
            except RuntimeError:
                continue

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done[0] == want
