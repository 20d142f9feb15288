"""What a forked child does first: locks that another thread held at the fork are made anew."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

# Held for a few instructions, while something is counted. Looked up here each time it is taken.
# Re-entrant, as all our locks are: a signal handler or a finalizer may make a call while its thread
# holds one.
counting = threading.RLock()
generation = 0  # of processes: how many forks lie between this one and the first
_resets: list[Callable[[], None]] = []


def in_child(reset: Callable[[], None]) -> None:
    """Calls `reset` in every forked child, before any other code runs there."""
    _resets.append(reset)


def _reset_all() -> None:
    global generation, counting
    generation += 1
    counting = threading.RLock()
    for reset in _resets:
        reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_all)
