"""Control-plane calls drop the schemas that they change, under every name."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from pymilvus import DataType, Function, FunctionType
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import AsyncMilvusClient, MilvusClient, schema_cache
from tests.servers.recording import Call, RecordingServer

from . import replies
from .conftest import Either

STATUS_RPCS = [
    "CreateCollection",
    "DropCollection",
    "TruncateCollection",
    "RenameCollection",
    "AlterCollection",
    "AlterCollectionField",
    "AddCollectionField",
    "AddCollectionStructField",
    "AlterCollectionSchema",
    "AddCollectionFunction",
    "AlterCollectionFunction",
    "DropCollectionFunction",
    "CreateAlias",
    "DropAlias",
    "AlterAlias",
    "CreateDatabase",
    "DropDatabase",
    "AlterDatabase",
    "CreatePartition",
    "LoadCollection",
    "ReleaseCollection",
]

Change = Callable[[Any], Any]
MARK = "_milvus_native_watch"


def bm25() -> Function:
    return Function(
        "f", FunctionType.BM25, input_field_names=["text"], output_field_names=["sparse"]
    )


def struct_schema() -> Any:
    schema = MilvusClient.create_struct_field_schema()
    schema.add_field("a", DataType.INT64)
    return schema


def new_schema() -> Any:
    schema = MilvusClient.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=4)
    return schema


# Each changes the collection "things", whose alias is "alias".
CHANGES: dict[str, Change] = {
    "create": lambda c: c.create_collection("things", schema=new_schema()),
    "drop": lambda c: c.drop_collection("things"),
    "truncate": lambda c: c.truncate_collection("things"),
    "rename from": lambda c: c.rename_collection("things", "other"),
    "rename to": lambda c: c.rename_collection("other", "things"),
    "alter properties": lambda c: c.alter_collection_properties("things", {"a": "b"}),
    "drop properties": lambda c: c.drop_collection_properties("things", ["a"]),
    "alter field": lambda c: c.alter_collection_field("things", "s", {"max_length": 5}),
    "add field": lambda c: c.add_collection_field("things", "n", DataType.INT64, nullable=True),
    "add struct field": lambda c: c.add_collection_struct_field("things", "n", struct_schema(), 5),
    "drop field": lambda c: c.drop_collection_field("things", "n"),
    "drop function field": lambda c: c.drop_function_field("things", "f"),
    "add function": lambda c: c.add_collection_function("things", bm25()),
    "alter function": lambda c: c.alter_collection_function("things", "f", bm25()),
    "drop function": lambda c: c.drop_collection_function("things", "f"),
    "create alias": lambda c: c.create_alias("things", "second"),
    "alter alias": lambda c: c.alter_alias("things", "alias"),
    "create database": lambda c: c.create_database("default"),
    "drop database": lambda c: c.drop_database("default"),
    "alter database": lambda c: c.alter_database_properties("default", {"a": "b"}),
    "drop database properties": lambda c: c.drop_database_properties("default", ["a"]),
    "by its alias": lambda c: c.drop_collection("alias"),
}
# These leave it alone.
OTHERS: dict[str, Change] = {
    "another collection": lambda c: c.drop_collection("other"),
    "another database": lambda c: c.drop_database("archive"),
    "another alias": lambda c: c.drop_alias("second"),
    "partition": lambda c: c.create_partition("things", "p"),
}

pytestmark = pytest.mark.filterwarnings("ignore::pymilvus.PyMilvusDeprecationWarning")


@pytest.fixture
def described(server: RecordingServer) -> RecordingServer:
    def describe(call: Call) -> bytes:
        name = milvus_pb2.DescribeCollectionRequest.FromString(call.request).collection_name
        if name in ("things", "alias"):
            return replies.describe("things", aliases=("alias",))
        return replies.describe(name)

    server.set("DescribeCollection", describe)
    for rpc in STATUS_RPCS:
        server.set(rpc, replies.status())
    server.set("AlterCollectionSchema", b"")
    return server


def cached(either: Either, *names: str) -> set[str]:
    """Those of `names` for which a call needs no DescribeCollection."""
    before = {}
    for name in names:
        fetches = schema_cache.stats()["fetches"]
        either.get(name, [1])
        before[name] = schema_cache.stats()["fetches"] == fetches
    return {name for name in names if before[name]}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change(described: RecordingServer, either: Either, change: Change) -> None:
    assert cached(either, "things", "alias") == set()
    assert cached(either, "things", "alias") == {"things", "alias"}
    change(either)
    assert cached(either, "things", "alias") == set()
    assert sum(either.client.stats()["control"].values()) == 1


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_other_change(described: RecordingServer, either: Either, change: Change) -> None:
    cached(either, "things", "alias")
    change(either)
    assert cached(either, "things", "alias") == {"things", "alias"}


def test_dropped_alias(described: RecordingServer, either: Either) -> None:
    cached(either, "things", "alias")
    either.drop_alias("alias")
    assert cached(either, "alias") == set()


def test_change_that_fails(described: RecordingServer, either: Either) -> None:
    """It may have been made all the same."""
    cached(either, "things")
    described.set("DropCollection", replies.status(replies.failed(5)))
    with pytest.raises(MilvusException):
        either.drop_collection("things")
    assert cached(either, "things") == set()


def test_change_by_another_principal(described: RecordingServer, either: Either) -> None:
    cached(either, "things")
    with MilvusClient(described.uri, token="root:Milvus") as other:
        other.drop_collection("things")
    assert cached(either, "things") == set()


def test_same_name_in_another_database(described: RecordingServer, either: Either) -> None:
    cached(either, "things")
    with MilvusClient(described.uri, db_name="archive") as other:
        other.drop_collection("things")
    assert cached(either, "things") == {"things"}


def test_renamed_into_another_database(described: RecordingServer, either: Either) -> None:
    with MilvusClient(described.uri, db_name="archive") as other:
        archive = Either(other, lambda result: result)
        cached(archive, "new")
        cached(either, "things")
        either.rename_collection("things", "new", "archive")
        assert cached(archive, "new") == set()
    assert cached(either, "things") == set()


def test_restored_snapshot(described: RecordingServer, client: MilvusClient) -> None:
    either = Either(client, lambda result: result)
    cached(either, "copy")
    described.set("RestoreSnapshot", milvus_pb2.RestoreSnapshotResponse().SerializeToString())
    client.restore_snapshot("snap", "things", "copy")
    assert cached(either, "copy") == set()


ORM_CHANGES: dict[str, Change] = {
    "drop": lambda u: u.drop_collection("things"),
    "drop by alias": lambda u: u.drop_collection("alias"),
    "rename": lambda u: u.rename_collection("things", "new"),
    "rename to": lambda u: u.rename_collection("new", "things"),
    "create alias": lambda u: u.create_alias("things", "second"),
    "alter alias": lambda u: u.alter_alias("other", "alias"),
    "drop alias": lambda u: u.drop_alias("alias"),
}


@pytest.mark.parametrize("change", ORM_CHANGES.values(), ids=ORM_CHANGES)
def test_change_by_the_orm(described: RecordingServer, either: Either, change: Change) -> None:
    """pymilvus's ORM has connections of its own."""
    from milvus_native import connections, utility

    class On:
        def __getattr__(self, name: str) -> Any:
            return lambda *args: getattr(utility, name)(*args, using="orm")

    described.set("HasCollection", b"")
    connections.connect("orm", uri=described.uri)
    try:
        cached(either, "things", "alias", "unrelated")
        change(On())
        assert "alias" not in cached(either, "alias")
        assert cached(either, "unrelated") == {"unrelated"}
        cached(either, "things")
        change(On())
        assert cached(either, "things") == set()
    finally:
        connections.disconnect("orm")


def test_change_on_the_handler_of_the_delegate(
    described: RecordingServer, client: MilvusClient
) -> None:
    either = Either(client, lambda result: result)
    handler = client._get_connection()
    cached(either, "things")
    handler.alter_collection_properties("things", properties={"a": "b"})
    assert cached(either, "things") == set()
    described.set("DropCollection", replies.status(replies.failed(5)))
    with pytest.raises(MilvusException):
        handler.drop_collection("things")
    assert cached(either, "things") == set()


def test_change_on_an_async_handler(described: RecordingServer) -> None:
    async def main() -> None:
        async with AsyncMilvusClient(described.uri) as client:
            handler = await client._get_connection()
            await client.get("things", [1])
            assert schema_cache.peek(client, "things") is not None
            await handler.rename_collection("things", "other")
            assert schema_cache.peek(client, "things") is None

    asyncio.run(main())


def test_every_method_that_is_watched_exists() -> None:
    from pymilvus.client.async_grpc_handler import AsyncGrpcHandler
    from pymilvus.client.grpc_handler import GrpcHandler

    from milvus_native.control.watching import METHODS, watch

    watch()
    for handler in (GrpcHandler, AsyncGrpcHandler):
        present = {name for name in METHODS if hasattr(handler, name)}
        assert {name for name in present if hasattr(getattr(handler, name), MARK)} == present
        assert len(present) > 15
        changing = {
            name
            for name in vars(handler)
            if re.match("_?(alter|drop|rename|add|create|truncate|restore|refresh)_", name)
            and re.search("collection|alias|database|restore_snap|schema", name)
        }
        assert changing == present
    method = GrpcHandler.drop_collection
    watch()
    assert GrpcHandler.drop_collection is method


def test_pymilvus_forgets_as_well(described: RecordingServer, client: MilvusClient) -> None:
    """Its own clients miss renames and aliases; what is delegated uses its cache."""
    from pymilvus.client.cache import GlobalCache

    client.get("things", [1], unknown=True)
    key = (f"127.0.0.1:{described.port}", "", "things")
    assert GlobalCache.schema.get(*key)
    client.rename_collection("things", "other")
    assert not GlobalCache.schema.get(*key)
