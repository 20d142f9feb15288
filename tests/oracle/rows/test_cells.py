"""Any value in any scalar cell: taken and sent as pymilvus does, or refused with its class."""

from __future__ import annotations

import decimal
import enum
import fractions
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pymilvus.exceptions import DataNotMatchException, MilvusException
from pymilvus.grpc_gen import milvus_pb2

from milvus_native._core import Schema, encode_rows
from tests.faker import ELEMENTS, SCALARS, DataType, FakeField, Faker, FakeSchema
from tests.oracle.rows.test_requests import insert_message


class Color(enum.IntEnum):
    RED = 3


class Whole:
    def __index__(self) -> int:
        return 7


class Real:
    def __float__(self) -> float:
        return 2.5


integers = st.one_of(
    st.integers(-200, 200),
    st.integers(),
    st.sampled_from([b + d for b in (2**7, 2**15, 2**31, 2**63, 2**64) for d in (-1, 0, 1)]),
    st.sampled_from([-b + d for b in (2**7, 2**15, 2**31, 2**63) for d in (-1, 0, 1)]),
)
small = st.integers(-128, 127)
numpy_scalars = st.one_of(
    st.builds(lambda n, t: t(n), small, st.sampled_from([np.int8, np.int16, np.int32, np.int64])),
    st.builds(
        lambda n, t: t(abs(n)), small, st.sampled_from([np.uint8, np.uint16, np.uint32, np.uint64])
    ),
    st.builds(
        lambda x, t: t(x),
        st.floats(width=16),
        st.sampled_from([np.float16, np.float32, np.float64, np.longdouble]),
    ),
    st.builds(np.bool_, st.booleans()),
    st.builds(np.str_, st.text(max_size=5)),
    st.sampled_from([np.uint64(2**64 - 1), np.datetime64("2025-01-01"), np.complex64(1j)]),
)
odd = st.sampled_from(
    [
        Color.RED,
        Whole(),
        Real(),
        decimal.Decimal("1.25"),
        decimal.Decimal("NaN"),
        fractions.Fraction(1, 3),
        1j,
        object(),
        {1, 2},
        np.array(5),
        np.array(5.5),
        np.array([5]),
        np.array([[1, 2], [3, 4]]),
        np.array(["a"], dtype=object),
        bytearray(b"ab"),
        memoryview(b"ab"),
        range(3),
        Color,
        int,
        ...,
    ]
)
leaves = st.one_of(
    st.booleans(),
    integers,
    st.floats(),
    st.text(st.characters(codec=None), max_size=20),
    st.text(max_size=20),
    st.binary(max_size=10),
    st.sampled_from(["{}", "[1, 2]", "null", "1e5", '"a"', "NaN", "{1: 2}", '{"a": {}}']),
    numpy_scalars,
    odd,
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=5), inner, max_size=3),
        st.dictionaries(st.one_of(st.text(max_size=2), st.integers()), inner, max_size=2),
    ),
    max_leaves=8,
)


def collection(kind: DataType, element: DataType = DataType.NONE) -> FakeSchema:
    key = FakeField("id", DataType.INT64, primary=True)
    return Faker(0).describe([key, FakeField("f", kind, element_type=element)])


CASES = [*((kind, DataType.NONE) for kind in SCALARS), *((DataType.ARRAY, e) for e in ELEMENTS)]
SCHEMAS = {case: collection(*case) for case in CASES}
COMPILED = {case: Schema.from_reply(fakes.reply_bytes) for case, fakes in SCHEMAS.items()}

LIMITS = {DataType.INT8: 2**7, DataType.INT16: 2**15}


def is_stricter(kind: DataType, element: DataType, error: DataNotMatchException) -> bool:
    """Whether we refuse on purpose what pymilvus sends."""
    in_array = kind == DataType.ARRAY
    text = error.message
    if (element if in_array else kind) in LIMITS and "out of range" in text:
        return True
    return (element if in_array else kind) == DataType.VARCHAR and "exceeds max length" in text


def attempt(build: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return build(), None
    except Exception as error:
        return None, error


def compare(case: tuple[DataType, DataType], value: Any) -> None:
    rows = [{"id": 1, "f": value}]
    want, theirs = attempt(lambda: insert_message(SCHEMAS[case], rows))
    data, ours = attempt(lambda: encode_rows(COMPILED[case], rows, collection_name="books"))
    if ours is None:
        assert theirs is None
        assert milvus_pb2.InsertRequest.FromString(data) == want
    elif theirs is None:
        assert isinstance(ours, DataNotMatchException)
        assert is_stricter(*case, ours), ours.message
    elif isinstance(theirs, MilvusException):
        assert type(ours) is type(theirs)
    else:  # pymilvus lets it out as it is: "Unexpected error" to the user
        assert isinstance(theirs, (OverflowError, RecursionError))
        assert isinstance(ours, DataNotMatchException)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0].name}-{c[1].name}")
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(value=values)
@example(value="a\0b")
@example(value=b"")
@example(value=10**400)
@example(value=[])
@example(value=())
@example(value={})
@example(value="x" * 300)
@example(value=np.array([]))
@example(value=np.datetime64("2025-01-01"))
@example(value=np.str_("ab"))
@example(value=np.bytes_(b"ab"))
@example(value=np.void(b"ab"))
@example(value=[b"a", "b"])
@example(value=3.4028235677973366e38)
def test_any_value(case: tuple[DataType, DataType], value: Any) -> None:
    compare(case, value)


def nested(depth: int, leaf: Any = 1) -> Any:
    value = leaf
    for _ in range(depth):
        value = [value] if depth % 2 else {"a": value}
    return value


@pytest.mark.parametrize("depth", [10, 200, 253, 254, 255, 300, 499, 500, 600, 601])
def test_deep_documents(depth: int) -> None:
    for leaf in (1, np.float32(0.5)):
        compare((DataType.JSON, DataType.NONE), nested(depth, leaf))


def test_a_document_deeper_than_the_interpreter_goes() -> None:
    with pytest.raises(DataNotMatchException):
        encode_rows(
            COMPILED[DataType.JSON, DataType.NONE],
            [{"id": 1, "f": nested(100_000)}],
            collection_name="c",
        )
