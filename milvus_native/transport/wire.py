"""An HTTP/2 engine joined to a connected socket, plain or through TLS.

It is non-blocking, but for the plain one of a thread, whose engine looks after that (see
RpcConnection.exchange). Both kinds do what the socket allows without waiting (`pump`, for event
loops) or wait for something to happen (`exchange`, for threads). What goes wrong on the socket
shows in the engine: it is closed, its calls have finished.
"""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING, Any

from .._core import RpcConnection
from .sockets import wait

if TYPE_CHECKING:
    from .tls import TlsLayer

CHUNK = 64 << 10  # bytes taken from a socket at once
PUMP_LIMIT = 1 << 20  # bytes after which others get their turn

# A finished call: (tag, code, text, metadata, message, sent); see _core.RpcConnection.
Result = tuple[Any, int, "str | None", Any, "bytes | None", bool]


class PlainWire:
    """Not thread-safe."""

    __slots__ = ("rpc", "sock")

    def __init__(self, rpc: RpcConnection, sock: socket.socket) -> None:
        self.rpc = rpc
        self.sock = sock

    def pump(self, receive: bool) -> tuple[list[Result], bool]:
        """See RpcConnection.pump."""
        return self.rpc.pump(self.sock, receive)

    def exchange(self, timeout: float | None) -> list[Result]:
        """See RpcConnection.exchange."""
        return self.rpc.exchange(self.sock, timeout)

    def finished(self) -> list[Result]:
        """The calls that have finished and were not handed out yet."""
        return self.rpc.finished()


class PatchedWire(PlainWire):
    """One that waits in Python, where gevent and eventlet let others run."""

    __slots__ = ()

    def exchange(self, timeout: float | None) -> list[Result]:
        return exchange(self, timeout)


class TlsWire:
    """The same through a TLS layer whose handshake is done. Not thread-safe."""

    __slots__ = ("_results", "_tls", "_unsent", "rpc", "sock")

    def __init__(self, rpc: RpcConnection, sock: socket.socket, tls: TlsLayer) -> None:
        self.rpc = rpc
        self.sock = sock
        self._tls = tls
        self._unsent = memoryview(b"")  # encrypted
        self._results: list[Result] = []  # not handed out yet

    def pump(self, receive: bool) -> tuple[list[Result], bool]:
        try:
            if receive:
                self._receive()
            blocked = self._send()
            return self.finished(), blocked and not self.rpc.closed
        except BaseException:
            # Bytes may be missing now; what has finished is told by the next pump.
            self.rpc.lost("the connection was lost (interrupted, or out of memory)")
            raise

    def finished(self) -> list[Result]:
        self._results += self.rpc.finished()
        results, self._results = self._results, []
        return results

    def exchange(self, timeout: float | None) -> list[Result]:
        return exchange(self, timeout)

    def _receive(self) -> None:
        taken = 0
        try:
            while taken < PUMP_LIMIT:
                data = self.sock.recv(CHUNK)
                taken += len(data)
                self._tls.receive(data)
                while plain := self._tls.decrypt():
                    self._results += self.rpc.receive(plain)
                if plain is not None:
                    self.rpc.lost("the server closed the connection")
                    return
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            self.rpc.lost(lost_text(error))

    def _send(self) -> bool:
        """Whether bytes wait until the socket takes more."""
        try:
            while True:
                if not self._unsent:
                    data = self.rpc.data_to_send()
                    encrypted = self._tls.encrypt(data) if data else self._tls.to_send()
                    self._unsent = memoryview(encrypted)
                    if not encrypted:
                        return False
                self._unsent = self._unsent[self.sock.send(self._unsent) :]
        except (BlockingIOError, InterruptedError):
            return True
        except OSError as error:
            # There may still be an answer that says why.
            self._receive()
            self.rpc.lost(lost_text(error))
            return False


Wire = PlainWire | TlsWire


def exchange(wire: PatchedWire | TlsWire, timeout: float | None) -> list[Result]:
    """RpcConnection.exchange for what only has a `pump`."""
    rpc = wire.rpc
    by = None if timeout is None else time.monotonic() + timeout
    before = (rpc.pings_answered, rpc.settings_came)
    receive = True  # to begin with: the server may have gone while nobody looked
    while True:
        tick = rpc.tick()
        results, blocked = wire.pump(receive)
        left = None if by is None else by - time.monotonic()
        if (
            results
            or rpc.closed
            or before != (rpc.pings_answered, rpc.settings_came)
            or (left is not None and left <= 0)
        ):
            return results
        seconds = min((limit for limit in (tick, left) if limit is not None), default=None)
        events = select.POLLIN | (select.POLLOUT if blocked else 0)
        receive = wait(wire.sock, events, None if seconds is None else seconds + 0.001)


def lost_text(error: OSError) -> str:
    return f"the connection was lost ({error.strerror or error})"
