"""Python's own allocations, made to fail one after the other."""

from __future__ import annotations

import gc
import importlib.util
import json
import sys
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from milvus_native import _core, results

from . import scenarios

_testcapi: Any = pytest.importorskip("_testcapi", reason="this interpreter cannot fail allocations")

TESTS = Path(__file__).parents[1]
#: Allocations in a row whose failure changed nothing, after which there is none left to fail.
MOST_OF_NO_CONSEQUENCE = 50


class Failures:
    """What became of an operation whose allocations failed."""

    def __init__(self) -> None:
        self.no_memory = 0
        self.results: set[str] = set()


def fail_each(
    action: Callable[[Any], Any],
    make: Callable[[], Any] = lambda: None,
    *,
    for_good: bool = False,
) -> Failures:
    """Lets the first, the second, ... allocation of `action(make())` fail, and all that follow
    it if `for_good`. Whatever `action` raises but MemoryError is raised here.

    What `make` returns is new each time: a str keeps its UTF-8, which is allocated once. A thread
    of its own has room for frames: CPython 3.11 forgets to say that there was no memory for more.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_fail_each, action, make, for_good).result()


def _fail_each(action: Callable[[Any], Any], make: Callable[[], Any], for_good: bool) -> Failures:
    sys._getframe()
    seen = Failures()
    survived = nth = 0
    # A full collection empties CPython's free lists, which otherwise stand in for allocations;
    # it is quick if there is nothing to look at.
    gc.collect()
    gc.freeze()
    try:
        while survived < MOST_OF_NO_CONSEQUENCE:
            nth += 1
            argument = make()
            gc.collect()
            _testcapi.set_nomemory(nth, 0 if for_good else nth + 1)
            try:
                result = action(argument)
            except BaseException as error:
                _testcapi.remove_mem_hooks()
                if not isinstance(error, MemoryError) and not is_forgotten(error):
                    raise AssertionError(f"allocation {nth}") from error
                seen.no_memory += 1
                survived = 0
            else:
                _testcapi.remove_mem_hooks()
                seen.results.add(repr(result))
                survived += 1
            del argument
    finally:
        _testcapi.remove_mem_hooks()
        gc.unfreeze()
    return seen


def is_forgotten(error: BaseException) -> bool:
    """Whether CPython 3.11 has lost a MemoryError on its way through other people's functions:
    it does when there is no memory for the frame of a traceback. (Functions here that are on that
    way begin with sys._getframe(), so that the frame is there.)"""
    if not isinstance(error, SystemError):
        return False
    if str(error).startswith("<function "):
        return True
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return False
    code = last.tb_frame.f_code
    in_json = code in (_dumps.__code__, _loads.__code__)
    return in_json or not Path(code.co_filename).is_relative_to(TESTS)


def _dumps(value: Any) -> bytes:
    return json.dumps(value, default=int.bit_length).encode()  # the TypeError of a C function


def _loads(text: Any) -> Any:
    return json.loads(bytes(text) if isinstance(text, memoryview) else text)


def with_plain_json() -> Any:
    """Another `_core`, for which Python's json takes the place of orjson: orjson itself does not
    survive a failed allocation."""
    module = another_core()
    module.set_result_types(*results.TYPES)
    stand_in = types.SimpleNamespace(dumps=_dumps, loads=_loads)
    with mock.patch.dict(sys.modules, orjson=stand_in):
        schema = module.Schema.from_reply(scenarios.REPLY)  # both of orjson's functions
        module.encode_rows(schema, scenarios.ROWS, collection_name="c")
        for reply in scenarios.QUERIES:
            module.decode_query(reply)
    return module


def another_core() -> Any:
    """`_core` once more, with types and a state of its own."""
    spec = importlib.util.find_spec("milvus_native._core")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    assert module is not _core
    spec.loader.exec_module(module)
    return module
