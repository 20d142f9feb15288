"""The same work in several threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

THREADS = 8


def together(work: Callable[[int], Any], count: int = THREADS) -> list[BaseException]:
    """Runs work(0) to work(count - 1) at the same time; what they raised."""
    barrier = threading.Barrier(count)
    errors: list[BaseException] = []

    def run(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors
