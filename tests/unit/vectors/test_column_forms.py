"""What whole columns and slices of vectors look like, and what they cost."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.sparse
from pymilvus import DataType

from milvus_native import _core
from tests.oracle.vectors.support import NAME, describe, field, ours, rows_of, struct
from tests.together import outcomes

REPLY = describe(field("v", DataType.FLOAT_VECTOR, dim=64))


def test_every_slicing_gives_the_same_bytes() -> None:
    values = np.random.default_rng(1).random((50, 64), np.float32)
    schema = _core.Schema.from_reply(
        describe(
            field("v", DataType.FLOAT_VECTOR, dim=64),
            field("s", DataType.SPARSE_FLOAT_VECTOR),
            field("h", DataType.FLOAT16_VECTOR, dim=4, nullable=True),
            structs=(
                struct(
                    "t",
                    field("t[n]", DataType.ARRAY, element_type=DataType.INT64),
                    field("t[w]", DataType._ARRAY_OF_VECTOR, dim=2, element_type=101),
                    field("t[b]", DataType._ARRAY_OF_VECTOR, dim=2, element_type=105),
                ),
            ),
        )
    )
    rows = [
        {
            "id": i,
            "v": values[i],
            "s": dict.fromkeys(range(i % 7), 0.5),
            "h": None if i % 3 else [1, 2, 3, 4],
            "t": [{"n": j, "w": [j, j], "b": b"ab"} for j in range(i % 4)],
        }
        for i in range(50)
    ]
    whole = _core.encode_rows(schema, rows, collection_name=NAME)
    for budget in (1, 100, 1000, 10_000):
        encoder = _core.RowEncoder(schema, rows, collection_name=NAME)
        steps = 1
        while not encoder.step(budget):
            steps += 1
        assert encoder.finish() == whole
        assert budget > 1000 or steps > 10


def test_a_matrix_never_becomes_objects() -> None:
    matrix = np.random.default_rng(1).random((2000, 64), np.float32)
    schema = _core.Schema.from_reply(REPLY)
    ids = list(range(len(matrix)))
    _core.encode_rows(schema, {"id": ids[:1], "v": matrix[:1]}, collection_name=NAME)
    tracemalloc.start()
    try:
        request = _core.encode_rows(schema, {"id": ids, "v": matrix}, collection_name=NAME)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert matrix.tobytes() in request
    assert peak < 1.2 * len(request)


def test_peak_memory_of_rows() -> None:
    rows = rows_of(list(np.random.default_rng(1).random((1000, 768), np.float32)))
    schema = _core.Schema.from_reply(describe(field("v", DataType.FLOAT_VECTOR, dim=768)))
    tracemalloc.start()
    try:
        request = _core.encode_rows(schema, rows, collection_name=NAME)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * len(request)


def test_matrices_that_are_not_matrices_go_cell_by_cell() -> None:
    rows = [np.arange(64.0) + i for i in range(3)]
    want = ours(REPLY, rows_of(rows))
    objects = np.empty(3, object)
    objects[:] = rows
    for column in (rows, tuple(rows), objects, np.array(rows, object)):
        if isinstance(column, np.ndarray) and column.ndim == 2:
            with pytest.raises(_errors(), match=r'data\["v"\]\[0\]'):
                ours(REPLY, {"id": [0, 1, 2], "v": column})
        else:
            assert ours(REPLY, {"id": [0, 1, 2], "v": column}) == want


def _errors() -> type[Exception]:
    from pymilvus.exceptions import ParamError

    return ParamError


def test_a_sparse_matrix_of_the_wrong_height() -> None:
    reply = describe(field("v", DataType.SPARSE_FLOAT_VECTOR))
    matrix = scipy.sparse.csr_array(np.eye(3))
    assert ours(reply, {"id": [1, 2, 3], "v": matrix}).num_rows == 3
    with pytest.raises(_errors(), match="misaligned"):
        ours(reply, {"id": [1, 2], "v": matrix})


def test_broken_scipy_rows() -> None:
    reply = describe(field("v", DataType.SPARSE_FLOAT_VECTOR))
    matrix = scipy.sparse.csr_array(np.eye(3))
    for name, value in (
        ("indptr", np.array([0, 1, 2, 99])),
        ("indptr", np.array([0, 2, 1, 3])),
        ("indptr", np.array([-1, 1, 2, 3])),
        ("indptr", np.zeros(0, np.int32)),
        ("indptr", np.array([0.0, 1, 2, 3])),
        ("indices", np.zeros((3, 1), np.int32)),
        ("indices", [0, 1, 2]),
        ("data", np.array([1j, 1, 1])),
        ("data", np.ones(2)),
    ):
        broken = matrix.copy()
        setattr(broken, name, value)
        with pytest.raises(_errors(), match="invalid input for sparse float vector"):
            ours(reply, {"id": [1, 2, 3], "v": broken})


def test_many_threads_share_one_matrix() -> None:
    matrix = np.random.default_rng(1).random((500, 768), np.float32)
    schema = _core.Schema.from_reply(describe(field("v", DataType.FLOAT_VECTOR, dim=768)))
    data = {"id": list(range(500)), "v": matrix}
    want = _core.encode_rows(schema, data, collection_name=NAME)

    def work(_: int) -> bool:
        made = [_core.encode_rows(schema, data, collection_name=NAME) for _ in range(5)]
        return made == [want] * 5

    assert outcomes(work, 4) == [True] * 4
