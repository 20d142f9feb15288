"""Tests that run under a sanitizer (tools/sanitize.sh), and the programs that must not."""

from __future__ import annotations

import os
import select
import signal

SANITIZED = "san.so" in os.environ.get("LD_PRELOAD", "")
_OF_SANITIZERS = ("LD_PRELOAD", "PYTHONMALLOC", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")


def environment_of_others() -> dict[str, str]:
    """For programs that have none of our code in them, servers above all: the runtime that our
    extension needs would only watch their memory, at two to ten times the cost."""
    if not SANITIZED:
        return dict(os.environ)
    return {name: value for name, value in os.environ.items() if name not in _OF_SANITIZERS}


def environment_of_frugality() -> dict[str, str]:
    """For programs that watch their own memory: AddressSanitizer keeps 256 MB of what is freed, a
    stack for each place that allocates, and a second stack for each thread."""
    if not SANITIZED:
        return dict(os.environ)
    frugal = "quarantine_size_mb=1:malloc_context_size=1:detect_stack_use_after_return=0"
    return {**os.environ, "ASAN_OPTIONS": f"{os.environ.get('ASAN_OPTIONS', '')}:{frugal}"}


def fork() -> int:
    """os.fork() that makes another child if one finds AddressSanitizer's allocator locked.

    gcc 12's does not release at a fork what another thread holds, one of gRPC's for instance. A
    child goes through all of its size classes first, and says so: whatever hangs later is ours.
    """
    if not SANITIZED:
        return os.fork()
    for _ in range(5):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            _allocate_of_each_size()
            os.write(writer, b"!")
            os.close(reader)
            os.close(writer)
            return 0
        os.close(writer)
        said = select.select([reader], [], [], 20)[0] and os.read(reader, 1)
        os.close(reader)
        if said:
            return pid
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    raise AssertionError("five children in a row found no memory that they could have")


def _allocate_of_each_size() -> None:
    """So many blocks that none of a thread's stores of free ones is enough."""
    size = 16
    while size <= 1 << 18:
        blocks = [bytes(size) for _ in range(2 * min(256, max(2, (1 << 16) // size)) + 1)]
        del blocks
        size += 16 if size < 256 else size // 4
