"""Repeated, no operation leaves a block or a reference behind, whether it works or fails.

A debug build of Python counts all references as well (tools/pythons.sh runs this on one).
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.sanitizers import SANITIZED

from . import scenarios
from .leaks import REPEATS, counts, growth, parts


@pytest.mark.parametrize("name", scenarios.SCENARIOS)
def test_nothing_is_left(name: str) -> None:
    assert growth(scenarios.SCENARIOS[name]) < REPEATS


@pytest.mark.parametrize("name", scenarios.SCENARIOS)
def test_references_are_given_back(name: str) -> None:
    action = scenarios.SCENARIOS[name]
    inputs = parts([scenarios.ROWS, scenarios.COLUMNS, scenarios.TEMPLATES, scenarios.PARAMS])
    inputs += parts(scenarios.PLAIN_ROWS)
    # The counts themselves refer to small integers.
    inputs = [item for item in inputs if type(item) is not int]
    inputs += [*scenarios.SEARCHES, *scenarios.QUERIES, *scenarios.MUTATIONS, scenarios.REPLY]
    inputs += [*scenarios.PLAIN_SEARCHES, *scenarios.PLAIN_QUERIES, scenarios.PLAIN_SCHEMA]
    inputs += [scenarios.SCHEMA, scenarios.COLUMN_SCHEMA, None, True, False]
    action()
    gc.collect()
    before = counts(inputs)
    for _ in range(REPEATS):
        action()
    gc.collect()
    after = counts(inputs)
    grown = [
        (type(item).__name__, old, new)
        for item, old, new in zip(inputs, before, after, strict=True)
        if new - old >= REPEATS
    ]
    assert not grown


# Wheels are built without the count of all references and change it behind its back: 30 calls of
# orjson.loads alone seem to leave 62, of numpy.ones 272. "plain ..." do the same without them.
FOREIGN = {
    "rows": "numpy, orjson",
    "rows in slices": "numpy, orjson",
    "refused rows": "numpy, orjson",
    "search reply": "orjson",
    "query reply": "orjson",
}


@pytest.mark.parametrize("name", scenarios.SCENARIOS)
def test_all_references_are_counted(name: str) -> None:
    total: Callable[[], int] | None = getattr(sys, "gettotalrefcount", None)
    if total is None:
        pytest.skip("this is no debug build of Python")
    if name in FOREIGN:
        pytest.skip(f"references of {FOREIGN[name]} are not all counted")
    action = scenarios.SCENARIOS[name]
    action()
    least = sys.maxsize
    for _ in range(5):
        gc.collect()
        before = total()
        for _ in range(REPEATS):
            action()
        gc.collect()
        least = min(least, total() - before)
    assert least < REPEATS


# Each runs in a process of its own, where nothing else takes memory: KiB that the process has
# grown by, after a warm-up, over many repeats.
SCRIPT = """
import gc, resource, sys
from tests.hardening import scenarios
{setup}
def work():
    {work}
def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() // 1024
for _ in range({repeats}):
    work()
gc.collect()
before = resident()
for _ in range(4 * {repeats}):
    work()
gc.collect()
print(resident() - before)
"""
PROCESSES: dict[str, dict[str, Any]] = {
    "types": {
        "setup": "import importlib.util\nfrom milvus_native import _core",
        "work": "spec = importlib.util.spec_from_file_location('milvus_native._core', "
        "_core.__file__); spec.loader.exec_module(importlib.util.module_from_spec(spec))",
        "repeats": 50,
    },
    "results": {"setup": "", "work": "scenarios.SCENARIOS['search reply']()", "repeats": 300},
    "rows": {"setup": "", "work": "scenarios.SCENARIOS['rows']()", "repeats": 300},
    "calls": {"setup": "", "work": "scenarios.SCENARIOS['call']()", "repeats": 1000},
    "connections": {
        "setup": "from tests.servers.recording import RecordingServer\n"
        "from tests.unit.clients import replies\n"
        "from milvus_native import MilvusClient\n"
        "server = RecordingServer(replies.defaults())",
        "work": "client = MilvusClient(server.uri); client.query('things', filter='id > 1'); "
        "client.close(); server.take()",
        "repeats": 60,
    },
}


@pytest.mark.skipif(SANITIZED, reason="sanitizers keep memory")
@pytest.mark.parametrize("what", PROCESSES)
def test_processes_do_not_grow(what: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(**PROCESSES[what])],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # What is lost with every repeat, be it one page in ten of them, is far above this.
    assert int(done.stdout.split()[-1]) < 2048
