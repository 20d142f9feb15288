"""For the same fault of the server, the same exception as pymilvus's clients raise."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pymilvus
import pytest
from pymilvus.client.cache import GlobalCache
from pymilvus.grpc_gen import milvus_pb2

import milvus_native
from milvus_native import schema_cache
from tests.servers.recording import Failure, RecordingServer

from . import replies
from .calls import ALL_CALLS, SCHEMA_CALLS, DataCall
from .replies import held

Fault = Callable[[RecordingServer, DataCall], None]


def refusing(**status: Any) -> Fault:
    """The server answers the call with this status."""
    value = replies.common_pb2.Status(**status)
    return lambda server, call: server.set(call.rpc, call.reply(value))


def failing(code: grpc.StatusCode) -> Fault:
    return lambda server, call: server.set(call.rpc, Failure(code, "why"))


def undescribed(**status: Any) -> Fault:
    reply = milvus_pb2.DescribeCollectionResponse(status=status).SerializeToString()
    return lambda server, call: server.set("DescribeCollection", reply)


FAULTS: dict[str, Fault] = {
    "new code": refusing(code=1100, reason="bad"),
    "legacy code": refusing(error_code=5, reason="bad"),
    "both codes": refusing(code=100, error_code=4, reason="not there"),
    "retriable": refusing(code=5, reason="busy", retriable=True),
    "input error": refusing(code=1100, reason="bad", extra_info={"is_input_error": "true"}),
    "rate limit": refusing(code=8, error_code=49, reason="slow down"),
    **{
        f"grpc {code.name}": failing(code)
        for code in grpc.StatusCode
        if code not in (grpc.StatusCode.OK, grpc.StatusCode.CANCELLED)
    },
}
SCHEMA_FAULTS: dict[str, Fault] = {
    "no such collection": undescribed(code=100, error_code=4, reason="not there"),
    "no such collection, legacy": undescribed(error_code=1, reason="can't find collection"),
    "not allowed": undescribed(code=1401, reason="no"),
}
# pymilvus's async delete reports no error of the server's, and is never retried.
BROKEN_THERE = {"delete", "delete-filter"}


def outcome(run: Callable[[], Any]) -> tuple[Any, ...]:
    """What distinguishes one exception from another."""
    try:
        result = run()
    except grpc.RpcError as error:
        return ("RpcError", error.code(), error.details())
    except pymilvus.MilvusException as error:
        kind = [
            getattr(error, name, None) for name in ("is_input_error", "retriable")
        ]  # not in 2.6
        return (type(error), error.code, error.message, *kind)
    return ("result", str(result))


def sync_outcome(package: Any, server: RecordingServer, call: DataCall, **more: Any) -> Any:
    def run() -> Any:
        client = package.MilvusClient(server.uri, **unshared(package))
        try:
            return call.on(client, **more)
        finally:
            client.close()

    forget()
    return outcome(run)


def async_outcome(package: Any, server: RecordingServer, call: DataCall, **more: Any) -> Any:
    async def main() -> Any:
        async with package.AsyncMilvusClient(server.uri, **unshared(package)) as client:
            return await call.on(client, **more)

    forget()
    return outcome(lambda: asyncio.run(main()))


def unshared(package: Any) -> dict[str, bool]:
    """Options under which both do the same."""
    return {"dedicated": True} if package is pymilvus else {"retry_writes": True}


def forget() -> None:
    GlobalCache.schema.clear()
    schema_cache.clear()


def alike(theirs: tuple[Any, ...], ours: tuple[Any, ...]) -> bool:
    """Equal; but where tries ran out, theirs goes on with what grpcio has to say."""
    if "Retry run out" in str(theirs):
        return ours[:2] == theirs[:2] and str(theirs[2]).startswith(ours[2])
    return ours == theirs


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("call", ALL_CALLS.values(), ids=ALL_CALLS)
def test_sync(server: RecordingServer, call: DataCall, fault: Fault) -> None:
    fault(server, call)
    theirs, ours = (
        sync_outcome(package, server, call, retry_times=1) for package in (pymilvus, milvus_native)
    )
    assert alike(theirs, ours), (theirs, ours)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize(
    "call",
    [call for name, call in ALL_CALLS.items() if name not in BROKEN_THERE],
    ids=[name for name in ALL_CALLS if name not in BROKEN_THERE],
)
def test_async(server: RecordingServer, call: DataCall, fault: Fault) -> None:
    fault(server, call)
    theirs, ours = (
        async_outcome(package, server, call, retry_times=1) for package in (pymilvus, milvus_native)
    )
    assert alike(theirs, ours), (theirs, ours)


@pytest.mark.parametrize("fault", SCHEMA_FAULTS.values(), ids=SCHEMA_FAULTS)
@pytest.mark.parametrize("call", SCHEMA_CALLS.values(), ids=SCHEMA_CALLS)
@pytest.mark.parametrize("run", [sync_outcome, async_outcome])
def test_schema(server: RecordingServer, call: DataCall, fault: Fault, run: Any) -> None:
    fault(server, call)
    theirs, ours = (run(package, server, call) for package in (pymilvus, milvus_native))
    assert ours == theirs


@pytest.mark.parametrize("call", ALL_CALLS.values(), ids=ALL_CALLS)
def test_timeout(server: RecordingServer, call: DataCall) -> None:
    gate = threading.Event()
    server.set(call.rpc, held(gate, call.reply()))
    for run in (sync_outcome, async_outcome):
        if run is async_outcome and call.rpc == "Delete":
            continue  # see BROKEN_THERE
        theirs, ours = (
            run(package, server, call, timeout=0.3) for package in (pymilvus, milvus_native)
        )
        assert ours == theirs
    gate.set()


CONNECT_FAULTS: dict[str, Any] = {
    "refused": milvus_pb2.ConnectResponse(
        status=replies.failed(1400, "auth check failure")
    ).SerializeToString(),
    "unavailable": Failure(grpc.StatusCode.UNAVAILABLE, "why"),
    "unauthenticated": Failure(grpc.StatusCode.UNAUTHENTICATED, "why"),
    "internal": Failure(grpc.StatusCode.INTERNAL, "why"),
}


@pytest.mark.parametrize("reply", CONNECT_FAULTS.values(), ids=CONNECT_FAULTS)
@pytest.mark.parametrize("run", [sync_outcome, async_outcome])
def test_connecting(server: RecordingServer, reply: Any, run: Any) -> None:
    server.set("Connect", reply)
    call = ALL_CALLS["query-filter"]
    theirs, ours = (run(package, server, call) for package in (pymilvus, milvus_native))
    assert ours[:2] == theirs[:2]
    assert ours[2].startswith(theirs[2].split(",")[0])  # ours goes on with the reason
