"""The headers of every call are those that pymilvus sends."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pymilvus
import pytest
from pymilvus.grpc_gen import milvus_pb2

import milvus_native
from tests.servers.recording import Call, RecordingServer, connect_reply

from .calls import ALL_CALLS, DataCall
from .conftest import Either


class Token(str, enum.Enum):
    KEY = "key"


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "token": {"token": "key"},
    "token of digits": {"token": 12345},
    "token of an enum": {"token": Token.KEY},
    "password": {"user": "root", "password": "Mil:vus"},
    "database": {"token": "root:Milvus", "db_name": "db1"},
    "uri": {},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "request-id": {"client_request_id": "r1"},
    "dashed-request-id": {"client-request-id": "r2"},
}
LIBRARY = {"user-agent", "grpc-accept-encoding", "accept-encoding", "grpc-timeout"}


def headers(call: Call) -> list[tuple[str, Any]]:
    """Without those of the gRPC library, and with the time checked and taken out."""
    found = [item for item in call.metadata if item[0] not in LIBRARY]
    for key, value in found:
        if key == "client-request-unixmsec":
            assert abs(int(value) / 1000 - time.time()) < 60
    return sorted((k, "now" if k == "client-request-unixmsec" else v) for k, v in found)


def uri_for(server: RecordingServer, setting: str) -> str:
    return f"http://u:p%40x@{server.address}/db2" if setting == "uri" else server.uri


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("options", OPTIONS)
def test_sync_headers(server: RecordingServer, setting: str, options: str) -> None:
    server.set("Connect", connect_reply(identifier=77))
    sent = []
    for package in (pymilvus, milvus_native):
        client = package.MilvusClient(
            uri_for(server, setting), **SETTINGS[setting], **dedicated(package)
        )
        for call in ALL_CALLS.values():
            call.on(client, **OPTIONS[options])
        client.close()
        sent.append(server.take("Connect", "DescribeCollection", *rpcs()))
    assert_same(*sent)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("options", OPTIONS)
async def test_async_headers(server: RecordingServer, setting: str, options: str) -> None:
    server.set("Connect", connect_reply(identifier=77))
    sent = []
    for package in (pymilvus, milvus_native):
        client = package.AsyncMilvusClient(
            uri_for(server, setting), **SETTINGS[setting], **dedicated(package)
        )
        for call in ALL_CALLS.values():
            await call.on(client, **OPTIONS[options])
        await client.close()
        sent.append(server.take("Connect", "DescribeCollection", *rpcs()))
    assert_same(*sent)


def dedicated(package: Any) -> dict[str, bool]:
    return {"dedicated": True} if package is pymilvus else {}


def rpcs() -> set[str]:
    return {call.rpc for call in ALL_CALLS.values()}


def assert_same(theirs: list[Call], ours: list[Call]) -> None:
    from pymilvus.client.cache import GlobalCache

    GlobalCache.schema.clear()
    assert [call.method for call in ours] == [call.method for call in theirs]
    assert len(ours) == len(ALL_CALLS) + 2
    for mine, other in zip(ours, theirs, strict=True):
        assert headers(mine) == headers(other), mine.method


def test_connect_request_says_who_we_are(server: RecordingServer) -> None:
    options = {"option": {"team": "search"}}
    milvus_native.MilvusClient(server.uri, **options).close()
    [call] = server.take("Connect")
    info = milvus_pb2.ConnectRequest.FromString(call.request).client_info
    assert info.sdk_type == "Python"
    assert info.sdk_version == f"milvus_native-{milvus_native.__version__}"
    assert info.host
    assert info.local_time
    assert dict(info.reserved) == {"team": "search"}


@pytest.mark.parametrize("call", ALL_CALLS.values(), ids=ALL_CALLS)
@pytest.mark.parametrize("key", ["log_level", "log-level"])
def test_log_level_goes_with_one_call(
    server: RecordingServer, client: milvus_native.MilvusClient, call: DataCall, key: str
) -> None:
    call.on(client, **{key: "debug"})
    call.on(client)
    first, second = server.take(call.rpc)
    assert first.header("log_level") == "debug"
    assert second.header("log_level") is None
    assert client.stats()["delegated"] == {}


async def test_log_level_of_the_async_client(
    server: RecordingServer, async_client: milvus_native.AsyncMilvusClient
) -> None:
    await async_client.query("things", "id > 1", log_level="debug")
    [call] = server.take("Query")
    assert call.header("log_level") == "debug"


@pytest.mark.parametrize("switch", ["use_database", "using_database"])
def test_switching_databases(
    server: RecordingServer, client: milvus_native.MilvusClient, switch: str
) -> None:
    server.set("DescribeDatabase", milvus_pb2.DescribeDatabaseResponse().SerializeToString())
    server.set("ShowCollections", milvus_pb2.ShowCollectionsResponse().SerializeToString())
    change: Callable[[str], None] = getattr(client, switch)
    if switch == "using_database":
        with pytest.warns(pymilvus.PyMilvusDeprecationWarning):
            change("db9")
    else:
        change("db9")
    client.query("things", "id > 1")
    client.list_collections()
    assert [call.header("dbname") for call in server.take("Query", "ShowCollections")] == [
        "db9",
        "db9",
    ]


async def test_switching_databases_async(
    server: RecordingServer, async_client: milvus_native.AsyncMilvusClient
) -> None:
    server.set("DescribeDatabase", milvus_pb2.DescribeDatabaseResponse().SerializeToString())
    server.set("ShowCollections", milvus_pb2.ShowCollectionsResponse().SerializeToString())
    await async_client.use_database("db9")
    await async_client.query("things", "id > 1")
    await async_client.list_collections()
    assert [call.header("dbname") for call in server.take("Query", "ShowCollections")] == [
        "db9",
        "db9",
    ]


def test_new_password_is_used_after_reset(server: RecordingServer) -> None:
    from pymilvus.grpc_gen import common_pb2

    server.set("UpdateCredential", common_pb2.Status().SerializeToString())
    with milvus_native.MilvusClient(server.uri, user="u", password="old") as client:
        client.query("things", "id > 1")
        client.update_password("u", "old", "new", reset_connection=True)
        client.query("things", "id > 1")
    before, after = (call.header("authorization") for call in server.take("Query"))
    assert (before, after) == ("dTpvbGQ=", "dTpuZXc=")


@pytest.mark.parametrize("value", [5, "two\nlines", "nul\0", "\xe9"], ids=repr)
def test_headers_are_checked(server: RecordingServer, either: Either, value: Any) -> None:
    """A header value that HTTP/2 cannot carry fails the call, which is not tried again."""
    with pytest.raises(pymilvus.MilvusException, match="Unexpected error"):
        either.query("things", "id > 1", client_request_id=value)
    assert either.client.stats()["retries"] == 0
    assert server.take("Query") == []


def test_header_of_bytes(server: RecordingServer, either: Either) -> None:
    """As grpcio takes it."""
    either.query("things", "id > 1", client_request_id=b"an id")
    [call] = server.take("Query")
    assert call.header("client-request-id") == "an id"


@pytest.mark.parametrize("name", [5, b"db"], ids=repr)
def test_database_that_is_no_text(server: RecordingServer, name: Any) -> None:
    """The first call says what is wrong with it, if anything is."""

    def asked(module: Any) -> Any:
        with closing(module.MilvusClient(server.uri, db_name=name)) as client:
            try:
                return list(client.query("things", "id > 1"))
            except pymilvus.MilvusException as error:
                return type(error), error.code

    assert asked(milvus_native) == asked(pymilvus)
