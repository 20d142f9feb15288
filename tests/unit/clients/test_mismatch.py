"""A schema that is no longer the server's is found out by the first call that fails with it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pymilvus import DataType, MilvusException
from pymilvus.exceptions import (
    DescribeCollectionException,
    SchemaMismatchRetryableException,
)
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from milvus_native import AsyncMilvusClient, MilvusClient, schema_cache
from tests.servers.recording import RecordingServer

from . import replies
from .calls import SCHEMA_CALLS, DataCall
from .conftest import Either

EVERY_CALL = pytest.mark.parametrize("call", SCHEMA_CALLS.values(), ids=SCHEMA_CALLS)
BAD_FIELD = replies.failed(1100, "field id not exist")


def warm(server: RecordingServer, either: Either, reply: bytes | None = None) -> None:
    """Has the schema cached, by another call."""
    server.set("DescribeCollection", reply or replies.describe(version=1))
    either.get("things", [9])
    server.take()


def methods(server: RecordingServer) -> list[str]:
    return [call.method for call in server.take()]


@EVERY_CALL
def test_mismatch(server: RecordingServer, either: Either, call: DataCall) -> None:
    warm(server, either)
    server.set("DescribeCollection", replies.describe(version=2))
    server.set(call.rpc, call.reply(replies.MISMATCH), call.reply())
    either.call(call)
    assert methods(server) == [call.rpc, "DescribeCollection", call.rpc]
    either.call(call)
    assert methods(server) == [call.rpc]  # the new schema was kept


@EVERY_CALL
def test_mismatch_that_stays(server: RecordingServer, either: Either, call: DataCall) -> None:
    warm(server, either)
    server.set(call.rpc, call.reply(replies.MISMATCH))
    with pytest.raises(SchemaMismatchRetryableException) as caught:
        either.call(call)
    error = caught.value
    assert (error.code, error.message, error.compatible_code) == (0, "schema is old", 62)
    assert methods(server) == [call.rpc, "DescribeCollection", call.rpc]


@EVERY_CALL
def test_any_error_with_a_schema_that_has_changed(
    server: RecordingServer, either: Either, call: DataCall
) -> None:
    warm(server, either)
    server.set("DescribeCollection", replies.describe(version=2))
    server.set(call.rpc, call.reply(BAD_FIELD), call.reply())
    either.call(call)
    assert methods(server) == [call.rpc, "DescribeCollection", call.rpc]


@EVERY_CALL
def test_error_with_a_schema_that_is_still_right(
    server: RecordingServer, either: Either, call: DataCall
) -> None:
    warm(server, either)
    server.set(call.rpc, call.reply(BAD_FIELD))
    with pytest.raises(MilvusException, match="field id not exist") as caught:
        either.call(call)
    assert type(caught.value) is MilvusException
    assert methods(server) == [call.rpc, "DescribeCollection"]


@EVERY_CALL
def test_the_same_without_versions(server: RecordingServer, either: Either, call: DataCall) -> None:
    """Servers before Milvus 2.6 send no update timestamp."""
    warm(server, either, replies.describe(version=0))
    server.set(call.rpc, call.reply(BAD_FIELD))
    with pytest.raises(MilvusException, match="field id not exist"):
        either.call(call)
    assert methods(server) == [call.rpc, "DescribeCollection"]
    server.set("DescribeCollection", replies.describe(version=0, pk="key"))
    server.set(call.rpc, call.reply(BAD_FIELD), call.reply())
    if call.method in ("insert", "upsert"):  # the row does not fit any more
        with pytest.raises(MilvusException, match="`id`"):
            either.call(call)
    else:
        either.call(call)
        assert methods(server) == [call.rpc, "DescribeCollection", call.rpc]


@EVERY_CALL
def test_error_with_a_schema_of_this_call(
    server: RecordingServer, either: Either, call: DataCall
) -> None:
    server.set(call.rpc, call.reply(BAD_FIELD))
    with pytest.raises(MilvusException, match="field id not exist"):
        either.call(call)
    assert methods(server) == ["DescribeCollection", call.rpc]


@EVERY_CALL
@pytest.mark.parametrize("code", [8, 9, 1400, 1401])
def test_error_that_no_schema_would_change(
    server: RecordingServer, either: Either, call: DataCall, code: int
) -> None:
    warm(server, either)
    server.set(call.rpc, call.reply(replies.failed(code)))
    with pytest.raises(MilvusException) as caught:
        either.call(call, retry_on_rate_limit=False)
    assert caught.value.code == code
    assert methods(server) == [call.rpc]


@EVERY_CALL
def test_collection_that_is_gone(server: RecordingServer, either: Either, call: DataCall) -> None:
    warm(server, either)
    server.set("DescribeCollection", replies.not_described())
    server.set(call.rpc, call.reply(replies.failed(100, "gone", error_code=4)))
    with pytest.raises(MilvusException, match="gone") as caught:
        either.call(call)
    assert (caught.value.code, caught.value.compatible_code) == (100, 4)
    assert methods(server) == [call.rpc, "DescribeCollection"]
    with pytest.raises(DescribeCollectionException):
        either.call(call)
    assert methods(server) == ["DescribeCollection"]


def test_requests_are_built_anew(server: RecordingServer, either: Either) -> None:
    warm(server, either)
    server.set("DescribeCollection", replies.describe(pk="key", version=2))
    server.set("Query", replies.query(status=BAD_FIELD), replies.query(1, pk="key"))
    server.set("Delete", replies.mutation(delete_cnt=1))
    assert either.get("things", [1]) == [{"key": 1}]
    either.delete("things", ids=[1, 2])
    expressions = [
        milvus_pb2.QueryRequest.FromString(call.request).expr for call in server.take("Query")
    ]
    assert expressions == ["id in [1]", "key in [1]"]
    [delete] = server.take("Delete")
    assert milvus_pb2.DeleteRequest.FromString(delete.request).expr == "key in [1,2]"


def test_row_that_fits_the_new_schema_only(server: RecordingServer, either: Either) -> None:
    warm(server, either, replies.describe(dim=4, version=1))
    server.set("DescribeCollection", replies.describe(dim=5, version=2))
    either.insert("things", {"id": 1, "vector": [0.0] * 5})
    assert methods(server) == ["DescribeCollection", "Insert"]


def test_row_that_fits_no_schema(server: RecordingServer, either: Either) -> None:
    warm(server, either)
    with pytest.raises(MilvusException, match="vector"):
        either.insert("things", {"id": 1, "vector": [0.0] * 5})
    assert methods(server) == ["DescribeCollection"]
    schema_cache.clear()
    with pytest.raises(MilvusException, match="vector"):
        either.insert("things", {"id": 1, "vector": [0.0] * 5})
    assert methods(server) == ["DescribeCollection"]


def test_keys_that_fit_the_new_schema_only(server: RecordingServer, either: Either) -> None:
    warm(server, either)
    server.set("DescribeCollection", replies.describe(pk_type=DataType.VARCHAR, version=2))
    either.delete("things", ids=["O'Brien"])
    assert methods(server) == ["DescribeCollection", "Delete"]


def test_mismatch_of_a_retried_request(server: RecordingServer, either: Either) -> None:
    """The timestamp of the schema goes with every insert."""
    warm(server, either, replies.describe(version=41))
    server.set("DescribeCollection", replies.describe(version=42))
    server.set("Insert", replies.mutation(status=replies.MISMATCH), replies.mutation(1))
    either.insert("things", replies.ROW)
    sent = [milvus_pb2.InsertRequest.FromString(call.request) for call in server.take("Insert")]
    assert [request.schema_timestamp for request in sent] == [41, 42]
    either.upsert("things", replies.ROW)
    [upsert] = server.take("Upsert")
    assert milvus_pb2.UpsertRequest.FromString(upsert.request).schema_timestamp == 42


def test_iterators_see_the_schema_of_now(server: RecordingServer, either: Either) -> None:
    warm(server, either)
    server.set("DescribeCollection", replies.describe(pk="key", version=2))
    either.query_iterator("things", filter="")
    assert "DescribeCollection" in methods(server)
    server.set("Query", replies.query(1, pk="key"))
    either.get("things", [1])
    [query] = server.take()
    assert milvus_pb2.QueryRequest.FromString(query.request).expr == "key in [1]"


def test_search_iterator_with_bytes(server: RecordingServer, either: Either) -> None:
    """The type of the bytes is that of the field as it is now."""
    warm(server, either)
    server.set(
        "DescribeCollection", replies.describe(kind=DataType.BINARY_VECTOR, dim=128, version=2)
    )
    params = {"metric_type": "HAMMING"}
    either.search_iterator("things", [bytes(16)], search_params=params, anns_field="vector")
    calls = server.take()
    assert [call.method for call in calls].count("DescribeCollection") == 1
    for call in calls:
        if call.method == "Search":
            request = milvus_pb2.SearchRequest.FromString(call.request)
            group = common_pb2.PlaceholderGroup.FromString(request.placeholder_group)
            assert group.placeholders[0].type == common_pb2.PlaceholderType.BinaryVector


def test_a_herd_refreshes_once(server: RecordingServer) -> None:
    server.set("DescribeCollection", replies.describe(version=1))

    def answer(call: Any) -> bytes:
        request = milvus_pb2.InsertRequest.FromString(call.request)
        current = request.schema_timestamp == 2
        return replies.mutation(1) if current else replies.mutation(status=replies.MISMATCH)

    server.set("Insert", answer)

    async def main() -> None:
        async with AsyncMilvusClient(server.uri) as client:
            await client.get("things", [1])
            server.set("DescribeCollection", replies.describe(version=2))
            await asyncio.gather(*(client.insert("things", replies.ROW) for _ in range(100)))

    asyncio.run(main())
    assert server.count("DescribeCollection") == 2
    assert server.count("Insert") == 200


def test_unaffected_calls_make_no_request_more(
    server: RecordingServer, client: MilvusClient
) -> None:
    server.set("Search", replies.search(BAD_FIELD))
    with pytest.raises(MilvusException, match="field id not exist"):
        client.search("things", [[0.0] * 4])
    server.set("Query", replies.query(status=BAD_FIELD))
    with pytest.raises(MilvusException, match="field id not exist"):
        client.query("things", "idd > 1")
    assert methods(server) == ["Search", "Query"]
