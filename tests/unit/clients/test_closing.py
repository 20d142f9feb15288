"""close() closes, context managers close, and a forgotten client says so."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from pymilvus import MilvusException
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import AsyncMilvusClient, MilvusClient
from milvus_native.connection import _HANDSHAKES
from tests.servers.recording import RecordingServer

from . import replies
from .calls import ALL_CALLS, DataCall

LISTED = milvus_pb2.ShowCollectionsResponse(collection_names=["things"]).SerializeToString()


def connections_to(port: int) -> int:
    """Established TCP connections of this process to a port of 127.0.0.1: clients' ends only."""
    remote = f"0100007F:{port:04X}"  # at the end of an IPv6 address too
    ours = set()
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            ours.add(os.readlink(fd))
    count = 0
    for table in ("tcp", "tcp6"):
        for line in (Path("/proc/net") / table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[2].endswith(remote) and fields[3] == "01":
                count += f"socket:[{fields[9]}]" in ours
    return count


def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come about")


def test_close_closes_the_socket(server: RecordingServer) -> None:
    server.set("ShowCollections", LISTED)
    first, second = MilvusClient(server.uri), MilvusClient(server.uri)
    first.list_collections()
    eventually(lambda: connections_to(server.port) == 3)  # one each, and pymilvus's
    first.close()
    eventually(lambda: connections_to(server.port) == 1)
    second.query("things", "id > 1")
    second.close()
    eventually(lambda: connections_to(server.port) == 0)


def test_async_close_closes_the_socket(server: RecordingServer) -> None:
    server.set("ShowCollections", LISTED)

    async def main() -> None:
        client = AsyncMilvusClient(server.uri)
        await client.list_collections()
        await client.query("things", "id > 1")
        assert connections_to(server.port) == 2
        await client.close()

    asyncio.run(main())
    eventually(lambda: connections_to(server.port) == 0)


def test_closed_loops_keep_no_socket(server: RecordingServer) -> None:
    client = AsyncMilvusClient(server.uri)
    for _ in range(5):
        asyncio.run(client.query("things", "id > 1"))
    eventually(lambda: connections_to(server.port) == 1)
    with client:
        pass
    eventually(lambda: connections_to(server.port) == 0)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_loops_closed_while_dialling_keep_no_socket(server: RecordingServer) -> None:
    """Though others may have been waiting for the session that was being opened there."""
    client = AsyncMilvusClient(server.uri, transport="native")
    for turns in range(1, 20):
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda *_: None)  # that tasks were pending, which is so
        tasks = [loop.create_task(client.get("things", [1])) for _ in range(3)]
        for _ in range(turns):
            loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        del tasks
    asyncio.run(client.close())
    # In vain as long as another thread is collecting.
    eventually(lambda: gc.collect() >= 0 and not _HANDSHAKES._under_way)
    eventually(lambda: connections_to(server.port) == 0)


def test_failed_constructor_keeps_no_socket(server: RecordingServer) -> None:
    refused = milvus_pb2.ConnectResponse(status=replies.failed(1400))
    server.set("Connect", refused.SerializeToString())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(MilvusException):
            MilvusClient(server.uri)
        gc.collect()
    eventually(lambda: connections_to(server.port) == 0)


@pytest.mark.parametrize("call", ALL_CALLS.values(), ids=ALL_CALLS)
def test_closed_client(server: RecordingServer, call: DataCall) -> None:
    with MilvusClient(server.uri) as client:
        pass
    client.close()
    with pytest.raises(MilvusException, match="should create connection first"):
        call.on(client)


@pytest.mark.parametrize("call", ALL_CALLS.values(), ids=ALL_CALLS)
async def test_closed_async_client(server: RecordingServer, call: DataCall) -> None:
    async with AsyncMilvusClient(server.uri) as client:
        pass
    await client.close()
    with pytest.raises(MilvusException, match="should create connection first"):
        await call.on(client)


def test_closed_clients_delegate_nothing(server: RecordingServer) -> None:
    with MilvusClient(server.uri) as client:
        pass
    with pytest.raises(MilvusException, match="should create connection first"):
        client.list_collections()
    with pytest.raises(MilvusException, match="should create connection first"):
        client.query("things", "id > 1", unknown=1)
    with AsyncMilvusClient(server.uri) as async_client:
        pass
    with pytest.raises(MilvusException, match="should create connection first"):
        asyncio.run(async_client.list_collections())
    with pytest.raises(MilvusException, match="should create connection first"):
        asyncio.run(async_client.list_loaded_segments("things"))


def test_context_manager_closes_after_an_exception(server: RecordingServer) -> None:
    with pytest.raises(ZeroDivisionError), MilvusClient(server.uri) as client:
        1 / 0  # noqa: B018
    with pytest.raises(MilvusException):
        client.query("things", "id > 1")


async def test_async_context_manager_connects(server: RecordingServer) -> None:
    async with AsyncMilvusClient(server.uri):
        assert server.count("Connect") == 1


def test_forgotten_client(server: RecordingServer) -> None:
    clients = [MilvusClient(server.uri, token="root:secret")]
    with pytest.warns(ResourceWarning, match="unclosed <MilvusClient of 127") as caught:
        clients.clear()
    assert "secret" not in str(caught[0].message)
    eventually(lambda: connections_to(server.port) == 0)


def test_forgotten_async_client(server: RecordingServer) -> None:
    clients = [AsyncMilvusClient(server.uri)]
    asyncio.run(clients[0].query("things", "id > 1"))
    with pytest.warns(ResourceWarning, match="unclosed <AsyncMilvusClient of 127"):
        clients.clear()
    eventually(lambda: connections_to(server.port) == 0)


async def test_forgotten_on_a_running_loop(server: RecordingServer) -> None:
    clients = [AsyncMilvusClient(server.uri)]
    await clients[0].query("things", "id > 1")
    with pytest.warns(ResourceWarning):
        clients.clear()
    await asyncio.sleep(0.05)
    eventually(lambda: connections_to(server.port) == 0)


def test_nothing_to_forget(server: RecordingServer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client = MilvusClient(server.uri)
        client.close()
        unused = AsyncMilvusClient(server.uri)
        del client, unused
        gc.collect()


def test_closed_from_another_loop(server: RecordingServer) -> None:
    """The links of a loop that runs in another thread are closed there."""
    client = AsyncMilvusClient(server.uri)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(client.query("things", "id > 1"), loop).result(30)
    asyncio.run(client.close())
    eventually(lambda: connections_to(server.port) == 0)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def test_close_that_is_cancelled(server: RecordingServer) -> None:
    """While pymilvus's client is being closed: our connections of all loops close nevertheless."""
    client = AsyncMilvusClient(server.uri)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    await client.query("things", "id > 1")
    asyncio.run_coroutine_threadsafe(client.query("things", "id > 1"), loop).result(30)

    class Delegate:
        async def close(self) -> None:
            await asyncio.sleep(60)

    link = client._mvn_connection.present_link()
    assert link is not None
    link.delegate = Delegate()
    assert connections_to(server.port) == 2
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(client.close(), 0.1)
    eventually(lambda: connections_to(server.port) == 0)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_interpreter_exit_is_quiet(server: RecordingServer) -> None:
    """Module-level clients that are never closed, of either kind."""
    script = f"""
import asyncio
from milvus_native import AsyncMilvusClient, MilvusClient
client = MilvusClient("{server.uri}")
client.query("things", "id > 1")
other = AsyncMilvusClient("{server.uri}")
asyncio.run(other.query("things", "id > 1"))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_collected_while_another_connects(
    server: RecordingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector may run anywhere, also where a connection is being opened."""
    from milvus_native import transport

    forgotten: list[MilvusClient] = [MilvusClient(server.uri)]
    open_sync = transport.open_sync

    def open_and_collect(*args: object) -> object:
        forgotten.clear()
        return open_sync(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(transport, "open_sync", open_and_collect)
    with pytest.warns(ResourceWarning):
        client = MilvusClient(server.uri)
    assert len(client.query("things", "id > 1")) == 1
    client.close()
