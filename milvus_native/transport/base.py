"""What a transport is: bytes of one unary call there, bytes of its reply or an RpcError back.

A transport knows no message, retries nothing, and adds no header of its own beyond the protocol's.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import NamedTuple, Protocol

SERVICE = "/milvus.proto.milvus.MilvusService/"

# gRPC status codes (https://grpc.io/docs/guides/status-codes).
OK = 0
CANCELLED = 1
UNKNOWN = 2
INVALID_ARGUMENT = 3
DEADLINE_EXCEEDED = 4
NOT_FOUND = 5
ALREADY_EXISTS = 6
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
ABORTED = 10
OUT_OF_RANGE = 11
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
DATA_LOSS = 15
UNAUTHENTICATED = 16

# Lower-case keys; values of keys ending in -bin are bytes.
Metadata = Sequence[tuple[str, "str | bytes"]]


class RpcError(Exception):
    """A call that ended with a gRPC status other than OK. Internal: see errors.py.

    `sent` is False only when the server cannot have seen the request. `original` is the
    exception of the library underneath, if there is one.
    """

    def __init__(
        self,
        code: int,
        details: str = "",
        metadata: Metadata = (),
        sent: bool = True,
        original: Exception | None = None,
    ) -> None:
        super().__init__(code, details)
        self.code = code
        self.details = details
        self.metadata = metadata
        self.sent = sent
        self.original = original


def closed() -> RpcError:
    """What a call gets that begins after its transport was closed."""
    return RpcError(CANCELLED, "the client is closed", sent=False)


class Usage(NamedTuple):
    """What a transport has done: calls begun, bytes on the wire, and connections now open."""

    calls: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    open_connections: int = 0

    def plus(self, other: Usage) -> Usage:
        return Usage(*map(operator.add, self, other))

    def past(self) -> Usage:
        """The same once its connections are closed."""
        return self._replace(open_connections=0)


class SyncTransport(Protocol):
    """Used by any number of threads at once."""

    def unary(
        self, method: str, request: bytes, *, timeout: float | None, metadata: Metadata
    ) -> bytes:
        """Calls MilvusService.`method`. `timeout` in seconds covers connecting too; None waits."""
        ...

    def usage(self) -> Usage:
        """What it has done so far."""
        ...

    def close(self) -> None:
        """Closes the connections; calls in flight fail. May be called twice."""
        ...

    def abandon(self) -> None:
        """In a forked child: lets go of what the parent uses, without a word on the wire."""
        ...


class AsyncTransport(Protocol):
    """Used by any number of tasks of one event loop."""

    async def unary(
        self, method: str, request: bytes, *, timeout: float | None, metadata: Metadata
    ) -> bytes: ...

    def usage(self) -> Usage:
        """What it has done so far; from any thread."""
        ...

    async def close(self) -> None: ...

    def drop(self) -> None:
        """Closes without an event loop, when its own is closed."""
        ...

    def abandon(self) -> None:
        """In a forked child: lets go of what the parent uses, without a word on the wire."""
        ...
