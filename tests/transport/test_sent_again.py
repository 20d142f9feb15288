"""What the clients send again after a fault, as the server counts it, and what users are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import grpc
import pytest
from pymilvus import MilvusException

from milvus_native import AsyncMilvusClient, MilvusClient
from tests.servers import frames
from tests.servers.faulty import FaultServer, Peer, Script, serve
from tests.unit.clients import replies
from tests.unit.clients.calls import ALL_CALLS, DataCall
from tests.unit.clients.conftest import Either

pytestmark = pytest.mark.usefixtures("no_schemas")

CALLS = {name: ALL_CALLS[name] for name in ("insert", "upsert", "delete", "get", "search")}


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Either]]:
    """Makes clients of both kinds, over the native transport."""
    opened: list[MilvusClient] = []
    with closing(asyncio.new_event_loop()) as loop:
        async_opened: list[AsyncMilvusClient] = []

        def make(uri: str, **options: Any) -> Either:
            if request.param == "sync":
                client = MilvusClient(uri, transport="native", **options)
                opened.append(client)
                return Either(client, lambda result: result)
            async_client = AsyncMilvusClient(uri, transport="native", **options)
            async_opened.append(async_client)
            return Either(async_client, loop.run_until_complete)

        yield make
        for client in opened:
            client.close()
        for async_client in async_opened:
            loop.run_until_complete(async_client.close())


class Fault(NamedTuple):
    """`unseen`: the server says, or shows, that it did not act on the call."""

    strike: Callable[[Peer, str], Any]
    unseen: bool
    code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE


def striking(strike: Callable[[Peer, Any], Any]) -> Callable[[Peer, str], Any]:
    return lambda peer, method: strike(peer, peer.serve(until=method))


def refuse(peer: Peer, request: Any) -> None:
    peer.send(frames.rst_stream(request.stream, frames.REFUSED_STREAM))
    peer.serve()


def goaway_below(peer: Peer, request: Any) -> None:
    peer.send(frames.goaway(request.stream - 2))
    peer.drain()


def goaway_at(peer: Peer, request: Any) -> None:
    peer.send(frames.goaway(request.stream))


def status(code: int) -> Callable[[Peer, Any], None]:
    def strike(peer: Peer, request: Any) -> None:
        peer.send(frames.failure(request.stream, code, "alas"))
        peer.serve()

    return strike


def reset(code: int) -> Callable[[Peer, Any], None]:
    def strike(peer: Peer, request: Any) -> None:
        peer.send(frames.rst_stream(request.stream, code))
        peer.serve()

    return strike


def proxy_error(peer: Peer, request: Any) -> None:
    peer.send(frames.headers(request.stream, [(":status", "503")], end_stream=True))
    peer.serve()


FAULTS = {
    "REFUSED_STREAM": Fault(striking(refuse), True),
    "GOAWAY below": Fault(striking(goaway_below), True),
    "GOAWAY at": Fault(striking(goaway_at), False),
    "closed": Fault(striking(lambda peer, request: peer.close()), False),
    "TCP reset": Fault(striking(lambda peer, request: peer.reset()), False),
    "RST_STREAM INTERNAL_ERROR": Fault(striking(reset(2)), False, grpc.StatusCode.INTERNAL),
    "UNAVAILABLE": Fault(striking(status(14)), False),
    "HTTP 503": Fault(striking(proxy_error), False),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_one_fault(fault: Fault, call: DataCall, connect: Callable[..., Either]) -> None:
    """The first request meets it. Only an insert that may have been made is not sent again."""
    script: Script = lambda peer: fault.strike(peer, call.rpc)  # noqa: E731
    with FaultServer(script, serve, replies=replies.defaults()) as server:
        client = connect(server.uri)
        if call.method != "insert" or fault.unseen:
            client.call(call, timeout=30)
            assert server.count(call.rpc) == 2
            first, second = server.requests(call.rpc)
            assert first.body == second.body
            assert client.client.stats()["retries"] <= 1
            return
        with pytest.raises(MilvusException, match=r"may have acted .*retry_writes=True") as caught:
            client.call(call, timeout=30)
        assert caught.value.code is fault.code
        assert server.count("Insert") == 1
        client.call(call, timeout=30)
        assert server.count("Insert") == 2


@pytest.mark.parametrize("where", ["client", "call"])
def test_inserts_sent_again_when_asked(where: str, connect: Callable[..., Either]) -> None:
    asked = {"retry_writes": True}
    with FaultServer(
        lambda peer: peer.serve(until="Insert"), serve, replies=replies.defaults()
    ) as server:
        client = connect(server.uri, **(asked if where == "client" else {}))
        client.call(CALLS["insert"], timeout=30, **(asked if where == "call" else {}))
        assert server.count("Insert") == 2


# Codes that end a call at once, and how they come about without a word of gRPC's.
FINAL = {
    "DEADLINE_EXCEEDED": (status(4), grpc.StatusCode.DEADLINE_EXCEEDED),
    "PERMISSION_DENIED": (reset(frames.INADEQUATE_SECURITY), grpc.StatusCode.PERMISSION_DENIED),
    "RESOURCE_EXHAUSTED": (reset(frames.ENHANCE_YOUR_CALM), grpc.StatusCode.RESOURCE_EXHAUSTED),
    "UNAUTHENTICATED": (status(16), grpc.StatusCode.UNAUTHENTICATED),
    "UNIMPLEMENTED": (status(12), grpc.StatusCode.UNIMPLEMENTED),
}


@pytest.mark.parametrize(("strike", "code"), FINAL.values(), ids=FINAL)
@pytest.mark.parametrize("transport", ["native", "grpc"])
def test_final_codes(strike: Any, code: grpc.StatusCode, transport: str) -> None:
    """grpc.RpcError with the code, over both transports."""
    script: Script = lambda peer: striking(strike)(peer, "Query")  # noqa: E731
    with (
        FaultServer(script, serve, replies=replies.defaults()) as server,
        MilvusClient(server.uri, transport=transport) as client,
    ):
        with pytest.raises(grpc.RpcError) as caught:
            client.query("things", "id > 1")
        assert caught.value.code() is code
        assert server.count("Query") == 1
        assert client.query("things", "id > 1") == [{"id": 1}]
        assert server.connections == 1


@pytest.mark.parametrize("transport", ["native", "grpc"])
def test_same_error_over_both_transports_in_the_end(transport: str) -> None:
    """An outage that lasts: class, code and how often it was tried."""

    def play(peer: Peer) -> None:
        while True:
            request = peer.serve(until="Query")
            peer.send(frames.failure(request.stream, 14, "try later"))

    with (
        FaultServer(play, replies=replies.defaults()) as server,
        MilvusClient(server.uri, transport=transport) as client,
    ):
        with pytest.raises(MilvusException, match=r"run out of 3 retry times.*try later") as caught:
            client.query("things", "id > 1", retry_times=3)
        assert caught.value.code is grpc.StatusCode.UNAVAILABLE
        assert server.count("Query") == 4


def test_refused_for_a_while(connect: Callable[..., Either]) -> None:
    """Even an insert is sent until it is taken: nothing was done with it before."""

    def play(peer: Peer) -> None:
        for _ in range(4):
            request = peer.serve(until="Insert")
            peer.send(frames.rst_stream(request.stream, frames.REFUSED_STREAM))
        peer.serve()

    with FaultServer(play, replies=replies.defaults()) as server:
        client = connect(server.uri)
        client.call(CALLS["insert"], timeout=30)
        assert server.count("Insert") == 5
        assert client.client.stats()["retries"] == 4
        assert server.connections == 1


def test_session_is_opened_again_on_a_new_connection(connect: Callable[..., Either]) -> None:
    def play(peer: Peer) -> None:
        peer.serve(until="Query")

    with FaultServer(play, serve, replies=replies.defaults()) as server:
        client = connect(server.uri)
        client.call(CALLS["get"], timeout=30)
        assert server.count("Connect") == 2
        assert client.client.stats()["reconnects"] == 1


def test_secrets_stay_out_of_errors(connect: Callable[..., Either]) -> None:
    secret = "pass-word-of-root"

    def play(peer: Peer) -> None:
        while True:
            request = peer.serve(until="Query")
            peer.send(frames.failure(request.stream, 16, "who are you?"))

    with FaultServer(play, replies=replies.defaults()) as server:
        client = connect(server.uri, token=f"root:{secret}")
        with pytest.raises(grpc.RpcError) as caught:
            client.call(CALLS["get"], timeout=30)
        [request] = server.requests("Query")
        token = request.headers["authorization"]
        seen = f"{caught.value!r} {caught.value} {client.client!r} {vars(caught.value)}"
        assert secret not in seen
        assert token not in seen


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\0b"])
def test_header_values_are_checked(value: str, connect: Callable[..., Either]) -> None:
    """What could begin another header is not sent, and the client stays usable."""
    with FaultServer(serve, replies=replies.defaults()) as server:
        client = connect(server.uri)
        client.call(CALLS["get"], timeout=30)
        with pytest.raises(MilvusException):
            client.call(CALLS["search"], timeout=30, client_request_id=value)
        assert server.count_begun("Search") == 0
        client.call(CALLS["get"], timeout=30)


def test_stats(connect: Callable[..., Either]) -> None:
    with FaultServer(serve, replies=replies.defaults()) as server:
        client = connect(server.uri)
        for _ in range(5):
            client.call(CALLS["search"], timeout=30)
        stats = client.client.stats()
        methods = ("Connect", "DescribeCollection", "Search")
        assert stats["calls"] == sum(server.count(method) for method in methods)
        assert stats["open_connections"] == 1
        [peer] = server.peers
        received = len(frames.PREFACE) + sum(9 + len(f.payload) for f in peer.received)
        assert 0 <= stats["bytes_sent"] - received < 100  # acknowledgements on their way
        assert stats["bytes_received"] > 0
        assert stats["retries"] == stats["reconnects"] == 0
