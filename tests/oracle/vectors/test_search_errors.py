"""Search data that pymilvus refuses is refused with its class; what it trips over, with words."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from pymilvus.client.check import check_pass_param
from pymilvus.client.prepare import Prepare
from pymilvus.exceptions import MilvusException, ParamError
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import _core
from tests.oracle.vectors.support import class_raised

ILLEGAL = "`search_data` value "


def ours(data: Any, bytes_type: int = 0) -> milvus_pb2.SearchRequest:
    return milvus_pb2.SearchRequest.FromString(
        _core.encode_search(collection_name="c", data=data, params=[], bytes_type=bytes_type)
    )


def theirs(data: Any, bytes_type: int = 0) -> bytes:
    check_pass_param(search_data=data)
    return Prepare._prepare_placeholder_str(data, False, bytes_type or None)  # type: ignore[no-any-return]


REFUSED: list[tuple[Any, str]] = [
    ([0.5, 0.5], ILLEGAL + "[0.5, 0.5] is illegal"),
    ((0.5, 0.5), ILLEGAL + "(0.5, 0.5) is illegal"),
    (([0.5], [0.5]), ILLEGAL),
    ([(0.5, 0.5)], ILLEGAL + "[(0.5, 0.5)] is illegal"),
    ("text", ILLEGAL + "text is illegal"),
    ("a" * 1000, ILLEGAL + "a" * 1000 + " is illegal"),
    (b"bytes", ILLEGAL),
    ({1: 0.5}, ILLEGAL + "{1: 0.5} is illegal"),
    ({"a"}, ILLEGAL),
    (5, ILLEGAL + "5 is illegal"),
    ([5], ILLEGAL),
    ([None], ILLEGAL),
    ([[0.5], None], ILLEGAL),
    ([{1: 1}], ILLEGAL + "[{1: 1}] is illegal"),
    ([{"x": 0.5}], ILLEGAL),
    ([{1: 0.5}, [0.5]], ILLEGAL),
    ([[0.5], {1: 0.5}], ILLEGAL),
    ((row for row in [[0.5]]), ILLEGAL),
    (np.zeros(4, np.float32), ILLEGAL),
    ([scipy.sparse.csr_array(np.eye(2))], ILLEGAL),
    ([{-1: 0.5}], "sparse vector index must be positive and less than 2^32-1: -1"),
    ([{2**32: 0.5}], "sparse vector index must be positive and less than 2^32-1: 4294967296"),
    ([{1: float("nan")}], "sparse vector value must not be NaN"),
    ([np.zeros(4, np.int64)], "unsupported data type: int64"),
    (np.zeros((2, 4), np.int64), "unsupported data type: int64"),
    ([np.zeros(4, bool)], "unsupported data type: bool"),
    ([np.zeros(4, complex)], "unsupported data type: complex128"),
    ([np.zeros(4, "M8[s]")], "unsupported data type: datetime64[s]"),
]


@pytest.mark.parametrize(("data", "core"), REFUSED, ids=range(len(REFUSED)))
def test_refused_alike(data: Any, core: str) -> None:
    assert class_raised(lambda: theirs(data)) is ParamError
    with pytest.raises(ParamError) as caught:
        ours(data)
    assert core in caught.value.message


@pytest.mark.parametrize("bytes_type", [5, 21, 106])
def test_bytes_for_a_field_that_holds_no_vectors(bytes_type: int) -> None:
    assert class_raised(lambda: theirs([b"x"], bytes_type)) is ParamError
    with pytest.raises(ParamError, match=f"unsupported data type: {bytes_type}"):
        ours([b"x"], bytes_type)


TRIPPED: list[tuple[Any, str]] = [
    # These pass pymilvus's check and end as an IndexError, struct.error, OverflowError, ...
    ([], ILLEGAL + "[] is illegal"),
    (np.zeros((0, 4), np.float32), ILLEGAL),
    ([["a"]], "data[0]: must be real number, not str"),
    ([[0.5], [None]], "data[1]: must be real number, not NoneType"),
    ([[[0.5]]], ILLEGAL),
    ([np.zeros((2, 4), np.float32)], "data[0]: expected one dimension, got 2"),
    ([[0.5], "text"], ILLEGAL),
    (["text", [0.5]], ILLEGAL),
    ([b"12", [0.5]], ILLEGAL),
    ([np.zeros(2, np.int8), "ab"], ILLEGAL),
    ([{1: 1e39}], "sparse vector value is too large for a 32-bit float"),
    (["\ud800"], "data[0]: 'utf-8' codec can't encode"),
]


@pytest.mark.parametrize(("data", "core"), TRIPPED, ids=range(len(TRIPPED)))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_tripped_over_by_pymilvus(data: Any, core: str) -> None:
    want = class_raised(lambda: theirs(data))
    assert want is not None
    assert not issubclass(want, MilvusException)
    with pytest.raises(ParamError) as caught:
        ours(data)
    assert core in caught.value.message


GARBLED: list[tuple[Any, str]] = [
    # pymilvus sends the raw memory of whatever follows the first array.
    ([np.zeros(2, np.int8), np.zeros(2, np.float64)], "unsupported data type: float64"),
    ([np.zeros(2, np.uint8), np.array([300, 1])], "data[1]: 300 is not in range(0, 256)"),
    ([[0.5, 0.5], b"ab"], ILLEGAL),
]


@pytest.mark.parametrize(("data", "core"), GARBLED, ids=range(len(GARBLED)))
def test_garbled_by_pymilvus(data: Any, core: str) -> None:
    assert class_raised(lambda: theirs(data)) is None
    with pytest.raises(ParamError) as caught:
        ours(data)
    assert core in caught.value.message


def test_accepted_beyond_pymilvus() -> None:
    floats = np.arange(4, dtype=np.float32)
    for data in ([floats.astype(">f4")], [memoryview(floats)], [array.array("d", floats)]):
        assert ours(data) == ours([[0.0, 1.0, 2.0, 3.0]])
    assert ours(floats[None].astype(">f8")) == ours([[0.0, 1.0, 2.0, 3.0]])
    assert ours([bytearray(b"ab"), memoryview(b"cd")]) == ours([b"ab", b"cd"])
    halves = floats.astype(np.float16)
    assert ours([halves, floats, [0, 1, 2, 3]]) == ours([halves] * 3)
    row = scipy.sparse.csr_array(([0.5, 1.5], ([0, 0], [3, 7])), shape=(1, 9))
    assert ours([row.tocsc()]) == ours([row.tocoo()]) == ours([row])


def test_a_failure_leaves_nothing_behind() -> None:
    good = _core.encode_search(collection_name="c", data=[[0.5]], params=[])
    with pytest.raises(ParamError):
        ours([[0.5], ["x"]])
    assert _core.encode_search(collection_name="c", data=[[0.5]], params=[]) == good


def test_data_that_changes_while_it_is_read() -> None:
    class Number:
        def __init__(self, action: Any) -> None:
            self.action = action

        def __float__(self) -> float:
            self.action()
            return 0.5

    data: list[Any] = [[0.5, 0.5], [0.5, 0.5]]
    data[0][0] = Number(data.clear)
    assert ours(data).nq == 2
    row: list[Any] = [0.5, 0.5, 0.5]
    row[0] = Number(row.clear)
    with pytest.raises(ParamError, match=r"data\[0\]: list changed its length from 3"):
        ours([row])

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ours([[Number(fail)]])
