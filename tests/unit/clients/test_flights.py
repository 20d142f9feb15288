"""Single flight, write timestamps and the forking hook by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from milvus_native import MilvusClient, errors
from milvus_native._core import StatusError
from milvus_native.connection import _HANDSHAKES
from milvus_native.flights import Flight, Flights
from milvus_native.scope import Scope, WriteTimestamps
from milvus_native.transport.base import RpcError
from tests.servers.recording import RecordingServer
from tests.together import outcomes


def join(flights: Flights, key: Any, after: Flight | None = None) -> tuple[Flight, bool]:
    """The flight, and whether it is the caller's own."""
    own = flights.new(key)
    flight = flights.join(own, after)
    return flight, flight is own


def test_one_leads() -> None:
    flights = Flights()
    flight, leads = join(flights, "a")
    assert leads
    assert join(flights, "a") == (flight, False)
    assert join(flights, "b")[1]
    woken: list[int] = []
    flight.on_landing(lambda: woken.append(1))
    assert not woken
    flight.land(5)
    assert (flight.landed, flight.result, flight.error, woken) == (True, 5, None, [1])
    flight.on_landing(lambda: woken.append(2))
    assert woken == [1, 2]
    assert join(flights, "a")[1]  # a new one


def test_landing_leaves_a_later_flight_alone() -> None:
    flights = Flights()
    first, _ = join(flights, "a")
    first.land()
    second, leads = join(flights, "a")
    assert leads
    first.land()
    assert join(flights, "a") == (second, False)


def test_one_more_for_all_who_waited_in_vain() -> None:
    """However late they wake up; somebody who has not waited starts afresh."""
    flights = Flights()
    first, _ = join(flights, "a")
    first.land(error=KeyError())
    second, leads = join(flights, "a", after=first)
    assert leads
    assert join(flights, "a", after=first) == (second, False)
    second.land()
    assert join(flights, "a", after=first) == (second, False)
    third, leads = join(flights, "a")
    assert leads
    assert join(flights, "a", after=second) == (third, False)
    assert join(flights, "a", after=first) == (second, False)


def test_landing_while_joining() -> None:
    """The collector may finish a leader off while its thread holds the lock."""
    flights = Flights()
    flight, _ = join(flights, "a")
    with flights.lock:
        flight.land()
    assert flight.landed


def test_one_leader_among_threads() -> None:
    flights = Flights()
    leads = outcomes(lambda _: join(flights, "a")[1], 16)
    assert sorted(leads) == [False] * 15 + [True]


def test_handshake_that_its_own_thread_has_interrupted(server: RecordingServer) -> None:
    """A call from a signal handler cannot wait for the handshake below it on the stack."""
    with MilvusClient(server.uri) as client:
        link = client._mvn_connection.link()
        link.headers = None
        flight, leads = join(_HANDSHAKES, link)
        assert leads
        assert len(client.query("things", "id > 1")) == 1
        flight.land()
    assert server.count("Connect") == 2


def test_newest_timestamp_stays() -> None:
    stamps = WriteTimestamps()
    key = ("e", "d", "c")
    assert stamps.get(key) == 0
    for stamp in (5, 9, 7):
        stamps.record(key, stamp)
    assert stamps.get(key) == 9


def test_timestamps_are_bounded() -> None:
    stamps = WriteTimestamps(capacity=2)
    for name in ("a", "b", "a", "c"):
        stamps.record(("e", "d", name), 1)
    assert [stamps.get(("e", "d", name)) for name in ("a", "b", "c")] == [1, 0, 1]


def test_scope() -> None:
    scope = Scope("host:1", "secret-hash", "")
    assert scope.schema_key("c") == ("host:1", "secret-hash", "default", "c")
    assert scope.timestamp_key("c") == ("host:1", "default", "c")
    assert "secret" not in repr(scope)


@pytest.mark.parametrize(
    "error",
    [
        StatusError(1, 2, "r", False, {"a": "b"}),
        RpcError(4, "d", [("k", "v")], False),
        errors.ConnectFailed("a", RpcError(14)),
        errors.SchemaUnavailable(StatusError(1, 2, "r", False, {})),
        errors.GaveUp("t", RpcError(14), True),
    ],
    ids=lambda error: type(error).__name__,
)
def test_copied_errors(error: Exception) -> None:
    copy: Any = errors.again(error)
    assert type(copy) is type(error)
    assert copy is not error
    assert repr(copy.args) == repr(error.args)
    if isinstance(error, RpcError):
        assert (copy.metadata, copy.sent) == (error.metadata, error.sent)


def test_memory_errors_are_not_dressed_up() -> None:
    error = MemoryError()
    assert errors.translate(error) is error
