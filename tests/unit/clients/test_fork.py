"""A forked child opens connections of its own and leaves its parent's alone."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from pymilvus import MilvusException
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import AsyncMilvusClient, MilvusClient, forking, schema_cache
from milvus_native.flights import Flights
from tests.children import await_child
from tests.sanitizers import fork
from tests.servers.recording import RecordingServer

from . import replies
from .replies import held

LISTED = milvus_pb2.ShowCollectionsResponse(collection_names=["things"]).SerializeToString()

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


def in_child(work: Callable[[], Any], seconds: float = 60) -> int:
    """Exit status of a forked child that does `work`; it is killed after `seconds`."""
    pid = fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return await_child(pid, seconds)


def test_sync_client(server: RecordingServer, client: MilvusClient) -> None:
    client.get("things", [1])
    assert server.count("Connect") == 1

    def work() -> None:
        assert client.get("things", [1], timeout=20) == [{"id": 1}]
        client.close()

    assert in_child(work) == 0
    assert server.count("Connect") == 2
    assert server.count("DescribeCollection") == 1  # the child has the parent's schemas
    client.get("things", [1])
    assert server.count("Connect") == 2


def test_async_client(server: RecordingServer) -> None:
    client = AsyncMilvusClient(server.uri)
    asyncio.run(client.get("things", [1]))

    def work() -> None:
        async def use() -> None:
            assert await client.get("things", [1], timeout=20) == [{"id": 1}]
            await client.close()

        asyncio.run(use())

    assert in_child(work) == 0
    assert server.count("Connect") == 2
    asyncio.run(client.get("things", [1]))
    asyncio.run(client.close())


def test_delegate(server: RecordingServer, client: MilvusClient) -> None:
    server.set("ShowCollections", LISTED)
    client.list_collections()
    assert in_child(lambda: client.list_collections() == ["things"] or 1 / 0) == 0
    assert server.count("Connect") == 3  # the child has opened pymilvus's only
    assert client.list_collections() == ["things"]


def test_child_that_only_closes(server: RecordingServer, client: MilvusClient) -> None:
    assert in_child(client.close) == 0
    client.get("things", [1])
    assert server.count("Connect") == 1


def test_new_client_in_the_child(server: RecordingServer, client: MilvusClient) -> None:
    def work() -> None:
        with MilvusClient(server.uri, timeout=20) as own:
            own.get("things", [1], timeout=20)

    assert in_child(work) == 0


def test_locks_and_flights_of_other_threads(server: RecordingServer, client: MilvusClient) -> None:
    """Held and under way at the fork; nobody in the child would release or land them."""
    from milvus_native import connection
    from milvus_native.scope import WRITES

    flights = Flights()
    flights.join(flights.new("key"))
    client.get("things", [1])
    pool = client._mvn_connection.link().transport
    held = threading.Event()
    release = threading.Event()

    def hold() -> None:
        locks = (flights.lock, connection.opening(), WRITES._lock, forking.counting, pool._lock)
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            held.set()
            release.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()

    def work() -> None:
        own = flights.new("key")
        assert flights.join(own) is own
        own.land(1)
        WRITES.record(("e", "d", "c"), 1)
        assert client.stats()["calls"] == client.stats()["open_connections"] == 0
        schema_cache.stats()
        with MilvusClient(server.uri, timeout=20) as own:
            own.get("things", [1], timeout=20)

    try:
        assert in_child(work) == 0
    finally:
        release.set()
        thread.join()
    schema_cache.clear()


def test_deadlines_hold_in_the_child(server: RecordingServer) -> None:
    client = AsyncMilvusClient(server.uri)
    asyncio.run(client.get("things", [1]))
    gate = threading.Event()
    server.set("Query", held(gate, replies.query(1)))

    def work() -> None:
        try:
            asyncio.run(client.get("things", [1], timeout=0.3))
        except MilvusException:
            return
        raise AssertionError("no timeout")

    assert in_child(work, 20) == 0
    gate.set()
    asyncio.run(client.close())


def test_control_calls_in_the_child(server: RecordingServer) -> None:
    server.set("ShowCollections", LISTED)
    client = AsyncMilvusClient(server.uri)
    asyncio.run(client.list_collections())

    def work() -> None:
        async def use() -> None:
            assert await client.list_collections(timeout=20) == ["things"]
            assert len(await client.query("things", "id > 1", unknown=1)) == 1
            await client.close()

        asyncio.run(use())

    assert in_child(work, 30) == 0
    asyncio.run(client.close())
