"""Random search data: our placeholder group is the one that pymilvus builds."""

from __future__ import annotations

import struct
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse
from pymilvus import DataType
from pymilvus.client import entity_helper
from pymilvus.client.embedding_list import EmbeddingList
from pymilvus.client.prepare import Prepare
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from milvus_native import _core
from tests.oracle.vectors.faker import Faker
from tests.seeds import random_source

CASES = 60


def large_numbers() -> list[float]:
    """Those that float32 has as infinity; but from CPython 3.15 on, pymilvus's struct.pack refuses
    them, and we do not."""
    numbers = [1e39, -1e300]
    try:
        struct.pack("f", numbers[0])
    except OverflowError:
        return []
    return numbers


def search(data: Any, **options: Any) -> milvus_pb2.SearchRequest:
    return milvus_pb2.SearchRequest.FromString(
        _core.encode_search(collection_name="c", data=data, params=[], **options)
    )


def check(data: Any, bytes_type: int = 0, embedding_list: bool = False) -> None:
    got = search(data, bytes_type=bytes_type, embedding_list=embedding_list)
    want = Prepare._prepare_placeholder_str(data, embedding_list, bytes_type or None)
    group = common_pb2.PlaceholderGroup.FromString(got.placeholder_group)
    assert group == common_pb2.PlaceholderGroup.FromString(want), data
    assert got.nq == entity_helper.get_input_num_rows(data)


def test_lists_of_numbers() -> None:
    faker = Faker(random_source())
    for _ in range(CASES):
        dims = [faker.source.choice([1, 3, 200]) for _ in range(faker.source.choice([1, 1, 4]))]
        numbers = [
            lambda: faker.source.gauss(0, 1),
            lambda: faker.source.choice([1, True, np.float32(2), np.int64(3), 10**30]),
            lambda: faker.source.choice([float("inf"), -0.0, 3.4028234e38, *large_numbers()]),
        ]
        check([[faker.source.choice(numbers)() for _ in range(dim)] for dim in dims])


@pytest.mark.parametrize(
    "dtype", ["f4", "f8", "f2", ml_dtypes.bfloat16, "i1", "u1"], ids=lambda dtype: str(dtype)
)
@pytest.mark.parametrize("embedding_list", [False, True])
def test_arrays(dtype: Any, embedding_list: bool) -> None:
    faker = Faker(random_source())
    for _ in range(CASES):
        n, dim = faker.source.choice([1, 2, 9]), faker.source.choice([1, 8, 33])
        matrix = (faker.numpy.standard_normal((n, dim)) * 50).astype(dtype)
        for data in (
            list(matrix),
            matrix,
            matrix.T.copy().T,
            [row[::-1] for row in matrix],
            list(np.repeat(matrix, 2, axis=1)[:, ::2]),
        ):
            check(data, embedding_list=embedding_list)


def test_embedding_lists() -> None:
    faker = Faker(random_source())
    for _ in range(CASES):
        lists = [
            EmbeddingList(faker.numpy.random((faker.source.randint(1, 4), 5), np.float32))
            for _ in range(faker.source.randint(1, 3))
        ]
        check([one.to_flat_array() for one in lists], embedding_list=True)


@pytest.mark.parametrize("bytes_type", [0, 100, 101, 102, 103, 104, 105])
@pytest.mark.parametrize("embedding_list", [False, True])
def test_bytes(bytes_type: int, embedding_list: bool) -> None:
    source = random_source()
    for _ in range(CASES):
        data = [source.randbytes(source.choice([0, 8, 16])) for _ in range(source.randint(1, 3))]
        check(data, bytes_type, embedding_list)


def test_texts() -> None:
    source = random_source()
    for _ in range(CASES):
        texts = ["", "plain", "é€😀", "x\0y", "long " * 99, np.str_("numpy")]
        check([source.choice(texts) for _ in range(source.randint(1, 4))])
    check(np.array(["a", "bc"]))


@pytest.mark.parametrize("embedding_list", [False, True])
def test_sparse(embedding_list: bool) -> None:
    faker = Faker(random_source())
    for _ in range(CASES):
        rows = [
            faker.vector(DataType.SPARSE_FLOAT_VECTOR, 0) for _ in range(faker.source.randint(1, 4))
        ]
        check(rows, embedding_list=embedding_list)
        check(tuple(rows), embedding_list=embedding_list)
        matrix = scipy.sparse.random_array(
            (faker.source.randint(1, 4), 50), density=0.2, random_state=faker.numpy, format="csr"
        )
        check(matrix, embedding_list=embedding_list)


def test_empty_rows_are_sparse_until_a_number_is_seen() -> None:
    check([[]])
    check([[], [(1, 0.5)]])
    check([[], {}])
    check([{}, [(2, 0.5)], []])
    group = common_pb2.PlaceholderGroup.FromString(search([[], [0.5]]).placeholder_group)
    assert group.placeholders[0].type == DataType.FLOAT_VECTOR
    check([[], [0.5]])
