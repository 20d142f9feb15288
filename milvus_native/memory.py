"""Memory of large messages, kept between calls instead of going back to the system each time.

glibc maps a large block from the system and unmaps it when it is freed, so that every call would
touch fresh pages: for an insert of 3 MB that costs more than everything else. It stops doing so
for the sizes that a program has freed before. Other allocators are not affected.
"""

from __future__ import annotations

SMALLEST = 128 << 10  # what glibc maps to begin with
LARGEST = (32 << 20) - (64 << 10)  # of the sizes that glibc learns from

_expected = 0


def expect(size: int) -> None:
    """Prepares for messages of `size` bytes, of which a transport holds a copy.

    Up to four times the largest size may stay with the process afterwards.
    """
    global _expected
    if size <= _expected or size < SMALLEST:
        return
    _expected = size
    bytes(min(2 * size, LARGEST))  # never written to, so it takes up no memory
