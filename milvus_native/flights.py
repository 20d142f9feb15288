"""Single flight: many callers want the same thing, one goes and gets it, the others wait.

The callers may be threads, tasks of one event loop, or tasks of several. Nothing here does I/O and
no lock is held while somebody else works.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Hashable
from typing import Any

from . import forking

PATIENCE = 1.0  # seconds, after which whoever waits looks whether the leader can still go on


class Flight:
    """One errand. Its leader lands it; anybody may wait for that.

    Once `landed`, at most one of `result` and `error` is set: neither when the leader gave up for
    reasons of its own (cancelled, out of time), so that somebody else should go.
    """

    __slots__ = (
        "_flights",
        "_loop",
        "_thread",
        "_waiters",
        "error",
        "key",
        "landed",
        "next",
        "result",
    )

    def __init__(self, flights: Flights, key: Hashable) -> None:
        self._flights = flights
        self._waiters: dict[Callable[[], None], None] = {}
        self._thread, self._loop = threading.get_ident(), _running_loop()  # of the leader
        self.key = key
        self.landed = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.next: Flight | None = None  # the one for those whom this one did not help

    def land(self, result: Any = None, error: BaseException | None = None) -> None:
        """Ends the flight and wakes all who wait. Whoever joins now starts a new one.

        Once more, as when an interrupt came before all were woken, it only wakes.
        """
        with self._flights.lock:
            self._flights.remove(self)
            if not self.landed:
                self.result, self.error, self.landed = result, error, True
            waiters = list(self._waiters)
        for wake in waiters:
            wake()
        self._waiters.clear()

    def on_landing(self, wake: Callable[[], None]) -> None:
        """Calls `wake`, maybe twice, from the leader's thread when the flight lands; at once if it
        has."""
        with self._flights.lock:
            if not self.landed:
                self._waiters[wake] = None
                return
        wake()

    def forget(self, wake: Callable[[], None]) -> None:
        """Whoever would have been woken waits no more."""
        with self._flights.lock:
            self._waiters.pop(wake, None)

    def is_stuck(self, here: Any = None) -> bool:
        """Whether its leader cannot go on as long as the caller waits, or as things are at all.

        `here` is the loop that the caller is a task of; None if it is a thread that waits.
        """
        loop = self._loop
        if self._thread == threading.get_ident() and (here is None or loop is not here):
            return True  # it is below the caller on the stack
        return loop is not None and not loop.is_running()


class Flights:
    """The errands of one kind that are under way, by key. Thread-safe. Lives for ever."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, Flight] = {}
        # Re-entrant: the collector may finish a leader off while this thread holds it.
        self.lock = threading.RLock()
        forking.in_child(self._after_fork)

    def new(self, key: Hashable) -> Flight:
        """One for `join` to begin, led by the caller.

        Whoever makes it lands it in the end, begun or not: so none is under way without a leader,
        wherever an interrupt comes.
        """
        return Flight(self, key)

    def join(self, own: Flight, after: Flight | None = None) -> Flight:
        """The flight for the key of `own`: that of another, or `own`, which is under way then.

        `after` is the one that the caller has waited for in vain. All who have share one more,
        also those who wake up when that has landed too.
        """
        with self.lock:
            flight = after.next if after is not None else None
            if flight is None:
                flight = self._under_way.setdefault(own.key, own)
            if after is not None:
                after.next = flight
            return flight

    def remove(self, flight: Flight) -> None:
        """For Flight.land, which holds the lock."""
        if self._under_way.get(flight.key) is flight:
            del self._under_way[flight.key]

    def _after_fork(self) -> None:
        # The leaders stayed in the parent.
        self.lock = threading.RLock()
        self._under_way = {}


def _running_loop() -> Any:
    """The event loop that runs in this thread, None without one, and without asyncio."""
    events = sys.modules.get("asyncio.events")
    find = getattr(events, "_get_running_loop", None)  # None while it is being imported
    return None if find is None else find()
