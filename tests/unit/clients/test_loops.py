"""One async client in several event loops: one after the other, in threads, and none at all."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading

import grpc
import pytest
from pymilvus import MilvusException
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import AsyncMilvusClient, MilvusClient
from milvus_native.effects import Encode, Operation
from tests.servers.recording import Failure, RecordingServer
from tests.together import together

from . import replies
from .replies import held


async def use(client: AsyncMilvusClient, count: int = 5) -> None:
    for _ in range(count):
        assert (await client.get("things", [1]))[0]["id"] == 1


def test_one_run_after_another(server: RecordingServer) -> None:
    client = AsyncMilvusClient(server.uri)
    for _ in range(5):
        asyncio.run(use(client))
    assert len(client._mvn_connection._links) == 1  # those of closed loops are gone
    assert server.count("Connect") == 5
    asyncio.run(client.close())
    assert not client._mvn_connection._links


def test_loops_in_threads(server: RecordingServer) -> None:
    client = AsyncMilvusClient(server.uri)
    assert not together(lambda _: asyncio.run(use(client, 50)), 4)
    assert server.count("Query") == 200
    asyncio.run(client.close())


def test_delegated_calls_in_several_loops(server: RecordingServer) -> None:
    """pymilvus's client belongs to one loop: there is one for each."""
    from pymilvus.client.connection_manager import AsyncConnectionManager

    reply = milvus_pb2.ShowCollectionsResponse(collection_names=["things"])
    server.set("ShowCollections", reply.SerializeToString())
    client = AsyncMilvusClient(server.uri)
    known = len(AsyncConnectionManager._instances)
    for _ in range(4):
        assert asyncio.run(client.list_collections()) == ["things"]
    asyncio.run(client.close())
    # What pymilvus keeps for each loop: that of the last loop and of close()'s, if any.
    assert len(AsyncConnectionManager._instances) - known <= 2


async def test_delegate_connects_once(
    server: RecordingServer, async_client: AsyncMilvusClient
) -> None:
    reply = milvus_pb2.ShowCollectionsResponse(collection_names=["things"])
    server.set("ShowCollections", reply.SerializeToString())
    server.take("Connect")
    await asyncio.gather(*(async_client.list_collections() for _ in range(20)))
    assert server.count("Connect") == 1


async def test_first_calls_connect_once(server: RecordingServer) -> None:
    async with AsyncMilvusClient(server.uri) as client:
        await asyncio.gather(*(client.get("things", [1]) for _ in range(50)))
    assert server.count("Connect") == 1


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_first_calls_of_an_unreachable_server() -> None:
    client = AsyncMilvusClient(f"http://127.0.0.1:{closed_port()}")
    results = await asyncio.gather(
        *(client.get("things", [1]) for _ in range(20)), return_exceptions=True
    )
    assert {type(result) for result in results} == {MilvusException}
    assert {result.code for result in results if isinstance(result, MilvusException)} == {2}
    await client.close()


def test_unreachable_server_in_the_constructor() -> None:
    address = f"127.0.0.1:{closed_port()}"
    with pytest.raises(MilvusException, match=f"Fail connecting to server on {address}") as caught:
        MilvusClient(f"http://{address}")
    assert caught.value.code == 2


def test_server_that_does_not_answer_the_constructor(server: RecordingServer) -> None:
    gate = threading.Event()
    server.set("Connect", held(gate, b""))
    with pytest.raises(MilvusException, match="DEADLINE_EXCEEDED") as caught:
        MilvusClient(server.uri, timeout=0.3)
    gate.set()
    assert caught.value.code == 2


def test_server_that_refuses_the_constructor(server: RecordingServer) -> None:
    refused = milvus_pb2.ConnectResponse(status=replies.failed(1400, "auth check failure"))
    server.set("Connect", refused.SerializeToString())
    with pytest.raises(MilvusException, match="auth check failure") as caught:
        MilvusClient(server.uri)
    assert caught.value.code == 1400


def test_port_of_something_else(server: RecordingServer) -> None:
    server.set("Connect", Failure(grpc.StatusCode.UNIMPLEMENTED))
    with pytest.raises(MilvusException, match="UNIMPLEMENTED") as caught:
        MilvusClient(server.uri)
    assert caught.value.code == 1


async def test_the_short_deadline_of_one_caller_is_not_that_of_all(
    server: RecordingServer,
) -> None:
    gate = threading.Event()
    server.set("Connect", held(gate, b""), b"")
    client = AsyncMilvusClient(server.uri)
    hasty = asyncio.create_task(client.get("things", [1], timeout=0.2))
    await asyncio.sleep(0.05)
    patient = [asyncio.create_task(client.get("things", [1])) for _ in range(5)]
    with pytest.raises(MilvusException, match=r"Retry timeout: 0\.2s"):
        await hasty
    assert [len(rows) for rows in await asyncio.gather(*patient)] == [1] * 5
    gate.set()
    await client.close()


async def test_cancelled_call_leaves_the_connection_usable(
    server: RecordingServer, async_client: AsyncMilvusClient
) -> None:
    gate = threading.Event()
    server.set("Query", held(gate, replies.query(1)), replies.query(1))
    task = asyncio.create_task(async_client.query("things", "id > 1"))
    while not server.count("Query"):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    assert len(await async_client.query("things", "id > 1")) == 1
    assert server.count("Connect") == 1


async def test_the_loop_turns_between_slices(async_client: AsyncMilvusClient) -> None:
    turns = 0
    seen = []

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    class Encoder:
        def step(self, budget: int) -> bool:
            assert budget <= 1 << 20
            seen.append(turns)
            return len(seen) == 10

        def finish(self) -> bytes:
            return b"request"

    def operation() -> Operation[bytes]:
        request: bytes = yield Encode(Encoder())  # type: ignore[arg-type]
        return request

    counter = asyncio.create_task(count())
    call = async_client._mvn_call("insert_rows", async_client._mvn_scope(), None, {})
    assert await async_client._mvn_driver.run(operation(), call) == b"request"
    counter.cancel()
    assert seen == sorted(set(seen))
    assert len(seen) == 10


async def test_deadline_during_encoding(async_client: AsyncMilvusClient) -> None:
    await async_client.get("things", [1])
    rows = [{"id": i, "vector": [0.5] * 4} for i in range(200_000)]
    with pytest.raises(MilvusException, match="Retry timeout"):
        await async_client.insert("things", rows, timeout=0.001)


# Run apart, so that what is written to stderr can be seen.
QUIET = """
import asyncio, threading, warnings
warnings.simplefilter("error")
from milvus_native import AsyncMilvusClient

async def use(count):
    for _ in range(count):
        await client.query("things", "id > 1")

client = AsyncMilvusClient("{uri}")
for _ in range(3):
    asyncio.run(use(5))
threads = [threading.Thread(target=lambda: asyncio.run(use(20))) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
asyncio.run(client.close())
"""
UVLOOP = QUIET.replace("import asyncio,", "import asyncio, uvloop,").replace(
    "\nclient =", "\nuvloop.install()\nclient ="
)


@pytest.mark.parametrize("script", [QUIET, UVLOOP.replace('("error")', '("ignore")')])
def test_stderr_stays_empty(server: RecordingServer, script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script.format(uri=server.uri)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert server.count("Query") == 75


def test_without_a_loop(async_client: AsyncMilvusClient) -> None:
    """In a program of trio's, say."""
    for call in (async_client.query("things", "id > 0"), async_client.has_collection("things")):
        with pytest.raises(RuntimeError, match="no running event loop"):
            call.send(None)
