"""Every allocation of a decoder fails in turn."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest

from milvus_native import _core
from tests.hardening.memory import fail_each
from tests.oracle.results.faker import PlainFaker

DECODERS: dict[str, Callable[..., Any]] = {
    "search": _core.decode_search,
    "query": _core.decode_query,
    "mutation": _core.decode_mutation,
}
# Replies without JSON, since orjson does not survive a failed allocation.

pytestmark = pytest.mark.usefixtures("undisturbed")


def failures(decode: Callable[[bytes], Any], data: bytes) -> int:
    """How often `decode` told want of memory; whenever it did not, its result was right."""
    expected = repr(decode(data))
    seen = fail_each(decode, lambda: data)
    assert seen.results == {expected}
    return seen.no_memory


@pytest.mark.parametrize("kind", DECODERS)
def test_each_failed_allocation_is_a_memory_error(kind: str) -> None:
    logging.getLogger("milvus_native.results").disabled = True
    try:
        cases = [getattr(PlainFaker(seed), kind)().SerializeToString() for seed in range(25)]
        assert sum(failures(DECODERS[kind], data) for data in cases) > 100
    finally:
        logging.getLogger("milvus_native.results").disabled = False


def test_nothing_is_left_behind() -> None:
    """Of writes; for the others CPython 3.11's own list(rows) keeps rows when memory is out."""
    cases = [PlainFaker(seed).mutation().SerializeToString() for seed in range(25)]
    for data in cases:
        failures(_core.decode_mutation, data)
    gc.collect()
    before = sys.getallocatedblocks()
    for data in cases:
        failures(_core.decode_mutation, data)
    gc.collect()
    assert sys.getallocatedblocks() - before < 50
