"""What is not native goes to pymilvus whole, is counted, and sees what we see."""

from __future__ import annotations

import asyncio
from typing import Any

import pymilvus
import pytest
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from milvus_native import AsyncMilvusClient, MilvusClient, schema_cache
from milvus_native.control.table import TABLE
from tests.servers.recording import RecordingServer

from . import replies
from .calls import ALL_CALLS, DataCall
from .conftest import Either
from .proxy import Proxy

LISTED = milvus_pb2.ShowCollectionsResponse(collection_names=["things"]).SerializeToString()


@pytest.mark.parametrize("call", ALL_CALLS.values(), ids=ALL_CALLS)
def test_unknown_keyword(server: RecordingServer, either: Either, call: DataCall) -> None:
    native = either.call(call)
    foreign = either.call(call, not_known_to_anybody=1)
    assert foreign == native
    ours, theirs = server.take(call.rpc)
    message = getattr(milvus_pb2, f"{call.rpc}Request")
    assert message.FromString(theirs.request) == message.FromString(ours.request)
    assert either.client.stats()["delegated"] == {call.method: 1}
    assert either.client.stats()["control"] == {}


@pytest.mark.parametrize("kind", [MilvusClient, AsyncMilvusClient])
def test_connection_of_its_own(server: RecordingServer, kind: Any) -> None:
    """Not that of another channel to the same server, with whose PINGs it would end."""
    server.set("ShowCollections", LISTED)

    async def main(proxy: Proxy) -> None:
        client: Any = kind(proxy.uri)
        query = client.query("things", "id > 1")
        if kind is AsyncMilvusClient:
            await query
        before = len(proxy._open)
        listing = client.list_collections()
        assert (await listing if kind is AsyncMilvusClient else listing) == ["things"]
        assert len(proxy._open) > before
        closing = client.close()
        if kind is AsyncMilvusClient:
            await closing

    with Proxy(server.port) as proxy:
        others = [pymilvus.MilvusClient(proxy.uri, dedicated=True) for _ in range(2)]
        assert [other.list_collections() for other in others] == [["things"]] * 2
        asyncio.run(main(proxy))
        for other in others:
            other.close()


@pytest.mark.parametrize("call", ALL_CALLS.values(), ids=ALL_CALLS)
def test_nothing_is_delegated_without_need(either: Either, call: DataCall) -> None:
    either.call(call, timeout=30, retry_times=3, retry_on_rate_limit=True, client_request_id="x")
    stats = either.client.stats()
    assert (stats["delegated"], stats["control"]) == ({}, {})


@pytest.mark.parametrize("name", ["search-floats", "hybrid-floats"])
def test_futures(client: MilvusClient, name: str) -> None:
    future = ALL_CALLS[name].on(client, _async=True)
    assert isinstance(future, pymilvus.SearchFuture)
    assert len(future.result()) == 1
    assert client.stats()["delegated"] == {ALL_CALLS[name].method: 1}


def test_callbacks(client: MilvusClient) -> None:
    results: list[Any] = []
    future = ALL_CALLS["search-floats"].on(client, _async=True, _callback=results.append)
    future.done()
    assert len(results) == 1


def test_iterators_are_delegated_by_the_sync_client_only(
    client: MilvusClient, async_client: AsyncMilvusClient
) -> None:
    client.query_iterator("things", filter="id > 1", unknown=1)
    assert client.stats()["delegated"] == {"query_iterator": 1}
    for method, arguments in (("query_iterator", ()), ("search_iterator", ([[0.0] * 4],))):
        with pytest.raises(TypeError, match="unknown"):
            asyncio.run(getattr(async_client, method)("things", *arguments, unknown=1))


def test_control_calls_are_counted(server: RecordingServer, either: Either) -> None:
    server.set("ShowCollections", LISTED)
    assert either.list_collections() == ["things"]
    assert either.list_collections() == ["things"]
    assert either.client.stats()["control"] == {"list_collections": 2}
    assert either.client.stats()["delegated"] == {}


def test_control_arguments(server: RecordingServer, either: Either) -> None:
    server.set("CreateAlias", replies.status())
    either.create_alias("things", alias="a", timeout=5)
    [call] = server.take("CreateAlias")
    request = milvus_pb2.CreateAliasRequest.FromString(call.request)
    assert (request.collection_name, request.alias) == ("things", "a")
    assert call.time_remaining is not None


def test_sync_only_method_on_the_async_client(server: RecordingServer) -> None:
    info = common_pb2.Status()
    reply = milvus_pb2.GetQuerySegmentInfoResponse(status=info)
    reply.infos.add(segmentID=5, collectionID=7, num_rows=9)
    server.set("GetQuerySegmentInfo", reply.SerializeToString())

    async def main() -> list[Any]:
        async with AsyncMilvusClient(server.uri) as client:
            return await client.list_loaded_segments("things")

    [segment] = asyncio.run(main())
    assert (segment.segment_id, segment.num_rows) == (5, 9)


def test_messages_are_streamed(either: Either, monkeypatch: pytest.MonkeyPatch) -> None:
    """dump_messages is the one call whose answer is a stream."""
    seen: list[dict[str, Any]] = []

    def generate(self: Any, **arguments: Any) -> Any:
        seen.append(arguments)
        yield {"n": 1}
        yield {"n": 2}

    async def generate_async(self: Any, **arguments: Any) -> Any:
        for message in generate(self, **arguments):
            yield message

    monkeypatch.setattr(pymilvus.MilvusClient, "dump_messages", generate)
    monkeypatch.setattr(pymilvus.AsyncMilvusClient, "dump_messages", generate_async)
    if isinstance(either.client, MilvusClient):
        messages = list(either.client.dump_messages("channel", {"id": "1"}, end_timetick=9))
    else:
        messages = either._finish(collect(either.client))
    assert messages == [{"n": 1}, {"n": 2}]
    assert seen[0]["pchannel"] == "channel"
    assert seen[0]["end_timetick"] == 9
    assert either.client.stats()["control"] == {"dump_messages": 1}


async def collect(client: Any) -> list[Any]:
    return [m async for m in client.dump_messages("channel", {"id": "1"}, end_timetick=9)]


@pytest.mark.parametrize("method", sorted(TABLE))
def test_every_row_reaches_pymilvus(
    client: MilvusClient, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all of its arguments, by name."""
    import inspect

    if TABLE[method].operation is not None:
        return
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(
        pymilvus.MilvusClient, method, lambda self, **arguments: seen.append(arguments)
    )
    parameters = inspect.signature(getattr(client, method)).parameters
    given = {
        name: f"value of {name}"
        for name, parameter in parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        given["something_else"] = "x"
    getattr(client, method)(**given)
    assert seen == [given]


@pytest.mark.parametrize("method", sorted(TABLE))
async def test_every_row_reaches_pymilvus_async(
    async_client: AsyncMilvusClient, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import inspect

    if TABLE[method].operation is not None or method in ("dump_messages", "list_loaded_segments"):
        return
    seen: list[dict[str, Any]] = []

    async def record(self: Any, **arguments: Any) -> None:
        seen.append(arguments)

    monkeypatch.setattr(pymilvus.AsyncMilvusClient, method, record)
    parameters = inspect.signature(getattr(async_client, method)).parameters
    given = {
        name: f"value of {name}"
        for name, parameter in parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    await getattr(async_client, method)(**given)
    assert seen == [given]


def test_writes_are_known_to_both(server: RecordingServer, client: MilvusClient) -> None:
    """Session consistency asks for the timestamp of the last write, whoever made it."""
    server.set("Insert", replies.mutation(1, timestamp=100), replies.mutation(1, timestamp=200))
    client.insert("things", replies.ROW)
    client.query("things", "id > 1", unknown=1)  # by pymilvus
    client.insert("things", replies.ROW, unknown=1)  # by pymilvus
    client.query("things", "id > 1")
    sent = [milvus_pb2.QueryRequest.FromString(call.request) for call in server.take("Query")]
    assert [request.guarantee_timestamp for request in sent] == [100, 200]


def test_private_attributes_reach_pymilvus(server: RecordingServer, client: MilvusClient) -> None:
    assert client._using.startswith("cm-")
    assert client._handler is client._get_connection()
    assert client._handler.server_address == server.address
    assert client._manager.get_stats()
    schema = client._get_connection().describe_collection(
        "things", context=client._generate_call_context()
    )
    assert client._extract_primary_field(schema)["name"] == "id"
    assert client._config.db_name == ""
    assert client.is_self_hosted is True


async def test_private_attributes_of_the_async_client(
    server: RecordingServer, async_client: AsyncMilvusClient
) -> None:
    assert (async_client._handler, async_client._using, async_client._manager) == (None,) * 3
    handler = await async_client._get_connection()
    assert async_client._handler is handler
    assert async_client._using.startswith("cm-async-")
    assert handler.server_address == server.address
    assert async_client._pack_pks_expr({"fields": [{"name": "k", "is_primary": 1, "type": 5}]}, [1])


@pytest.mark.parametrize("name", ["nothing", "_nothing", "__nothing__", "_repr_html_"])
def test_attributes_that_nobody_has(client: MilvusClient, name: str) -> None:
    with pytest.raises(AttributeError, match=f"'MilvusClient' object has no attribute '{name}'"):
        getattr(client, name)


def test_methods_of_a_later_pymilvus(client: MilvusClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        pymilvus.MilvusClient, "brand_new", lambda self, x: (x, type(self)), raising=False
    )
    assert client.brand_new(5) == (5, MilvusClient)


def test_class_helpers() -> None:
    for cls in (MilvusClient, AsyncMilvusClient):
        schema = cls.create_schema(auto_id=True, enable_dynamic_field=True)
        assert isinstance(schema, pymilvus.CollectionSchema)
        assert schema.enable_dynamic_field
        field = cls.create_field_schema("f", pymilvus.DataType.INT64, "text", nullable=True)
        assert (field.name, field.description, field.nullable) == ("f", "text", True)
        assert isinstance(cls.create_struct_field_schema(), pymilvus.StructFieldSchema)
        assert len(cls.prepare_index_params()) == 0
        [index] = cls.prepare_index_params("f", index_type="FLAT")
        assert (index.field_name, index.index_type) == ("f", "FLAT")


def test_sessions(server: RecordingServer, either: Either) -> None:
    session = either.client.session("cluster-1")
    run = either._finish
    run(session.get("things", [1]))
    run(session.query("things", "id > 1"))
    [by_key, by_filter] = server.take("Query")
    for call in (by_key, by_filter):
        params = milvus_pb2.QueryRequest.FromString(call.request).query_params
        assert ("cluster_id", "cluster-1") in [(p.key, p.value) for p in params]
    run(session.search("things", [[0.0] * 4]))
    run(session.hybrid_search("things", **ALL_CALLS["hybrid-floats"].arguments))
    run(session.query_iterator("things", filter="id > 1"))
    assert server.count("Search") == 1
    run(session.close())
    for method, *arguments in (("get", [1]), ("search", [[0.0] * 4]), ("query", "id > 1")):
        with pytest.raises(pymilvus.MilvusException, match="session is closed"):
            run(getattr(session, method)("things", *arguments))
    either.get("things", [1])
    assert either.client.stats()["delegated"] == {}


@pytest.mark.parametrize("cluster_id", [None, 5])
def test_bad_cluster_id(client: MilvusClient, cluster_id: Any) -> None:
    theirs = pymilvus.MilvusClient.session
    with pytest.raises(pymilvus.exceptions.ParamError) as expected:
        theirs(client, cluster_id)
    with pytest.raises(pymilvus.exceptions.ParamError) as caught:
        client.session(cluster_id)
    assert caught.value.message == expected.value.message


def test_server_type(server: RecordingServer, client: MilvusClient) -> None:
    assert client.get_server_type() == "milvus"
    assert AsyncMilvusClient("https://x.zillizcloud.com").get_server_type() == "zilliz"
    assert AsyncMilvusClient("https://x.zillizcloud.com").is_self_hosted is False


def test_ca_file_alone_is_known_to_the_delegate() -> None:
    from milvus_native.config import ConnectionConfig
    from milvus_native.delegates import client_arguments

    def arguments(**kwargs: Any) -> Any:
        config = ConnectionConfig.from_uri("https://h", **kwargs)
        return client_arguments(config, 5)

    assert arguments(ca_pem_path="ca")["server_pem_path"] == "ca"
    assert arguments(ca_pem_path="ca", server_pem_path="s")["server_pem_path"] == "s"
    files = {"ca_pem_path": "ca", "client_pem_path": "c", "client_key_path": "k"}
    assert "server_pem_path" not in arguments(**files)
    assert arguments()["dedicated"] is True
    assert arguments()["timeout"] == 5


def test_transport_is_checked() -> None:
    with pytest.raises(ValueError, match="transport must be one of native, grpc"):
        MilvusClient("http://h", transport="carrier-pigeon")


def test_schema_module_is_exported() -> None:
    import milvus_native

    assert milvus_native.schema_cache is schema_cache
    assert milvus_native.exceptions.ParamError is pymilvus.exceptions.ParamError
    assert milvus_native.orm is pymilvus.orm
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        milvus_native.nothing  # noqa: B018


@pytest.fixture
def global_uri(server: RecordingServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """A global cluster whose primary is the recording server."""
    from pymilvus.client import connection_manager
    from pymilvus.client.global_topology import ClusterInfo, GlobalTopology

    topology = GlobalTopology(1, [ClusterInfo("c", server.uri, 3)])
    monkeypatch.setattr(connection_manager, "fetch_topology", lambda *_: topology)
    server.set("ShowCollections", LISTED)
    return "https://global-cluster.example.com"


def test_global_cluster(server: RecordingServer, global_uri: str) -> None:
    with MilvusClient(global_uri, secure=False) as client:
        for call in ALL_CALLS.values():
            call.on(client)
        assert client.has_collection("things")
        assert client.list_collections() == ["things"]
        assert sum(client.stats()["delegated"].values()) == len(ALL_CALLS)
        assert client.stats()["control"] == {"has_collection": 1, "list_collections": 1}
    assert server.count("Connect") == 1


async def test_global_cluster_async(server: RecordingServer, global_uri: str) -> None:
    async with AsyncMilvusClient(global_uri, secure=False) as client:
        for call in ALL_CALLS.values():
            await call.on(client)
        assert sum(client.stats()["delegated"].values()) == len(ALL_CALLS)
        with pytest.raises(pymilvus.MilvusException, match="global clusters"):
            await client.query_iterator("things")
    assert server.count("Connect") == 1
