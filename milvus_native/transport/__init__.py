"""Ways to carry request bytes to a server and reply bytes back; see base.py for the contract.

TRANSPORTS is the table of what `transport=` accepts; a module is imported when it is chosen.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from ..config import ConnectionConfig
    from .base import AsyncTransport, SyncTransport

VARIABLE = "MILVUS_NATIVE_TRANSPORT"  # what to use where the program does not say

# Name to (module, what makes one of a ConnectionConfig), for threads and for event loops.
TRANSPORTS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "native": (("native_sync", "NativeTransport"), ("native_aio", "NativeAioTransport")),
    "grpc": (("grpc_sync", "GrpcTransport"), ("grpc_aio", "open_transport")),
}


def choose(name: str | None, config: ConnectionConfig) -> str:
    """The transport of a client that asks for `name`, or leaves it to us.

    Left to us it is the native one, unless the settings need what only grpcio has: one of its
    channel options, or an HTTP proxy. ValueError for a name that is none, and for a native
    transport with options that it does not know.
    """
    asked = name or os.environ.get(VARIABLE)
    if asked is not None and asked not in TRANSPORTS:
        raise ValueError(f"transport must be one of {', '.join(TRANSPORTS)}, not {asked!r}")
    if asked == "grpc":
        return asked
    from .target import foreign_option, proxy_variable

    foreign = foreign_option(config)
    if asked is None:
        return "grpc" if foreign or proxy_variable(config) else "native"
    if foreign and name is not None:
        raise ValueError(f"{foreign!r} of grpc_options needs transport='grpc'")
    return "grpc" if foreign else asked


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
