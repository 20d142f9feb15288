"""What is tried again, how often, and what is raised in the end; all within one deadline."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from pymilvus import MilvusException
from pymilvus.exceptions import DescribeCollectionException

from milvus_native import AsyncMilvusClient, MilvusClient, schema_cache
from tests.servers.recording import Call, Failure, RecordingServer

from . import replies
from .calls import ALL_CALLS, SCHEMA_CALLS, DataCall
from .conftest import Either
from .replies import held

UNAVAILABLE = Failure(grpc.StatusCode.UNAVAILABLE, "down")
NOT_RETRIED = [
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNIMPLEMENTED,
]
RETRIED = [
    code
    for code in grpc.StatusCode
    if code not in (*NOT_RETRIED, grpc.StatusCode.OK, grpc.StatusCode.CANCELLED)
]


@pytest.mark.parametrize("call", ALL_CALLS.values(), ids=ALL_CALLS)
@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL])
def test_transient_failure(
    server: RecordingServer, either: Either, call: DataCall, code: grpc.StatusCode
) -> None:
    server.set(call.rpc, Failure(code), Failure(code), call.reply())
    either.call(call, retry_writes=True)
    first, *rest = server.take(call.rpc)
    assert [other.request for other in rest] == [first.request] * 2
    assert either.client.stats()["retries"] == 2


@pytest.mark.parametrize("asked", ["client", "call", "nobody"])
@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL])
@pytest.mark.parametrize("kind", [MilvusClient, AsyncMilvusClient])
def test_insert_that_may_have_been_made(
    server: RecordingServer, kind: Any, code: grpc.StatusCode, asked: str
) -> None:
    """It is not made twice, unless the user says that it may."""
    server.set("Insert", Failure(code, "who knows"), ALL_CALLS["insert"].reply())
    by_client = {"retry_writes": True} if asked == "client" else {}
    by_call = {"retry_writes": True} if asked == "call" else {}

    def insert() -> None:
        if kind is MilvusClient:
            with MilvusClient(server.uri, **by_client) as client:
                ALL_CALLS["insert"].on(client, **by_call)
            return

        async def main() -> None:
            async with AsyncMilvusClient(server.uri, **by_client) as client:
                await ALL_CALLS["insert"].on(client, **by_call)

        asyncio.run(main())

    if asked == "nobody":
        text = r"\[insert_rows\] The server may have acted .*retry_writes=True.*who knows"
        with pytest.raises(MilvusException, match=text) as caught:
            insert()
        assert caught.value.code is code
        assert server.count("Insert") == 1
    else:
        insert()
        assert server.count("Insert") == 2


def test_insert_that_the_server_shed(server: RecordingServer, either: Either) -> None:
    """What gRPC's C core says of calls that it never gave to the program."""
    shed = Failure(grpc.StatusCode.CANCELLED, "CANCELLED")
    server.set("Insert", shed, shed, ALL_CALLS["insert"].reply())
    either.call(ALL_CALLS["insert"])
    assert either.client.stats()["retries"] == 2
    server.set("Insert", Failure(grpc.StatusCode.CANCELLED, "context canceled"))
    with pytest.raises(MilvusException, match="retry_writes"):
        either.call(ALL_CALLS["insert"])


def test_appending_is_not_repeated(server: RecordingServer, either: Either) -> None:
    """Upserts are, but one that appends to an array does more the second time."""
    server.set("Upsert", UNAVAILABLE, ALL_CALLS["upsert"].reply())
    row = {**replies.ROW, "tags": [1]}
    server.set("DescribeCollection", replies.describe(with_tags=True))
    with pytest.raises(MilvusException, match="retry_writes"):
        either.upsert("things", [row], field_ops={"tags": "array_append"})
    assert server.count("Upsert") == 1


@pytest.mark.parametrize("code", RETRIED, ids=lambda code: code.name)
def test_retried_codes(server: RecordingServer, either: Either, code: grpc.StatusCode) -> None:
    server.set("Query", Failure(code, "why"))
    with pytest.raises(MilvusException, match=r"\[query\] Retry run out of 2 .*why") as caught:
        either.call(ALL_CALLS["query-filter"], retry_times=2)
    assert caught.value.code is code
    assert server.count("Query") == 3


@pytest.mark.parametrize("code", NOT_RETRIED, ids=lambda code: code.name)
def test_codes_that_are_not_retried(
    server: RecordingServer, either: Either, code: grpc.StatusCode
) -> None:
    server.set("Query", Failure(code, "why"))
    with pytest.raises(grpc.RpcError) as caught:
        either.call(ALL_CALLS["query-filter"])
    assert caught.value.code() is code
    assert caught.value.details() == "why"
    assert server.count("Query") == 1


@pytest.mark.parametrize("call", ALL_CALLS.values(), ids=ALL_CALLS)
def test_rate_limit_is_waited_out(server: RecordingServer, either: Either, call: DataCall) -> None:
    server.set(call.rpc, call.reply(replies.RATE_LIMIT), call.reply())
    either.call(call)
    assert server.count(call.rpc) == 2
    assert server.count("Connect") == 1  # the session is not at fault


@pytest.mark.parametrize("status", [{"code": 8}, {"error_code": 49}], ids=["new", "legacy"])
def test_either_code_of_a_rate_limit(
    server: RecordingServer, either: Either, status: dict[str, int]
) -> None:
    refused = replies.query(status=replies.common_pb2.Status(**status))
    server.set("Query", refused, replies.query(1))
    either.call(ALL_CALLS["query-filter"])
    assert server.count("Query") == 2


def test_rate_limit_without_retry(server: RecordingServer, either: Either) -> None:
    server.set("Query", replies.query(status=replies.RATE_LIMIT))
    with pytest.raises(MilvusException, match="slow down") as caught:
        either.call(ALL_CALLS["query-filter"], retry_on_rate_limit=False)
    assert caught.value.code == 8
    assert caught.value.compatible_code == 49
    assert server.count("Query") == 1


def test_rate_limit_until_tries_run_out(server: RecordingServer, either: Either) -> None:
    server.set("Query", replies.query(status=replies.RATE_LIMIT))
    text = r"\[query\] Retry run out of 3 retry times, message=slow down"
    with pytest.raises(MilvusException, match=text) as caught:
        either.call(ALL_CALLS["query-filter"], retry_times=3)
    assert caught.value.code == 8
    assert server.count("Query") == 4


def test_rate_limit_until_time_runs_out(server: RecordingServer, either: Either) -> None:
    server.set("Query", replies.query(status=replies.RATE_LIMIT))
    text = r"\[query\] Retry timeout: 0.3s, message=slow down"
    with pytest.raises(MilvusException, match=text) as caught:
        either.call(ALL_CALLS["query-filter"], timeout=0.3)
    assert caught.value.code == 8


@pytest.mark.parametrize("call", ALL_CALLS.values(), ids=ALL_CALLS)
def test_server_errors_are_not_retried(
    server: RecordingServer, either: Either, call: DataCall
) -> None:
    refused = replies.failed(1400, "who?", extra_info={"is_input_error": "true"})
    server.set(call.rpc, call.reply(refused))
    with pytest.raises(MilvusException) as caught:
        either.call(call)
    error = caught.value
    assert type(error) is MilvusException
    assert (error.code, error.message, error.compatible_code) == (1400, "who?", 0)
    assert error.is_input_error
    assert not error.retriable
    assert error.__cause__ is None
    assert server.count(call.rpc) == 1


def test_async_delete_reports_errors(server: RecordingServer) -> None:
    """pymilvus's async delete returns {} here."""
    server.set("Delete", replies.mutation(status=replies.failed(1100, "bad filter")))

    async def main() -> None:
        async with AsyncMilvusClient(server.uri) as client:
            await client.delete("things", filter="id ><")

    with pytest.raises(MilvusException, match="bad filter"):
        asyncio.run(main())


@pytest.mark.parametrize("call", SCHEMA_CALLS.values(), ids=SCHEMA_CALLS)
def test_describe_is_retried(server: RecordingServer, either: Either, call: DataCall) -> None:
    server.set("DescribeCollection", UNAVAILABLE, replies.describe())
    either.call(call)
    assert server.count("DescribeCollection") == 2


@pytest.mark.parametrize("call", SCHEMA_CALLS.values(), ids=SCHEMA_CALLS)
def test_collection_that_does_not_exist(
    server: RecordingServer, either: Either, call: DataCall
) -> None:
    server.set("DescribeCollection", replies.not_described())
    with pytest.raises(DescribeCollectionException) as caught:
        either.call(call)
    assert (caught.value.code, caught.value.compatible_code) == (100, 4)
    assert server.count("DescribeCollection") == 1
    assert server.count(call.rpc) == 0


def test_replicate_violation_is_retried_on_a_new_session(
    server: RecordingServer, either: Either
) -> None:
    refused = replies.failed(65535, "code: STREAMING_CODE_REPLICATE_VIOLATION")
    server.set("Insert", replies.mutation(status=refused), replies.mutation(1, insert_cnt=1))
    either.call(ALL_CALLS["insert"])
    assert server.count("Insert") == 2
    assert server.count("Connect") == 2


def test_nothing_is_logged(
    server: RecordingServer, either: Either, caplog: pytest.LogCaptureFixture
) -> None:
    server.set("Query", UNAVAILABLE, replies.query(status=replies.failed(5)))
    with caplog.at_level(logging.DEBUG), pytest.raises(MilvusException):
        either.call(ALL_CALLS["query-filter"])
    assert not [r for r in caplog.records if r.name.startswith(("milvus_native", "pymilvus"))]


# deadlines


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds back the answers made with held() until it is set, or the test is over."""
    gate = threading.Event()
    yield gate
    gate.set()


def after(seconds: float, reply: Any) -> Callable[[Call], Any]:
    def answer(_: Call) -> Any:
        time.sleep(seconds)
        return reply

    return answer


@contextmanager
def not_held_up() -> Iterator[None]:
    """The block ends long before a held answer would come."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < 20


def timed_out(caught: pytest.ExceptionInfo[Exception], name: str, timeout: float) -> None:
    """grpc.RpcError from the sync client, MilvusException from the async one, as with pymilvus."""
    error = caught.value
    if isinstance(error, grpc.RpcError):
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    else:
        assert isinstance(error, MilvusException)
        assert f"[{name}] Retry timeout: {timeout}s" in error.message
        assert error.code == 1


@pytest.mark.parametrize("call", ALL_CALLS.values(), ids=ALL_CALLS)
def test_answer_that_does_not_come(
    server: RecordingServer, either: Either, gate: threading.Event, call: DataCall
) -> None:
    server.set(call.rpc, held(gate, call.reply()))
    with not_held_up(), pytest.raises((grpc.RpcError, MilvusException)) as caught:
        either.call(call, timeout=0.3)
    timed_out(caught, call.inner, 0.3)


def test_kinds_of_timeouts(server: RecordingServer, gate: threading.Event) -> None:
    server.set("Query", held(gate, replies.query(1)))
    with MilvusClient(server.uri) as client, pytest.raises(grpc.RpcError):
        client.query("things", "id > 1", timeout=0.1)

    async def main() -> None:
        async with AsyncMilvusClient(server.uri) as client:
            await client.query("things", "id > 1", timeout=0.1)

    with pytest.raises(MilvusException):
        asyncio.run(main())


@pytest.mark.parametrize("call", SCHEMA_CALLS.values(), ids=SCHEMA_CALLS)
def test_the_schema_is_fetched_within_the_deadline(
    server: RecordingServer, either: Either, call: DataCall
) -> None:
    server.set("DescribeCollection", after(0.3, replies.describe()))
    either.call(call, timeout=5)
    first, second = server.take()
    assert (first.method, second.method) == ("DescribeCollection", call.rpc)
    assert first.time_remaining is not None
    assert second.time_remaining is not None
    assert second.time_remaining < first.time_remaining - 0.25


@pytest.mark.parametrize("call", SCHEMA_CALLS.values(), ids=SCHEMA_CALLS)
def test_schema_that_does_not_come(
    server: RecordingServer, either: Either, gate: threading.Event, call: DataCall
) -> None:
    server.set("DescribeCollection", held(gate, replies.describe()))
    with not_held_up(), pytest.raises((grpc.RpcError, MilvusException)) as caught:
        either.call(call, timeout=0.3)
    timed_out(caught, call.inner, 0.3)


def test_every_try_has_the_time_that_is_left(server: RecordingServer, either: Either) -> None:
    server.set("Query", after(0.1, UNAVAILABLE))
    with pytest.raises(MilvusException, match=r"Retry timeout: 0\.6s.*UNAVAILABLE"):
        either.call(ALL_CALLS["query-filter"], timeout=0.6)
    left = [call.time_remaining for call in server.take("Query")]
    assert len(left) >= 3
    for earlier, later in itertools.pairwise(left):
        assert earlier is not None
        assert later is not None
        assert later < earlier - 0.09


def test_without_a_timeout_there_is_no_deadline(server: RecordingServer, either: Either) -> None:
    either.call(ALL_CALLS["query-filter"])
    [call] = server.take("Query")
    assert call.time_remaining is None or call.time_remaining > 10**6


@pytest.mark.parametrize("timeout", [0, -1, 0.0])
def test_no_time_at_all(server: RecordingServer, either: Either, timeout: float) -> None:
    with pytest.raises((grpc.RpcError, MilvusException)) as caught:
        either.call(ALL_CALLS["query-filter"], timeout=timeout)
    timed_out(caught, "query", timeout)
    assert server.count("Query") == 0


def test_infinite_timeout(either: Either) -> None:
    either.call(ALL_CALLS["query-filter"], timeout=float("inf"))


@pytest.mark.parametrize("call", ALL_CALLS.values(), ids=ALL_CALLS)
@pytest.mark.parametrize("timeout", ["5", float("nan"), []])
def test_what_is_no_timeout(either: Either, call: DataCall, timeout: Any) -> None:
    with pytest.raises(MilvusException) as caught:
        either.call(call, timeout=timeout)
    assert caught.value.code == 1
    assert "timeout" in caught.value.message or "float" in caught.value.message


def test_waiting_for_the_schema_keeps_the_deadline(
    server: RecordingServer, either: Either, gate: threading.Event
) -> None:
    """The fetch of another call takes longer than this call may."""
    server.set("DescribeCollection", held(gate, replies.describe()))
    with MilvusClient(server.uri) as other:
        leader = threading.Thread(target=lambda: other.get("things", [1]))
        leader.start()
        while not server.count("DescribeCollection"):
            time.sleep(0.01)
        with not_held_up(), pytest.raises((grpc.RpcError, MilvusException)) as caught:
            either.call(ALL_CALLS["insert"], timeout=0.2)
        timed_out(caught, "insert_rows", 0.2)
        gate.set()
        leader.join()
    assert server.count("DescribeCollection") == 1
    assert schema_cache.stats()["entries"] == 1
