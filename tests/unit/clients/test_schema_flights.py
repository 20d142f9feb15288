"""One DescribeCollection, however many callers need the schema at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from pymilvus import MilvusException
from pymilvus.exceptions import DescribeCollectionException
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import AsyncMilvusClient, MilvusClient, schema_cache
from tests.servers.recording import Call, Failure, RecordingServer

from . import replies

REFUSED = Failure(grpc.StatusCode.PERMISSION_DENIED, "not you")


class Gate:
    """Holds a server's answer back until it is opened."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.waiting = threading.Semaphore(0)

    def before(self, answer: Any) -> Callable[[Call], Any]:
        def wait(_: Call) -> Any:
            self.waiting.release()
            self._open.wait(60)
            return answer

        return wait

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


def in_threads(count: int, work: Callable[[int], Any]) -> tuple[list[threading.Thread], list[Any]]:
    """Started threads, and the list their results or exceptions go to."""
    results: list[Any] = []

    def run(number: int) -> None:
        try:
            results.append(work(number))
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    return threads, results


def test_a_thousand_tasks(server: RecordingServer, gate: Gate) -> None:
    server.set("DescribeCollection", gate.before(replies.describe()))

    async def main() -> list[Any]:
        async with AsyncMilvusClient(server.uri) as client:
            tasks = [asyncio.create_task(client.insert("things", replies.ROW)) for _ in range(1000)]
            await asyncio.to_thread(gate.waiting.acquire)
            gate.open()
            return await asyncio.gather(*tasks)

    results = asyncio.run(main())
    assert len(results) == 1000
    assert server.count("DescribeCollection") == 1
    assert server.count("Insert") == 1000
    assert server.count("Connect") == 1


def test_64_threads(server: RecordingServer, client: MilvusClient, gate: Gate) -> None:
    server.set("DescribeCollection", gate.before(replies.describe()))
    threads, results = in_threads(64, lambda _: client.insert("things", replies.ROW))
    gate.waiting.acquire()
    gate.open()
    for thread in threads:
        thread.join()
    assert [result["insert_count"] for result in results] == [1] * 64
    assert server.count("DescribeCollection") == 1
    assert server.count("Insert") == 64


def test_threads_and_loops_together(server: RecordingServer, gate: Gate) -> None:
    """Three loops of two clients, sixteen threads of a third."""
    server.set("DescribeCollection", gate.before(replies.describe()))
    shared = AsyncMilvusClient(server.uri)

    async def tasks(client: AsyncMilvusClient) -> None:
        await asyncio.gather(*(client.get("things", [1]) for _ in range(50)))

    async def own() -> None:
        async with AsyncMilvusClient(server.uri) as client:
            await tasks(client)

    with MilvusClient(server.uri) as sync:

        def work(number: int) -> None:
            if number < 2:
                asyncio.run(tasks(shared))
            elif number == 2:
                asyncio.run(own())
            else:
                sync.delete("things", ids=[1])

        threads, results = in_threads(19, work)
        gate.waiting.acquire()
        gate.open()
        for thread in threads:
            thread.join()
    asyncio.run(shared.close())
    assert results == [None] * 19
    assert server.count("DescribeCollection") == 1
    assert (server.count("Query"), server.count("Delete")) == (150, 16)


def test_leader_that_fails_is_followed_by_another(
    server: RecordingServer, client: MilvusClient, gate: Gate
) -> None:
    server.set("DescribeCollection", gate.before(REFUSED), replies.describe())
    threads, results = in_threads(1, lambda _: client.get("things", [1]))
    gate.waiting.acquire()
    others, other_results = in_threads(20, lambda _: client.get("things", [1]))
    waiting_for(server, 20)
    gate.open()
    for thread in threads + others:
        thread.join()
    assert isinstance(results[0], grpc.RpcError)
    assert len(other_results) == 20
    assert not [r for r in other_results if isinstance(r, Exception)]
    assert server.count("DescribeCollection") == 2


def waiting_for(server: RecordingServer, count: int) -> None:
    """Until `count` callers have joined the only flight of this test."""
    del server
    from milvus_native.schema_cache import _FLIGHTS

    while True:
        [flight] = _FLIGHTS._under_way.values()
        if len(flight._waiters) == count:
            return
        time.sleep(0.005)


def test_an_answer_that_stays_bad_is_not_asked_for_by_everyone(
    server: RecordingServer, client: MilvusClient, gate: Gate
) -> None:
    server.set("DescribeCollection", gate.before(replies.not_described()))
    threads, results = in_threads(1, lambda _: client.get("things", [1]))
    gate.waiting.acquire()
    others, other_results = in_threads(30, lambda _: client.get("things", [1]))
    waiting_for(server, 30)
    gate.open()
    for thread in threads + others:
        thread.join()
    errors = results + other_results
    assert {type(error) for error in errors} == {DescribeCollectionException}
    assert len({id(error) for error in errors}) == 31  # no two callers share an exception
    assert server.count("DescribeCollection") == 2


def test_leader_out_of_time_does_not_fail_the_others(
    server: RecordingServer, client: MilvusClient, gate: Gate
) -> None:
    server.set("DescribeCollection", gate.before(replies.describe()), replies.describe())
    threads, results = in_threads(1, lambda _: client.get("things", [1], timeout=0.3))
    gate.waiting.acquire()
    others, other_results = in_threads(10, lambda _: client.get("things", [1]))
    for thread in threads + others:
        thread.join()
    assert isinstance(results[0], grpc.RpcError)
    assert not [r for r in other_results if isinstance(r, Exception)]
    assert server.count("DescribeCollection") == 2


async def test_cancelled_leader(
    server: RecordingServer, async_client: AsyncMilvusClient, gate: Gate
) -> None:
    server.set("DescribeCollection", gate.before(replies.describe()), replies.describe())
    leader = asyncio.create_task(async_client.get("things", [1]))
    await asyncio.to_thread(gate.waiting.acquire)
    others = [asyncio.create_task(async_client.get("things", [1])) for _ in range(10)]
    await asyncio.sleep(0.05)
    leader.cancel()
    results = await asyncio.gather(*others)
    assert [len(rows) for rows in results] == [1] * 10
    assert leader.cancelled()
    assert server.count("DescribeCollection") == 2


async def test_cancelled_waiter(
    server: RecordingServer, async_client: AsyncMilvusClient, gate: Gate
) -> None:
    server.set("DescribeCollection", gate.before(replies.describe()))
    leader = asyncio.create_task(async_client.get("things", [1]))
    await asyncio.to_thread(gate.waiting.acquire)
    waiter = asyncio.create_task(async_client.get("things", [1]))
    await asyncio.sleep(0.05)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    gate.open()
    assert len(await leader) == 1
    assert server.count("DescribeCollection") == 1


def test_loop_that_ends_while_others_wait(server: RecordingServer, gate: Gate) -> None:
    """asyncio.run cancels the leader; a waiting thread fetches instead."""
    server.set("DescribeCollection", gate.before(replies.describe()), replies.describe())
    results: list[Any] = []

    async def lead() -> None:
        client = AsyncMilvusClient(server.uri)
        async with client:
            task = asyncio.create_task(client.get("things", [1]))
            await asyncio.to_thread(gate.waiting.acquire)
            threads.extend(in_threads(1, lambda _: results.append(sync.get("things", [1])))[0])
            await asyncio.to_thread(waiting_for, server, 1)
            del task

    threads: list[threading.Thread] = []
    with MilvusClient(server.uri) as sync:
        asyncio.run(lead())
        for thread in threads:
            thread.join()
    assert len(results) == 1


async def test_sync_call_on_the_loop_of_the_leader(
    server: RecordingServer, async_client: AsyncMilvusClient, gate: Gate
) -> None:
    """It would wait for ever if it waited for the task that it keeps from running."""
    server.set("DescribeCollection", gate.before(replies.describe()), replies.describe())
    leader = asyncio.create_task(async_client.get("things", [1]))
    await asyncio.to_thread(gate.waiting.acquire)
    with MilvusClient(server.uri) as sync:
        assert len(sync.get("things", [1])) == 1
    gate.open()
    assert len(await leader) == 1


def test_dropped_while_it_was_fetched(server: RecordingServer, gate: Gate) -> None:
    """The answer is from before the drop: it is asked for again, and never cached."""
    old, new = replies.describe(pk="old", version=1), replies.describe(pk="new", version=2)
    server.set("DescribeCollection", gate.before(old), new)
    server.set("DropCollection", replies.status())
    with MilvusClient(server.uri) as client, MilvusClient(server.uri) as dropper:
        threads, results = in_threads(1, lambda _: client.get("things", [1]))
        gate.waiting.acquire()
        dropper.drop_collection("things")
        gate.open()
        threads[0].join()
        assert len(results[0]) == 1
        client.get("things", [1])
    expressions = [
        milvus_pb2.QueryRequest.FromString(call.request).expr for call in server.take("Query")
    ]
    assert expressions == ["new in [1]"] * 2
    assert server.count("DescribeCollection") == 2


def test_principals_and_databases_do_not_share(server: RecordingServer) -> None:
    settings: list[dict[str, Any]] = [{}, {"token": "a"}, {"token": "b"}, {"db_name": "d"}]
    for options in settings * 2:
        with MilvusClient(server.uri, **options) as client:
            client.get("things", [1])
    assert server.count("DescribeCollection") == len(settings)
    with MilvusClient(server.uri, db_name="default") as client:
        client.get("things", [1])
    assert server.count("DescribeCollection") == len(settings)


def test_clients_share_across_kinds(server: RecordingServer, client: MilvusClient) -> None:
    client.get("things", [1])

    async def main() -> None:
        async with AsyncMilvusClient(server.uri) as other:
            await other.insert("things", replies.ROW)

    asyncio.run(main())
    assert server.count("DescribeCollection") == 1


def test_has_collection_fills_the_cache(server: RecordingServer, client: MilvusClient) -> None:
    assert client.has_collection("things")
    client.insert("things", replies.ROW)
    assert server.count("DescribeCollection") == 1
    assert client.stats()["control"] == {}


@pytest.mark.parametrize(
    "status",
    [
        {"code": 100},
        {"error_code": 4},
        {"code": 100, "error_code": 4},
        {"error_code": 1, "reason": "can't find collection: things"},
    ],
)
def test_has_no_collection(
    server: RecordingServer, client: MilvusClient, status: dict[str, Any]
) -> None:
    reply = milvus_pb2.DescribeCollectionResponse(status=status)
    server.set("DescribeCollection", reply.SerializeToString())
    assert client.has_collection("things") is False


def test_has_collection_reports_other_errors(server: RecordingServer, client: MilvusClient) -> None:
    server.set("DescribeCollection", replies.not_described(code=1400, reason="who?"))
    reply = milvus_pb2.DescribeCollectionResponse(status=replies.failed(1400, "who?"))
    server.set("DescribeCollection", reply.SerializeToString())
    with pytest.raises(MilvusException, match=r"who\?") as caught:
        client.has_collection("things")
    assert type(caught.value) is MilvusException
    assert caught.value.code == 1400


def test_statistics(server: RecordingServer, client: MilvusClient) -> None:
    before = schema_cache.stats()
    client.get("things", [1])
    client.get("things", [1])
    after = schema_cache.stats()
    assert after["fetches"] - before["fetches"] == 1
    assert after["hits"] - before["hits"] == 1
    assert after["entries"] == 1
    schema_cache.clear()
    assert schema_cache.stats()["entries"] == 0
    client.get("things", [1])
    assert server.count("DescribeCollection") == 2


STATISTICS = {
    *("hits", "misses", "fetches", "waits", "refreshes", "evictions", "expirations"),
    *("invalidations", "refused", "entries", "bytes", "capacity", "max_age", "generation"),
}


def test_every_counter(server: RecordingServer, client: MilvusClient, gate: Gate) -> None:
    """What the rules predict, to the last one."""

    def since() -> dict[str, Any]:
        now = schema_cache.stats()
        assert set(now) == STATISTICS
        change = {
            name: now[name] - before[name]
            for name in ("hits", "misses", "fetches", "waits", "evictions", "invalidations")
        }
        change |= {name: now["refreshes"][name] - count for name, count in causes.items()}
        return {name: count for name, count in change.items() if count}

    before = schema_cache.stats()
    causes = before["refreshes"]
    server.set("DescribeCollection", gate.before(replies.describe(version=1)))
    threads, _ = in_threads(3, lambda _: client.get("things", [1]))
    gate.waiting.acquire()
    waiting_for(server, 2)
    gate.open()
    for thread in threads:
        thread.join()
    assert since() == {"misses": 3, "fetches": 1, "waits": 2}
    schema = schema_cache.peek(client, "things")
    assert schema is not None
    assert since() == {"misses": 3, "fetches": 1, "waits": 2}
    assert schema_cache.stats()["bytes"] == schema.nbytes

    before = schema_cache.stats()
    client.insert("things", replies.ROW)
    client.upsert("things", replies.ROW)
    client.search("things", [[0.0] * 4])  # needs no schema
    assert since() == {"hits": 2}
    server.set("Insert", replies.mutation(status=replies.MISMATCH), replies.mutation(1))
    client.insert("things", replies.ROW)
    assert since() == {"hits": 3, "fetches": 1, "mismatch": 1, "invalidations": 1}
    server.set("Query", replies.query(status=replies.failed(1100)))
    with pytest.raises(MilvusException):
        client.get("things", [1])
    with pytest.raises(MilvusException):
        client.insert("things", {"id": 1, "vector": [0.0]})
    expected = {"hits": 5, "fetches": 3, "invalidations": 3}
    assert since() == {**expected, "mismatch": 1, "error": 1, "input": 1}
    assert server.count("DescribeCollection") == 4


def test_peek(server: RecordingServer, client: MilvusClient) -> None:
    assert schema_cache.peek(client, "things") is None
    assert server.count("DescribeCollection") == 0
    client.get("things", [1])
    schema = schema_cache.peek(client, "things")
    assert schema is not None
    assert schema.field_names == ("id", "vector")
    with MilvusClient(server.uri, token="root:Milvus") as other:
        assert schema_cache.peek(other, "things") is None  # another principal
    same = AsyncMilvusClient(server.uri)
    assert schema_cache.peek(same, "things") is schema


def test_no_room(server: RecordingServer, client: MilvusClient) -> None:
    """Each call asks once."""
    capacity = schema_cache.stats()["capacity"]
    try:
        schema_cache.configure(capacity=0)
        for _ in range(3):
            client.get("things", [1])
    finally:
        schema_cache.configure(capacity=capacity)
    assert server.count("DescribeCollection") == 3


def test_invalidated_between_fetch_and_landing(server: RecordingServer) -> None:
    """Who joins a flight after the invalidation does not get what was fetched before it."""
    from milvus_native.effects import NeedSchema, Rpc, Wait
    from milvus_native.schema_cache import CACHE, lookup
    from milvus_native.scope import Scope

    scope = Scope("nowhere:1", "", "")

    def reply(effect: Any, version: int) -> Any:
        assert isinstance(effect, Rpc)
        assert effect.decode is not None
        return effect.decode(replies.describe(version=version))

    leader = lookup(scope, NeedSchema("things"))
    effect = next(leader)
    waiter = lookup(scope, NeedSchema("things"))

    class Between:
        """Joins and invalidates when the leader lands: after its put, before it wakes anybody."""

        def __init__(self, land: Any) -> None:
            self.land = land

        def __call__(self, flight: Any, *args: Any, **kwargs: Any) -> None:
            if not flight.landed:
                CACHE.invalidate(scope.schema_key("things"))
                assert isinstance(next(waiter), Wait)
            self.land(flight, *args, **kwargs)

    from milvus_native import flights

    original = flights.Flight.land
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flights.Flight, "land", lambda *a, **k: Between(original)(*a, **k))
        with pytest.raises(StopIteration) as landed:
            leader.send(reply(effect, 1))
    assert landed.value.value.update_timestamp == 1  # asked for before the invalidation
    with pytest.raises(StopIteration) as served:
        waiter.send(reply(waiter.send(True), 2))
    assert served.value.value.update_timestamp == 2


def test_a_herd_of_everything(server: RecordingServer, gate: Gate) -> None:
    """A thousand tasks on three loops, and 64 threads, at once on a cold key."""
    server.set("DescribeCollection", gate.before(replies.describe()))
    client = MilvusClient(server.uri)
    shared = AsyncMilvusClient(server.uri)

    async def tasks(count: int) -> None:
        await asyncio.gather(*(shared.insert("things", replies.ROW) for _ in range(count)))

    def work(number: int) -> None:
        if number < 3:
            asyncio.run(tasks((334, 333, 333)[number]))
        else:
            client.insert("things", replies.ROW)

    with client:
        threads, results = in_threads(67, work)
        gate.waiting.acquire()
        waiting_for(server, 1063)
        gate.open()
        for thread in threads:
            thread.join()
    asyncio.run(shared.close())
    assert results == [None] * 67
    assert server.count("DescribeCollection") == 1
    assert server.count("Insert") == 1064


def test_waiters_keep_their_deadlines_while_a_fetch_hangs(
    server: RecordingServer, client: MilvusClient, gate: Gate
) -> None:
    server.set("DescribeCollection", gate.before(replies.describe()))
    threads, results = in_threads(1, lambda _: client.get("things", [1]))
    gate.waiting.acquire()
    short, short_results = in_threads(8, lambda _: client.get("things", [1], timeout=0.2))

    async def tasks() -> list[Any]:
        async with AsyncMilvusClient(server.uri) as other:
            calls = (other.get("things", [1], timeout=0.2) for _ in range(8))
            return await asyncio.gather(*calls, return_exceptions=True)

    errors = asyncio.run(tasks())
    for thread in short:
        thread.join()
    assert [type(error).__name__ for error in errors] == ["MilvusException"] * 8
    assert all(isinstance(error, grpc.RpcError) for error in short_results)
    assert not results  # the leader has all the time it wants
    gate.open()
    threads[0].join()
    assert len(results[0]) == 1
    assert server.count("DescribeCollection") == 1


def test_bounds(server: RecordingServer, client: MilvusClient) -> None:
    capacity = schema_cache.stats()["capacity"]
    try:
        schema_cache.configure(capacity=2)
        for name in ("a", "b", "c", "a"):
            client.get(name, [1])
        assert server.count("DescribeCollection") == 4
        schema_cache.configure(max_age=0.0001)
        time.sleep(0.01)
        client.get("a", [1])
        assert server.count("DescribeCollection") == 5
    finally:
        schema_cache.configure(capacity=capacity, max_age=None)
