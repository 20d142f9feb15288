"""Vectors whose own code interferes while they are encoded: a clean error or a right answer."""

from __future__ import annotations

import contextlib
import gc
import struct as binary
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from pymilvus import DataType
from pymilvus.exceptions import DataNotMatchException, MilvusException, ParamError

from milvus_native import _core
from tests.oracle.vectors.support import NAME, describe, field, ours, rows_of

FLOATS = describe(field("v", DataType.FLOAT_VECTOR, dim=4))
BYTES = describe(field("v", DataType.INT8_VECTOR, dim=4))
SPARSE = describe(field("v", DataType.SPARSE_FLOAT_VECTOR))


def floats(value: Any) -> list[float]:
    return list(ours(FLOATS, rows_of([value])).fields_data[1].vectors.float_vector.data)


class Number:
    """A number that does something when it is asked for its value."""

    def __init__(self, action: Callable[[], Any], value: float = 0.5) -> None:
        self.action = action
        self.value = value

    def __float__(self) -> float:
        self.action()
        return self.value

    def __index__(self) -> int:
        self.action()
        return int(self.value)


def raiser(error: BaseException) -> Callable[[], Any]:
    def action() -> None:
        raise error

    return action


@pytest.mark.parametrize("change", ["clear", "pop", "append"])
@pytest.mark.parametrize("reply", [FLOATS, BYTES], ids=["floats", "integers"])
def test_a_list_that_changes_its_length(change: str, reply: bytes) -> None:
    vector: list[Any] = [1, 2, 3, 4]

    def action() -> None:
        if change == "append":
            vector.append(object())
        else:
            getattr(vector, change)()

    vector[1] = Number(action)
    with pytest.raises(DataNotMatchException, match=r'rows\[0\]\["v"\].*changed its length from 4'):
        ours(reply, rows_of([vector]))


def test_a_list_that_replaces_its_items() -> None:
    vector: list[Any] = [1.0, 2.0, 3.0, 4.0]

    def action() -> None:
        vector[:] = [float(10 * i) for i in range(4)]
        gc.collect()

    vector[1] = Number(action, 7.0)
    assert floats(vector) == [1.0, 7.0, 20.0, 30.0]


def test_a_vector_that_changes_another_row() -> None:
    rows = rows_of([[1.0] * 4, [2.0] * 4, [3.0] * 4])
    rows[0]["v"][0] = Number(lambda: rows[2]["v"].clear())
    with pytest.raises(DataNotMatchException, match=r'rows\[2\]\["v"\].*changed its length'):
        ours(FLOATS, rows)
    rows = rows_of([[1.0] * 4, [2.0] * 4])
    rows[0]["v"][0] = Number(rows.clear)
    assert len(ours(FLOATS, rows).fields_data[1].vectors.float_vector.data) == 8


class Sized:
    def __init__(self, said: int, items: list[Any]) -> None:
        self.said = said
        self.items = items

    def __len__(self) -> int:
        return self.said

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)


def test_a_lying_length() -> None:
    assert floats(Sized(99, [1, 2, 3, 4])) == [1, 2, 3, 4]
    with pytest.raises(DataNotMatchException, match="expected 4 floats, got 3"):
        floats(Sized(4, [1, 2, 3]))
    with pytest.raises(DataNotMatchException, match="__len__"):
        floats(Sized(-1, [1, 2, 3, 4]))


def test_subclasses_with_their_own_iteration() -> None:
    class Reversed(list):  # type: ignore[type-arg]
        def __iter__(self) -> Iterator[Any]:
            return reversed(self)

    assert floats(Reversed([1.0, 2.0, 3.0, 4.0])) == [4, 3, 2, 1]
    assert floats(deque([1, 2, 3, 4])) == [1, 2, 3, 4]


@pytest.mark.parametrize("error", [ZeroDivisionError("boom"), KeyboardInterrupt(), MemoryError()])
def test_foreign_errors_pass_through(error: BaseException) -> None:
    for reply, vector in (
        (FLOATS, [Number(raiser(error))] * 4),
        (BYTES, [Number(raiser(error))] * 4),
        (SPARSE, {1: Number(raiser(error))}),
        (SPARSE, [(Number(raiser(error)), 0.5)]),
    ):
        with pytest.raises((type(error), ParamError)) as caught:
            ours(reply, rows_of([vector]))
        assert caught.value is error or "a value is" in str(caught.value)


def test_value_errors_are_told_with_the_place() -> None:
    with pytest.raises(DataNotMatchException, match=r'rows\[0\]\["v"\]: .*Detail: no number') as e:
        floats([Number(raiser(ValueError("no number")))] * 4)
    assert isinstance(e.value.__cause__, ValueError)
    assert "no number" in str(e.value.__cause__)


class Arraylike:
    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.make()

    def __len__(self) -> int:
        return 4

    def __iter__(self) -> Iterator[Any]:
        return iter([9, 9, 9, 9])


def test_array_conversion() -> None:
    assert floats(Arraylike(lambda: np.arange(4))) == [0, 1, 2, 3]
    assert floats(Arraylike(lambda: "no array")) == [9] * 4
    assert floats(Arraylike(raiser(RuntimeError("requires grad")))) == [9] * 4
    with pytest.raises(DataNotMatchException, match="expected one dimension, got 2"):
        floats(Arraylike(lambda: np.zeros((2, 2))))
    with pytest.raises(KeyboardInterrupt):
        floats(Arraylike(raiser(KeyboardInterrupt())))


def test_memory_that_cannot_be_had() -> None:
    view = memoryview(b"1234")
    view.release()
    with pytest.raises(MilvusException, match=r'rows\[0\]\["v"\]: .*released memoryview'):
        ours(BYTES, rows_of([view]))


def test_a_dtype_that_raises() -> None:
    class Odd(np.ndarray):  # type: ignore[type-arg]
        @property
        def dtype(self) -> Any:
            raise KeyError("dtype")

    odd = np.zeros(4, "M8[s]").view(Odd)
    with pytest.raises(KeyError, match="dtype"):
        floats(odd)


def test_buffers_are_held_while_encoding_and_let_go_after() -> None:
    buffer = bytearray(b"abcd")
    grown: list[BaseException] = []

    def action() -> None:
        try:
            buffer.extend(b"more")
        except BufferError as error:
            grown.append(error)

    request = ours(BYTES, rows_of([buffer, [Number(action, 1), 2, 3, 4]]))
    assert request.fields_data[1].vectors.int8_vector == b"abcd\1\2\3\4"
    assert len(grown) == 1
    buffer.extend(b"more")

    with pytest.raises(DataNotMatchException):
        ours(BYTES, rows_of([buffer, [1, 2, 3, 4]]))
    buffer.clear()


def test_a_sparse_row_that_changes() -> None:
    row: dict[Any, Any] = {1: 0.5, 2: 0.5}
    row[3] = np.float32(1)

    class Key(int):
        def __hash__(self) -> int:
            return 5

    growing: dict[Any, Any] = {}

    class Value:
        def __float__(self) -> float:
            growing[len(growing) + 100] = 0.5
            return 0.5

    growing[1] = Value()
    growing[2] = 0.5
    with pytest.raises(ParamError, match="changed its length while it was being read"):
        ours(SPARSE, rows_of([growing]))

    shrinking: dict[Any, Any] = {}

    class Shrink:
        def __float__(self) -> float:
            shrinking.clear()
            return 0.5

    shrinking.update({1: Shrink(), 2: 0.5, 3: 0.5})
    with pytest.raises(ParamError, match="changed its length while it was being read"):
        ours(SPARSE, rows_of([shrinking]))

    pairs: list[Any] = [(1, 0.5), (2, 0.5)]

    class Pop:
        def __float__(self) -> float:
            pairs.pop()
            return 0.5

    pairs[0] = (1, Pop())
    with pytest.raises(ParamError, match="changed its length while it was being read"):
        ours(SPARSE, rows_of([pairs]))
    assert ours(SPARSE, rows_of([{Key(7): 0.5}])).num_rows == 1


def test_sparse_rows_of_dict_subclasses() -> None:
    plain = {9: 0.5, 1: 1.5}
    want = ours(SPARSE, rows_of([plain]))
    counted: defaultdict[int, float] = defaultdict(float, plain)
    for row in (OrderedDict(plain), counted, list(plain.items()), [[9, 0.5], (1, 1.5)]):
        assert ours(SPARSE, rows_of([row])) == want


def test_duplicates_keep_their_order() -> None:
    row = [(5, 1.0), (1, 2.0), ("5", 3.0), (np.int64(5), 4.0)]
    contents = ours(SPARSE, rows_of([row])).fields_data[1].vectors.sparse_float_vector.contents
    assert list(binary.iter_unpack("<If", contents[0])) == [(1, 2), (5, 1), (5, 3), (5, 4)]


def vectors_of_all_kinds() -> list[tuple[bytes, Any]]:
    return [
        (FLOATS, [1.5, 2.5, 3.5, 4.5]),
        (FLOATS, np.arange(4.0)),
        (FLOATS, range(4)),
        (FLOATS, [1, 2, 3, "x"]),
        (FLOATS, np.zeros(3)),
        (FLOATS, np.zeros((2, 2))),
        (FLOATS, np.zeros(4, complex)),
        (BYTES, bytearray(4)),
        (BYTES, [1, 2, 3, 400]),
        (SPARSE, {5: 0.5, 1: 0.5}),
        (SPARSE, {5: 0.5, -1: 0.5}),
        (SPARSE, [(1, 0.5), (2, "x")]),
    ]


def test_references_are_given_back() -> None:
    def counts(values: list[Any]) -> list[int]:
        return [sys.getrefcount(value) for value in values]

    for reply, vector in vectors_of_all_kinds():
        items = [vector]
        if isinstance(vector, (list, tuple)):
            items += vector
        before = counts(items)
        for _ in range(10):
            with contextlib.suppress(MilvusException):
                ours(reply, rows_of([vector, vector]))
        assert counts(items) == before, vector


@pytest.mark.parametrize("kind", range(len(vectors_of_all_kinds())))
def test_no_memory_is_lost(kind: int) -> None:
    """What is lost is lost each time, so the least growth of several rounds tells."""
    reply, vector = vectors_of_all_kinds()[kind]
    schema, rows = _core.Schema.from_reply(reply), rows_of([vector] * 5)
    growths = []
    for _ in range(8):
        before = sys.getallocatedblocks()
        for _ in range(50):
            with contextlib.suppress(MilvusException):
                _core.encode_rows(schema, rows, collection_name=NAME)
        growths.append(sys.getallocatedblocks() - before)
    assert min(growths) < 50
