"""Batches of rows, the calls that change or read them, and what has to be there afterwards.

Rows follow from their key and version, so whoever reads one knows whether it is right. Each batch
is touched by one call at a time: what the server may hold of it is known after every call, also
after one that failed.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import grpc
import pymilvus
from pymilvus import DataType, MilvusException

from milvus_native import AsyncMilvusClient, MilvusClient
from milvus_native.calls import NOT_SENT_AGAIN

T = TypeVar("T")

DIM = 8
ROWS = 5  # of a batch
WRITES = ("insert", "upsert", "delete")
NOTHING = 0  # the version of rows that are not there
EVERYTHING = 16_384  # rows that one query may return

PATIENCE = 120.0  # seconds beyond its deadline after which a call is said to hang


def create(uri: str, name: str, **options: Any) -> None:
    """The collection, by pymilvus and past the proxy. Reads see all that was written."""
    client = pymilvus.MilvusClient(uri, **options)
    schema = client.create_schema(auto_id=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=DIM)
    schema.add_field("version", DataType.INT64)
    schema.add_field("text", DataType.VARCHAR, max_length=100)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="L2")
    client.create_collection(name, schema=schema, index_params=index, consistency_level="Strong")
    client.close()


def load(uri: str, name: str, seconds: float = 120.0) -> None:
    """Makes the collection readable on a server that has just been started, once it can be."""
    by = time.monotonic() + seconds
    while True:
        client = pymilvus.MilvusClient(uri)
        try:
            client.load_collection(name)
            return
        except MilvusException:
            if time.monotonic() > by:
                raise
        finally:
            client.close()
        time.sleep(0.5)


def row(key: int, version: int) -> dict[str, Any]:
    """Exact in float32, and another one for each key and version."""
    vector = [float(key), float(version), *(float(key * i % 101) for i in range(2, DIM))]
    return {"id": key, "vector": vector, "version": version, "text": f"{key} in version {version}"}


def is_right(found: Any) -> bool:
    """Whether what the server gave for a row is what was once written, as a whole."""
    return dict(found) == row(found["id"], found["version"])


@dataclass
class Batch:
    """`version` is there, unless one of `doubts` is, which calls that failed may have made."""

    first: int
    version: int = NOTHING
    doubts: set[int] = field(default_factory=set)

    @property
    def keys(self) -> list[int]:
        return list(range(self.first, self.first + ROWS))

    @property
    def possible(self) -> set[int]:
        return {self.version, *self.doubts}


class Op(NamedTuple):
    """One call. `version` is what it makes of the batch."""

    kind: str  # the client's method
    batch: Batch
    version: int = NOTHING

    def call(self, client: Any, collection: str, timeout: float, **more: Any) -> Any:
        keys = self.batch.keys
        if self.kind in ("insert", "upsert"):
            rows = [row(key, self.version) for key in keys]
            return getattr(client, self.kind)(collection, rows, timeout=timeout, **more)
        if self.kind == "delete":
            return client.delete(collection, ids=keys, timeout=timeout, **more)
        if self.kind == "query":
            return client.query(collection, ids=keys, output_fields=["*"], timeout=timeout, **more)
        assert self.kind == "search"
        wanted = row(keys[-1], self.batch.version)["vector"]
        return client.search(
            collection,
            [wanted],
            limit=1,
            output_fields=["*"],
            consistency_level="Strong",
            timeout=timeout,
            **more,
        )

    def settle(self, reply: Any) -> None:
        """AssertionError unless it is the right reply."""
        batch = self.batch
        if self.kind == "insert":
            assert reply["insert_count"] == ROWS, reply
            assert list(reply["ids"]) == batch.keys, reply
        elif self.kind == "upsert":
            assert reply["upsert_count"] == ROWS, reply
        elif self.kind == "query":
            expected = [row(key, batch.version) for key in batch.keys] if batch.version else []
            assert sorted(map(dict, reply), key=lambda r: r["id"]) == expected, reply
        elif self.kind == "search":
            [[hit]] = reply
            assert hit["distance"] == 0.0, reply
            assert dict(hit["entity"]) == row(batch.keys[-1], batch.version), reply
        if self.kind in WRITES:
            batch.version = self.version
            batch.doubts.clear()

    def failed(self, error: Exception) -> str:
        """What the client says has become of the call; AssertionError if that is not allowed."""
        what = verdict(error)
        if self.kind in WRITES and what != "not connected":
            self.batch.doubts.add(self.version)
        if what == "may have acted":
            assert self.kind == "insert", f"{self.kind} may be sent again: {error!r}"
        return what


def verdict(error: Exception) -> str:
    """What a failed call says of its fate. AssertionError for what callers are not told of."""
    if isinstance(error, MilvusException):
        text = str(error)
        if NOT_SENT_AGAIN in text:
            assert isinstance(error.code, grpc.StatusCode), repr(error)
            return "may have acted"
        if "Retry timeout" in text:
            return "out of time"
        if "Fail connecting" in text:
            return "not connected"
        assert isinstance(error.code, int), repr(error)
        assert "Unexpected error" not in text, repr(error)
        return "refused"  # by the server, in so many words
    assert isinstance(error, grpc.RpcError), repr(error)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED, repr(error)
    return "out of time"


class Outcome(NamedTuple):
    op: Op
    verdict: str  # "done", or what Op.failed says
    error: Exception | None
    seconds: float


class Crowd:
    """One client of either kind, many calls at once.

    `begun` and `answered` count calls, for those who want something to happen meanwhile.
    """

    def __init__(self, kind: str, uri: str, collection: str, **options: Any) -> None:
        self.kind = kind
        self.collection = collection
        self.begun = 0
        self.answered = 0
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.client: Any
        if kind == "sync":
            self.client = MilvusClient(uri, **options)
        else:
            self._loop = asyncio.new_event_loop()
            self.client = AsyncMilvusClient(uri, **options)

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is None:
            self.client.close()
        else:
            self._loop.run_until_complete(self.client.close())
            self._loop.close()

    def run(self, work: Coroutine[Any, Any, T], seconds: float = 2 * PATIENCE) -> T:
        """On the loop of an async client. TimeoutError if it hangs."""
        assert self._loop is not None
        return self._loop.run_until_complete(asyncio.wait_for(work, seconds))

    def gather(
        self,
        ops: Iterable[Op],
        timeout: float,
        *,
        in_flight: int = 1000,
        meanwhile: Callable[[], None] | None = None,
        **more: Any,
    ) -> list[Outcome]:
        """Makes the calls, `in_flight` of them at a time, and waits for all.

        Each outcome is settled with its batch, in the order in which the calls end. `meanwhile`
        runs in a thread beside them.
        """
        ops = list(ops)
        with ThreadPoolExecutor(1) as aside:
            future = None if meanwhile is None else aside.submit(meanwhile)
            if self._loop is None:
                outcomes = self._in_threads(ops, timeout, min(in_flight, 32), more)
            else:
                work = self._in_tasks(ops, timeout, in_flight, more)
                outcomes = self.run(work, 2 * (timeout + PATIENCE))
            if future is not None:
                future.result()
        for outcome in outcomes:
            assert outcome.seconds < timeout + PATIENCE, f"hung: {outcome}"
        return outcomes

    def _in_threads(
        self, ops: list[Op], timeout: float, threads: int, more: dict[str, Any]
    ) -> list[Outcome]:
        def work(op: Op) -> Outcome:
            started = self._begin()
            try:
                reply = op.call(self.client, self.collection, timeout, **more)
            except Exception as error:
                return self._end(op, error, started)
            return self._end(op, reply, started)

        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(work, ops))

    async def _in_tasks(
        self, ops: list[Op], timeout: float, in_flight: int, more: dict[str, Any]
    ) -> list[Outcome]:
        places = asyncio.Semaphore(in_flight)

        async def work(op: Op) -> Outcome:
            async with places:
                started = self._begin()
                try:
                    reply = await op.call(self.client, self.collection, timeout, **more)
                except Exception as error:
                    return self._end(op, error, started)
                return self._end(op, reply, started)

        return await asyncio.gather(*(work(op) for op in ops))

    def _begin(self) -> float:
        with self._lock:
            self.begun += 1
        return time.monotonic()

    def _end(self, op: Op, result: Any, started: float) -> Outcome:
        seconds = time.monotonic() - started
        with self._lock:
            self.answered += 1
        if isinstance(result, Exception):
            return Outcome(op, op.failed(result), result, seconds)
        op.settle(result)
        return Outcome(op, "done", None, seconds)

    def until(self, happened: Callable[[], bool]) -> None:
        """Waits for something that its calls bring about; for `meanwhile`."""
        by = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < by, f"{self.begun} calls begun, {self.answered} answered"
            time.sleep(0.005)


class Findings(NamedTuple):
    """What a witness finds of some batches."""

    versions: dict[int, int]  # by key
    counted: int  # what count(*) says


def look(uri: str, collection: str, batches: Iterable[Batch], **options: Any) -> Findings:
    """Read by pymilvus past the proxy. AssertionError for a row that is wrong, or there twice."""
    firsts = [batch.first for batch in batches]
    where = f"id >= {min(firsts)} and id < {max(firsts) + ROWS}"
    for tries_left in reversed(range(5)):
        try:
            found, counted = _ask(uri, collection, where, options)
            break
        except MilvusException:
            # A busy milvus-lite ends pymilvus's connections for the PINGs that come meanwhile.
            if not tries_left:
                raise
    wrong = [given for given in found if not is_right(given)]
    assert not wrong
    versions = {given["id"]: given["version"] for given in found}
    assert len(versions) == len(found), "a key is there twice"
    return Findings(versions, counted)


def _ask(uri: str, collection: str, where: str, options: dict[str, Any]) -> tuple[Any, int]:
    """All rows, and what count(*) says."""
    witness = pymilvus.MilvusClient(uri, **options)
    try:
        asked: dict[str, Any] = {"filter": where, "consistency_level": "Strong"}
        [counted] = witness.query(collection, output_fields=["count(*)"], **asked)
        found = witness.query(collection, output_fields=["*"], limit=EVERYTHING, **asked)
        return found, counted["count(*)"]
    finally:
        witness.close()


def look_when_settled(
    uri: str, collection: str, batches: Iterable[Batch], **options: Any
) -> Findings:
    """Once nothing changes any more: what a server has under way goes on when its connection is
    lost, or when the caller has given it up. `options` are a client's, as in `look`."""
    batches = list(batches)
    found, same = look(uri, collection, batches, **options), 0
    while same < 2:
        time.sleep(0.3)
        now = look(uri, collection, batches, **options)
        same = same + 1 if now == found else 0
        found = now
    return found


def check(batches: Iterable[Batch], found: Findings) -> None:
    """AssertionError unless each batch is there as it must, and nothing else, and nothing twice."""
    expected = set()
    for batch in batches:
        for key in batch.keys:
            version = found.versions.get(key, NOTHING)
            assert version in batch.possible, (key, version, batch)
            if version:
                expected.add(key)
    assert found.versions.keys() == expected
    assert found.counted == len(found.versions), "rows are there twice"


def put_right(crowd: Crowd, outcomes: Iterable[Outcome], timeout: float) -> None:
    """Makes the writes that failed again, inserts by upsert: afterwards nothing is in doubt."""
    again = []
    for op in (outcome.op for outcome in outcomes if outcome.verdict != "done"):
        if op.kind == "delete":
            again.append(op)
        elif op.version:
            again.append(Op("upsert", op.batch, op.version + 1))
    all_done(crowd.gather(again, timeout))
    assert not any(op.batch.doubts for op in again)


def all_done(outcomes: Iterable[Outcome]) -> None:
    """AssertionError for the first that is not."""
    for outcome in outcomes:
        assert outcome.verdict == "done", outcome
