"""Single flight: many callers want the same thing, one goes and gets it, the others wait.

The callers may be threads, tasks of one event loop, or tasks of several. Nothing here does I/O and
no lock is held while somebody else works.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

from . import forking


class Flight:
    """One errand under way. Its leader lands it, once; anybody may wait for that.

    Once `landed`, at most one of `result` and `error` is set: neither when the leader gave up for
    reasons of its own (cancelled, out of time), so that somebody else should go.
    """

    __slots__ = ("_flights", "_waiters", "error", "key", "landed", "next", "result", "thread")

    def __init__(self, flights: Flights, key: Hashable) -> None:
        self._flights = flights
        self._waiters: list[Callable[[], None]] = []
        self.key = key
        self.thread = threading.get_ident()  # of the leader
        self.landed = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.next: Flight | None = None  # the one for those whom this one did not help

    def land(self, result: Any = None, error: BaseException | None = None) -> None:
        """Ends the flight and wakes all who wait. Whoever joins now starts a new one."""
        with self._flights.lock:
            self._flights.remove(self)
            self.result, self.error, self.landed = result, error, True
            waiters, self._waiters = self._waiters, []
        for wake in waiters:
            wake()

    def on_landing(self, wake: Callable[[], None]) -> None:
        """Calls `wake` from the leader's thread when the flight lands; at once if it has."""
        with self._flights.lock:
            if not self.landed:
                self._waiters.append(wake)
                return
        wake()


class Flights:
    """The errands of one kind that are under way, by key. Thread-safe. Lives for ever."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, Flight] = {}
        # Re-entrant: the collector may finish a leader off while this thread holds it.
        self.lock = threading.RLock()
        forking.in_child(self._after_fork)

    def join(self, key: Hashable, after: Flight | None = None) -> tuple[Flight, bool]:
        """The flight for `key`, and whether the caller leads it and so must land it.

        `after` is the one that the caller has waited for in vain. All who have share one more,
        also those who wake up when that has landed too.
        """
        with self.lock:
            leads = False
            flight = self._under_way.get(key) if after is None or after.next is None else after.next
            if flight is None:
                flight, leads = Flight(self, key), True
                self._under_way[key] = flight
            if after is not None:
                after.next = flight
            return flight, leads

    def remove(self, flight: Flight) -> None:
        """For Flight.land, which holds the lock."""
        if self._under_way.get(flight.key) is flight:
            del self._under_way[flight.key]

    def _after_fork(self) -> None:
        # The leaders stayed in the parent.
        self.lock = threading.RLock()
        self._under_way = {}
