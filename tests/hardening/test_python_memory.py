"""Every allocation of Python's own fails once, and then for good, in a scenario per operation and
type: MemoryError comes out or the right result, never another error, and the operation works again.

Inputs are new for each failure: a str keeps its UTF-8 and a list its array, so that what was used
before allocates less. JSON is Python's own here (see memory.with_plain_json). A record of
NumPy's is left out: its own tolist() crashes.
"""

from __future__ import annotations

import gc
from functools import partial
from typing import Any

import pytest

from milvus_native import _core
from tests.servers import frames

from . import memory
from .starved.calls import UNSENT, calls
from .starved.replies import replies
from .starved.requests import requests, searches
from .starved.rows import refused_requests, rows_of_each_type, vectors_in_each_form, whole_requests
from .starved.scenario import Scenario

pytestmark = pytest.mark.usefixtures("undisturbed")


@pytest.fixture(scope="module")
def core() -> Any:
    return memory.with_plain_json()


def live_blocks(core: Any) -> int:
    """Those of the C core, which counts them in builds with MVN_DEBUG."""
    UNSENT.__traceback__ = None  # keeps what it was raised through, a connection for one
    gc.collect()
    return int(core._live_blocks()) if hasattr(core, "_live_blocks") else 0


def check(scenario: Scenario, core: Any, *, for_good: bool) -> int:
    """How often want of memory was told."""
    expected = repr(scenario.run(core, scenario.make()))
    assert expected == repr(scenario.run(core, scenario.make()))
    blocks = live_blocks(core)
    seen = memory.fail_each(partial(scenario.run, core), scenario.make, for_good=for_good)
    assert live_blocks(core) == blocks
    assert seen.results <= {expected}
    assert repr(scenario.run(core, scenario.make())) == expected
    return seen.no_memory


GROUPS = (
    rows_of_each_type,
    vectors_in_each_form,
    whole_requests,
    refused_requests,
    searches,
    requests,
    replies,
    calls,
)
SCENARIOS = {name: scenario for group in GROUPS for name, scenario in group()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_allocation_once(name: str, core: Any) -> None:
    assert check(SCENARIOS[name], core, for_good=False) > 0


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_allocation_and_all_after_it(name: str, core: Any) -> None:
    assert check(SCENARIOS[name], core, for_good=True) > 0


def test_the_module_itself() -> None:
    """What of the module exists when its execution fails is given back, and the next one works."""
    seen = memory.fail_each(lambda _: type(memory.another_core()).__name__)
    assert seen.no_memory > 50
    assert seen.results == {"'module'"}


def test_all_that_finished_is_told_or_nothing() -> None:
    """A result that there is no memory for does not take others with it: each is told once."""
    tags = ["answered", "failed", "cancelled"]
    refused = 0
    for nth in range(1, 60):
        connection = _core.RpcConnection("localhost:19530", "http", "test/1")
        connection.receive(frames.settings())
        numbers = [connection.submit("/s/M", b"question", None, 5.0, tag) for tag in tags]
        while connection.data_to_send():
            pass
        replies = frames.reply(1, b"answer" * 10) + frames.failure(3, 5, "gone fishing")
        connection.cancel(numbers[2], 1, "no more")
        gc.collect()  # empties the free lists
        memory._testcapi.set_nomemory(nth, nth + 1)
        try:
            found = connection.receive(replies)
        except MemoryError:
            memory._testcapi.remove_mem_hooks()
            refused += 1
            found = connection.finished()
        finally:
            memory._testcapi.remove_mem_hooks()
        assert sorted(result[0] for result in found) == sorted(tags)
        codes = {tag: code for tag, code, *_ in found}
        # The message itself may have found no memory, which its call says.
        assert codes["answered"] in (0, 8)
        assert (codes["failed"], codes["cancelled"]) == (5, 1)
        assert codes["answered"] == 8 or b"answer" * 10 in [result[4] for result in found]
    assert refused > 2
