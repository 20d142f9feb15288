"""Programs in which gevent or eventlet has put its own waiting in the place of the system's."""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from typing import Any

import pymilvus
import pytest

from milvus_native import MilvusClient
from milvus_native.transport.sockets import wait
from milvus_native.transport.wire import PatchedWire, PlainWire
from tests import servers

original_poll, original_select = select.poll, select.select
waits: list[int] = []  # the events that were waited for


class Poll:
    """As gevent's: others would run while it waits."""

    def __init__(self) -> None:
        self._poll = original_poll()

    def register(self, sock: socket.socket, events: int) -> None:
        waits.append(events)
        self._poll.register(sock, events)

    def poll(self, milliseconds: float | None = None) -> list[tuple[int, int]]:
        return self._poll.poll(milliseconds)


def green_select(reading: Any, writing: Any, broken: Any, seconds: float | None) -> Any:
    waits.append((select.POLLIN if reading else 0) | (select.POLLOUT if writing else 0))
    return original_select(reading, writing, broken, seconds)


@pytest.fixture(params=["gevent", "eventlet"])
def _patched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "gevent":
        monkeypatch.setattr(select, "poll", Poll)
    else:
        monkeypatch.delattr(select, "poll")
        monkeypatch.setattr(select, "select", green_select)
    waits.clear()


def wire_of(client: MilvusClient) -> Any:
    transport: Any = client._mvn_connection.link().transport
    [connection] = transport._all
    return connection.wire


@pytest.mark.usefixtures("_patched")
def test_waits_where_others_may_run(lite_server: servers.Server) -> None:
    with MilvusClient(lite_server.uri, transport="native") as client:
        assert type(wire_of(client)) is PatchedWire
        waits.clear()
        with pytest.raises(pymilvus.MilvusException, match="patched"):
            client.query("patched", "id > 0")
        assert select.POLLIN in waits
        client.create_collection("patched", dimension=512)
        rows = [{"id": n, "vector": [0.5] * 512} for n in range(5000)]
        assert client.insert("patched", rows)["insert_count"] == 5000
        client.drop_collection("patched")


@pytest.mark.usefixtures("_patched")
def test_waits_for_what_is_asked() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert not wait(ours, select.POLLIN, 0)
        assert wait(ours, select.POLLIN | select.POLLOUT, None)
        ours.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                ours.send(bytes(1 << 16))
        assert not wait(ours, select.POLLIN | select.POLLOUT, 0.01)
        theirs.send(b"x")
        assert wait(ours, select.POLLIN | select.POLLOUT, None)
    both = select.POLLIN | select.POLLOUT
    assert waits == [select.POLLIN, both, both, both]


@pytest.mark.usefixtures("_patched")
def test_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(pymilvus.MilvusException) as caught:
            MilvusClient(f"http://127.0.0.1:{port}", timeout=0.3, transport="native")
    assert caught.value.code == 2
    assert select.POLLIN in waits


def test_not_patched(lite_server: servers.Server) -> None:
    """The engine waits, without the GIL."""
    with MilvusClient(lite_server.uri, transport="native") as client:
        assert type(wire_of(client)) is PlainWire
