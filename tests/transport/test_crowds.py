"""Many threads, tasks, loops and processes on one client, outages, and interrupts."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from milvus_native import AsyncMilvusClient, MilvusClient
from tests.children import await_child
from tests.sanitizers import fork
from tests.servers.faulty import FaultServer, Peer, serve
from tests.together import together
from tests.unit.clients import replies
from tests.unit.clients.proxy import Proxy

from .lines import open_line

pytestmark = pytest.mark.usefixtures("no_schemas")

VECTOR = bytes(16)


def seen(uri: str, method: str) -> int:
    with open_line("native-sync", uri) as line:
        return int(line.call(method.encode(), method="Seen"))


def search(client: MilvusClient, timeout: float | None = 60) -> None:
    [[hit]] = client.search("things", [VECTOR], anns_field="vector", timeout=timeout)
    assert hit["id"] == 3


async def search_async(client: AsyncMilvusClient, timeout: float | None = 60) -> None:
    [[hit]] = await client.search("things", [VECTOR], anns_field="vector", timeout=timeout)
    assert hit["id"] == 3


def run_threads(count: int, work: Callable[[int], None]) -> None:
    """Raises what the first thread that fails has raised."""
    failures = together(work, count)
    if failures:
        raise failures[0]


# --- threads, tasks ---


def test_64_threads(go_milvus: str) -> None:
    before = seen(go_milvus, "Search")
    with MilvusClient(go_milvus) as client:

        def work(_: int) -> None:
            for _ in range(1000):
                search(client)

        run_threads(64, work)
        stats = client.stats()
        assert stats["calls"] >= 64_000
        assert stats["open_connections"] <= 64
        assert stats["retries"] == stats["reconnects"] == 0
    assert seen(go_milvus, "Search") == before + 64_000


def test_more_threads_than_connections(go_milvus: str) -> None:
    with MilvusClient(go_milvus) as client:

        def work(_: int) -> None:
            for _ in range(20):
                search(client)

        run_threads(200, work)
        assert client.stats()["open_connections"] <= 64


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_1000_tasks_in_flight(go_milvus: str, run: Callable[[Any], Any]) -> None:
    before = seen(go_milvus, "Search")

    async def main() -> None:
        async with AsyncMilvusClient(go_milvus) as client:

            async def work() -> None:
                for _ in range(10):
                    await search_async(client)

            await asyncio.gather(*(work() for _ in range(1000)))
            stats = client.stats()
            assert stats["calls"] >= 10_000
            assert 1 <= stats["open_connections"] <= 8
            assert stats["retries"] == 0

    run(main())
    assert seen(go_milvus, "Search") == before + 10_000


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_storm_of_cancellations(go_milvus: str, run: Callable[[Any], Any]) -> None:
    """Half of the calls are given up, the others are answered."""

    async def main() -> None:
        async with AsyncMilvusClient(go_milvus) as client:
            await search_async(client)
            for turns in range(20):
                tasks = [asyncio.ensure_future(search_async(client)) for _ in range(200)]
                for _ in range(turns):
                    await asyncio.sleep(0)
                for task in tasks[::2]:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
                assert results[1::2] == [None] * 100
                assert {type(result) for result in results[::2]} <= {
                    type(None),
                    asyncio.CancelledError,
                }
            assert client.stats()["open_connections"] <= 8

    run(main())


# --- event loops ---


@pytest.fixture(scope="module")
def one_client(go_milvus: str) -> Iterator[AsyncMilvusClient]:
    """Made outside any loop, and used by the tests below, each of which has a loop of its own."""
    client = AsyncMilvusClient(go_milvus)
    yield client
    asyncio.run(client.close())


@pytest.mark.parametrize("number", range(3))
async def test_loop_of_each_test(one_client: AsyncMilvusClient, number: int) -> None:
    await asyncio.gather(*(search_async(one_client) for _ in range(20)))
    assert one_client.stats()["open_connections"] >= 1


LOOPS = """
import asyncio, gc, sys, threading
import uvloop
from milvus_native import AsyncMilvusClient

client = AsyncMilvusClient(sys.argv[1])

async def use(count=20):
    asyncio.get_running_loop().slow_callback_duration = 60  # a busy machine is no failure
    async def call():
        [[hit]] = await client.search("things", [bytes(16)], anns_field="vector", timeout=60)
        assert hit["id"] == 3
    await asyncio.gather(*(call() for _ in range(count)))

for _ in range(3):
    asyncio.run(use())
    uvloop.run(use())
failures = []
def work(run):
    try:
        for _ in range(5):
            run(use())
    except BaseException as error:
        failures.append(error)
threads = [threading.Thread(target=work, args=(run,)) for run in (asyncio.run, uvloop.run) * 2]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failures, failures

async def end():
    asyncio.get_running_loop().slow_callback_duration = 60
    await client.close()

asyncio.run(end())
assert client.stats()["open_connections"] == 0, client.stats()
del client
gc.collect()
"""


def test_loops_leave_stderr_empty(go_milvus: str) -> None:
    """One client in loops of both kinds, in turn and at once; nothing is said, or left open."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "default", "-c", LOOPS, go_milvus],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


FORGOTTEN = """
import asyncio, gc, sys, warnings
from milvus_native import AsyncMilvusClient, MilvusClient

warnings.simplefilter("always")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    if sys.argv[2] == "sync":
        client = MilvusClient(sys.argv[1])
        client.get("things", [1])
    else:
        client = AsyncMilvusClient(sys.argv[1])
        asyncio.run(client.get("things", [1]))
    del client
    gc.collect()
print([str(w.message) for w in caught if issubclass(w.category, ResourceWarning)])
"""


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_forgotten_client(go_milvus: str, kind: str) -> None:
    """One ResourceWarning that names it, none of the sockets underneath."""
    done = subprocess.run(
        [sys.executable, "-c", FORGOTTEN, go_milvus, kind],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("MilvusClient") == 1
    assert "socket" not in done.stdout


def open_sockets() -> int:
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
        except OSError:
            continue
    return count


def test_close_closes_sockets(go_milvus: str) -> None:
    before = open_sockets()
    client = MilvusClient(go_milvus)
    run_threads(8, lambda _: search(client))
    assert open_sockets() > before
    client.close()
    assert open_sockets() == before

    async def main() -> None:
        within = open_sockets()
        async_client = AsyncMilvusClient(go_milvus)
        await asyncio.gather(*(search_async(async_client) for _ in range(20)))
        assert open_sockets() > within
        await async_client.close()
        assert open_sockets() == within

    asyncio.run(main())
    assert open_sockets() == before


def test_nothing_grows(go_milvus: str) -> None:
    """100,000 calls; tools/soak.py makes a million when it is called by hand."""
    soak = Path(__file__).parents[2] / "tools" / "soak.py"
    done = subprocess.run(
        [sys.executable, str(soak), go_milvus, "--calls", "100000"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


# --- interrupts ---


def test_keyboard_interrupt() -> None:
    """Ctrl-C while a call waits for its reply: the call is over, the client is not."""
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    def play(peer: Peer) -> None:
        while True:
            peer.serve(until="Search")
            signal.pthread_kill(main_thread, signal.SIGINT)
            peer.read()

    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with FaultServer(play, play, serve, replies=replies.defaults()) as server:
            client = MilvusClient(server.uri, transport="native")
            for _ in range(2):
                with pytest.raises(KeyboardInterrupt):
                    search(client)
            search(client)
            # The interrupted calls were given up on the wire, too, not left to their answers.
            assert client.stats()["open_connections"] == 1
            assert server.connections == 3
            client.close()
    finally:
        signal.signal(signal.SIGINT, old)


# --- processes ---


FORKS = """
import faulthandler, os, sys, threading
from milvus_native import MilvusClient

sys.setswitchinterval(1e-5)  # forks meet the threads in the middle of everything
client = MilvusClient(sys.argv[1])
stop = threading.Event()
failures = []

def search(timeout=60):
    [[hit]] = client.search("things", [bytes(16)], anns_field="vector", timeout=timeout)
    assert hit["id"] == 3

def work():
    try:
        while not stop.is_set():
            search()
    except BaseException as error:
        failures.append(error)

threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for number in range(200):
    pid = os.fork()
    if pid == 0:
        status = 1
        faulthandler.dump_traceback_later(60, exit=True)  # where, should it hang
        try:
            if number % 2:
                for _ in range(3):
                    search(timeout=30)
            client.stats()
            if number % 3 == 0:
                client.close()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    assert status == 0, (number, status)
stop.set()
for thread in threads:
    thread.join()
assert not failures, failures
assert client.stats()["retries"] == client.stats()["reconnects"] == 0
search()
client.close()
assert "grpc" not in sys.modules
"""


def test_200_forks_of_a_busy_parent(go_milvus: str) -> None:
    """Two threads call while children are made, which call too: none hangs or disturbs another.

    In a process without gRPC and coverage: a child may find locks of others held for ever, that
    of AddressSanitizer's allocator by one of gRPC's threads, that of coverage's tracer by any.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS, go_milvus],
        env={name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forks_of_a_busy_loop(go_milvus: str) -> None:
    async def main() -> None:
        async with AsyncMilvusClient(go_milvus) as client:
            stop = False

            async def work() -> None:
                while not stop:
                    await search_async(client)

            workers = [asyncio.ensure_future(work()) for _ in range(8)]
            for _ in range(20):
                await asyncio.sleep(0.01)
                pid = fork()
                if pid == 0:
                    status = 1
                    try:
                        asyncio.events._set_running_loop(None)
                        asyncio.run(search_async(client, timeout=30))
                        status = 0
                    finally:
                        os._exit(status)
                assert await asyncio.get_running_loop().run_in_executor(None, await_child, pid) == 0
            stop = True
            await asyncio.gather(*workers)
            assert client.stats()["reconnects"] == 0

    asyncio.run(main())


_inherited: list[MilvusClient] = []


def search_inherited(_: int) -> int:
    search(_inherited[0], timeout=30)
    return os.getpid()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_multiprocessing_pool(go_milvus: str) -> None:
    """As in gunicorn --preload and celery's prefork: made and used before the workers are."""
    with MilvusClient(go_milvus) as client:
        search(client)
        _inherited[:] = [client]
        with multiprocessing.get_context("fork").Pool(4) as pool:
            pids = pool.map(search_inherited, range(200), chunksize=5)
        _inherited.clear()
        assert os.getpid() not in pids
        search(client)
        assert client.stats()["reconnects"] == 0


# --- outages ---


def test_outages(go_milvus: str) -> None:
    """Of 1, 5 and 20 s, at once. Calls begun meanwhile end well; the first one after it, too."""
    port = int(go_milvus.rpartition(":")[2])

    def outage(seconds: float) -> None:
        with Proxy(port) as proxy, MilvusClient(proxy.uri) as client:
            search(client)
            proxy.down()
            patient = threading.Thread(target=search, args=(client, 60))
            patient.start()
            time.sleep(seconds)
            proxy.up()
            search(client, timeout=10)
            retries = client.stats()["retries"]
            patient.join(30)
            assert not patient.is_alive()
            assert client.stats()["reconnects"] == 1
            # At most a second apart, but no storm.
            assert retries <= 10 + 3 * seconds

    async def async_outage(seconds: float) -> None:
        with Proxy(port) as proxy:
            async with AsyncMilvusClient(proxy.uri) as client:
                await search_async(client)
                proxy.down()
                patient = [asyncio.ensure_future(search_async(client)) for _ in range(20)]
                await asyncio.sleep(seconds)
                proxy.up()
                await search_async(client, timeout=10)
                await asyncio.wait_for(asyncio.gather(*patient), 30)
                assert client.stats()["reconnects"] == 1

    lengths = (1.0, 5.0, 20.0)

    def work(i: int) -> None:
        if i < 3:
            outage(lengths[i])
        else:
            asyncio.run(async_outage(lengths[i - 3]))

    run_threads(6, work)
