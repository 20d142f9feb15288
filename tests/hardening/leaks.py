"""Whether doing something again and again leaves anything behind."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable
from typing import Any

ROUNDS = 8
REPEATS = 30


def growth(action: Callable[[], Any]) -> int:
    """Blocks that are left by REPEATS of `action`, in the best of ROUNDS rounds: what is lost is
    lost in each round, and what a cache takes is taken once."""
    action()
    least = sys.maxsize
    for _ in range(ROUNDS):
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(REPEATS):
            action()
        gc.collect()
        least = min(least, sys.getallocatedblocks() - before)
        if least <= 0:
            break
    return least


def counts(objects: Iterable[Any]) -> list[int]:
    return [sys.getrefcount(item) for item in objects]


def parts(value: Any) -> list[Any]:
    """`value` and everything inside of it, to any depth of lists, tuples and dicts."""
    found = [value]
    if isinstance(value, dict):
        for key, item in value.items():
            found += [key, *parts(item)]
    elif isinstance(value, list | tuple):
        for item in value:
            found += parts(item)
    return found
