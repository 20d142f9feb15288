"""The native transport's connections: how many there are, who waits for them, which are trusted."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import closing
from typing import Any

import grpc
import pytest

from milvus_native import AsyncMilvusClient, MilvusClient
from milvus_native.transport import native_aio, native_sync
from tests.servers.recording import Call, RecordingServer
from tests.together import outcomes, together

from . import replies
from .proxy import Proxy

pytestmark = pytest.mark.usefixtures("no_schemas")


def query(client: Any, **more: Any) -> Any:
    return client.query("things", "id > 1", **more)


def test_one_thread_keeps_one_connection(server: RecordingServer) -> None:
    with MilvusClient(server.uri, transport="native") as client:
        for _ in range(20):
            query(client)
        stats = client.stats()
        assert (stats["calls"], stats["open_connections"]) == (21, 1)  # one is Connect
        assert stats["bytes_sent"] > stats["calls"] * 20
        assert stats["bytes_received"] > 0
    assert client.stats() == {**stats, "open_connections": 0}


def test_connections_are_bounded(server: RecordingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who find none wait for one."""
    monkeypatch.setattr(native_sync, "MAX_CONNECTIONS", 3)

    def slow(_: Call) -> bytes:
        time.sleep(0.02)
        return replies.query(1)

    server.set("Query", slow)
    with MilvusClient(server.uri, transport="native") as client:
        results = outcomes(lambda _: [len(query(client)) for _ in range(5)], 12)
        assert results == [[1] * 5] * 12
        assert client.stats()["open_connections"] <= 3


def test_waiting_for_a_connection_counts(
    server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs out of time meanwhile leaves the queue, and others are served."""
    monkeypatch.setattr(native_sync, "MAX_CONNECTIONS", 1)
    release = threading.Event()

    def held(_: Call) -> bytes:
        release.wait(60)
        return replies.query(1)

    server.set("Query", held)
    with MilvusClient(server.uri, transport="native") as client:
        first = threading.Thread(target=query, args=(client,))
        first.start()
        while server.count("Query") == 0:
            time.sleep(0.01)
        with pytest.raises(grpc.RpcError) as caught:
            query(client, timeout=0.2)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert "connections are busy" in caught.value.details()
        last = threading.Thread(target=query, args=(client,))
        last.start()
        release.set()
        first.join(60)
        last.join(60)
        assert server.count("Query") == 2
        assert not client._mvn_connection.link().transport._waiting  # type: ignore[attr-defined]


def test_connection_that_ended_while_idle(server: RecordingServer) -> None:
    """The call goes out on another; even an insert, which never left."""
    with Proxy(server.port) as proxy, MilvusClient(proxy.uri, transport="native") as client:
        client.insert("things", replies.ROW)
        proxy.down()
        proxy.up()
        client.insert("things", replies.ROW)
        assert client.stats()["retries"] == 0
    assert server.count("Insert") == 2
    assert server.count("Connect") == 1


@pytest.mark.parametrize("answers", [True, False], ids=["answers", "is gone"])
def test_long_idle_connection_is_asked(
    server: RecordingServer, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    monkeypatch.setattr(native_sync, "IDLE_CHECK", 0.0)
    if not answers:
        monkeypatch.setattr(native_sync, "IDLE_ANSWER", 0.0)
    with MilvusClient(server.uri, transport="native") as client:
        for _ in range(3):
            client.insert("things", replies.ROW)
        assert client.stats()["open_connections"] == 1
        [connection] = client._mvn_connection.link().transport._all  # type: ignore[attr-defined]
        assert connection.wire.rpc.pings_answered == (connection.calls - 1 if answers else 0)
    assert server.count("Insert") == 3


@pytest.mark.parametrize("answers", [True, False], ids=["answers", "is gone"])
async def test_long_idle_channel_is_asked(
    server: RecordingServer, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    monkeypatch.setattr(native_aio, "IDLE_CHECK", 0.0)
    if not answers:
        monkeypatch.setattr(native_aio, "IDLE_ANSWER", 0.0)
    async with AsyncMilvusClient(server.uri, transport="native") as client:
        await query(client)
        transport: Any = client._mvn_connection.link().transport
        [first] = transport._channels
        first.doubtful_at = 0.0
        rows = await asyncio.gather(*(query(client) for _ in range(10)))
        assert [len(found) for found in rows] == [1] * 10
        [channel] = transport._channels
        assert (channel is first) is answers
        assert channel.rpc.pings_answered == (1 if answers else 0)
    assert server.count("Query") == 11


def test_loop_that_stood_still_meanwhile(server: RecordingServer) -> None:
    """As between two cells of a notebook: no timer has told that the connection is idle."""
    with closing(asyncio.new_event_loop()) as loop:
        client = AsyncMilvusClient(server.uri, transport="native")
        loop.run_until_complete(query(client))

        async def later() -> None:
            transport: Any = client._mvn_connection.link().transport
            [channel] = transport._channels
            assert channel._timer is not None  # it has not run
            channel.doubtful_at -= 2 * native_aio.IDLE_CHECK
            await query(client)
            assert channel.rpc.pings_answered == 1
            await client.close()

        loop.run_until_complete(later())


def test_idle_connections_go(server: RecordingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that nobody has needed for long is closed when another is used."""
    with MilvusClient(server.uri, transport="native") as client:
        server.set("Query", held_together(4))
        assert not together(lambda _: query(client), 4)
        assert client.stats()["open_connections"] == 4
        server.set("Query", replies.query(1))
        monkeypatch.setattr(native_sync, "IDLE_LIMIT", -1.0)
        for _ in range(5):
            query(client)
        assert client.stats()["open_connections"] <= 1


def held_together(count: int) -> Any:
    """Answers when `count` calls have come."""
    barrier = threading.Barrier(count)

    def answer(_: Call) -> bytes:
        barrier.wait(60)
        return replies.query(1)

    return answer


def test_close_ends_calls(server: RecordingServer) -> None:
    release = threading.Event()

    def held(_: Call) -> bytes:
        release.wait(60)
        return replies.query(1)

    server.set("Query", held)
    client = MilvusClient(server.uri, transport="native")
    results: list[Any] = []

    def work() -> None:
        try:
            results.append(query(client))
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while server.count("Query") == 0:
        time.sleep(0.01)
    client.close()
    thread.join(60)
    release.set()
    assert len(results) == 1
    assert "should create connection first" in str(results[0])
    assert client.stats()["open_connections"] == 0
