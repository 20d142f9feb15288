"""Servers that are stopped, or killed and started again, in the middle of many calls.

What a server has acknowledged and then lost would be its own fault, not the client's. Neither does:
both write to a log before they answer, and what is written outlives the process. So these tests
ask for every row that was acknowledged, before the SIGKILL too.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from pymilvus import MilvusException

from tests.servers import MortalServer, lite_spec, mortal_milvus_spec

from .load import (
    Batch,
    Crowd,
    Findings,
    Op,
    Outcome,
    all_done,
    check,
    create,
    look,
    look_when_settled,
    put_right,
)

KINDS = ("sync", "async")
TIMEOUT = 100.0
IN_FLIGHT = 16
STOPPED = 3.0  # seconds
COLLECTION = "things"


@pytest.fixture(scope="module", params=["lite", "2.3.5"])
def mortal(request: pytest.FixtureRequest) -> Iterator[MortalServer]:
    with MortalServer(lite_spec if request.param == "lite" else mortal_milvus_spec) as server:
        create(server.uri, COLLECTION)
        yield server


Batches = Callable[[int], list[Batch]]


@pytest.mark.parametrize("kind", KINDS)
def test_stopped_for_a_while(mortal: MortalServer, batches: Batches, kind: str) -> None:
    """SIGSTOP, then SIGCONT: patient calls are late, that is all."""
    new = batches(120)
    with Crowd(kind, mortal.uri, COLLECTION) as crowd:

        def stop() -> None:
            crowd.until_answered(30)
            mortal.pause()
            time.sleep(STOPPED)
            mortal.resume()

        ops = [Op("insert", batch, 1) for batch in new]
        all_done(crowd.gather(ops, TIMEOUT, in_flight=IN_FLIGHT, meanwhile=stop))
        assert crowd.client.stats()["retries"] == 0
        check(new, look(mortal.uri, COLLECTION, new))
