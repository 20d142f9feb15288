"""gRPC over HTTP/2 for threads: a pool of connections with one call at a time on each.

The connection used last is used next, so that a client whose load has gone needs few. One is
dialled when a call finds none idle; there are at most MAX_CONNECTIONS, and a call that waits for
one does so within its deadline.
"""

from __future__ import annotations

import socket
import threading
import time
import weakref
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from . import sockets
from .base import (
    DEADLINE_EXCEEDED,
    SERVICE,
    UNAVAILABLE,
    Metadata,
    RpcError,
    Usage,
    closed,
)
from .dialing import dial
from .target import IDLE_ANSWER, IDLE_CHECK, Target
from .wire import Result, Wire

if TYPE_CHECKING:
    from ..config import ConnectionConfig

MAX_CONNECTIONS = 64
IDLE_LIMIT = 600.0  # seconds after which a connection that nobody needs is closed


class NativeTransport:
    """See base.SyncTransport."""

    def __init__(self, config: ConnectionConfig) -> None:
        self._target = Target.of(config)
        self._limit = MAX_CONNECTIONS
        self._lock = threading.RLock()
        self._idle: list[_Connection] = []
        # All there are. Weak, so that one lost to an interrupt leaves its place to another.
        self._all: weakref.WeakSet[_Connection] = weakref.WeakSet()
        self._waiting: deque[threading.Event] = deque()
        self._past = Usage()  # of connections that are closed
        self._closed = False

    def unary(
        self, method: str, request: bytes, *, timeout: float | None, metadata: Metadata
    ) -> bytes:
        if len(request) > self._target.longest_request:
            raise self._target.too_long(len(request))
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            connection, was_idle = self._take(deadline)
            if deadline is not None:
                timeout = max(deadline - time.monotonic(), 0.0)
            try:
                _, code, text, trailers, message, sent = connection.call(
                    SERVICE + method, request, timeout, metadata
                )
            except BaseException:
                self._discard(connection)
                raise
            sound = connection.is_sound(code)
            if sound:
                self._give_back(connection)
            else:
                self._discard(connection)
            if code == 0 and message is not None:
                return message
            if sent or sound or code != UNAVAILABLE or not was_idle:
                raise RpcError(code, text or "", trailers or (), sent)
            # The connection had ended while it was idle: the call goes to another.

    def _take(self, deadline: float | None) -> tuple[_Connection, bool]:
        """A connection for one call, and whether it has been idle."""
        has_waited = False
        while True:
            connection, turn = None, None
            with self._lock:
                if self._closed:
                    raise closed()
                if self._idle:
                    connection = self._idle.pop()
                elif len(self._all) >= self._limit:
                    turn = threading.Event()
                    if has_waited:
                        self._waiting.appendleft(turn)
                    else:
                        self._waiting.append(turn)
                else:
                    new = _Connection()
                    self._all.add(new)
            if turn is not None:
                self._wait(turn, deadline)
                has_waited = True
            elif connection is None:
                try:
                    new.open(dial(self._target, deadline))
                    with self._lock:
                        if self._closed:  # which did not find its socket
                            raise closed()
                except BaseException:
                    self._discard(new)
                    raise
                return new, False
            else:
                try:
                    if connection.answers(deadline):
                        return connection, True
                except BaseException:
                    self._discard(connection)
                    raise
                self._discard(connection)

    def _wait(self, turn: threading.Event, deadline: float | None) -> None:
        """Until a connection may be free. Looks for itself now and then, see `_all`."""
        left = 1.0 if deadline is None else deadline - time.monotonic()
        try:
            if left <= 0:
                text = f"Deadline Exceeded: all {self._limit} connections are busy"
                raise RpcError(DEADLINE_EXCEEDED, text, sent=False)
            turn.wait(min(left, 1.0))
        except BaseException:
            self._leave_queue(turn, hand_on=True)
            raise
        self._leave_queue(turn, hand_on=False)

    def _leave_queue(self, turn: threading.Event, hand_on: bool) -> None:
        """`hand_on`: if it was this caller's turn, it becomes that of the next."""
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif hand_on and self._waiting:
                self._waiting.popleft().set()

    def _give_back(self, connection: _Connection) -> None:
        surplus = None
        with self._lock:
            if self._closed:
                surplus = connection
            else:
                idle = self._idle
                if idle and idle[0].used_at < connection.used_at - IDLE_LIMIT:
                    surplus = idle.pop(0)
                idle.append(connection)
                if self._waiting:
                    self._waiting.popleft().set()
        if surplus is not None:
            self._discard(surplus)

    def _discard(self, connection: _Connection) -> None:
        with self._lock:
            if connection in self._all:
                self._all.discard(connection)
                self._past = self._past.plus(connection.usage().past())
            if self._waiting:
                self._waiting.popleft().set()
        connection.close()

    def usage(self) -> Usage:
        with self._lock:
            total = self._past
            for connection in self._all:
                total = total.plus(connection.usage())
        return total

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = [connection for connection in self._all if connection not in idle]
            while self._waiting:
                self._waiting.popleft().set()
        for connection in idle:
            self._discard(connection)
        for connection in busy:
            connection.interrupt()

    def abandon(self) -> None:
        sockets.abandon(self)


class _Connection:
    """One connection, or the place of one that is being dialled; used by one thread at a time."""

    __slots__ = ("__weakref__", "_heard", "calls", "used_at", "wire")

    def __init__(self) -> None:
        self.wire: Wire | None = None
        self.used_at = 0.0
        self.calls = 0
        self._heard = 0  # bytes received before the last call

    def open(self, wire: Wire) -> None:
        self.wire = wire
        self.used_at = time.monotonic()

    def call(self, path: str, request: bytes, timeout: float | None, metadata: Metadata) -> Result:
        """The finished call, whatever came of it."""
        wire = self.wire
        assert wire is not None
        rpc = wire.rpc
        self._heard = rpc.bytes_received
        rpc.submit(path, request, metadata, timeout, None)
        self.calls += 1
        results = wire.exchange(None)
        while not results:
            results = wire.exchange(None)
        self.used_at = time.monotonic()
        return results[0]

    def is_sound(self, code: int) -> bool:
        """Whether another call may follow the last one, which ended with `code`.

        After a time-out during which the server said nothing it may be gone.
        """
        wire = self.wire
        if wire is None or not wire.rpc.accepts:
            return False
        return code != DEADLINE_EXCEEDED or wire.rpc.bytes_received != self._heard

    def answers(self, deadline: float | None) -> bool:
        """Whether the server is still there, asked if the connection was idle for long."""
        now = time.monotonic()
        wire = self.wire
        if wire is None or now - self.used_at < IDLE_CHECK:
            return wire is not None
        by = now + IDLE_ANSWER if deadline is None else min(now + IDLE_ANSWER, deadline)
        answered = wire.rpc.pings_answered
        wire.rpc.ping()
        while now < by and wire.rpc.accepts:
            wire.exchange(by - now)
            if wire.rpc.pings_answered != answered:
                return True
            now = time.monotonic()
        return False

    def usage(self) -> Usage:
        wire = self.wire
        if wire is None:
            return Usage()
        return Usage(self.calls, wire.rpc.bytes_sent, wire.rpc.bytes_received, 1)

    def interrupt(self) -> None:
        """From another thread: makes the call under way fail."""
        wire = self.wire
        if wire is not None:
            with suppress(OSError):
                wire.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        wire, self.wire = self.wire, None
        if wire is not None:
            wire.sock.close()
