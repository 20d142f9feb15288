"""Faults of the connection at random points, with many calls on their way to a real server.

MVN_FAULT_SEEDS=100 makes more of them.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.servers import Server
from tests.servers.fault_proxy import ALL, CUTS, FaultProxy, Plan, mixture

from .load import Batch, Crowd, Op, all_done, check, look, look_when_settled, put_right, row

TIMEOUT = 60.0
BUDGET = 12  # faults, after which the connection holds: every call that may be made again succeeds
PLANS: dict[str, Plan] = {
    "cuts": mixture(CUTS, most_bytes=30_000),
    "all": mixture(ALL, most_bytes=10_000, most_seconds=0.5),
}
SEEDS = range(int(os.environ.get("MVN_FAULT_SEEDS", "1")))
CASES = [
    (server, plan, seed) for server in ("lite", "2.3.5") for plan in PLANS for seed in SEEDS
] + [("2.3.5 TLS", "all", seed) for seed in SEEDS]
KINDS = ("sync", "async")


def mixed(source: random.Random, old: Iterable[Batch], new: Iterable[Batch]) -> list[Op]:
    """Inserts of the new batches; upserts, deletes and reads of the others."""
    ops = [Op("insert", batch, 1) for batch in new]
    for i, batch in enumerate(old):
        kind = ("upsert", "delete", "search", "query")[i % 4]
        ops.append(Op(kind, batch, batch.version + 1 if kind == "upsert" else 0))
    source.shuffle(ops)
    return ops


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("server", "plan", "seed"), CASES, indirect=["server"])
def test_faults(
    server: Server,
    collection: str,
    batches: Callable[[int], list[Batch]],
    kind: str,
    plan: str,
    seed: int,
) -> None:
    """Only inserts fail, saying that they may have been made; nothing is lost or there twice."""
    source = random.Random(seed)
    scheme = server.uri.partition(":")[0]
    old, new = batches(60), batches(80)
    with (
        FaultProxy(server.port, seed=seed) as proxy,
        Crowd(kind, f"{scheme}://127.0.0.1:{proxy.port}", collection, **server.options) as crowd,
    ):
        all_done(crowd.gather([Op("insert", batch, 1) for batch in old], TIMEOUT))
        proxy.fierce(PLANS[plan], BUDGET)
        proxy.drop()
        ops = mixed(source, old, new)
        outcomes = crowd.gather(ops, TIMEOUT, in_flight=source.choice((8, 30, 200)))
        proxy.calm()
        assert proxy.struck.total(), "no fault has struck"
        told = Counter((outcome.op.kind, outcome.verdict) for outcome in outcomes)
        assert set(told) <= {(op.kind, "done") for op in ops} | {("insert", "may have acted")}

        every = old + new
        check(every, look_when_settled(server.uri, collection, every, **server.options))
        put_right(crowd, outcomes, TIMEOUT)
        check(every, look(server.uri, collection, every, **server.options))


@pytest.mark.parametrize("kind", KINDS)
def test_inserts_made_again_when_asked(
    server: Server, collection: str, batches: Callable[[int], list[Batch]], kind: str
) -> None:
    """With retry_writes=True every insert succeeds, but may have been made twice."""
    new = batches(120)
    with (
        FaultProxy(server.port, seed=3) as proxy,
        Crowd(kind, proxy.uri, collection, retry_writes=True) as crowd,
    ):
        all_done(crowd.gather([Op("query", batch) for batch in new], TIMEOUT))
        proxy.fierce(mixture(CUTS, most_bytes=3_000), BUDGET)
        proxy.drop()
        all_done(crowd.gather([Op("insert", batch, 1) for batch in new], TIMEOUT, in_flight=20))
        proxy.calm()
        assert proxy.struck.total(), "no fault has struck"
        assert crowd.client.stats()["retries"] > 0
        all_done(crowd.gather([Op("upsert", batch, 2) for batch in new], TIMEOUT))
        check(new, look(server.uri, collection, new))


@pytest.mark.parametrize("kind", KINDS)
def test_iterator(
    server: Server, collection: str, batches: Callable[[int], list[Batch]], kind: str
) -> None:
    """Pages come from several connections, and together have every row once."""
    there = batches(80)
    keys = [key for batch in there for key in batch.keys]
    asked: dict[str, Any] = {
        "filter": f"id >= {keys[0]} and id <= {keys[-1]}",
        "output_fields": ["*"],
        "batch_size": 16,
        "consistency_level": "Strong",
        "timeout": TIMEOUT,
    }
    found: list[Any] = []
    with (
        FaultProxy(server.port, seed=5) as proxy,
        Crowd(kind, proxy.uri, collection) as crowd,
    ):
        all_done(crowd.gather([Op("insert", batch, 1) for batch in there], TIMEOUT))
        proxy.fierce(mixture(CUTS, most_bytes=3_000), budget=6)
        proxy.drop()

        async def walk() -> None:
            iterator = await crowd.client.query_iterator(collection, **asked)
            while page := await iterator.next():
                found.extend(page)
            await iterator.close()

        if kind == "async":
            crowd.run(walk())
        else:
            with crowd.client.query_iterator(collection, **asked) as iterator:
                while page := iterator.next():
                    found.extend(page)
    assert proxy.struck.total(), "no fault has struck"
    assert sorted(map(dict, found), key=lambda r: r["id"]) == [row(key, 1) for key in keys]
