"""The collection that the tests of the encoder fill."""

from __future__ import annotations

from typing import Any

from pymilvus.grpc_gen import milvus_pb2

from milvus_native._core import Schema, encode_rows
from tests.faker import DataType, FakeField, Faker

Insert = milvus_pb2.InsertRequest
Upsert = milvus_pb2.UpsertRequest


def compiled(*fields: FakeField, dynamic: bool = False, auto_id: bool = False) -> Schema:
    key = FakeField("id", DataType.INT64, primary=True, auto_id=auto_id)
    return Schema.from_reply(Faker(0).describe([key, *fields], dynamic=dynamic).reply_bytes)


def insert(schema: Schema, data: Any, **kwargs: Any) -> milvus_pb2.InsertRequest:
    return Insert.FromString(encode_rows(schema, data, collection_name="books", **kwargs))


def column(message: Any, name: str) -> list[Any]:
    (found,) = (f for f in message.fields_data if f.field_name == name)
    payload = getattr(found.scalars, found.scalars.WhichOneof("data"))
    return list(payload.data)


TITLE = FakeField("title", DataType.VARCHAR)
NOTE = FakeField("note", DataType.VARCHAR, nullable=True)
PRICE = FakeField("price", DataType.FLOAT)


def columns_of(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}
