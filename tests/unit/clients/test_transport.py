"""Ways to a server: TLS, IPv6, unix sockets, channel options, and outages on the way."""

from __future__ import annotations

import asyncio
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import grpc.aio
import pytest
import trustme
from pymilvus import MilvusException
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import AsyncMilvusClient, MilvusClient
from milvus_native.config import ConnectionConfig
from milvus_native.transport import grpc_common
from milvus_native.transport.base import SERVICE, RpcError
from milvus_native.transport.grpc_sync import GrpcTransport
from tests.servers.recording import Failure, RecordingServer

from . import replies
from .calls import ALL_CALLS, DataCall
from .proxy import Proxy

pytestmark = pytest.mark.usefixtures("no_schemas")

LISTED = milvus_pb2.ShowCollectionsResponse(collection_names=["things"]).SerializeToString()


def use_both(uri: str, **options: Any) -> None:
    """A native and a delegated call of either client."""
    with MilvusClient(uri, **options) as client:
        assert len(client.get("things", [1])) == 1
        assert client.list_collections() == ["things"]

    async def main() -> None:
        async with AsyncMilvusClient(uri, **options) as client:
            assert len(await client.get("things", [1])) == 1
            assert await client.list_collections() == ["things"]

    asyncio.run(main())


# TLS


class Files(NamedTuple):
    ca: str
    cert: str
    key: str
    other_ca: str


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, Any, Any]:
    """Files for a client; the authority and the certificate of a server called milvus.test."""
    folder = tmp_path_factory.mktemp("tls")
    authority, stranger = trustme.CA(), trustme.CA()
    server, client = authority.issue_cert("milvus.test"), authority.issue_cert("me@example.org")
    files = Files(*(str(folder / name) for name in Files._fields))
    authority.cert_pem.write_to_path(files.ca)
    stranger.cert_pem.write_to_path(files.other_ca)
    client.private_key_pem.write_to_path(files.key)
    client.cert_chain_pems[0].write_to_path(files.cert)
    return files, authority, server


def tls_server(issued: tuple[Files, Any, Any], mutual: bool) -> RecordingServer:
    _, authority, server = issued
    chain = b"".join(pem.bytes() for pem in server.cert_chain_pems)
    credentials = grpc.ssl_server_credentials(
        [(server.private_key_pem.bytes(), chain)],
        root_certificates=authority.cert_pem.bytes() if mutual else None,
        require_client_auth=mutual,
    )
    defaults = {**replies.defaults(), "ShowCollections": LISTED}
    return RecordingServer(defaults, credentials=credentials)


@pytest.mark.parametrize("option", ["server_pem_path", "ca_pem_path"])
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_tls(issued: tuple[Files, Any, Any], option: str, scheme: str) -> None:
    files = issued[0]
    options: dict[str, Any] = {option: files.ca, "server_name": "milvus.test"}
    if scheme == "http":
        options["secure"] = True
    with tls_server(issued, mutual=False) as server:
        use_both(f"{scheme}://127.0.0.1:{server.port}", **options)


def test_mutual_tls(issued: tuple[Files, Any, Any]) -> None:
    files = issued[0]
    options = {
        "ca_pem_path": files.ca,
        "client_pem_path": files.cert,
        "client_key_path": files.key,
        "server_name": "milvus.test",
    }
    with tls_server(issued, mutual=True) as server:
        uri = f"https://127.0.0.1:{server.port}"
        use_both(uri, **options)
        del options["client_key_path"]
        with pytest.raises(MilvusException) as caught:
            MilvusClient(uri, timeout=5, **options)
        assert caught.value.code == 2


@pytest.mark.parametrize(
    "change",
    [
        {"ca_pem_path": "other_ca"},
        {"server_name": "elsewhere.test"},
        {"ca_pem_path": None},
        {"secure": False},
    ],
    ids=["wrong authority", "wrong name", "system's authorities", "plain"],
)
def test_refused_tls(issued: tuple[Files, Any, Any], change: dict[str, Any]) -> None:
    files = issued[0]
    options: dict[str, Any] = {"ca_pem_path": files.ca, "server_name": "milvus.test", **change}
    if options["ca_pem_path"] == "other_ca":
        options["ca_pem_path"] = files.other_ca
    with tls_server(issued, mutual=False) as server:
        with pytest.raises(MilvusException, match="Fail connecting") as caught:
            MilvusClient(f"https://127.0.0.1:{server.port}", timeout=5, **options)
        assert caught.value.code == 2


@pytest.mark.parametrize("option", ["server_pem_path", "ca_pem_path"])
def test_missing_tls_file(option: str) -> None:
    options: dict[str, Any] = {option: "/does/not/exist.pem"}
    with pytest.raises(FileNotFoundError):
        MilvusClient("https://127.0.0.1:1", **options)


# addresses


def test_ipv6() -> None:
    """The delegate too: pymilvus by itself loses the brackets."""
    defaults = {**replies.defaults(), "ShowCollections": LISTED}
    with RecordingServer(defaults, bind="[::1]:0") as server:
        use_both(f"http://[::1]:{server.port}")


def test_unix_socket(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/milvus.sock"
    defaults = {**replies.defaults(), "ShowCollections": LISTED}
    with RecordingServer(defaults, bind=address):
        use_both(address)


def test_channel_options() -> None:
    config = ConnectionConfig.from_uri(
        "https://h",
        server_name="n",
        grpc_options={"grpc.keepalive_time_ms": 5, "grpc.primary_user_agent": "me"},
    )
    options = dict(grpc_common.channel_options(config))
    assert options["grpc.keepalive_time_ms"] == 5
    assert options["grpc.primary_user_agent"] == "me"
    assert options["grpc.max_receive_message_length"] == -1
    assert options["grpc.ssl_target_name_override"] == "n"
    plain = dict(grpc_common.channel_options(ConnectionConfig.from_uri("http://h")))
    assert plain == grpc_common.DEFAULT_OPTIONS


def test_options_reach_the_channel(server: RecordingServer) -> None:
    options = {"grpc.primary_user_agent": "probe/1"}
    with MilvusClient(server.uri, grpc_options=options) as client:
        client.query("things", "id > 1")
    [call] = server.take("Query")
    assert str(call.header("user-agent")).startswith("probe/1")


@pytest.mark.parametrize("size", [0, 1, 5 << 20])
def test_bodies_pass_unchanged(server: RecordingServer, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + bytes(size % 256)
    server.set("Anything", lambda call: call.request[::-1])
    transport = GrpcTransport(ConnectionConfig.from_uri(server.uri))
    assert transport.unary("Anything", body, timeout=30, metadata=()) == body[::-1]
    transport.close()


def test_rpc_error(server: RecordingServer) -> None:
    server.set("Anything", Failure(grpc.StatusCode.ABORTED, "why"))
    transport = GrpcTransport(ConnectionConfig.from_uri(server.uri))
    with pytest.raises(RpcError) as caught:
        transport.unary("Anything", b"", timeout=30, metadata=())
    error = caught.value
    assert (error.code, error.details, error.sent) == (10, "why", True)
    assert isinstance(error.original, grpc.RpcError)
    transport.close()


def test_unsent_rpc_error() -> None:
    with Proxy(1) as proxy:
        uri = proxy.uri
    transport = GrpcTransport(ConnectionConfig.from_uri(uri))
    with pytest.raises(RpcError) as caught:
        transport.unary("Anything", b"", timeout=5, metadata=())
    assert (caught.value.code, caught.value.sent) == (14, False)
    transport.close()


def test_foreign_rpc_error_has_grpcios_face() -> None:
    """What a transport without grpcio raises is caught by those who expect grpcio's errors."""
    error = grpc_common.user_error(RpcError(16, "who?", [("k", "v")]))
    assert isinstance(error, grpc.aio.AioRpcError)
    assert isinstance(error, grpc.Call)
    for same in (error, pickle.loads(pickle.dumps(error))):
        assert isinstance(same, grpc.RpcError)
        assert same.code() is grpc.StatusCode.UNAUTHENTICATED
        assert same.details() == same.debug_error_string() == "who?"
        assert same.trailing_metadata() == [("k", "v")]
        assert same.initial_metadata() == ()
        assert "UNAUTHENTICATED" in str(same)
        assert (same.is_active(), same.cancel(), same.add_callback(print)) == (False,) * 3
        assert same.time_remaining() is None


def test_service_name() -> None:
    service = milvus_pb2.DESCRIPTOR.services_by_name["MilvusService"]
    assert f"/{service.full_name}/" == SERVICE


# outages


@pytest.fixture
def proxy(server: RecordingServer) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


def later(seconds: float, work: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, work)
    timer.start()
    return timer


@pytest.mark.parametrize("call", ALL_CALLS.values(), ids=ALL_CALLS)
def test_call_during_an_outage(server: RecordingServer, proxy: Proxy, call: DataCall) -> None:
    """pymilvus gives up at once."""
    with MilvusClient(proxy.uri) as client:
        call.on(client)
        proxy.down()
        timer = later(0.1, proxy.up)
        call.on(client, timeout=30)
        timer.join()
        assert client.stats()["retries"] >= 1
        assert client.stats()["reconnects"] == 1
    assert server.count(call.rpc) == 2
    assert server.count("Connect") == 2


async def test_async_calls_during_an_outage(server: RecordingServer, proxy: Proxy) -> None:
    async with AsyncMilvusClient(proxy.uri) as client:
        await client.query("things", "id > 1")
        proxy.down()
        timer = later(0.4, proxy.up)
        results = await asyncio.gather(
            *(client.query("things", "id > 1", timeout=30) for _ in range(50))
        )
        timer.join()
        assert [len(rows) for rows in results] == [1] * 50
        assert client.stats()["reconnects"] == 1  # and not one for each call
    assert server.count("Connect") == 2


def test_threads_during_an_outage(server: RecordingServer, proxy: Proxy) -> None:
    failures: list[Exception] = []
    with MilvusClient(proxy.uri) as client:

        def work() -> None:
            try:
                for _ in range(20):
                    client.query("things", "id > 1", timeout=30)
                    time.sleep(0.02)
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        proxy.down()
        time.sleep(0.3)
        proxy.up()
        for thread in threads:
            thread.join()
        assert not failures
        assert client.stats()["reconnects"] == 1


def test_outage_that_lasts(proxy: Proxy) -> None:
    with MilvusClient(proxy.uri) as client:
        client.query("things", "id > 1")
        proxy.down()
        text = r"Retry timeout: 0\.5s.*Fail connecting to server on 127\.0\.0\.1"
        with pytest.raises(MilvusException, match=text) as caught:
            client.query("things", "id > 1", timeout=0.5)
        assert caught.value.code == 2
        with pytest.raises(MilvusException, match="run out of 3 retry times") as caught:
            client.query("things", "id > 1", retry_times=3)
        assert caught.value.code == 2
        proxy.up()
        assert len(client.query("things", "id > 1", timeout=30)) == 1


def test_outage_while_the_schema_is_fetched(server: RecordingServer, proxy: Proxy) -> None:
    with MilvusClient(proxy.uri) as client:
        proxy.down()
        timer = later(0.4, proxy.up)
        assert len(client.get("things", [1], timeout=30)) == 1
        timer.join()
    assert server.count("DescribeCollection") == 1
