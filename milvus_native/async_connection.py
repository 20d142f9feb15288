"""The connections of an async client: one for each event loop that it is used on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from . import delegates, errors, forking, transport
from .config import ConnectionConfig
from .connection import Connection, Link, opening
from .transport.base import AsyncTransport, Usage

if TYPE_CHECKING:
    from .observing import Observer


class LoopLink(Link[AsyncTransport]):
    """A link, and whatever else an async client keeps for one event loop."""

    def __init__(self, transport: AsyncTransport, owner: Connection) -> None:
        super().__init__(transport, owner)
        self.delegate: Any = None  # pymilvus's client of this loop, see delegates.py
        self.delegate_is_connected = False
        self.delegate_lock = asyncio.Lock()

    async def close(self) -> None:
        """To be awaited on the link's own loop."""
        try:
            if self.delegate is not None:
                await self.delegate.close()
        finally:
            await self.transport.close()

    def drop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Closes without the loop."""
        self.transport.drop()
        if self.delegate is not None:
            delegates.forget_loop(loop, self.delegate)
            self.delegate = None

    def abandon(self) -> None:
        self.transport.abandon()
        delegates.abandon(self.delegate)


class AsyncConnection(Connection):
    """The async client's links, one for each event loop that has used it. Thread-safe."""

    def __init__(
        self,
        config: ConnectionConfig,
        name: str,
        timeout: float | None,
        observer: Observer | None = None,
    ) -> None:
        super().__init__(config, name, timeout, observer)
        self._links: dict[asyncio.AbstractEventLoop, LoopLink] = {}

    def present_link(self) -> LoopLink | None:
        """The link of the running loop, if there is a loop running that has one."""
        try:
            return self._links.get(asyncio.get_running_loop())
        except RuntimeError:
            return None

    def link(self) -> LoopLink:
        """The link of the running loop. Raises MilvusException when the client is closed."""
        link = self._links.get(asyncio.get_running_loop())
        if link is not None and link.generation == forking.generation:
            return link
        return self._open()

    def _open(self) -> LoopLink:
        loop = asyncio.get_running_loop()
        with opening():
            if self.closed:
                raise errors.closed()
            self._drop_dead()
            link = LoopLink(transport.open_async(self.transport_name, self.config), self)
            self._links[loop] = link
            return link

    def _drop_dead(self) -> None:
        """Lets go of the links whose loop is closed and of those inherited by a fork."""
        for loop, link in list(self._links.items()):
            if link.generation != forking.generation:
                del self._links[loop]
                link.abandon()
            elif loop.is_closed():
                del self._links[loop]
                link.drop(loop)
                self._past = self._past.plus(link.transport.usage().past())

    @property
    def is_open(self) -> bool:
        return bool(self._links)

    def usage(self) -> Usage:
        with opening():
            total = self._past
            for link in self._links.values():
                if link.generation == forking.generation:
                    total = total.plus(link.transport.usage())
        return total

    def renew(self) -> None:
        for link in list(self._links.values()):
            link.headers = None

    async def close(self) -> None:
        """Closes the links; those of other loops are closed by their loops, as soon as may be."""
        links = self._take_all()
        own = links.pop(asyncio.get_running_loop(), None)
        for loop, link in links.items():
            _close_on(loop, link)
        if own is not None:
            await own.close()

    def close_soon(self) -> None:
        """Closes the links without waiting for it."""
        for loop, link in self._take_all().items():
            _close_on(loop, link)

    def drop(self) -> None:
        """Lets go of all links at once, as nobody uses them any more."""
        for loop, link in self._take_all().items():
            link.drop(loop)

    def _take_all(self) -> dict[asyncio.AbstractEventLoop, LoopLink]:
        with opening():
            self.closed = True
            self._drop_dead()
            links, self._links = self._links, {}
            for link in links.values():
                self._past = self._past.plus(link.transport.usage().past())
        return links


_closing: set[asyncio.Task[None]] = set()  # keeps the tasks alive until they are done


def _close_on(loop: asyncio.AbstractEventLoop, link: LoopLink) -> None:
    def close() -> None:
        task = loop.create_task(link.close())
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    try:
        if loop.is_running():
            loop.call_soon_threadsafe(close)
            return
    except RuntimeError:
        pass  # closed in this very moment
    link.drop(loop)
