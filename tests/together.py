"""The same work in several threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

THREADS = 8


def outcomes(work: Callable[[int], Any], count: int = THREADS) -> list[Any]:
    """Runs work(0) to work(count - 1) at the same time; what each returned or raised, in order."""
    barrier = threading.Barrier(count)
    found: list[Any] = [None] * count

    def run(number: int) -> None:
        barrier.wait()
        try:
            found[number] = work(number)
        except BaseException as error:
            found[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def together(work: Callable[[int], Any], count: int = THREADS) -> list[BaseException]:
    """The same; only what was raised."""
    return [found for found in outcomes(work, count) if isinstance(found, BaseException)]
