"""Each allocation of the C core fails once, in a scenario per operation: MemoryError comes out,
nothing is left behind, the inputs are as they were, and the same operation works the next time.

The core's allocator can be made to fail in builds with MVN_DEBUG alone; `make sanitize` runs these
tests on one. What Python's own allocator does is in tests/unit (test_out_of_memory, test_memory).
"""

from __future__ import annotations

import copy
import gc
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from pymilvus.exceptions import MilvusException

from milvus_native import MilvusClient, _core
from tests.servers.recording import RecordingServer
from tests.unit.clients import replies
from tests.unit.clients.calls import ALL_CALLS

from . import scenarios

if not hasattr(_core, "_fail_on"):
    pytest.skip("needs a build with MVN_DEBUG=1: make sanitize", allow_module_level=True)

fail_on: Any = _core._fail_on
live_blocks: Any = _core._live_blocks

# Of a call that could not be sent, and of one whose connection could not go on.
NO_MEMORY = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)


@pytest.fixture(autouse=True)
def switched_off() -> Iterator[None]:
    yield
    fail_on(0)


def allocations(action: Any) -> int:
    fail_on(0)
    action()
    return int(fail_on(0))


@pytest.mark.parametrize("name", scenarios.SCENARIOS)
def test_each_allocation(name: str) -> None:
    action = scenarios.SCENARIOS[name]
    expected = repr(action())
    inputs = repr((scenarios.ROWS, scenarios.COLUMNS, scenarios.TEMPLATES))
    total = allocations(action)
    gc.collect()
    before = live_blocks()
    failed = 0
    for n in range(1, total + 1):
        fail_on(n)
        try:
            result = action()
        except MemoryError:
            failed += 1
        else:
            # A failure that costs nothing but a detour: then the result is as it should be.
            assert repr(result) == expected
        fail_on(0)
        gc.collect(0)
        assert live_blocks() == before, f"allocation {n} of {total}"
        assert repr(action()) == expected
    assert repr((scenarios.ROWS, scenarios.COLUMNS, scenarios.TEMPLATES)) == inputs
    assert failed > 0 or total == 0


def test_the_scenarios_reach_the_allocator() -> None:
    counts = {name: allocations(action) for name, action in scenarios.SCENARIOS.items()}
    assert sum(counts.values()) > 200, counts
    assert sum(count > 0 for count in counts.values()) > 10, counts


@pytest.mark.parametrize("call", ALL_CALLS.values(), ids=ALL_CALLS)
def test_a_client_after_each(call: Any) -> None:
    """Whatever fails in a whole call, over the wire and back: an error, and a usable client."""
    with RecordingServer(replies.defaults()) as server, MilvusClient(server.uri) as client:
        expected = repr(call.on(client))
        total = allocations(lambda: call.on(client))
        arguments = copy.deepcopy(call.arguments.get("data"))
        codes: set[grpc.StatusCode] = set()
        for n in range(1, total + 20):  # the count may differ a little from call to call
            fail_on(n)
            try:
                result = call.on(client, timeout=10)
            except (MemoryError, MilvusException):
                pass
            except grpc.RpcError as error:
                if error.code() not in NO_MEMORY:
                    raise
            else:
                assert repr(result) == expected
            fail_on(0)
            assert repr(call.on(client, timeout=10)) == expected, f"after allocation {n}"
        assert codes <= set(NO_MEMORY)
        assert call.arguments.get("data") == arguments
