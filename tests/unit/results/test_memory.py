"""Every allocation of a decoder fails in turn."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest

from milvus_native import _core
from tests.oracle.results.faker import PlainFaker

testcapi = pytest.importorskip("_testcapi", reason="this interpreter cannot fail allocations")

DECODERS: dict[str, Callable[..., Any]] = {
    "search": _core.decode_search,
    "query": _core.decode_query,
    "mutation": _core.decode_mutation,
}
# Replies without JSON, since orjson does not survive a failed allocation.
MOST_CACHED = 40  # allocations in a row that free lists and failures of no consequence can hide

pytestmark = pytest.mark.usefixtures("undisturbed")


def fail_each_allocation(decode: Callable[[bytes], Any], data: bytes) -> int:
    """Fails one allocation after the other until none is left; how often that was an error."""
    expected = repr(decode(data))
    failures = survived = n = 0
    while survived < MOST_CACHED:
        n += 1
        made = None
        try:
            testcapi.set_nomemory(n, n + 1)
            made = decode(data)
        except MemoryError:
            failures += 1
            survived = 0
        finally:
            testcapi.remove_mem_hooks()
        if made is not None:
            survived += 1
            assert repr(made) == expected
    return failures


@pytest.mark.parametrize("kind", DECODERS)
def test_each_failed_allocation_is_a_memory_error(kind: str) -> None:
    logging.getLogger("milvus_native.results").disabled = True
    try:
        cases = [getattr(PlainFaker(seed), kind)().SerializeToString() for seed in range(25)]
        assert sum(fail_each_allocation(DECODERS[kind], data) for data in cases) > 100
    finally:
        logging.getLogger("milvus_native.results").disabled = False


def test_nothing_is_left_behind() -> None:
    """Of writes; for the others CPython 3.11's own list(rows) keeps rows when memory is out."""
    cases = [PlainFaker(seed).mutation().SerializeToString() for seed in range(25)]
    for data in cases:
        fail_each_allocation(_core.decode_mutation, data)
    gc.collect()
    before = sys.getallocatedblocks()
    for data in cases:
        fail_each_allocation(_core.decode_mutation, data)
    gc.collect()
    assert sys.getallocatedblocks() - before < 50
