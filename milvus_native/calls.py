"""One call of the user: its deadline, its headers, and the rules of retrying.

One monotonic deadline covers a whole call: handshake, schema, encoding, every try and the waiting
in between. What is retried, and how often, follows pymilvus's retry_on_rpc_failure; but a write
that would count twice is sent again only when the server cannot have seen it.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from typing import Any

from . import errors
from ._core import StatusError
from .arguments import illegal
from .connection import Counters, Headers, Link
from .effects import Handshake, Rpc
from .errors import ConnectFailed, GaveUp
from .scope import Scope
from .transport.base import (
    ALREADY_EXISTS,
    CANCELLED,
    DEADLINE_EXCEEDED,
    INVALID_ARGUMENT,
    PERMISSION_DENIED,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNIMPLEMENTED,
    RpcError,
)

# What a try can end with.
Failure = RpcError | ConnectFailed | StatusError

RETRY_TIMES = 75
FIRST_BACK_OFF = 0.01  # seconds
BACK_OFF_FACTOR = 3
LONGEST_BACK_OFF = 1.0  # after an outage the server is asked again within a second
LONGEST_RATE_BACK_OFF = 3.0
SHORTEST_TRY = 0.002  # with less time than this left, another try has no prospects

NOT_SENT_AGAIN = (
    "The server may have acted on the request, so it was not sent again (retry_writes=True would)"
)

NOT_RETRIED = frozenset(
    {
        DEADLINE_EXCEEDED,
        PERMISSION_DENIED,
        UNAUTHENTICATED,
        INVALID_ARGUMENT,
        ALREADY_EXISTS,
        RESOURCE_EXHAUSTED,
        UNIMPLEMENTED,
    }
)

# A server on gRPC's C core, as milvus-lite is, gives this status and text to calls that it took off
# the wire and did not hand to its program: by default when more than 1,000 wait for that.
SHED = (CANCELLED, "CANCELLED")

NO_OPTIONS: Mapping[str, Any] = {}

# Keyword arguments of every data-plane call that concern the call and not its meaning.
CALL_KEYWORDS = frozenset(
    {
        "client-request-id",
        "client_request_id",
        "log-level",
        "log_level",
        "retry_on_rate_limit",
        "retry_times",
        "retry_writes",
    }
)


class Call:
    """One call of the user: its deadline, its headers, and how often it may still be tried.

    `name` is what messages call it: the name that pymilvus's handler has for it. `timeout` is in
    seconds, None waits as long as it takes. `options` may hold CALL_KEYWORDS.
    """

    __slots__ = (
        "_back_off",
        "_counters",
        "_extra",
        "_failure",
        "_retry_writes",
        "_timeout_error",
        "_tries",
        "attempts",
        "deadline",
        "name",
        "options",
        "request_id",
        "scope",
        "timeout",
    )

    def __init__(
        self,
        name: str,
        scope: Scope,
        timeout: Any,
        counters: Counters,
        options: Mapping[str, Any] = NO_OPTIONS,
        retry_writes: bool = False,
    ) -> None:
        self.name = name
        self.scope = scope
        self.timeout = timeout
        self.deadline: float | None = None
        self._timeout_error: Exception | None = None
        if timeout is not None:
            try:
                self.deadline = time.monotonic() + _seconds(timeout)
            except Exception as error:
                self._timeout_error = error  # raised when it is needed: other checks come first
        self.options = options
        self.request_id = ""
        self._extra: tuple[tuple[str, str], ...] = ()
        if options:
            self.request_id = options.get("client_request_id") or options.get(
                "client-request-id", ""
            )
            level = options.get("log-level", options.get("log_level"))
            if level:
                self._extra = (("log_level", level),)
        self._counters = counters
        self._retry_writes = retry_writes
        self._tries = 0
        self.attempts = 0  # requests sent, for observers
        self._back_off = FIRST_BACK_OFF
        self._failure: Failure | None = None

    def remaining(self) -> float | None:
        """Seconds left, None without a deadline. Raises RpcError when it has passed."""
        if self.deadline is None:
            if self._timeout_error is not None:
                raise self._timeout_error
            return None
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise self.expired()
        return None if left == math.inf else left

    def expired(self) -> RpcError:
        return RpcError(DEADLINE_EXCEEDED, "Deadline Exceeded", sent=False)

    def metadata(self, headers: Headers) -> list[tuple[str, str | bytes]]:
        return [
            ("dbname", self.scope.db_name),
            ("client-request-id", self.request_id),
            ("client-request-unixmsec", str(time.time_ns() // 1_000_000)),
            *headers,
            *self._extra,
        ]

    def handshake_timeout(self, effect: Handshake) -> float:
        if self.deadline is not None and self.deadline - time.monotonic() < effect.timeout:
            effect.cut_short = True
        left = self.remaining()
        return effect.timeout if left is None else min(left, effect.timeout)

    def limit_text(self) -> str:
        """What a message says of the limit that this call ran into."""
        if self.timeout is not None:
            return f"[{self.name}] Retry timeout: {self.timeout}s"
        return f"[{self.name}] Retry run out of {self._retry_times()} retry times"

    def _retry_times(self) -> int:
        times = self.options.get("retry_times")
        return times if isinstance(times, int) else RETRY_TIMES

    def _is_passing(self, error: Failure, link: Link[Any]) -> bool:
        """Whether the same request may do better in a moment."""
        if isinstance(error, RpcError):
            return error.code not in NOT_RETRIED
        if isinstance(error, ConnectFailed):
            # A server that was never reached is a wrong address rather than an outage.
            return link.owner.was_ready and error.cause.code in (UNAVAILABLE, DEADLINE_EXCEEDED)
        if errors.is_rate_limit(error):
            return bool(self.options.get("retry_on_rate_limit", True))
        return "STREAMING_CODE_REPLICATE_VIOLATION" in error.reason

    def _is_safe(self, error: Failure, rpc: Rpc) -> bool:
        """Whether sending `rpc` again cannot do twice what was asked for once."""
        return (
            rpc.idempotent
            or not (isinstance(error, RpcError) and error.sent)
            or (error.code, error.details) == SHED
            or bool(self.options.get("retry_writes", self._retry_writes))
        )

    def failed(
        self, error: Failure, rpc: Rpc, link: Link[Any], headers: Headers | None
    ) -> float | None:
        """Seconds until `rpc` is to be sent again after `error`, None if that ends the call.

        Raises GaveUp if there is more to say of the end.
        """
        if not self._is_passing(error, link):
            late = isinstance(error, RpcError) and error.code == DEADLINE_EXCEEDED
            if late and self.deadline is not None and self._failure is not None:
                raise GaveUp(self.limit_text(), self._failure, True) from error
            return None
        if not self._is_safe(error, rpc):
            if _concerns_session(error):
                link.lost(headers)
            raise GaveUp(f"[{self.name}] {NOT_SENT_AGAIN}", error, False) from error
        self._tries += 1
        if _concerns_session(error):
            link.lost(headers)
        delay = self._back_off * random.uniform(0.75, 1.25)
        if self.deadline is None:
            if self._tries > self._retry_times():
                raise GaveUp(self.limit_text(), error, False) from error
        else:
            left = self.deadline - time.monotonic()
            if left < 2 * SHORTEST_TRY:
                raise GaveUp(self.limit_text(), error, True) from error
            delay = min(delay, left / 2)  # the last wait leaves time for a last try
            self._failure = errors.again(error)
        limited = isinstance(error, StatusError) and errors.is_rate_limit(error)
        longest = LONGEST_RATE_BACK_OFF if limited else LONGEST_BACK_OFF
        self._back_off = min(self._back_off * BACK_OFF_FACTOR, longest)
        self._counters.retried()
        return delay


def _concerns_session(error: Failure) -> bool:
    """Whether another connection, or another server, may answer the next try."""
    if isinstance(error, RpcError):
        return error.code == UNAVAILABLE
    return isinstance(error, StatusError) and not errors.is_rate_limit(error)


def _seconds(timeout: Any) -> float:
    """`timeout` as a float. ParamError for what is no number, ValueError for NaN."""
    if isinstance(timeout, str):
        raise illegal("timeout", timeout)
    try:
        seconds = float(timeout)
    except TypeError:
        raise illegal("timeout", timeout) from None
    if seconds != seconds:
        raise ValueError("timeout must be a number of seconds, not NaN")
    return seconds
