"""Sockets of the native transport: how they are set up, and what a forked child does to them."""

from __future__ import annotations

import errno
import os
import select
import socket
import weakref
from contextlib import suppress
from types import BuiltinFunctionType

from .. import forking

_open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
# What belongs to the parent of a fork; kept, so that no destructor acts on it.
_abandoned: list[object] = []


def new_socket(family: int, kind: int, protocol: int) -> socket.socket:
    """A non-blocking socket, without Nagle's delay, that a forked child lets go of."""
    sock = socket.socket(family, kind, protocol)
    sock.setblocking(False)
    if family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    _open.add(sock)
    return sock


def start_connecting(sock: socket.socket, address: object) -> bool:
    """Whether `sock` is connected at once; else it will be writable. Raises OSError."""
    result = sock.connect_ex(address)  # type: ignore[arg-type]
    if result in (errno.EINPROGRESS, errno.EAGAIN):
        return False
    if result:
        raise OSError(result, os.strerror(result))
    return True


def finish_connecting(sock: socket.socket) -> None:
    """Raises OSError if connecting has failed."""
    result = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if result:
        raise OSError(result, os.strerror(result))


def is_patched() -> bool:
    """Whether gevent or eventlet stands in for the system, so that others run while one waits."""
    return not isinstance(getattr(select, "poll", None), BuiltinFunctionType)


def wait(sock: socket.socket, events: int, seconds: float | None) -> bool:
    """Whether `sock` is ready for what `events` (POLLIN, POLLOUT) say, within `seconds`."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, events)
        return bool(poll.poll(None if seconds is None else seconds * 1000))
    # eventlet has taken poll() away, and lets others run in select().
    reading = [sock] if events & select.POLLIN else []
    writing = [sock] if events & select.POLLOUT else []
    return any(select.select(reading, writing, [], seconds))


def abandon(owner: object) -> None:
    """In a forked child: keeps `owner`, which belongs to the parent, from being destroyed."""
    _abandoned.append(owner)


def _let_go() -> None:
    """The parent's connections are the parent's alone: their end must not wait for this process.

    The numbers stay taken, by /dev/null, since objects still refer to them.
    """
    inherited = list(_open)
    if not inherited:
        return
    with suppress(OSError):
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for sock in inherited:
            if sock.fileno() >= 0:
                os.dup2(nothing, sock.fileno(), inheritable=False)
            _open.discard(sock)
        os.close(nothing)


forking.in_child(_let_go)
