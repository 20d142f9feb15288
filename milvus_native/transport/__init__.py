"""Ways to carry request bytes to a server and reply bytes back; see base.py for the contract.

TRANSPORTS is the table of what `transport=` accepts; a module is imported when it is chosen.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from ..config import ConnectionConfig
    from .base import AsyncTransport, SyncTransport

DEFAULT = "grpc"

# Name to (module, what makes one of a ConnectionConfig), for threads and for event loops.
TRANSPORTS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "grpc": (("grpc_sync", "GrpcTransport"), ("grpc_aio", "open_transport")),
}


def check_name(name: str) -> None:
    """ValueError unless `name` is a transport."""
    if name not in TRANSPORTS:
        raise ValueError(f"transport must be one of {', '.join(TRANSPORTS)}, not {name!r}")


def open_sync(name: str, config: ConnectionConfig) -> SyncTransport:
    """A transport for threads. It may connect at once or with its first call."""
    module, maker = TRANSPORTS[name][0]
    make = getattr(import_module(f".{module}", __name__), maker)
    return cast("SyncTransport", make(config))


def open_async(name: str, config: ConnectionConfig) -> AsyncTransport:
    """A transport for the running event loop, to be used on that loop alone."""
    module, maker = TRANSPORTS[name][1]
    make = getattr(import_module(f".{module}", __name__), maker)
    return cast("AsyncTransport", make(config))
