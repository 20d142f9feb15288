"""Replies of a server, made with pymilvus's protobuf classes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pymilvus import DataType
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from tests.servers.recording import Call

RATE_LIMIT = common_pb2.Status(code=8, error_code=common_pb2.RateLimit, reason="slow down")
MISMATCH = common_pb2.Status(error_code=common_pb2.SchemaMismatch, reason="schema is old")


def failed(code: int, reason: str = "no", **more: Any) -> common_pb2.Status:
    return common_pb2.Status(code=code, reason=reason, **more)


def describe(
    name: str = "things",
    *,
    pk: str = "id",
    pk_type: DataType = DataType.INT64,
    dim: int = 4,
    kind: DataType = DataType.FLOAT_VECTOR,
    version: int = 1,
    collection_id: int = 7,
    aliases: tuple[str, ...] = (),
    with_tags: bool = False,
) -> bytes:
    """A collection with a primary key and a vector, and an array on demand; `version` is its
    update timestamp."""
    key = schema_pb2.FieldSchema(fieldID=100, name=pk, is_primary_key=True, data_type=int(pk_type))
    if pk_type == DataType.VARCHAR:
        key.type_params.add(key="max_length", value="100")
    vector = schema_pb2.FieldSchema(fieldID=101, name="vector", data_type=int(kind))
    vector.type_params.add(key="dim", value=str(dim))
    tags = schema_pb2.FieldSchema(fieldID=102, name="tags", data_type=DataType.ARRAY)
    tags.element_type = int(DataType.INT64)
    tags.type_params.add(key="max_capacity", value="10")
    fields = [key, vector, tags] if with_tags else [key, vector]
    return milvus_pb2.DescribeCollectionResponse(
        status=common_pb2.Status(),
        schema=schema_pb2.CollectionSchema(name=name, fields=fields),
        collectionID=collection_id,
        collection_name=name,
        aliases=aliases,
        created_timestamp=1,
        update_timestamp=version,
    ).SerializeToString()


def not_described(code: int = 100, reason: str = "collection not found") -> bytes:
    return milvus_pb2.DescribeCollectionResponse(
        status=common_pb2.Status(code=code, error_code=4, reason=reason)
    ).SerializeToString()


def mutation(
    *ids: int | str, timestamp: int = 11, status: common_pb2.Status | None = None, **counts: int
) -> bytes:
    reply = milvus_pb2.MutationResult(
        status=status or common_pb2.Status(), timestamp=timestamp, **counts
    )
    if ids:
        if isinstance(ids[0], int):
            reply.IDs.int_id.data.extend(ids)
        else:
            reply.IDs.str_id.data.extend(ids)
    return reply.SerializeToString()


def search(status: common_pb2.Status | None = None) -> bytes:
    """One hit for one vector."""
    reply = milvus_pb2.SearchResults(status=status or common_pb2.Status())
    if status is None:
        reply.results.num_queries = 1
        reply.results.top_k = 1
        reply.results.topks.append(1)
        reply.results.scores.append(0.5)
        reply.results.ids.int_id.data.append(3)
    return reply.SerializeToString()


def query(*ids: int, pk: str = "id", status: common_pb2.Status | None = None) -> bytes:
    reply = milvus_pb2.QueryResults(status=status or common_pb2.Status())
    if status is None:
        field = reply.fields_data.add(field_name=pk, type=DataType.INT64)
        field.scalars.long_data.data.extend(ids)
    return reply.SerializeToString()


def status(value: common_pb2.Status | None = None) -> bytes:
    return (value or common_pb2.Status()).SerializeToString()


def held(gate: threading.Event, reply: bytes) -> Callable[[Call], bytes]:
    """An answer that does not come before the gate is set."""

    def answer(_: Call) -> bytes:
        gate.wait(30)
        return reply

    return answer


ROW = {"id": 1, "vector": [0.0, 0.0, 0.0, 0.0]}


def defaults() -> dict[str, bytes]:
    """A server on which everything works, for RecordingServer."""
    return {
        "DescribeCollection": describe(),
        "Insert": mutation(1, insert_cnt=1),
        "Upsert": mutation(1, upsert_cnt=1),
        "Delete": mutation(delete_cnt=1),
        "Search": search(),
        "HybridSearch": search(),
        "Query": query(1),
    }
