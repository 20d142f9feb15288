"""KeyboardInterrupt at any line of a call, and leaders of a flight that cannot go on.

Nobody waits afterwards for what will not come: neither the client's other threads and tasks nor
other clients, as long as the traceback is kept, which keeps the interrupted frames.
"""

from __future__ import annotations

import asyncio
import linecache
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import milvus_native
from milvus_native import AsyncMilvusClient, MilvusClient, forking, schema_cache, scope
from milvus_native.connection import _HANDSHAKES, opening
from milvus_native.schema_cache import _FLIGHTS
from tests.servers.recording import Call, RecordingServer

from . import replies

FOLDER = str(Path(milvus_native.__file__).parent)
TRACED = {f"{FOLDER}/{name}.py" for name in ("drivers", "async_driver", "connection", "flights")}
TRACED.add(f"{FOLDER}/schema_cache.py")


class _At:
    """Raises KeyboardInterrupt at the nth line that one may come at."""

    def __init__(self, number: int) -> None:
        self._left = number
        self.place = ""

    def call(self, work: Callable[[], Any]) -> BaseException | None:
        """What `work` raised, which holds its frames."""
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            work()
        except BaseException as error:
            return error
        finally:
            sys.settrace(before)
        return None

    def _enter(self, frame: FrameType, event: str, arg: Any) -> Any:
        return self._step if frame.f_code.co_filename in TRACED else None

    def _step(self, frame: FrameType, event: str, arg: Any) -> Any:
        line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        # The interpreter looks for signals after calls and jumps: not at a bare `try`, nor between
        # the end of a `with` block and the release.
        if event == "line" and line != "try:" and not line.startswith("with "):
            self._left -= 1
            if self._left == 0:
                self.place = f"{frame.f_code.co_name}: {line}"
                sys.settrace(None)
                raise KeyboardInterrupt
        return self._step


def interrupt_everywhere(begin: Callable[[], Any], again: Callable[[], Any]) -> int:
    """Interrupts `begin` at each of its lines and then calls `again`. The number of lines."""
    number = 0
    while True:
        number += 1
        at = _At(number)
        error = at.call(begin)
        if not at.place:
            assert error is None
            return number
        assert isinstance(error, KeyboardInterrupt)
        assert not _FLIGHTS._under_way, at.place
        assert not _HANDSHAKES._under_way, at.place
        assert len(again()) == 1, at.place


def test_interrupted_thread(client: MilvusClient) -> None:
    def begin() -> None:
        schema_cache.clear()
        client._mvn_connection.renew()
        client.get("things", [1])

    def again() -> Any:
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.extend(client.get("things", [1])))
        thread.start()
        thread.join()
        return found

    assert interrupt_everywhere(begin, again) > 100


def test_interrupted_task(server: RecordingServer) -> None:
    loop = asyncio.new_event_loop()
    client = AsyncMilvusClient(server.uri)

    def begin() -> None:
        schema_cache.clear()
        client._mvn_connection.renew()
        loop.run_until_complete(client.get("things", [1]))

    def again() -> Any:
        return loop.run_until_complete(client.get("things", [1]))

    assert interrupt_everywhere(begin, again) > 100
    loop.run_until_complete(client.close())
    loop.close()


@pytest.mark.parametrize("transport", ["native", "grpc"])
def test_calls_of_a_signal_handler(server: RecordingServer, transport: str) -> None:
    """Or of a finalizer: wherever they come, this thread may be holding any of our locks."""
    with MilvusClient(server.uri, transport=transport) as client:
        carrier: Any = client._mvn_connection.link().transport
        iterator = client.query_iterator("things", batch_size=1)
        locks: list[Any] = [
            opening(),
            forking.counting,
            scope.WRITES._lock,
            _FLIGHTS.lock,
            _HANDSHAKES.lock,
            carrier._lock if transport == "native" else carrier._meter._lock,
            iterator._lock,
        ]
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            schema_cache.clear()
            client._mvn_connection.renew()
            client.insert("things", replies.ROW)
            assert client.stats()["calls"] > 0
            iterator.close()


@pytest.fixture
def stopped(server: RecordingServer) -> Any:
    """A loop that was stopped while a task of it fetched the schema; its client is still there."""
    came, leave = threading.Event(), threading.Event()

    def hold(_: Call) -> bytes:
        came.set()
        leave.wait(60)
        return replies.describe()

    server.set("DescribeCollection", hold, replies.describe())
    loop = asyncio.new_event_loop()
    client = AsyncMilvusClient(server.uri)
    task = loop.create_task(client.get("things", [1]))
    loop.run_until_complete(asyncio.wait([task], timeout=0.1))
    while not came.is_set():
        loop.run_until_complete(asyncio.wait([task], timeout=0.1))
    yield loop
    leave.set()
    assert len(loop.run_until_complete(task)) == 1
    loop.run_until_complete(client.close())
    loop.close()


@pytest.mark.usefixtures("stopped")
def test_leader_on_a_loop_that_was_stopped(server: RecordingServer, client: MilvusClient) -> None:
    async def get() -> Any:
        async with AsyncMilvusClient(server.uri) as other:
            return await other.get("things", [1])

    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.extend(client.get("things", [1])))
    thread.start()
    thread.join()
    assert len(found) == 1
    schema_cache.clear()
    assert len(asyncio.run(get())) == 1


@pytest.mark.parametrize("here", ["thread", "loop"])
def test_loop_that_stops_while_others_wait(
    server: RecordingServer,
    client: MilvusClient,
    stopped: asyncio.AbstractEventLoop,
    here: str,
) -> None:
    [flight] = _FLIGHTS._under_way.values()
    found: list[Any] = []

    async def get() -> Any:
        async with AsyncMilvusClient(server.uri) as other:
            return await other.get("things", [1])

    def wait() -> None:
        found.extend(client.get("things", [1]) if here == "thread" else asyncio.run(get()))

    async def go_on() -> None:
        thread.start()
        while not flight._waiters:
            await asyncio.sleep(0.01)

    thread = threading.Thread(target=wait)
    stopped.run_until_complete(go_on())
    thread.join()
    assert len(found) == 1


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_who_gave_up_waiting_is_forgotten(
    server: RecordingServer, client: MilvusClient, kind: str
) -> None:
    """Else those whose time was over would pile up for as long as a fetch hangs."""
    came, leave = threading.Event(), threading.Event()

    def hold(_: Call) -> bytes:
        came.set()
        leave.wait(60)
        return replies.describe()

    server.set("DescribeCollection", hold)
    leader = threading.Thread(target=lambda: client.get("things", [1]))
    leader.start()
    came.wait()
    [flight] = _FLIGHTS._under_way.values()

    async def get() -> None:
        async with AsyncMilvusClient(server.uri) as other:
            await other.get("things", [1], timeout=0.05)

    with pytest.raises(Exception, match=r"Deadline Exceeded|Retry timeout"):
        asyncio.run(get()) if kind == "async" else client.get("things", [1], timeout=0.05)
    assert not flight._waiters
    leave.set()
    leader.join()
