"""Reaching a server, or not: addresses, black holes, and every way TLS can fail."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from pymilvus import MilvusException

from milvus_native import MilvusClient
from milvus_native.config import ConnectionConfig
from milvus_native.transport import native_aio
from milvus_native.transport import target as targets
from milvus_native.transport.base import DEADLINE_EXCEEDED, UNAVAILABLE, RpcError
from milvus_native.transport.native_aio import NativeAioTransport
from milvus_native.transport.tls import TlsLayer
from tests.servers.faulty import FaultServer, Peer, serve
from tests.unit.clients import replies

from .lines import ANSWER, KINDS, METHOD, open_line

NATIVE = ("native-sync", "native-async")
REPLIES = {METHOD: ANSWER}


def failure(kind: str, uri: str, timeout: float | None = 30, **options: Any) -> RpcError:
    with open_line(kind, uri, **options) as line, pytest.raises(RpcError) as caught:
        line.call(timeout=timeout)
    return caught.value


@contextmanager
def full_backlog() -> Iterator[str]:
    """An address whose SYNs are dropped, as by a firewall."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


# --- addresses ---


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_listens(kind: str) -> None:
    error = failure(kind, f"http://127.0.0.1:{unused_port()}")
    assert (error.code, error.sent) == (UNAVAILABLE, False)
    assert "refused" in error.details


@pytest.mark.parametrize("kind", KINDS)
def test_name_without_an_address(kind: str) -> None:
    error = failure(kind, "http://no-such-host.invalid:19530")
    assert (error.code, error.sent) == (UNAVAILABLE, False)


@pytest.mark.parametrize("kind", KINDS)
def test_black_hole(kind: str) -> None:
    """Nothing answers the first packet: the deadline holds, and the call was not sent."""
    with full_backlog() as uri:
        error = failure(kind, uri, timeout=0.5)
    assert error.code == DEADLINE_EXCEEDED
    assert not error.sent or kind.startswith("grpc")


def test_deadline_of_a_client_in_a_black_hole() -> None:
    """The handshake, its retries and the call have the one deadline."""
    with full_backlog() as uri, pytest.raises(MilvusException) as caught:
        MilvusClient(uri, timeout=0.5, transport="native")
    assert "Fail connecting" in str(caught.value)


@pytest.mark.parametrize("kind", NATIVE)
def test_addresses_are_tried_in_turn(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One refuses, one is a black hole, the third answers. Every dial asks for them anew."""
    asked = []
    with full_backlog() as uri, FaultServer(serve_one, serve, replies=REPLIES) as server:
        ports = [unused_port(), int(uri.rpartition(":")[2]), server.port]

        def look_up(host: str, port: int, **more: Any) -> list[Any]:
            if more.get("flags"):
                raise socket.gaierror(socket.EAI_NONAME, "not numeric")
            asked.append(host)
            kinds = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kinds, ("127.0.0.1", known)) for known in ports]

        monkeypatch.setattr(targets.socket, "getaddrinfo", look_up)
        monkeypatch.setattr("milvus_native.transport.dialing.DIAL_TIMEOUT", 2.0)
        monkeypatch.setattr("milvus_native.transport.native_aio.DIAL_TIMEOUT", 2.0)
        with open_line(kind, "http://milvus.test:19530") as line:
            assert line.call() == ANSWER
            assert asked == ["milvus.test"]
            while server.open_connections:
                time.sleep(0.01)
            assert line.call() == ANSWER
            assert asked == ["milvus.test"] * 2


def serve_one(peer: Peer) -> None:
    peer.answer(peer.request())


@pytest.mark.parametrize("kind", NATIVE)
def test_name_server_that_does_not_answer(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, port: int, **more: Any) -> list[Any]:
        if more.get("flags"):
            raise socket.gaierror(socket.EAI_NONAME, "not numeric")
        time.sleep(1.5)
        return []

    monkeypatch.setattr(targets.socket, "getaddrinfo", look_up)
    started = time.monotonic()
    error = failure_while(kind, "http://milvus.test:19530", started)
    assert (error.code, error.sent) == (DEADLINE_EXCEEDED, False)


def failure_while(kind: str, uri: str, started: float) -> RpcError:
    """The call has failed before the name server answered."""
    with open_line(kind, uri) as line:
        with pytest.raises(RpcError) as caught:
            line.call(timeout=0.3)
        assert time.monotonic() - started < 1.5
    return caught.value


# --- TLS ---


class Certificates:
    def __init__(self, folder: Path) -> None:
        self.authority, stranger = trustme.CA(), trustme.CA()
        self.ca, self.other_ca = str(folder / "ca.pem"), str(folder / "other.pem")
        self.authority.cert_pem.write_to_path(self.ca)
        stranger.cert_pem.write_to_path(self.other_ca)
        self.cert, self.key = str(folder / "cert.pem"), str(folder / "key.pem")
        client = self.authority.issue_cert("me@example.org")
        client.cert_chain_pems[0].write_to_path(self.cert)
        client.private_key_pem.write_to_path(self.key)
        stranger_client = stranger.issue_cert("me@example.org")
        self.wrong_cert, self.wrong_key = str(folder / "wrong.pem"), str(folder / "wrong.key")
        stranger_client.cert_chain_pems[0].write_to_path(self.wrong_cert)
        stranger_client.private_key_pem.write_to_path(self.wrong_key)

    def context(
        self,
        name: str = "127.0.0.1",
        *,
        alpn: tuple[str, ...] = ("h2",),
        mutual: bool = False,
        expired: bool = False,
    ) -> ssl.SSLContext:
        """Of a server."""
        end = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
        issued = self.authority.issue_cert(name, not_after=end if expired else None)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(context)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if mutual:
            self.authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


Options = Callable[[Certificates], dict[str, Any]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("of_server", "of_client"),
    [
        ({}, lambda c: {"ca_pem_path": c.ca}),
        ({}, lambda c: {"server_pem_path": c.ca}),
        ({"name": "milvus.test"}, lambda c: {"ca_pem_path": c.ca, "server_name": "milvus.test"}),
        ({"alpn": ("http/1.1", "h2")}, lambda c: {"ca_pem_path": c.ca}),
        (
            {"mutual": True},
            lambda c: {"ca_pem_path": c.ca, "client_pem_path": c.cert, "client_key_path": c.key},
        ),
    ],
    ids=["authority", "server_pem", "name", "ALPN among others", "mutual"],
)
def test_tls(
    certificates: Certificates, of_server: dict[str, Any], of_client: Options, kind: str
) -> None:
    body = bytes(1 << 20)
    with (
        FaultServer(serve, replies=REPLIES, tls=certificates.context(**of_server)) as server,
        open_line(kind, server.uri, **of_client(certificates)) as line,
    ):
        assert [line.call(), line.call(body)] == [ANSWER] * 2
        assert [request.body for request in server.requests(METHOD)][1] == body
        assert server.connections == 1


TLS_FAULTS: dict[str, tuple[dict[str, Any], Options, str]] = {
    "wrong authority": ({}, lambda c: {"ca_pem_path": c.other_ca}, "certificate"),
    "system's authorities": ({}, lambda c: {}, "certificate"),
    "wrong name": ({"name": "milvus.test"}, lambda c: {"ca_pem_path": c.ca}, "127.0.0.1"),
    "other name asked for": (
        {},
        lambda c: {"ca_pem_path": c.ca, "server_name": "elsewhere.test"},
        "elsewhere.test",
    ),
    "expired": ({"expired": True}, lambda c: {"ca_pem_path": c.ca}, "expired"),
    "no ALPN": ({"alpn": ()}, lambda c: {"ca_pem_path": c.ca}, "ALPN"),
    "ALPN of HTTP/1": ({"alpn": ("http/1.1",)}, lambda c: {"ca_pem_path": c.ca}, "ALPN"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("of_server", "of_client", "text"), TLS_FAULTS.values(), ids=TLS_FAULTS)
def test_refused_tls(
    certificates: Certificates,
    of_server: dict[str, Any],
    of_client: Options,
    text: str,
    kind: str,
) -> None:
    """UNAVAILABLE whichever transport; ours says why."""
    context = certificates.context(**of_server)
    with FaultServer(serve, replies=REPLIES, tls=context) as server:
        error = failure(kind, server.uri, **of_client(certificates))
        assert error.code == UNAVAILABLE
        if kind in NATIVE:
            assert not error.sent
            assert text in error.details
        assert server.count_begun(METHOD) == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("own", [False, True], ids=["no certificate", "a stranger's certificate"])
def test_refused_by_the_server(certificates: Certificates, own: bool, kind: str) -> None:
    """With TLS 1.3 the client hears of it after the handshake."""
    options = {"ca_pem_path": certificates.ca}
    if own:
        options["client_pem_path"] = certificates.wrong_cert
        options["client_key_path"] = certificates.wrong_key
    with FaultServer(serve, replies=REPLIES, tls=certificates.context(mutual=True)) as server:
        error = failure(kind, server.uri, **options)
        assert error.code == UNAVAILABLE
        assert server.count_begun(METHOD) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_plain_client_of_a_tls_server(certificates: Certificates, kind: str) -> None:
    with FaultServer(serve, tls=certificates.context()) as server:
        error = failure(kind, f"http://{server.address}")
        assert error.code == UNAVAILABLE


def greet_in_http1(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")


@pytest.mark.parametrize("kind", KINDS)
def test_tls_client_of_a_plain_port(certificates: Certificates, kind: str) -> None:
    with FaultServer(greet_in_http1) as server:
        error = failure(kind, f"https://{server.address}", ca_pem_path=certificates.ca)
        assert error.code == UNAVAILABLE
        if kind in NATIVE:
            assert "does not speak TLS" in error.details
            assert not error.sent


@pytest.mark.parametrize("kind", KINDS)
def test_silence_in_the_handshake(certificates: Certificates, kind: str) -> None:
    with FaultServer(lambda peer: peer.server.ended.wait()) as server:
        error = failure(kind, f"https://{server.address}", timeout=0.5, ca_pem_path=certificates.ca)
        assert error.code == DEADLINE_EXCEEDED
        assert not error.sent or kind not in NATIVE


@pytest.mark.parametrize("kind", KINDS)
def test_end_in_the_handshake(certificates: Certificates, kind: str) -> None:
    with FaultServer(lambda peer: peer.close()) as server:
        error = failure(kind, f"https://{server.address}", ca_pem_path=certificates.ca)
        assert error.code == UNAVAILABLE


@pytest.mark.parametrize("kind", NATIVE)
@pytest.mark.parametrize("truncated", [False, True], ids=["close_notify", "truncated"])
def test_tls_connection_that_ends(certificates: Certificates, truncated: bool, kind: str) -> None:
    def play(peer: Peer) -> None:
        peer.answer(peer.request())
        if not truncated:
            peer.sock.setblocking(False)
            with suppress(OSError):
                peer.sock.unwrap()

    with (
        FaultServer(play, serve, replies=REPLIES, tls=certificates.context()) as server,
        open_line(kind, server.uri, ca_pem_path=certificates.ca) as line,
    ):
        assert line.call() == ANSWER
        while server.open_connections:
            time.sleep(0.01)
        assert line.call() == ANSWER
        assert server.connections == 2


@pytest.mark.parametrize("kind", NATIVE)
def test_tls_and_want_of_memory(
    certificates: Certificates, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that were decrypted and lost end their connection, and what waits for it."""
    decrypt, lost = TlsLayer.decrypt, list[bytes]()

    def lose(layer: TlsLayer) -> bytes | None:
        plain = decrypt(layer)
        if plain and not lost:
            lost.append(plain)
            raise MemoryError
        return plain

    with (
        FaultServer(replies=REPLIES, tls=certificates.context()) as server,
        open_line(kind, server.uri, ca_pem_path=certificates.ca) as line,
    ):
        assert line.call() == ANSWER
        monkeypatch.setattr(TlsLayer, "decrypt", lose)
        with pytest.raises((MemoryError, RpcError)) as caught:
            line.call(timeout=None)
        if isinstance(caught.value, RpcError):
            assert (caught.value.code, caught.value.sent) == (UNAVAILABLE, True)
        assert lost
        assert line.call() == ANSWER
        assert server.connections == 2


@pytest.mark.parametrize("how", ["closed", "settled"])
async def test_tls_and_want_of_memory_before_the_end(
    certificates: Certificates, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that has come is told, though its connection has ended before the next turn."""
    decrypt, short = TlsLayer.decrypt, asyncio.Event()

    def starve(layer: TlsLayer) -> bytes | None:
        plain = decrypt(layer)
        if plain is None and channel.rpc.open_calls == 0:
            short.set()
            raise MemoryError
        return plain

    with FaultServer(replies=REPLIES, tls=certificates.context()) as server:
        config = ConnectionConfig.from_uri(server.uri, ca_pem_path=certificates.ca)
        transport = NativeAioTransport(config)
        assert await transport.unary(METHOD, b"", timeout=30, metadata=()) == ANSWER
        [channel] = transport._channels
        monkeypatch.setattr(native_aio, "MEMORY_BACK_OFF", 3600)
        monkeypatch.setattr(TlsLayer, "decrypt", starve)
        call = asyncio.ensure_future(transport.unary(METHOD, b"", timeout=30, metadata=()))
        await asyncio.wait_for(short.wait(), 30)
        assert not call.done()
        if how == "closed":
            await transport.close()
        else:
            transport.settle(channel)
        assert await asyncio.wait_for(call, 30) == ANSWER
        await transport.close()


def test_a_client_over_tls(certificates: Certificates) -> None:
    context = certificates.context()
    with (
        FaultServer(serve, replies=replies.defaults(), tls=context) as server,
        MilvusClient(server.uri, ca_pem_path=certificates.ca, transport="native") as client,
    ):
        assert client.get("things", [1]) == [{"id": 1}]
        [peer] = server.peers
        assert peer.requests == {}
        assert server.requests("Query")[0].headers[":scheme"] == "https"
