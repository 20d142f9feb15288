"""Connections that go on, but slowly, and calls whose time runs out on them."""

from __future__ import annotations

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

from .load import Batch, Crowd, Op, check, look_when_settled
from .test_cuts import KINDS, TIMEOUT, batches, put_right

LONG = 300.0  # seconds: longer than any test
STALLS = {
    f"{kind} {direction}": Fault(kind, direction, 3000, seconds)
    for kind, seconds in ((HOLD, 2.0), (SLOW, 3.0))
    for direction in (TO_SERVER, TO_CLIENT)
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", STALLS.values(), ids=STALLS)
def test_all_is_well_in_the_end(server: Server, collection: str, kind: str, fault: Fault) -> None:
    """A stall alone makes no call fail, and none is sent again."""
    new = batches(60)
    with (
        FaultProxy(server.port, always(fault)) as proxy,
        Crowd(kind, proxy.uri, collection) as crowd,
    ):
        for method in ("insert", "query", "search"):
            outcomes = crowd.gather([Op(method, batch, 1) for batch in new], TIMEOUT, in_flight=20)
            assert {outcome.verdict for outcome in outcomes} == {"done"}
        assert proxy.struck[fault.kind], "no fault has struck"
        assert crowd.client.stats()["retries"] == 0
        check(new, look_when_settled(server.uri, collection))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("direction", [TO_SERVER, TO_CLIENT])
def test_time_runs_out(server: Server, collection: str, kind: str, direction: str) -> None:
    """Nothing passes any more: each call ends by its own deadline, and says so. The same client
    goes on when the connection does."""
    old, new = batches(10), batches(40, start=10)
    with (
        FaultProxy(server.port) as proxy,
        Crowd(kind, proxy.uri, collection) as crowd,
    ):
        outcomes = crowd.gather([Op("insert", batch, 1) for batch in old], TIMEOUT)
        assert {outcome.verdict for outcome in outcomes} == {"done"}
        proxy.fierce(always(Fault(HOLD, direction, 1500, LONG)))
        proxy.drop()
        ops = [Op("insert", batch, 1) for batch in new]
        ops += [Op(("query", "search")[i % 2], batch) for i, batch in enumerate(old)]
        outcomes = crowd.gather(ops, 1.0)
        assert proxy.struck[HOLD], "no fault has struck"
        assert {outcome.verdict for outcome in outcomes} <= {"done", "out of time"}
        assert any(outcome.verdict == "out of time" for outcome in outcomes)
        proxy.calm()
        check(old + new, look_when_settled(server.uri, collection))
        put_right(crowd, new)
        check(old + new, look_when_settled(server.uri, collection))


@pytest.mark.parametrize("kind", KINDS)
def test_not_let_in(server: Server, collection: str, kind: str) -> None:
    """A port at which nobody listens for a while: even inserts succeed, since none has left."""
    new = [Batch(0)]
    with (
        FaultProxy(server.port) as proxy,
        Crowd(kind, proxy.uri, collection) as crowd,
    ):
        assert crowd.gather([Op("insert", new[0], 1)], TIMEOUT)[0].verdict == "done"
        proxy.refuse(2.0)
        proxy.drop()
        more = batches(40, start=1)
        outcomes = crowd.gather([Op("insert", batch, 1) for batch in more], TIMEOUT)
        assert {outcome.verdict for outcome in outcomes} == {"done"}
        assert proxy.struck[REFUSE] == 1
        assert crowd.client.stats()["retries"] > 0
        check(new + more, look_when_settled(server.uri, collection))
