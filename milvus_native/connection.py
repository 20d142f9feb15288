"""A client's connections: a transport each, and the session that Connect opened on it.

The sync client has one for all threads, the async client one for each running event loop (see
async_connection.py). A forked child leaves those of its parent alone and opens its own.
"""

from __future__ import annotations

import threading
from binascii import b2a_base64
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import errors, forking, transport
from ._core import StatusError, connect_request, parse_connect
from .config import CONNECT_TIMEOUT, ConnectionConfig
from .effects import Handshake, Operation, Wait
from .flights import Flights
from .transport.base import DEADLINE_EXCEEDED, RpcError, SyncTransport, Usage
from .version import __version__

if TYPE_CHECKING:
    from .observing import Observer

Headers = tuple[tuple[str, "str | bytes"], ...]
TransportT = TypeVar("TransportT")

_HANDSHAKES = Flights()
_opening = threading.RLock()


def opening() -> AbstractContextManager[Any]:
    """Held while a transport is made or put away, never while it talks.

    Re-entrant: while it is held the collector may close another, forgotten client.
    """
    return _opening


def _new_lock() -> None:
    global _opening
    _opening = threading.RLock()


forking.in_child(_new_lock)


class Counters:
    """How often one client has sent a request again, and has opened a session again."""

    __slots__ = ("reconnects", "retries")

    def __init__(self) -> None:
        self.retries = 0
        self.reconnects = 0

    def retried(self) -> None:
        with forking.counting:
            self.retries += 1

    def reconnected(self) -> None:
        with forking.counting:
            self.reconnects += 1


class Link(Generic[TransportT]):
    """One transport and its session. `headers` go with every call; None before the handshake."""

    def __init__(self, transport: TransportT, owner: Connection) -> None:
        self.transport = transport
        self.owner = owner
        self.config = owner.config
        self.timeout = owner.timeout  # of the handshake, in seconds
        self.generation = forking.generation  # of the process that opened it
        self.headers: Headers | None = None
        self.server_info: dict[str, str] = {}
        self.was_ready = False

    def authorization(self) -> Headers:
        token = self.config.token
        if not token:
            return ()
        return (("authorization", b2a_base64(token.encode(), newline=False).decode()),)

    def open_session(self, identifier: int, server_info: dict[str, str]) -> None:
        if self.was_ready:
            self.owner.counters.reconnected()
        self.server_info = server_info
        self.headers = (*self.authorization(), ("identifier", str(identifier)))
        self.was_ready = self.owner.was_ready = True

    def lost(self, headers: Headers | None) -> None:
        """The server may have forgotten the session of `headers`; the next call opens another."""
        if self.headers is headers:
            self.headers = None


def handshake(link: Link[Any]) -> Operation[None]:
    """Opens the link's session, once for all who ask at the same time.

    Raises ConnectFailed when the server cannot be reached, StatusError when it refuses.
    """
    own, flight = _HANDSHAKES.new(link), None
    try:
        while link.headers is None:
            if own.landed:  # and the session was given up at once
                own = _HANDSHAKES.new(link)
            flight = _HANDSHAKES.join(own, after=flight)
            if flight is own:
                if link.headers is None:
                    yield from _connect(link)
                own.land(True)
            elif not (yield Wait(flight)):
                # Its leader cannot go on, as one that a signal handler has interrupted cannot.
                yield from _connect(link)
            elif flight.error is not None:
                raise errors.again(flight.error)
    except (errors.ConnectFailed, StatusError) as error:
        own.land(error=errors.again(error))
        raise
    finally:
        # Running out of one's own time, for one, says nothing of the server.
        own.land()


def _connect(link: Link[Any]) -> Operation[None]:
    effect = Handshake(_connect_request(link.config), link.timeout)
    try:
        reply = yield effect
    except RpcError as error:
        if error.code == DEADLINE_EXCEEDED and effect.cut_short:
            raise
        raise errors.ConnectFailed(link.config.address, error) from error
    link.open_session(*parse_connect(reply))


def _connect_request(config: ConnectionConfig) -> bytes:
    from datetime import datetime
    from socket import gethostname

    return connect_request(
        sdk_type="Python",
        sdk_version=f"milvus_native-{__version__}",
        local_time=str(datetime.now()),
        user="",
        host=gethostname(),
        reserved=config.get_handler_kwargs().get("option") or None,
    )


class Connection:
    """What both kinds of connection are made from."""

    def __init__(
        self,
        config: ConnectionConfig,
        name: str,
        timeout: float | None,
        observer: Observer | None = None,
    ) -> None:
        self.config = config
        self.transport_name = name
        self.observer = observer
        self.timeout = CONNECT_TIMEOUT if timeout is None else timeout
        self.counters = Counters()
        self.was_ready = False  # whether the server was ever reached
        self.closed = False
        self._past = Usage()  # of transports that are closed

    @property
    def is_open(self) -> bool:
        """Whether there is something to close."""
        raise NotImplementedError

    def usage(self) -> Usage:
        """What the transports have done so far."""
        raise NotImplementedError

    def renew(self) -> None:
        """The next call opens a session anew, with the token that the settings have then."""
        raise NotImplementedError


class SyncConnection(Connection):
    """The sync client's one link. Thread-safe."""

    _link: Link[SyncTransport] | None = None

    def link(self) -> Link[SyncTransport]:
        """The link of this process. Raises MilvusException when the client is closed."""
        link = self._link
        if link is not None and link.generation == forking.generation:
            return link
        return self._open()

    def _open(self) -> Link[SyncTransport]:
        with opening():
            if self.closed:
                raise errors.closed()
            link = self._link
            if link is not None:
                if link.generation == forking.generation:
                    return link
                link.transport.abandon()
            opened = transport.open_sync(self.transport_name, self.config)
            self._link = link = Link(opened, self)
            return link

    @property
    def is_open(self) -> bool:
        return self._link is not None

    def usage(self) -> Usage:
        link = self._link
        if link is None or link.generation != forking.generation:
            return self._past  # what the parent of a fork does is the parent's
        return self._past.plus(link.transport.usage())

    def renew(self) -> None:
        link = self._link
        if link is not None:
            link.headers = None

    def close(self) -> None:
        with opening():
            self.closed = True
            link, self._link = self._link, None
        if link is not None:
            if link.generation == forking.generation:
                link.transport.close()
                self._past = self._past.plus(link.transport.usage().past())
            else:
                link.transport.abandon()
