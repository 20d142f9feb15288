"""What an operation may ask of the driver that runs it.

An operation is a generator: it yields effects, is sent their results, and returns the answer of
one data-plane call. It does no I/O, so that the sync and the async driver run the same one. An
effect that fails is thrown into the generator as an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from ._core import RowEncoder, Schema
    from .flights import Flight

T = TypeVar("T")


class Rpc:
    """One unary call of MilvusService; the result is `decode(reply)`, or the reply's bytes.

    The driver sends it again, as far as the deadline and the rules of retrying allow, when it
    fails on the way or when `decode` raises a StatusError that says the server is busy. Other
    StatusErrors are thrown into the operation. `idempotent`: sending it twice does no
    more than sending it once.
    """

    __slots__ = ("decode", "idempotent", "method", "request")

    def __init__(
        self,
        method: str,
        request: bytes,
        idempotent: bool = True,
        decode: Callable[[bytes], Any] | None = None,
    ) -> None:
        self.method = method
        self.request = request
        self.idempotent = idempotent
        self.decode = decode


class NeedSchema:
    """The result is the collection's Schema, from the cache or from one DescribeCollection.

    With `refresh` a cached schema is not good enough; where `stale` is given, only that one is
    not. `refresh` is the cause that it is counted under, "" for a look-up that the cache may
    answer. The driver sets `fetched` when the schema was asked of the server after the effect was
    yielded.
    """

    __slots__ = ("collection_name", "fetched", "refresh", "stale")

    def __init__(
        self,
        collection_name: str,
        refresh: Literal["", "mismatch", "error", "input", "iterator"] = "",
        stale: Schema | None = None,
    ) -> None:
        self.collection_name = collection_name
        self.refresh = refresh
        self.stale = stale
        self.fetched = False


class Encode:
    """The result is the request that `encoder` makes; an event loop turns in between."""

    __slots__ = ("encoder",)

    def __init__(self, encoder: RowEncoder) -> None:
        self.encoder = encoder


class Handshake:
    """The result is the reply's bytes of one Connect, sent once and without a session.

    It may take `timeout` seconds; the driver sets `cut_short` when the call has less than that.
    """

    __slots__ = ("cut_short", "request", "timeout")

    def __init__(self, request: bytes, timeout: float) -> None:
        self.request = request
        self.timeout = timeout
        self.cut_short = False


class Wait:
    """Waits until somebody else's flight has landed; fails at the deadline of the call.

    The result is False when its leader cannot go on: because this call waits, or because the loop
    that the leader is a task of has stopped.
    """

    __slots__ = ("flight",)

    def __init__(self, flight: Flight) -> None:
        self.flight = flight


Effect = Rpc | NeedSchema | Encode | Handshake | Wait
Operation = Generator[Effect, Any, T]
