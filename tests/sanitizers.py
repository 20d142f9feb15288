"""Tests that run under a sanitizer (tools/sanitize.sh), and the programs that must not."""

from __future__ import annotations

import os

SANITIZED = "san.so" in os.environ.get("LD_PRELOAD", "")
_OF_SANITIZERS = ("LD_PRELOAD", "PYTHONMALLOC", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")


def environment_of_others() -> dict[str, str]:
    """For programs that have none of our code in them, servers above all: the runtime that our
    extension needs would only watch their memory, at two to ten times the cost."""
    if not SANITIZED:
        return dict(os.environ)
    return {name: value for name, value in os.environ.items() if name not in _OF_SANITIZERS}
