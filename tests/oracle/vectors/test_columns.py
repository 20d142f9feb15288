"""Random batches of every vector type: our request is the message that pymilvus builds."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse
from pymilvus import DataType

from tests.oracle.vectors.faker import Faker
from tests.oracle.vectors.support import (
    describe,
    field,
    ours,
    rows_of,
    struct,
    text_of,
    theirs,
)
from tests.seeds import random_source

DENSE = [
    DataType.FLOAT_VECTOR,
    DataType.FLOAT16_VECTOR,
    DataType.BFLOAT16_VECTOR,
    DataType.INT8_VECTOR,
    DataType.BINARY_VECTOR,
]
TYPES = [*DENSE, DataType.SPARSE_FLOAT_VECTOR]
BATCHES = 150


def names(data_type: Any) -> str:
    return data_type.name.lower()


@pytest.mark.parametrize("data_type", TYPES, ids=names)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # pymilvus casts large doubles with numpy
def test_rows(data_type: DataType) -> None:
    source = random_source()
    faker = Faker(source)
    for _ in range(BATCHES):
        dim = faker.dim(data_type)
        nullable = source.random() < 0.3
        native = source.random() < 0.5
        values = [
            None
            if nullable and source.random() < 0.4
            else faker.vector(data_type, dim, native=native)
            for _ in range(source.choice([1, 2, 7]))
        ]
        sparse = data_type == DataType.SPARSE_FLOAT_VECTOR
        reply = describe(field("v", data_type, dim=0 if sparse else dim, nullable=nullable))
        rows = rows_of(values)
        if nullable:
            rows = [row for row in rows if row["v"] is not None or source.random() < 0.5] or rows
            for row in rows:
                if row["v"] is None and source.random() < 0.5:
                    del row["v"]
        budget = None if source.random() < 0.5 else lambda: source.choice([1, 100, 5000])
        got, want = ours(reply, rows, budget=budget), theirs(reply, rows)
        assert text_of(got) == text_of(want), values


@pytest.mark.parametrize("data_type", DENSE, ids=names)
def test_matrix_columns(data_type: DataType) -> None:
    """A 2-D array is the same as its rows, whatever its layout and byte order."""
    source = random_source()
    numpy = Faker(source).numpy
    for _ in range(BATCHES // 3):
        n, dim = source.choice([1, 2, 9]), source.choice([8, 64])
        width, dtypes = {
            DataType.FLOAT_VECTOR: (dim, [np.float32, np.float64]),
            DataType.FLOAT16_VECTOR: (dim, [np.float16, np.float32, np.float64]),
            DataType.BFLOAT16_VECTOR: (dim, [ml_dtypes.bfloat16, np.float32]),
            DataType.INT8_VECTOR: (dim, [np.int8]),
            DataType.BINARY_VECTOR: (dim // 8, [np.uint8, np.int8]),
        }[data_type]
        matrix = (numpy.standard_normal((n, width)) * 50).astype(source.choice(dtypes))
        layouts = [
            matrix,
            np.asfortranarray(matrix),
            np.repeat(matrix, 2, axis=1)[:, ::2],
            np.repeat(matrix, 3, axis=0)[::3],
            matrix[::-1][::-1],
        ]
        reply = describe(field("v", data_type, dim=dim))
        want = text_of(theirs(reply, rows_of(list(matrix))))
        for layout in layouts:
            for whole in (layout, memoryview(layout) if matrix.dtype.char != "E" else layout):
                data = {"id": list(range(n)), "v": whole}
                budget = source.choice([None, lambda: source.choice([1, 64, 999])])
                assert text_of(ours(reply, data, budget=budget)) == want


def test_sparse_matrix_columns() -> None:
    source = random_source()
    numpy = Faker(source).numpy
    reply = describe(field("v", DataType.SPARSE_FLOAT_VECTOR))
    for _ in range(BATCHES // 3):
        n, form = source.choice([1, 2, 9]), source.choice(["csr", "csc", "coo", "lil", "dok"])
        matrix = scipy.sparse.random_array(
            (n, source.choice([1, 7, 900])),
            density=source.random(),
            format=form,
            dtype=source.choice([np.float32, np.float64]),
            random_state=numpy,
        )
        by_row = matrix.tocsr()
        by_row.sort_indices()
        want = text_of(theirs(reply, rows_of([by_row[i : i + 1] for i in range(n)])))
        assert text_of(ours(reply, {"id": list(range(n)), "v": matrix})) == want


ELEMENTS = [DataType.INT64, DataType.FLOAT, DataType.BOOL, DataType.VARCHAR, DataType.INT8]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_struct_arrays() -> None:
    source = random_source()
    faker = Faker(source)
    scalars = {
        DataType.INT64: lambda: source.randrange(-(2**63), 2**63),
        DataType.FLOAT: faker.float,
        DataType.BOOL: lambda: source.random() < 0.5,
        DataType.VARCHAR: lambda: source.choice(["", "é", "x\0y"]),
        DataType.INT8: lambda: source.randint(-128, 127),
    }
    for _ in range(BATCHES):
        nullable = source.random() < 0.4
        subs: list[tuple[str, int, int]] = []
        for i in range(source.randint(1, 4)):
            kind = source.choice([*ELEMENTS, *DENSE])
            subs.append((f"f{i}", kind, faker.dim(kind) if kind in DENSE else 0))
        fields = []
        for name, kind, dim in subs:
            outer = DataType._ARRAY_OF_VECTOR if dim else DataType.ARRAY
            stored = source.choice([name, f"s[{name}]"])
            fields.append(field(stored, outer, dim=dim, element_type=kind, nullable=nullable))
        reply = describe(structs=(struct("s", *fields, nullable=nullable),))

        def cell(subs: list[tuple[str, int, int]] = subs) -> list[dict[str, Any]]:
            return [
                {
                    name: faker.vector(kind, dim, native=True) if dim else scalars[kind]()
                    for name, kind, dim in subs
                }
                for _ in range(source.choice([0, 1, 3]))
            ]

        rows = rows_of(
            [
                None if nullable and source.random() < 0.4 else cell()
                for _ in range(source.choice([1, 2, 6]))
            ],
            "s",
        )
        for row in rows:
            if row["s"] is None and source.random() < 0.5:
                del row["s"]
        budget = source.choice([None, lambda: source.choice([1, 30, 999])])
        assert text_of(ours(reply, rows, budget=budget)) == text_of(theirs(reply, rows)), rows
