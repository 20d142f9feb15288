"""InsertRequest and UpsertRequest bytes against the messages that pymilvus builds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict
from pymilvus.client.prepare import Prepare
from pymilvus.grpc_gen import milvus_pb2

from milvus_native._core import RowEncoder, Schema, encode_rows
from tests.faker import DataType, FakeField, Faker, FakeSchema
from tests.seeds import RUN_SEED

CASES_A_SEED = 20


def insert_message(schema: FakeSchema, rows: list[dict[str, Any]], **kwargs: Any) -> Any:
    described = schema.dict
    return Prepare.row_insert_param(
        "books",
        rows,
        kwargs.get("partition_name", ""),
        described["fields"],
        described["struct_array_fields"],
        schema_timestamp=described.get("update_timestamp", 0),
        enable_dynamic=described["enable_dynamic_field"],
        namespace=kwargs.get("namespace"),
    )


def upsert_message(schema: FakeSchema, rows: list[dict[str, Any]], **kwargs: Any) -> Any:
    described = schema.dict
    message = Prepare.row_upsert_param(
        "books",
        rows,
        kwargs.get("partition_name", ""),
        described["fields"],
        described["struct_array_fields"],
        schema_timestamp=described.get("update_timestamp", 0),
        enable_dynamic=described["enable_dynamic_field"],
        partial_update=kwargs.get("partial_update", False),
        field_ops=dict(kwargs.get("field_ops", ())) or None,
    )
    if kwargs.get("namespace") is not None:
        message.namespace = kwargs["namespace"]  # pymilvus drops it
    return message


def differing(got: Any, want: Any) -> list[Any]:
    """The columns that differ, for the failure's text."""
    pairs = zip(got.fields_data, want.fields_data, strict=False)
    return [(MessageToDict(a), MessageToDict(b)) for a, b in pairs if a != b]


def in_slices(fake: Faker, *args: Any, **kwargs: Any) -> bytes:
    encoder = RowEncoder(*args, **kwargs)
    while not encoder.step(fake.random.choice((1, 100, 10_000))):
        pass
    return encoder.finish()


@pytest.mark.parametrize("seed", range(30))
def test_inserts_equal_pymilvus(seed: int) -> None:
    fake = Faker(f"insert {RUN_SEED} {seed}")
    for _ in range(CASES_A_SEED):
        fakes = fake.schema()
        schema = Schema.from_reply(fakes.reply_bytes)
        rows = fake.rows(fakes, fake.random.choice((1, 2, 7, 40)), key=fake.chance(0.3))
        rows[1:] = [
            r for r in rows[1:] if (fakes.primary.name in r) == (fakes.primary.name in rows[0])
        ]
        options = fake.random.choice(
            ({}, {"partition_name": "p"}, {"namespace": ""}, {"namespace": "n"})
        )
        want = insert_message(fakes, rows, **options)
        data = encode_rows(schema, rows, collection_name="books", **options)
        got = milvus_pb2.InsertRequest.FromString(data)
        assert got == want, (fake.seed, differing(got, want))
        assert in_slices(fake, schema, rows, collection_name="books", **options) == data


@pytest.mark.parametrize("seed", range(30))
def test_upserts_equal_pymilvus(seed: int) -> None:
    fake = Faker(f"upsert {RUN_SEED} {seed}")
    for _ in range(CASES_A_SEED):
        fakes = fake.schema()
        schema = Schema.from_reply(fakes.reply_bytes)
        rows = fake.rows(fakes, fake.random.choice((1, 2, 7, 40)), upsert=True)
        options: dict[str, Any] = fake.random.choice(
            ({}, {"partition_name": "p"}, {"namespace": "n"}, {"partial_update": True})
        )
        if fake.chance(0.3):
            names = [f.name for f in fakes.fields if f.type == DataType.ARRAY] or ["nowhere"]
            options["field_ops"] = [(name, fake.random.choice((1, 2))) for name in names]
        if options.keys() & {"partial_update", "field_ops"}:
            given = {f.name for f in fakes.inputs(upsert=True) if f.primary or fake.chance(0.5)}
            rows = [
                {k: v for k, v in fake.row(fakes, upsert=True).items() if k in given or " " in k}
                for _ in rows
            ]
            common = set.intersection(*(set(r) for r in rows))
            rows = [{k: v for k, v in r.items() if k in common or " " in k} for r in rows]
        want = upsert_message(fakes, rows, **options)
        data = encode_rows(schema, rows, collection_name="books", upsert=True, **options)
        got = milvus_pb2.UpsertRequest.FromString(data)
        assert got == want, (fake.seed, differing(got, want))
        sliced = in_slices(fake, schema, rows, collection_name="books", upsert=True, **options)
        assert sliced == data


def whole(fake: Faker, field: FakeField, values: list[Any]) -> Any:
    """A column in one of the forms that a user may have it in."""
    if field.optional:
        return fake.random.choice((values, tuple(values)))
    if field.type in DTYPES and fake.chance(0.5):
        return np.array([int(v) for v in values], dtype=DTYPES[field.type])
    if field.type == DataType.DOUBLE and fake.chance(0.5):
        return np.array([float(v) for v in values])
    if field.type == DataType.FLOAT_VECTOR and fake.chance(0.7):
        return np.array([np.asarray(v, dtype=np.float32) for v in values])
    if field.type == DataType.FLOAT_VECTOR and fake.chance(0.5):
        return [[float(x) for x in v] for v in values]
    return fake.random.choice((values, tuple(values)))


DTYPES = {
    DataType.INT8: np.int8,
    DataType.INT16: np.int16,
    DataType.INT32: np.int32,
    DataType.INT64: np.int64,
}


@pytest.mark.parametrize("seed", range(20))
def test_columns_equal_pymilvus_rows(seed: int) -> None:
    fake = Faker(f"columns {RUN_SEED} {seed}")
    for _ in range(10):
        fakes = fake.schema()
        schema = Schema.from_reply(fakes.reply_bytes)
        fields = fakes.inputs()
        rows = [{f.name: fake.value(f) for f in fields} for _ in range(fake.random.choice((2, 30)))]
        for f in fields:  # both forms from the same numbers
            if f.type == DataType.FLOAT_VECTOR:
                for row in rows:
                    if row[f.name] is not None:
                        row[f.name] = [float(x) for x in row[f.name]]
        columns = {f.name: whole(fake, f, [r[f.name] for r in rows]) for f in fields}
        want = insert_message(fakes, rows)
        data = encode_rows(schema, list(columns.values()), collection_name="books")
        got = milvus_pb2.InsertRequest.FromString(data)
        assert got == want, (fake.seed, differing(got, want))
        if all(f.type == DataType.JSON for f in fields):
            continue  # nothing tells such columns from a row
        named = milvus_pb2.InsertRequest.FromString(
            encode_rows(schema, columns, collection_name="books")
        )
        assert named == want, (fake.seed, differing(named, want))
