"""Faults of the connection at random points, with many calls on their way to a real server.

MVN_FAULT_SEEDS=100 makes more of them.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterable

import pytest

from tests.servers import Server
from tests.servers.fault_proxy import ALL, CUTS, FaultProxy, Plan, mixture

from .load import ROWS, Batch, Crowd, Op, check, look_when_settled

TIMEOUT = 60.0
BUDGET = 12  # faults, after which the connection holds: every call that may be made again succeeds
SEEDS = range(int(os.environ.get("MVN_FAULT_SEEDS", "2")))
PLANS: dict[str, Plan] = {
    "cuts": mixture(CUTS, most_bytes=30_000),
    "all": mixture(ALL, most_bytes=10_000, most_seconds=0.5),
}
KINDS = ("sync", "async")


def batches(count: int, start: int = 0) -> list[Batch]:
    return [Batch(ROWS * (start + i)) for i in range(count)]


def mixed(source: random.Random, old: Iterable[Batch], new: Iterable[Batch]) -> list[Op]:
    """Inserts of the new batches; upserts, deletes and reads of the others."""
    ops = [Op("insert", batch, 1) for batch in new]
    for i, batch in enumerate(old):
        kind = ("upsert", "delete", "search", "query")[i % 4]
        ops.append(Op(kind, batch, batch.version + 1 if kind == "upsert" else 0))
    source.shuffle(ops)
    return ops


def put_right(crowd: Crowd, touched: Iterable[Batch]) -> None:
    """Upserts again whatever is in doubt, or was not inserted."""
    again = [Op("upsert", batch, 7) for batch in touched if batch.doubt is not None]
    for outcome in crowd.gather(again, TIMEOUT):
        assert outcome.verdict == "done", outcome


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("seed", SEEDS)
def test_faults(server: Server, collection: str, kind: str, plan: str, seed: int) -> None:
    """Only inserts fail, saying that they may have been made; nothing is lost or there twice."""
    source = random.Random(seed)
    old, new = batches(60), batches(80, start=60)
    with (
        FaultProxy(server.port, seed=seed) as proxy,
        Crowd(kind, proxy.uri, collection) as crowd,
    ):
        for outcome in crowd.gather([Op("insert", batch, 1) for batch in old], TIMEOUT):
            assert outcome.verdict == "done", outcome
        proxy.fierce(PLANS[plan], BUDGET)
        proxy.drop()
        ops = mixed(source, old, new)
        outcomes = crowd.gather(ops, TIMEOUT, in_flight=source.choice((8, 30, 200)))
        proxy.calm()
        assert proxy.struck.total(), "no fault has struck"
        told = Counter((outcome.op.kind, outcome.verdict) for outcome in outcomes)
        assert set(told) <= {(op.kind, "done") for op in ops} | {("insert", "may have acted")}

        check(old + new, look_when_settled(server.uri, collection))
        put_right(crowd, old + new)
        assert all(batch.doubt is None for batch in old + new)
        check(old + new, look_when_settled(server.uri, collection))


@pytest.mark.parametrize("kind", KINDS)
def test_inserts_made_again_when_asked(server: Server, collection: str, kind: str) -> None:
    """With retry_writes=True every insert succeeds, but may have been made twice."""
    new = batches(120)
    with (
        FaultProxy(server.port, PLANS["cuts"], seed=3, budget=BUDGET) as proxy,
        Crowd(kind, proxy.uri, collection, retry_writes=True) as crowd,
    ):
        outcomes = crowd.gather([Op("insert", batch, 1) for batch in new], TIMEOUT, in_flight=20)
        proxy.calm()
        assert proxy.struck.total(), "no fault has struck"
        assert {outcome.verdict for outcome in outcomes} == {"done"}
        assert crowd.client.stats()["retries"] > 0
        for batch in new:
            batch.doubt = 1
        put_right(crowd, new)
        check(new, look_when_settled(server.uri, collection))
