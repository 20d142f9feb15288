"""What pymilvus refuses we refuse with its class, and say where; what it garbles we refuse too."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse
from pymilvus import DataType
from pymilvus.exceptions import DataNotMatchException, MilvusException, ParamError

from tests.oracle.vectors.support import (
    class_raised,
    describe,
    field,
    ours,
    rows_of,
    struct,
    theirs,
)

FLOAT = DataType.FLOAT_VECTOR
HALF = DataType.FLOAT16_VECTOR
BRAIN = DataType.BFLOAT16_VECTOR
INT8 = DataType.INT8_VECTOR
BINARY = DataType.BINARY_VECTOR
SPARSE = DataType.SPARSE_FLOAT_VECTOR
MISMATCH = "The Input data type is inconsistent with defined schema, {v} field should be a "
NOT_SPARSE = "invalid input for sparse float vector"

REFUSED_BY_BOTH: list[tuple[DataType, Any, str]] = [
    (FLOAT, 1.5, "object of type 'float' has no len()"),
    (FLOAT, np.float32(1), "object of type 'numpy.float32' has no len()"),
    (FLOAT, np.array(1.0), "has no len()"),
    (FLOAT, (value for value in [1.0]), "object of type 'generator' has no len()"),
    (FLOAT, "abcdefgh", MISMATCH + "float_vector"),
    (FLOAT, ["a"] * 8, "must be real number, not str"),
    (FLOAT, [1.0] * 7 + [None], "must be real number, not NoneType"),
    (FLOAT, [[1.0]] * 8, "must be real number, not list"),
    (FLOAT, np.zeros((8, 2)), "expected one dimension, got 2"),
    (FLOAT, np.zeros(8, complex), "invalid input for float32 vector"),
    (FLOAT, np.zeros(8, "S4"), "invalid input for float32 vector"),
    (FLOAT, np.zeros(8, "M8[s]"), "invalid input for float32 vector"),
    (FLOAT, np.zeros(8, object), "an array of dtype object"),
    (FLOAT, np.zeros(8, "f4,f4"), "invalid input for float32 vector"),
    (HALF, "abcdefgh", "invalid input type for float16 vector"),
    (HALF, 5, "invalid input type for float16 vector"),
    (HALF, {1: 2.0}, "invalid input type for float16 vector"),
    (HALF, {1.0, 2.0}, "invalid input type for float16 vector"),
    (HALF, np.zeros(8, complex), "invalid input for float16 vector"),
    (HALF, np.zeros(8, object), "invalid input for float16 vector"),
    (HALF, ["a"] * 8, "must be real number, not str"),
    (BRAIN, 5, "invalid input type for bfloat16 vector"),
    (BRAIN, np.zeros(8, complex), "invalid input for bfloat16 vector"),
    (INT8, np.zeros(8, np.float32), "invalid input for int8 vector"),
    (INT8, np.zeros(8, object), "invalid input for int8 vector"),
    (INT8, "abcdefgh", "invalid input type for INT8_VECTOR vector"),
    (INT8, 5, "invalid input type for INT8_VECTOR vector"),
    (BINARY, 1, "object of type 'int' has no len()"),
    (BINARY, "a", MISMATCH + "binary_vector"),
    (BINARY, [256], "256 is not in range(0, 256)"),
    (BINARY, [-1], "-1 is not in range(0, 256)"),
    (BINARY, [1.0] * 8, MISMATCH + "binary_vector"),
    (BINARY, [1.5], "'float' object cannot be interpreted as an integer"),
    (SPARSE, {1: 1}, NOT_SPARSE + ": a value is int, not float"),
    (SPARSE, {1: np.int64(1)}, NOT_SPARSE),
    (SPARSE, {1: np.bool_(True)}, NOT_SPARSE),
    (SPARSE, {1: None}, NOT_SPARSE),
    (SPARSE, {1: "x"}, NOT_SPARSE + ": a value is 'x'"),
    (SPARSE, {"x": 0.5}, NOT_SPARSE + ": an index is 'x'"),
    (SPARSE, {1.5: 0.5}, NOT_SPARSE + ": an index is float"),
    (SPARSE, {b"1": 0.5}, NOT_SPARSE),
    (SPARSE, {-1: 0.5}, "sparse vector index must be positive and less than 2^32-1: -1"),
    (SPARSE, {2**32 - 1: 0.5}, "must be positive and less than 2^32-1: 4294967295"),
    (SPARSE, {10**30: 0.5}, f"must be positive and less than 2^32-1: {10**30}"),
    (SPARSE, {1: float("nan")}, "sparse vector value must not be NaN"),
    (SPARSE, [(1, 0.5), (2, "nan")], "sparse vector value must not be NaN"),
    (SPARSE, [(1, 0.5, 2)], NOT_SPARSE + ": a pair has 3 items"),
    (SPARSE, [(1,)], NOT_SPARSE + ": a pair has 1 items"),
    (SPARSE, [1, 2], NOT_SPARSE),
    (SPARSE, [0.5, 0.5], NOT_SPARSE),
    (SPARSE, 5, NOT_SPARSE + ": got int"),
    (SPARSE, "ab", NOT_SPARSE + ": got str"),
    (SPARSE, b"12345678", NOT_SPARSE + ": got bytes"),
    (SPARSE, np.zeros(4), NOT_SPARSE),
    (SPARSE, scipy.sparse.csr_array(np.eye(2)), NOT_SPARSE + ": expect 1 row"),
]


@pytest.mark.parametrize(
    ("data_type", "value", "core"),
    REFUSED_BY_BOTH,
    ids=[f"{one[0].name.lower()}-{i}" for i, one in enumerate(REFUSED_BY_BOTH)],
)
def test_same_class_and_place(data_type: DataType, value: Any, core: str) -> None:
    dim = 0 if data_type == SPARSE else 8
    reply = describe(field("v", data_type, dim=dim))
    good: Any = {SPARSE: {1: 0.5}, BINARY: b"1", INT8: b"12345678"}.get(data_type, [0.5] * 8)
    want = class_raised(lambda: theirs(reply, rows_of([good, value])))
    assert want is not None
    assert issubclass(want, MilvusException)
    with pytest.raises(want) as caught:
        ours(reply, rows_of([good, value]))
    assert type(caught.value) is want
    assert caught.value.message.startswith('rows[1]["v"]: ')
    assert core in caught.value.message


GARBLED: list[tuple[DataType, Any, type[Exception], str]] = [
    # pymilvus takes the length of the last row for the dimension, or checks nothing.
    (FLOAT, [0.5] * 7, DataNotMatchException, "expected 8 floats, got 7"),
    (FLOAT, [], DataNotMatchException, "expected 8 floats, got 0"),
    (FLOAT, np.zeros(9, np.float32), DataNotMatchException, "expected 8 floats, got 9"),
    (HALF, [0.5] * 9, DataNotMatchException, "expected 8 floats, got 9"),
    (HALF, b"12345", DataNotMatchException, "expected 16 bytes, got 5"),
    (HALF, np.zeros(7, np.float16), DataNotMatchException, "expected 8 floats, got 7"),
    (BRAIN, b"", DataNotMatchException, "expected 16 bytes, got 0"),
    (INT8, b"1234567", DataNotMatchException, "expected 8 bytes, got 7"),
    (INT8, np.zeros(9, np.int8), DataNotMatchException, "expected 8 integers, got 9"),
    (BINARY, b"12", DataNotMatchException, "expected 1 bytes, got 2"),
    (BINARY, [], DataNotMatchException, "expected 1 bytes, got 0"),
    # Milvus's own words for these.
    (FLOAT, [0.5] * 7, DataNotMatchException, "length(7) of float data should divide the dim(8)"),
    (INT8, b"1234567", DataNotMatchException, "length(7) of int8 data should divide the dim(8)"),
    (BINARY, b"12", DataNotMatchException, "the num(16) of all bits should divide the dim(8)"),
    (FLOAT, None, DataNotMatchException, "invalid parameter[expected=need float vector]"),
    # These have no floats in them.
    (FLOAT, b"12345678", ParamError, "float32 vector: expected floats, got bytes"),
    (FLOAT, bytearray(8), ParamError, "expected floats, got bytearray"),
    (FLOAT, memoryview(b"12345678"), ParamError, "expected floats, got memoryview"),
    (FLOAT, dict.fromkeys(range(8), 0.5), DataNotMatchException, "dict is not a vector"),
    (FLOAT, set(range(8)), DataNotMatchException, "set is not a vector"),
    (HALF, [None] * 8, DataNotMatchException, "must be real number, not NoneType"),
    (HALF, ["1"] * 8, DataNotMatchException, "must be real number, not str"),
    (BINARY, np.zeros(8, np.float32), ParamError, "got an array of dtype float32"),
    (BINARY, np.zeros(1, bool), ParamError, "got an array of dtype bool"),
    (BINARY, np.array([300]), DataNotMatchException, "300 is not in range(0, 256)"),
    (BINARY, {1}, DataNotMatchException, "set is not a vector"),
    (SPARSE, ["15"], ParamError, NOT_SPARSE + ": str is not a pair"),
]


@pytest.mark.parametrize(
    ("data_type", "value", "expected", "core"),
    GARBLED,
    ids=[f"{one[0].name.lower()}-{i}" for i, one in enumerate(GARBLED)],
)
def test_garbled_by_pymilvus(
    data_type: DataType, value: Any, expected: type[Exception], core: str
) -> None:
    dim = 0 if data_type == SPARSE else 8
    reply = describe(field("v", data_type, dim=dim))
    assert class_raised(lambda: theirs(reply, rows_of([value]))) is None
    with pytest.raises(expected) as caught:
        ours(reply, rows_of([value]))
    assert type(caught.value) is expected
    assert caught.value.message.startswith('rows[0]["v"]: ')
    assert core in caught.value.message


UNEXPECTED: list[tuple[DataType, Any, type[Exception], str]] = [
    # Neither TypeError nor ValueError: pymilvus says "Unexpected error" for these.
    (FLOAT, [10**400] * 8, DataNotMatchException, "int too large to convert to float"),
    (SPARSE, {1: 1e39}, ParamError, "sparse vector value is too large for a 32-bit float"),
    (INT8, [10**400] * 8, DataNotMatchException, "is not in range(-128, 128)"),
]


@pytest.mark.parametrize(("data_type", "value", "expected", "core"), UNEXPECTED)
def test_unexpected_in_pymilvus(
    data_type: DataType, value: Any, expected: type[Exception], core: str
) -> None:
    reply = describe(field("v", data_type, dim=0 if data_type == SPARSE else 8))
    assert class_raised(lambda: theirs(reply, rows_of([value]))) is not None
    with pytest.raises(expected, match=r'rows\[0\]\["v"\]: ') as caught:
        ours(reply, rows_of([value]))
    assert core in caught.value.message


ACCEPTED: list[tuple[DataType, Any, Any]] = [
    # Refused by pymilvus although there is one thing they can mean; the third form says it.
    (FLOAT, np.arange(8, dtype=np.float16), [float(i) for i in range(8)]),
    (FLOAT, np.arange(8), [float(i) for i in range(8)]),
    (FLOAT, np.arange(8, dtype=np.uint8), [float(i) for i in range(8)]),
    (FLOAT, np.arange(8, dtype=">f4"), [float(i) for i in range(8)]),
    (FLOAT, np.arange(8, dtype=">i8"), [float(i) for i in range(8)]),
    (FLOAT, np.array([True, False] * 4), [1.0, 0.0] * 4),
    (HALF, tuple(range(8)), [float(i) for i in range(8)]),
    (HALF, range(8), [float(i) for i in range(8)]),
    (HALF, np.arange(8), [float(i) for i in range(8)]),
    (HALF, np.arange(8, dtype=np.float16)[::-1], np.arange(8, dtype=np.float16)[::-1].copy()),
    (HALF, np.arange(8, dtype=">f2"), np.arange(8, dtype=np.float16)),
    (HALF, bytearray(range(16)), bytes(range(16))),
    (HALF, memoryview(bytes(range(16))), bytes(range(16))),
    (HALF, np.arange(16, dtype=np.uint8), bytes(range(16))),
    (BRAIN, np.arange(8, dtype=np.float16), [float(i) for i in range(8)]),
    (INT8, [-128, 127, 0, 1, 2, 3, 4, 5], np.array([-128, 127, 0, 1, 2, 3, 4, 5], np.int8)),
    (INT8, np.arange(8), np.arange(8, dtype=np.int8)),
    (INT8, bytearray(range(8)), bytes(range(8))),
    (SPARSE, ((5, 0.5), (1, 0.25)), {1: 0.25, 5: 0.5}),
    (SPARSE, {1: decimal.Decimal("0.5")}, {1: 0.5}),
]


@pytest.mark.parametrize(
    ("data_type", "value", "same"),
    ACCEPTED,
    ids=[f"{one[0].name.lower()}-{i}" for i, one in enumerate(ACCEPTED)],
)
def test_accepted_beyond_pymilvus(data_type: DataType, value: Any, same: Any) -> None:
    reply = describe(field("v", data_type, dim=0 if data_type == SPARSE else 8))
    assert class_raised(lambda: theirs(reply, rows_of([value]))) is not None
    assert ours(reply, rows_of([value])) == theirs(reply, rows_of([same]))


def test_sparse_rows_of_other_formats() -> None:
    """pymilvus takes a CSC row's row numbers for indices and fails on COO."""
    reply = describe(field("v", SPARSE))
    row = scipy.sparse.csr_array(([0.5, 1.5], ([0, 0], [3, 7])), shape=(1, 9))
    want = theirs(reply, rows_of([row]))
    for form in ("csc", "coo", "lil", "dok", "bsr"):
        assert ours(reply, rows_of([row.asformat(form)])) == want
    assert ours(reply, rows_of([scipy.sparse.coo_array(row.toarray()[0])])) == want


def test_half_rows_of_both_kinds() -> None:
    """pymilvus loses the rows that were given as numbers (bug B6)."""
    for data_type, dtype in ((HALF, np.float16), (BRAIN, ml_dtypes.bfloat16)):
        values = [[0.5, -2.0, 65504.0, 1e-8], np.zeros(4), [1, 2, 3, 4]]
        reply = describe(field("v", data_type, dim=4, nullable=True))
        native = b"\0\1\2\3\4\5\6\7"
        got = ours(reply, rows_of([values[0], native, None, values[1], values[2]]))
        vectors = got.fields_data[1].vectors
        want = ours(reply, rows_of([values[0]])).fields_data[1].vectors.float_vector.data
        assert vectors.WhichOneof("data") == str(data_type.name).lower()
        data = vectors.float16_vector if data_type == HALF else vectors.bfloat16_vector
        assert data[8:16] == native
        halves = [data[:8], data[16:24], data[24:]]
        for half, value in zip(halves, values, strict=True):
            assert half == np.asarray(value, np.float32).astype(dtype).tobytes()
        assert len(want) == 4


SUBS = (
    field("s[n]", DataType.ARRAY, element_type=DataType.INT64),
    field("s[w]", DataType._ARRAY_OF_VECTOR, dim=2, element_type=FLOAT),
)
STRUCTS: list[tuple[Any, str]] = [
    (5, "Field 's': Expected list, got int"),
    ((), "Field 's': Expected list, got tuple"),
    ("ab", "Field 's': Expected list, got str"),
    ([1], "Field 's': Element at index 0 must be dict, got int"),
    ([{"n": 1}], "Field 's': Element at index 0 missing required fields: {'w'}"),
    (
        [{"n": 1, "w": [1, 2], "x": 3}],
        "Field 's': Element at index 0 has unexpected fields: {'x'}",
    ),
    ([{"n": 1, "x": 3}], "Field 's': Element at index 0 missing required fields: {'w'}"),
    (
        [{"n": 1, "w": [1, 2]}, {"n": None, "w": [1, 2]}],
        "Field 's': Field 'n' in element at index 1 cannot be None",
    ),
]


@pytest.mark.parametrize(("value", "detail"), STRUCTS)
def test_structs_refused_alike(value: Any, detail: str) -> None:
    reply = describe(structs=(struct("s", *SUBS),))
    for encode in (ours, theirs):
        with pytest.raises(DataNotMatchException) as caught:
            encode(reply, rows_of([value], "s"))
        assert type(caught.value) is DataNotMatchException
        assert f"Detail: {detail}" in caught.value.message
        assert "{s} field should be a struct array" in caught.value.message
    with pytest.raises(DataNotMatchException, match=r'^<.*rows\[0\]\["s"\]: '):
        ours(reply, rows_of([value], "s"))


@pytest.mark.parametrize(
    ("vector", "expected", "core"),
    [
        ([1.0], DataNotMatchException, "element 1: expected 2 floats, got 1"),
        (["a", "b"], DataNotMatchException, "element 1: must be real number, not str"),
        (b"12", ParamError, "element 1: invalid input for float32 vector"),
        (np.zeros(2, complex), ParamError, "element 1: invalid input for float32 vector"),
    ],
)
def test_vectors_of_structs_are_named(vector: Any, expected: type[Exception], core: str) -> None:
    reply = describe(structs=(struct("s", *SUBS),))
    rows = rows_of([[{"n": 1, "w": [1, 2]}, {"n": 2, "w": vector}]], "s")
    with pytest.raises(expected) as caught:
        ours(reply, rows)
    assert caught.value.message.startswith('rows[0]["s"]["w"]: ')
    assert core in caught.value.message


def test_columns_are_named_as_columns() -> None:
    reply = describe(field("v", FLOAT, dim=3))
    with pytest.raises(DataNotMatchException, match=r'data\["v"\]\[0\]: expected 3 floats, got 4'):
        ours(reply, {"id": [1, 2], "v": np.zeros((2, 4), np.float32)})
    with pytest.raises(DataNotMatchException, match=r'data\["v"\]\[1\]: expected 3 floats, got 2'):
        ours(reply, {"id": [1, 2], "v": [[1, 2, 3], [1, 2]]})
    with pytest.raises(ParamError, match=r'data\["v"\]\[0\]: invalid input for int8 vector'):
        ours(describe(field("v", INT8, dim=3)), {"id": [1], "v": np.zeros((1, 3), np.float32)})
    with pytest.raises(DataNotMatchException, match=r'data\["v"\]\[1\]: .*200 is not in range'):
        ours(describe(field("v", INT8, dim=2)), {"id": [1, 2], "v": np.array([[1, 2], [200, 1]])})
    matrix = scipy.sparse.csr_array(np.array([[1.0, 0], [0, float("nan")]]))
    with pytest.raises(ParamError, match=r'data\["v"\]\[1\]: sparse vector value must not be NaN'):
        ours(describe(field("v", SPARSE)), {"id": [1, 2], "v": matrix})


def test_dates_are_no_vectors() -> None:
    reply = describe(field("v", FLOAT, dim=1))
    with pytest.raises(DataNotMatchException, match="must be real number, not datetime"):
        ours(reply, rows_of([[datetime.datetime(2026, 1, 1)]]))
