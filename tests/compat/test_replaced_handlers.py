"""A program that replaces pymilvus's gRPC handlers, in its tests say, has them asked."""

from __future__ import annotations

from unittest.mock import AsyncMock, MagicMock, patch

from milvus_native import AsyncMilvusClient, MilvusClient
from tests import servers

NOWHERE = "http://127.0.0.1:9"  # nothing listens there


def test_sync() -> None:
    handler = MagicMock()
    handler.has_collection.return_value = True
    with (
        patch("pymilvus.client.grpc_handler.GrpcHandler", return_value=handler) as replaced,
        MilvusClient(NOWHERE) as client,
    ):
        replaced.assert_called_once()
        assert client._get_connection() is client._handler is handler
        assert client.has_collection("things")
        client.insert("things", [{"id": 1}])
        assert client.stats()["delegated"] == {"insert": 1}
    assert handler.has_collection.call_args.args == ("things",)
    assert handler.insert_rows.call_args.args[:2] == ("things", [{"id": 1}])


async def test_async() -> None:
    handler = AsyncMock()
    handler.get_server_type = MagicMock(return_value="milvus")
    with patch("pymilvus.client.async_grpc_handler.AsyncGrpcHandler", return_value=handler):
        async with AsyncMilvusClient(NOWHERE) as client:
            assert await client._get_connection() is handler
            await client.upsert("things", [{"id": 1}])
    assert handler.upsert_rows.call_args.args[:2] == ("things", [{"id": 1}])


def test_not_while_they_are_pymilvus_own(lite_server: servers.Server) -> None:
    import pymilvus.client.async_grpc_handler
    import pymilvus.client.grpc_handler  # noqa: F401

    with MilvusClient(lite_server.uri) as client:
        assert not client.has_collection("no such thing")
        assert client.stats()["control"] == {}
