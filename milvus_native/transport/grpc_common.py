"""What the two grpcio transports share: channel settings, and errors both ways."""

from __future__ import annotations

import re
import threading
from typing import Any

import grpc
import grpc.aio

from ..config import ConnectionConfig
from .base import INTERNAL, UNAVAILABLE, RpcError, Usage

# pymilvus's own settings, then ours. A channel of its own for each client, so that close() closes;
# and a server that is back after an outage is dialled within a second.
DEFAULT_OPTIONS: dict[str, Any] = {
    "grpc.max_send_message_length": -1,
    "grpc.max_receive_message_length": -1,
    "grpc.enable_retries": 1,
    "grpc.keepalive_time_ms": 10000,
    "grpc.keepalive_timeout_ms": 5000,
    "grpc.keepalive_permit_without_calls": True,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
}


class Meter:
    """Counts calls, and the bytes of their messages. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._usage = Usage()

    def count(self, sent: int, received: int, calls: int = 0) -> None:
        with self._lock:
            self._usage = self._usage.plus(Usage(calls, sent, received))

    def usage(self) -> Usage:
        """grpcio does not tell of its connections: one channel counts as one."""
        return self._usage._replace(open_connections=1)


CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}

# What grpcio says of a call for which it found no connection.
_UNSENT = re.compile("failed to connect|DNS resolution failed|errors resolving", re.IGNORECASE)

# Channels that belong to the parent of a fork. They are kept: even their destructors would talk to
# threads that do not exist here.
_abandoned: list[object] = []


def abandon(channel: object) -> None:
    _abandoned.append(channel)


def channel_options(config: ConnectionConfig) -> list[tuple[str, Any]]:
    """Options of the channel; the user's `grpc_options` win."""
    options = dict(DEFAULT_OPTIONS)
    options.update(config.get_handler_kwargs().get("grpc_options") or {})
    if config.secure and config.tls.server_name:
        options["grpc.ssl_target_name_override"] = config.tls.server_name
    return list(options.items())


def credentials(config: ConnectionConfig) -> grpc.ChannelCredentials | None:
    """None for a plain connection."""
    if not config.secure:
        return None
    roots, key, chain = config.tls.read()
    return grpc.ssl_channel_credentials(roots, key, chain)


def rpc_error(error: grpc.RpcError) -> RpcError | ValueError:
    """What a grpcio call raised, in the transports' own terms."""
    code = error.code().value[0]
    details = error.details() or ""
    error.__traceback__ = None  # whose frames have the request
    if code == INTERNAL and details == "Invalid metadata":
        # A complaint of grpcio itself, which makes no call of it; another try would end alike.
        return ValueError("the value of a header has bytes other than printable ASCII")
    return RpcError(
        code,
        details,
        tuple(error.trailing_metadata() or ()),
        sent=not (code == UNAVAILABLE and _UNSENT.search(details)),
        original=error,
    )


def no_message() -> RpcError:
    """For a call that grpcio calls a success though it has no reply, which it gives as None."""
    return RpcError(INTERNAL, "the reply has status OK but no message")


class RpcFailed(grpc.aio.AioRpcError, grpc.Call):  # type: ignore[misc]
    """A failed call that was not grpcio's, with all the faces by which programs know those.

    `except grpc.RpcError` finds it, and so do those who expect a grpc.aio.AioRpcError on an event
    loop, or ask a grpc.RpcError in a thread whether it is a grpc.Call.
    """

    def is_active(self) -> bool:
        return False

    def time_remaining(self) -> None:
        return None

    def cancel(self) -> bool:
        return False

    def add_callback(self, callback: Any) -> bool:
        """False: the call has ended, and `callback` is not called."""
        return False


def user_error(error: RpcError) -> Exception:
    """A grpc.RpcError with the code and details of `error`."""
    original, error.original = error.original, None  # for its context will be `error`
    if original is not None:
        return original
    code = CODES.get(error.code, grpc.StatusCode.UNKNOWN)
    return RpcFailed(code, (), error.metadata, error.details, error.details)
