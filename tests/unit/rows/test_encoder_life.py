"""RowEncoder: slices, data that changes while it is read, and what an encoder keeps in memory."""

from __future__ import annotations

import gc
import sys
import sysconfig
import tracemalloc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pymilvus.exceptions import DataNotMatchException, ParamError

from milvus_native._core import RowEncoder, Schema, encode_rows
from tests.faker import DataType, FakeField, Faker, FakeSchema
from tests.together import together

from .books import NOTE, PRICE, TITLE, Insert, column, columns_of, compiled, insert


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

    def work(_: int) -> None:
        while not done:
            try:
                if encoder.step(1000):
                    done.append(encoder.finish())
            except RuntimeError:
                continue

    assert not together(work, 4)
    assert done[0] == want
