"""Open transports of each kind behind one face, for tests that hold for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from typing import Any, TypeVar

from milvus_native import transport
from milvus_native.config import ConnectionConfig
from milvus_native.transport.base import AsyncTransport, Metadata, SyncTransport, Usage
from tests.together import outcomes

T = TypeVar("T")

QUESTION, ANSWER = b"question", b"answer"
METHOD = "Query"

KINDS = ("native-sync", "native-async", "grpc-sync", "grpc-async")


class Line:
    """One transport. `call` waits for the reply, or raises RpcError."""

    def call(
        self,
        request: bytes = QUESTION,
        *,
        method: str = METHOD,
        timeout: float | None = 30,
        metadata: Metadata = (),
    ) -> bytes:
        raise NotImplementedError

    def call_many(self, count: int, timeout: float | None = 30) -> list[Any]:
        """So many calls at once: replies and exceptions."""
        raise NotImplementedError

    def usage(self) -> Usage:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class SyncLine(Line):
    def __init__(self, opened: SyncTransport) -> None:
        self.transport = opened

    def call(
        self,
        request: bytes = QUESTION,
        *,
        method: str = METHOD,
        timeout: float | None = 30,
        metadata: Metadata = (),
    ) -> bytes:
        return self.transport.unary(method, request, timeout=timeout, metadata=metadata)

    def call_many(self, count: int, timeout: float | None = 30) -> list[Any]:
        return outcomes(lambda _: self.call(timeout=timeout), count)

    def usage(self) -> Usage:
        return self.transport.usage()

    def close(self) -> None:
        self.transport.close()


class AsyncLine(Line):
    def __init__(self, opened: AsyncTransport, loop: asyncio.AbstractEventLoop) -> None:
        self.transport = opened
        self.loop = loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def call(
        self,
        request: bytes = QUESTION,
        *,
        method: str = METHOD,
        timeout: float | None = 30,
        metadata: Metadata = (),
    ) -> bytes:
        return self.run(self.transport.unary(method, request, timeout=timeout, metadata=metadata))

    def call_many(self, count: int, timeout: float | None = 30) -> list[Any]:
        async def main() -> list[Any]:
            calls = (
                self.transport.unary(METHOD, QUESTION, timeout=timeout, metadata=())
                for _ in range(count)
            )
            return await asyncio.gather(*calls, return_exceptions=True)

        return self.run(main())

    def usage(self) -> Usage:
        return self.transport.usage()

    def close(self) -> None:
        self.run(self.transport.close())


@contextmanager
def open_line(kind: str, uri: str, **options: Any) -> Iterator[Any]:
    """A line of one of KINDS to `uri`, with the keyword arguments of a client."""
    config = ConnectionConfig.from_uri(uri, **options)
    name, _, style = kind.partition("-")
    if style == "sync":
        with closing(SyncLine(transport.open_sync(name, config))) as line:
            yield line
        return

    async def open_it() -> AsyncTransport:
        return transport.open_async(name, config)

    with (
        closing(asyncio.new_event_loop()) as loop,
        closing(AsyncLine(loop.run_until_complete(open_it()), loop)) as line,
    ):
        yield line
