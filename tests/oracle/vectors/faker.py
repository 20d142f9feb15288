"""Random vectors in every form that pymilvus understands."""

from __future__ import annotations

import array
import random
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import scipy.sparse
from pymilvus import DataType

SPECIAL = (0.0, -0.0, 1e39, -1e39, 1e-45, float("inf"), float("-inf"), float("nan"), 65504.0)


class Faker:
    def __init__(self, source: random.Random) -> None:
        self.source = source
        self.numpy = np.random.default_rng(source.randrange(1 << 63))

    def float(self) -> float:
        if self.source.random() < 0.2:
            return self.source.choice(SPECIAL)
        return self.source.gauss(0, 10 ** self.source.randint(-3, 3))

    def floats(self, dim: int) -> list[float]:
        return [self.float() for _ in range(dim)]

    def vector(self, data_type: int, dim: int, *, native: bool = False) -> Any:
        """A vector; `native` ones of half types are 16-bit floats, others are wider."""
        match data_type:
            case DataType.FLOAT_VECTOR:
                return self.source.choice(list(self._float(dim)))
            case DataType.FLOAT16_VECTOR:
                return self._half(dim, np.dtype(np.float16), native)
            case DataType.BFLOAT16_VECTOR:
                return self._half(dim, np.dtype(ml_dtypes.bfloat16), native)
            case DataType.INT8_VECTOR:
                return self.source.choice(
                    [self.source.randbytes(dim), self.numpy.integers(-128, 128, dim, np.int8)]
                )
            case DataType.BINARY_VECTOR:
                return self.source.choice(list(self._binary(dim // 8)))
            case DataType.SPARSE_FLOAT_VECTOR:
                return self.source.choice(list(self._sparse()))
        raise AssertionError(data_type)

    def _float(self, dim: int) -> Iterator[Any]:
        yield self.floats(dim)
        yield tuple(self.floats(dim))
        yield [np.float32(value) for value in self.floats(dim)]
        yield [self.source.choice([1, True, 2.5, np.float64(3), np.int8(4), -(2**70)])] * dim
        yield range(dim)
        yield self.numpy.random(dim, np.float32)
        yield np.array(self.floats(dim))
        yield self.numpy.random(2 * dim, np.float32)[::2]
        yield self.numpy.random(dim)[::-1]
        yield np.broadcast_to(np.float32(0.5), dim)
        yield self.numpy.random((dim, 3), np.float32)[:, 1]
        yield array.array(self.source.choice("fd"), [value % 9 for value in range(dim)])
        yield array.array(self.source.choice("bhilqBHILQ"), [value % 9 for value in range(dim)])
        yield memoryview(self.numpy.random(dim, np.float32))

    def _half(self, dim: int, dtype: np.dtype[Any], native: bool) -> Any:
        values = np.array(self.floats(dim), np.float32) if dim else np.zeros(0, np.float32)
        with np.errstate(over="ignore"):
            if native:
                halves = values.astype(dtype)
                return self.source.choice([halves, halves.tobytes()])
            wide = self.source.choice([values, values.astype(np.float64), values[::-1]])
        return self.source.choice([wide, wide.tolist()])

    def _binary(self, size: int) -> Iterator[Any]:
        data = self.source.randbytes(size)
        numbers = np.frombuffer(data, np.uint8)
        yield data
        yield bytearray(data)
        yield memoryview(data)
        yield list(data)
        yield tuple(data)
        yield numbers
        yield numbers.view(np.int8)
        yield np.repeat(numbers, 2)[::2]
        if size % 8 == 0:
            yield numbers.view(self.source.choice([np.uint16, np.uint64, np.int32]))

    def _sparse(self) -> Iterator[Any]:
        size = self.source.choice([0, 1, 2, 15, 16, 17, 40, 200])
        few = self.source.random() < 0.3
        indices = [self.source.randrange(20 if few else 2**32 - 1) for _ in range(size)]
        indices[:2] = [0, 2**32 - 2][: len(indices[:2])]
        self.source.shuffle(indices)
        pairs = [(self._index(index), self._value()) for index in indices]
        yield dict(pairs)
        yield pairs
        yield [list(pair) for pair in pairs]
        columns = sorted({index % 1000 for index in indices})
        shape = (1, 1000)
        data = ([float(column) for column in columns], ([0] * len(columns), columns))
        yield scipy.sparse.csr_matrix(data, shape=shape)
        yield scipy.sparse.csr_array(data, shape=shape, dtype=np.float32)
        yield scipy.sparse.csr_array(data, shape=shape, dtype=np.int64)

    def _index(self, index: int) -> Any:
        forms: list[Any] = [index, index, str(index), np.int64(index), np.uint32(index)]
        return self.source.choice(forms)

    def _value(self) -> Any:
        value = self.source.gauss(0, 1)
        return self.source.choice(
            [value, value, 0.0, float("inf"), np.float32(value), np.float64(value),
             np.float16(value), f"{value:.3f}"]
        )  # fmt: skip

    def dim(self, data_type: int) -> int:
        if data_type == DataType.BINARY_VECTOR:
            return self.source.choice([8, 16, 64, 128, 1024])
        return self.source.choice([1, 2, 3, 8, 33, 128])
