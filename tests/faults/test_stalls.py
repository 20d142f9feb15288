"""Connections that go on, but slowly, and calls whose time runs out on them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.servers import Server
from tests.servers.fault_proxy import (
    HOLD,
    REFUSE,
    SLOW,
    TO_CLIENT,
    TO_SERVER,
    Fault,
    FaultProxy,
    always,
)

from .load import Batch, Crowd, Op, all_done, check, look, look_when_settled, put_right
from .test_cuts import KINDS, TIMEOUT

LONG = 300.0  # seconds: longer than any test
STALLS = {
    f"{kind} {direction}": Fault(kind, direction, 3000, 1.0)
    for kind in (HOLD, SLOW)
    for direction in (TO_SERVER, TO_CLIENT)
}
# The standalone server sees what milvus-lite sees: there, what concerns it most.
STALLED = [*(("lite", name) for name in STALLS), ("2.3.5", f"{SLOW} {TO_CLIENT}")]
FIRST_CALLS = {TO_SERVER: 800, TO_CLIENT: 250}  # bytes
STUCK = [("lite", TO_SERVER), ("lite", TO_CLIENT), ("2.3.5", TO_CLIENT)]
Batches = Callable[[int], list[Batch]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("server", "stall"), STALLED, indirect=["server"])
def test_all_is_well_in_the_end(
    server: Server, collection: str, batches: Batches, kind: str, stall: str
) -> None:
    """A stall alone makes no call fail, and none is sent again."""
    fault = STALLS[stall]
    new = batches(60)
    with (
        FaultProxy(server.port, always(fault), budget=4) as proxy,
        Crowd(kind, proxy.uri, collection) as crowd,
    ):
        for method in ("insert", "query", "search"):
            all_done(crowd.gather([Op(method, batch, 1) for batch in new], TIMEOUT, in_flight=12))
        assert proxy.struck[fault.kind], "no fault has struck"
        assert crowd.client.stats()["retries"] == 0
        check(new, look(server.uri, collection, new))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("server", "direction"), STUCK, indirect=["server"])
def test_time_runs_out(
    server: Server, collection: str, batches: Batches, kind: str, direction: str
) -> None:
    """Nothing passes any more: each call ends by its own deadline, and says so. The same client
    goes on when the connection does."""
    old, new = batches(6), batches(20)
    with (
        FaultProxy(server.port) as proxy,
        Crowd(kind, proxy.uri, collection) as crowd,
    ):
        all_done(crowd.gather([Op("insert", batch, 1) for batch in old], TIMEOUT))
        proxy.fierce(always(Fault(HOLD, direction, FIRST_CALLS[direction], LONG)))
        proxy.drop()
        ops = [Op("insert", batch, 1) for batch in new]
        ops += [Op(("query", "search")[i % 2], batch) for i, batch in enumerate(old)]
        outcomes = crowd.gather(ops, 0.6, in_flight=12)
        assert proxy.struck[HOLD], "no fault has struck"
        # grpcio may still use the connection that is gone.
        allowed = {"done", "out of time", "may have acted"}
        assert {outcome.verdict for outcome in outcomes} <= allowed
        assert any(outcome.verdict == "out of time" for outcome in outcomes)
        proxy.calm()
        check(old + new, look_when_settled(server.uri, collection, old + new))
        put_right(crowd, outcomes, TIMEOUT)
        check(old + new, look(server.uri, collection, old + new))


@pytest.mark.parametrize("kind", KINDS)
def test_not_let_in(server: Server, collection: str, batches: Batches, kind: str) -> None:
    """A port at which nobody listens for a while: even inserts succeed, since none has left."""
    first, *more = new = batches(40)
    with (
        FaultProxy(server.port) as proxy,
        Crowd(kind, proxy.uri, collection) as crowd,
    ):
        all_done(crowd.gather([Op("insert", first, 1)], TIMEOUT))
        proxy.refuse(1.0)
        proxy.drop()
        all_done(crowd.gather([Op("insert", batch, 1) for batch in more], TIMEOUT))
        assert proxy.struck[REFUSE] == 1
        assert crowd.client.stats()["retries"] > 0
        check(new, look(server.uri, collection, new))
