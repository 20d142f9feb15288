"""Collections with vector fields, and one batch of rows encoded by us and by pymilvus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymilvus import DataType
from pymilvus.client.abstract import CollectionSchema
from pymilvus.client.prepare import Prepare
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from milvus_native import _core

NAME = "c"


def field(name: str, data_type: int, *, dim: int = 0, element_type: int = 0, **flags: Any) -> Any:
    """A FieldSchema message; `flags` are its boolean members (nullable=True)."""
    params = [common_pb2.KeyValuePair(key="dim", value=str(dim))] if dim else []
    if element_type or data_type == DataType.VARCHAR:
        params.append(common_pb2.KeyValuePair(key="max_capacity", value="100"))
        params.append(common_pb2.KeyValuePair(key="max_length", value="100"))
    return schema_pb2.FieldSchema(
        name=name, data_type=data_type, element_type=element_type, type_params=params, **flags
    )


def struct(name: str, *fields: Any, nullable: bool = False) -> Any:
    flags = {"nullable": True} if nullable else {}  # which pymilvus 2.6 does not know
    return schema_pb2.StructArrayFieldSchema(name=name, fields=fields, **flags)


def describe(*fields: Any, structs: tuple[Any, ...] = ()) -> bytes:
    """The reply that describes a collection with an INT64 key "id" and these fields."""
    key = schema_pb2.FieldSchema(name="id", data_type=DataType.INT64, is_primary_key=True)
    schema = schema_pb2.CollectionSchema(
        name=NAME, fields=[key, *fields], struct_array_fields=structs
    )
    return milvus_pb2.DescribeCollectionResponse(
        schema=schema, collection_name=NAME
    ).SerializeToString()


def rows_of(values: list[Any], name: str = "v") -> list[dict[str, Any]]:
    return [{"id": i, name: value} for i, value in enumerate(values)]


def ours(
    reply: bytes, data: Any, *, budget: Callable[[], int] | None = None, **options: Any
) -> milvus_pb2.InsertRequest:
    """Our request, parsed. `budget` gives the size of each slice; all at once without it."""
    schema = _core.Schema.from_reply(reply)
    encoder = _core.RowEncoder(schema, data, collection_name=NAME, **options)
    if budget is not None:
        while not encoder.step(budget()):
            pass
    return milvus_pb2.InsertRequest.FromString(encoder.finish())


def theirs(reply: bytes, rows: list[dict[str, Any]]) -> milvus_pb2.InsertRequest:
    schema = CollectionSchema(milvus_pb2.DescribeCollectionResponse.FromString(reply)).dict()
    return Prepare.row_insert_param(
        NAME, rows, "", schema["fields"], schema["struct_array_fields"], 0, False
    )


def text_of(request: Any) -> bytes:
    """Bytes that are equal when the messages are, NaN included."""
    return request.SerializeToString(deterministic=True)


def class_raised(function: Callable[[], Any]) -> type[BaseException] | None:
    try:
        function()
    except Exception as error:
        return type(error)
    return None
