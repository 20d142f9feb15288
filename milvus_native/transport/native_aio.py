"""gRPC over HTTP/2 for one event loop: many calls on one connection.

Another connection is dialled when the server's limit of concurrent streams is reached, or when it
takes no more calls on the present one. What calls have to send goes out once per turn of the loop.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from . import sockets
from .base import (
    CANCELLED,
    DEADLINE_EXCEEDED,
    SERVICE,
    UNAVAILABLE,
    Metadata,
    RpcError,
    Usage,
    closed,
)
from .dialing import DIAL_TIMEOUT, failed, reason, show
from .sockets import new_socket
from .target import IDLE_ANSWER, IDLE_CHECK, Address, Target
from .wire import CHUNK, PlainWire, Result, TlsWire, Wire

if TYPE_CHECKING:
    from ..config import ConnectionConfig

T = TypeVar("T")

# What came of a call: a Result without its tag.
Outcome = tuple[int, "str | None", Any, "bytes | None", bool]

MAX_CONNECTIONS = 8  # beyond these, calls wait for a stream
MEMORY_BACK_OFF = 0.05  # seconds after which what there was no memory for is tried again


class NativeAioTransport:
    """See base.AsyncTransport."""

    def __init__(self, config: ConnectionConfig) -> None:
        self._target = Target.of(config)
        self._loop = asyncio.get_running_loop()
        self._channels: list[_Channel] = []  # that take calls, the one last dialled first
        self._draining: set[_Channel] = set()
        self._dialling: asyncio.Task[_Channel] | None = None
        self._past = Usage()  # of connections that are closed
        self._closed = False

    async def unary(
        self, method: str, request: bytes, *, timeout: float | None, metadata: Metadata
    ) -> bytes:
        if len(request) > self._target.longest_request:
            raise self._target.too_long(len(request))
        deadline = None if timeout is None else self._loop.time() + timeout
        while True:
            channel, was_idle = self._pick(), True
            if channel is None:
                channel, was_idle = await self._another(deadline), False
                if channel.rpc.accepts and not channel.rpc.free_streams:
                    continue  # others, who have waited for the same, were faster
            elif channel.doubtful_at <= self._loop.time() and not await channel.answers(deadline):
                continue
            if deadline is not None:
                timeout = max(deadline - self._loop.time(), 0.0)
            future, heard = self._loop.create_future(), channel.rpc.bytes_received
            try:
                number = channel.submit(SERVICE + method, request, metadata, timeout, future)
            except ConnectionError:
                self.settle(channel)  # it has ended since it was picked
                continue
            try:
                code, text, trailers, message, sent = await future
            except asyncio.CancelledError:
                channel.cancel(number)
                raise
            if code == 0:
                return message  # type: ignore[no-any-return]
            if code == DEADLINE_EXCEEDED and heard == channel.rpc.bytes_received:
                channel.is_silent = True  # it may be dead: only what it has stays on it
                self.settle(channel)
            if sent or channel.rpc.accepts or code != UNAVAILABLE or not was_idle:
                raise RpcError(code, text or "", trailers or (), sent)
            # The connection had ended while it was idle: the call goes to another.

    def _pick(self) -> _Channel | None:
        """A connection with room for a call, None if one should be dialled."""
        for channel in self._channels:
            if channel.rpc.free_streams:
                return channel
        if len(self._channels) < MAX_CONNECTIONS:
            return None
        return min(self._channels, key=lambda channel: channel.rpc.open_calls)

    async def _another(self, deadline: float | None) -> _Channel:
        """A connection that may have room, now that none has. Raises RpcError.

        One whose server has not told its limit yet may have more than is thought.
        """
        for channel in self._channels:
            if not channel.rpc.settings_came:
                await channel.greeted(deadline)
                return channel
        return await self._dial(deadline)

    # dialling

    async def _dial(self, deadline: float | None) -> _Channel:
        """A new connection, the same one for all who ask at the same time. Raises RpcError."""
        if self._closed:
            raise closed()
        task = self._dialling
        if task is None:
            task = self._dialling = self._loop.create_task(self._open())
            task.add_done_callback(self._dialled)
        left = None if deadline is None else max(deadline - self._loop.time(), 0.0)
        await asyncio.wait([task], timeout=left)
        if not task.done():
            text = f"Deadline Exceeded (connecting to {self._target.name})"
            raise RpcError(DEADLINE_EXCEEDED, text, sent=False)
        if task.cancelled():
            raise closed()
        error = task.exception()
        if isinstance(error, RpcError):  # a copy, as others raise it too
            raise RpcError(error.code, error.details, sent=False)
        return task.result()

    def _dialled(self, task: asyncio.Task[_Channel]) -> None:
        self._dialling = None
        if task.cancelled() or task.exception() is not None:
            return
        channel = task.result()
        self._channels.insert(0, channel)
        if self._closed:  # when it could be cancelled no more
            channel.end("the client is closed")
            self.settle(channel)

    async def _open(self) -> _Channel:
        target, loop = self._target, self._loop
        by = loop.time() + DIAL_TIMEOUT
        problem = ""
        try:
            addresses = target.known_addresses()
            if addresses is None:
                addresses = await _within(
                    loop.run_in_executor(None, target.find_addresses),
                    DIAL_TIMEOUT,
                    "no answer from the name server",
                )
            for i, address in enumerate(addresses):
                # Each of the addresses that are left has a fair part of the time.
                part = (by - loop.time()) / (len(addresses) - i)
                try:
                    wire = await _within(_dial_one(loop, target, address), part, "no answer")
                except OSError as error:
                    problem = f"{show(address)}: {reason(error)}"
                else:
                    return _Channel(self, loop, wire)
        except OSError as error:
            problem = f"{target.host}: {reason(error)}"
        raise failed(target, problem, None)

    # the end

    def settle(self, channel: _Channel) -> None:
        """Puts a connection that takes no more calls out of the way, once they are done."""
        if channel in self._channels:
            self._channels.remove(channel)
            self._draining.add(channel)
        if channel.rpc.closed or not channel.rpc.open_calls:
            channel.close()
            if channel in self._draining:
                self._draining.remove(channel)
                self._past = self._past.plus(channel.usage().past())

    def usage(self) -> Usage:
        total = self._past
        for channel in (*self._channels, *self._draining):
            total = total.plus(channel.usage())
        return total

    async def close(self) -> None:
        self.drop()
        task = self._dialling
        if task is not None:
            await asyncio.wait([task])

    def drop(self) -> None:
        self._closed = True
        if self._loop.is_closed():
            self._dialling = None  # nothing runs it any more: the collector may have its socket
        elif self._dialling is not None:
            self._dialling.cancel()
        for channel in (*self._channels, *self._draining):
            channel.end("the client is closed")
            self.settle(channel)

    def abandon(self) -> None:
        sockets.abandon(self)


async def _within(work: Awaitable[T], seconds: float, text: str) -> T:
    """The result of `work`; TimeoutError with `text` if it takes longer."""
    try:
        return await asyncio.wait_for(work, seconds)
    except asyncio.TimeoutError as error:
        # A time-out of the system's has a number; asyncio's own is no OSError before 3.11.
        raise TimeoutError(text) from error


async def _dial_one(loop: asyncio.AbstractEventLoop, target: Target, address: Address) -> Wire:
    sock = new_socket(*address[:3])
    try:
        await loop.sock_connect(sock, address[3])
        if target.tls is None:
            return PlainWire(target.new_connection(), sock)
        from .tls import TlsLayer

        layer = TlsLayer(target)
        done = False
        while not done:
            done = layer.handshake()
            if data := layer.to_send():
                await loop.sock_sendall(sock, data)
            if not done:
                layer.receive(await loop.sock_recv(sock, CHUNK))
        return TlsWire(target.new_connection(), sock, layer)
    except BaseException:
        sock.close()
        raise


class _Channel:
    """One connection of the loop."""

    __slots__ = (
        "_answered",
        "_greeting",
        "_loop",
        "_ping",
        "_scheduled",
        "_timer",
        "_timer_at",
        "_transport",
        "_wire",
        "_writing",
        "calls",
        "doubtful_at",
        "is_silent",
        "rpc",
    )

    def __init__(
        self, transport: NativeAioTransport, loop: asyncio.AbstractEventLoop, wire: Wire
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._wire: Wire | None = wire
        self._scheduled = False  # a turn that sends what is there
        self._writing = False  # waits for the socket to take more
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._ping: asyncio.Future[bool] | None = None
        self._answered = 0  # PINGs, when the last one was sent
        self._greeting: asyncio.Future[None] | None = None
        self.rpc = wire.rpc
        self.calls = 0
        # When it will have been idle for long, or its timer so overdue that the loop stood still.
        self.doubtful_at = math.inf
        self.is_silent = False
        loop.add_reader(wire.sock, self._on_readable)
        self._send_soon()  # the greeting

    # calls

    def submit(
        self,
        path: str,
        request: bytes,
        metadata: Metadata,
        timeout: float | None,
        future: asyncio.Future[Outcome],
    ) -> int:
        """Begins a call and returns its number; `future` gets what comes of it, in any case.

        ConnectionError if the connection takes no calls.
        """
        if self.is_silent:
            raise ConnectionError("the connection takes no calls, as the server is silent")
        number = self.rpc.submit(path, request, metadata, timeout, future)
        self.calls += 1
        if not self._scheduled:
            self._send_soon()
        if self._timer is None or (
            timeout is not None and self._loop.time() + timeout < self._timer_at
        ):
            self._tick()
        return number

    def cancel(self, number: int) -> None:
        self.rpc.cancel(number, CANCELLED, "the call was cancelled")
        self._send_soon()

    async def greeted(self, deadline: float | None) -> None:
        """Until the server's settings are known, or the connection has ended. Raises RpcError."""
        if self._greeting is None:
            self._greeting = self._loop.create_future()
        left = None if deadline is None else max(deadline - self._loop.time(), 0.0)
        await asyncio.wait([self._greeting], timeout=left)
        if not self._greeting.done() or (deadline is not None and self._loop.time() >= deadline):
            text = "Deadline Exceeded (waiting for the server's settings)"
            raise RpcError(DEADLINE_EXCEEDED, text, sent=False)

    async def answers(self, deadline: float | None) -> bool:
        """Asks whether the server is still there. Otherwise the connection is given up."""
        now = self._loop.time()
        by = now + IDLE_ANSWER if deadline is None else min(now + IDLE_ANSWER, deadline)
        ping = self._ping
        if ping is None or ping.done():
            ping = self._ping = self._loop.create_future()
            self._answered = self.rpc.pings_answered
            self.rpc.ping()
            self._send_soon()
        await asyncio.wait([ping], timeout=by - now)
        if not ping.done():
            self.end("the server stopped answering (no reply to a PING)")
        elif ping.result():
            self.doubtful_at = math.inf if self._timer is None else self._timer_at + IDLE_CHECK
            return True
        self._transport.settle(self)
        return False

    # turns

    def _send_soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._on_turn)

    def _on_turn(self) -> None:
        self._scheduled = False
        self._pump(False)

    def _on_readable(self) -> None:
        self._pump(True)

    def _on_writable(self) -> None:
        self._pump(False)

    def _pump(self, receive: bool) -> None:
        wire = self._wire
        if wire is None:
            return
        try:
            results, blocked = wire.pump(receive)
        except MemoryError:
            # Nothing that has finished is lost, and nobody else would look after it.
            self._loop.call_later(MEMORY_BACK_OFF, self._pump, False)
            return
        self._deliver(results)
        if blocked is not self._writing:
            self._writing = blocked
            if blocked:
                self._loop.add_writer(wire.sock, self._on_writable)
            else:
                self._loop.remove_writer(wire.sock)
        ping = self._ping
        if ping is not None and self.rpc.pings_answered != self._answered:
            _set(ping, True)
        if self._greeting is not None and self.rpc.settings_came:
            _set(self._greeting, None)
        if self.is_silent or not self.rpc.accepts:
            self._transport.settle(self)

    def _deliver(self, results: list[Result]) -> None:
        for result in results:
            future: asyncio.Future[Outcome] = result[0]
            if not future.done():
                # Without itself, so that the reply goes with its last user and not later.
                future.set_result(result[1:])

    def _tick(self) -> None:
        """Deadlines and PINGs, and when to look after them again."""
        if self._timer is not None:
            self._timer.cancel()
        now = self._loop.time()
        wait = self.rpc.tick()
        if wait is None:
            self._timer, self._timer_at, self.doubtful_at = None, math.inf, now + IDLE_CHECK
        else:
            self._timer = self._loop.call_later(wait, self._on_timer)
            self._timer_at, self.doubtful_at = now + wait, now + wait + IDLE_CHECK

    def _on_timer(self) -> None:
        self._timer = None
        self._tick()
        self._pump(False)  # a PING, or resets of the calls that were given up

    # the end

    def end(self, text: str) -> None:
        """Makes the calls under way fail."""
        self.rpc.lost(text)
        self._deliver_rest()

    def _deliver_rest(self) -> None:
        if self._wire is not None and not self._loop.is_closed():
            self._deliver(self._wire.finished())

    def usage(self) -> Usage:
        rpc = self.rpc
        return Usage(self.calls, rpc.bytes_sent, rpc.bytes_received, int(self._wire is not None))

    def close(self) -> None:
        """Closes the socket, on whatever thread, with or without the loop."""
        wire = self._wire
        if wire is None:
            return
        self._deliver_rest()  # what the last turn had no memory for
        self._wire = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._loop.is_closed():
            _set(self._ping, False)
            _set(self._greeting, None)
        with suppress(RuntimeError, OSError):  # when the loop is closed
            self._loop.remove_reader(wire.sock)
            self._loop.remove_writer(wire.sock)
        wire.sock.close()


def _set(future: asyncio.Future[T] | None, result: T) -> None:
    if future is not None and not future.done():
        future.set_result(result)
