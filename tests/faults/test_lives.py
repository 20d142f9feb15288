"""Servers that are stopped, or killed and started again, in the middle of many calls.

What a server has acknowledged and then lost would be its own fault, not the client's. Milvus loses
nothing, nor does milvus-lite with one worker (see mortal_lite_spec for what it loses with more):
both write to a log before they answer, and what is written outlives the process. So these tests
ask for every row that was acknowledged, before the SIGKILL too.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.servers import MortalServer, mortal_lite_spec, mortal_milvus_spec

from .load import (
    WRITES,
    Batch,
    Crowd,
    Op,
    Outcome,
    all_done,
    check,
    create,
    load,
    look,
    look_when_settled,
    put_right,
)

KINDS = ("sync", "async")
TIMEOUT = 200.0  # seconds: a server starts within these, on a busy machine too
IN_FLIGHT = 16
STOPPED = 2.0  # seconds
COLLECTION = "things"


@pytest.fixture(scope="module", params=["lite", "2.3.5"])
def mortal(request: pytest.FixtureRequest) -> Iterator[MortalServer]:
    with MortalServer(
        mortal_lite_spec if request.param == "lite" else mortal_milvus_spec
    ) as server:
        create(server.uri, COLLECTION)
        yield server


Batches = Callable[[int], list[Batch]]


@pytest.mark.parametrize("kind", KINDS)
def test_stopped_for_a_while(mortal: MortalServer, batches: Batches, kind: str) -> None:
    """SIGSTOP, then SIGCONT: patient calls are late, that is all."""
    new = batches(120)
    with Crowd(kind, mortal.uri, COLLECTION) as crowd:

        def stop() -> None:
            crowd.until(lambda: crowd.answered >= 30)
            mortal.pause()
            time.sleep(STOPPED)
            mortal.resume()

        ops = [Op("insert", batch, 1) for batch in new]
        all_done(crowd.gather(ops, TIMEOUT, in_flight=IN_FLIGHT, meanwhile=stop))
        assert crowd.client.stats()["retries"] == 0
        check(new, look(mortal.uri, COLLECTION, new))


@pytest.mark.parametrize("kind", KINDS)
def test_impatient_while_stopped(mortal: MortalServer, batches: Batches, kind: str) -> None:
    """Each call ends by its own deadline, and the server may act on what it was sent all the same.

    The kernel takes connections and bytes for a server that is stopped.
    """
    old, new = batches(8), batches(40)
    with Crowd(kind, mortal.uri, COLLECTION) as crowd:
        all_done(crowd.gather([Op("insert", batch, 1) for batch in old], TIMEOUT))
        mortal.pause()
        try:
            ops = [Op("insert", batch, 1) for batch in new]
            ops += [Op(("upsert", "query")[i % 2], batch, 2) for i, batch in enumerate(old)]
            outcomes = crowd.gather(ops, 1.0)
            assert {outcome.verdict for outcome in outcomes} == {"out of time"}
        finally:
            mortal.resume()
        check(old + new, look_when_settled(mortal.uri, COLLECTION, old + new))
        put_right(crowd, outcomes, TIMEOUT)
        check(old + new, look(mortal.uri, COLLECTION, old + new))


@pytest.mark.parametrize("kind", KINDS)
def test_found_out_while_stopped(mortal: MortalServer, batches: Batches, kind: str) -> None:
    """With eager PINGs the silence ends what is under way; what may be, is sent again until the
    server answers."""
    old, new = batches(16), batches(16)
    eager = {"grpc.keepalive_time_ms": 300, "grpc.keepalive_timeout_ms": 500}
    with Crowd(kind, mortal.uri, COLLECTION) as patient:
        all_done(patient.gather([Op("insert", batch, 1) for batch in old], TIMEOUT))
    with Crowd(kind, mortal.uri, COLLECTION, transport="native", grpc_options=eager) as crowd:
        all_done(crowd.gather([Op("query", batch) for batch in old], TIMEOUT))

        def stop() -> None:
            time.sleep(STOPPED)
            mortal.resume()

        mortal.pause()
        ops = [Op("insert", batch, 1) for batch in new]
        ops += [Op(("upsert", "query")[i % 2], batch, 2) for i, batch in enumerate(old)]
        outcomes = crowd.gather(ops, TIMEOUT, meanwhile=stop)
        told = Counter((outcome.op.kind, outcome.verdict) for outcome in outcomes)
        assert told["insert", "may have acted"]
        assert set(told) <= {("insert", "may have acted"), *((op.kind, "done") for op in ops)}
        check(old + new, look_when_settled(mortal.uri, COLLECTION, old + new))
        put_right(crowd, outcomes, TIMEOUT)
        check(old + new, look(mortal.uri, COLLECTION, old + new))


@pytest.mark.timeout(600)
def test_killed_and_started_again(mortal: MortalServer, batches: Batches) -> None:
    """SIGKILL in the middle of two gathers. The same clients go on in the server's next life: of
    what was under way inserts fail, saying that they may have been made; what came later waits."""
    every = {kind: batches(270) for kind in KINDS}
    old = {kind: every[kind][:20] for kind in KINDS}
    with ExitStack() as stack:
        crowds = {kind: stack.enter_context(Crowd(kind, mortal.uri, COLLECTION)) for kind in KINDS}
        for kind, crowd in crowds.items():
            all_done(crowd.gather([Op("insert", batch, 1) for batch in old[kind]], TIMEOUT))

        mortal.pause()

        def kill() -> None:
            for crowd in crowds.values():
                crowd.until(lambda crowd=crowd: crowd.begun >= 20 + IN_FLIGHT)
            mortal.resume()  # neither has a start over the other
            for crowd in crowds.values():
                crowd.until(lambda crowd=crowd: crowd.answered >= 20 + 40)
            mortal.kill()
            time.sleep(0.5)
            mortal.start()
            load(mortal.uri, COLLECTION, TIMEOUT)

        def gather(kind: str) -> list[Outcome]:
            ops = [Op("insert", batch, 1) for batch in every[kind][20:]]
            ops += [
                Op(("upsert", "delete")[i % 2], batch, 2 - 2 * (i % 2))
                for i, batch in enumerate(old[kind])
            ]
            random.Random(kind).shuffle(ops)
            meanwhile = kill if kind == KINDS[0] else None
            return crowds[kind].gather(ops, TIMEOUT, in_flight=IN_FLIGHT, meanwhile=meanwhile)

        with ThreadPoolExecutor(len(KINDS)) as pool:
            outcomes = dict(zip(KINDS, pool.map(gather, KINDS), strict=True))
        for kind, crowd in crowds.items():
            told = Counter((outcome.op.kind, outcome.verdict) for outcome in outcomes[kind])
            assert 1 <= told.pop(("insert", "may have acted")) <= IN_FLIGHT
            assert set(told) == {(method, "done") for method in WRITES}
            assert crowd.client.stats()["reconnects"] > 0
            check(every[kind], look_when_settled(mortal.uri, COLLECTION, every[kind]))
            put_right(crowd, outcomes[kind], TIMEOUT)
            check(every[kind], look(mortal.uri, COLLECTION, every[kind]))
