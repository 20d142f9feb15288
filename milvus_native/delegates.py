"""pymilvus's own clients, for what is not native: made, and pymilvus imported, at first use."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from .control.watching import watch

if TYPE_CHECKING:
    import asyncio

    from .config import ConnectionConfig
    from .scope import Scope

# Clients that belong to the parent of a fork: their destructors must not run here.
_abandoned: list[Any] = []


def abandon(client: Any) -> None:
    """In a forked child: lets go of a client of the parent."""
    if client is not None:
        _abandoned.append(client)


def original(name: str) -> Any:
    """pymilvus's own class `name`, even in a program that has put ours in its place."""
    from pymilvus.milvus_client.base import BaseMilvusClient

    for cls in BaseMilvusClient.__subclasses__():
        if cls.__name__ == name and cls.__module__.startswith("pymilvus."):
            return cls
    raise ImportError(f"pymilvus has no client class {name}")


# What pymilvus's clients get their connections from: a module, a class in it, and where that is
# defined.
_MACHINERY = (
    ("pymilvus.client.grpc_handler", "GrpcHandler", "pymilvus.client.grpc_handler"),
    (
        "pymilvus.client.async_grpc_handler",
        "AsyncGrpcHandler",
        "pymilvus.client.async_grpc_handler",
    ),
    (
        "pymilvus.milvus_client.milvus_client",
        "ConnectionManager",
        "pymilvus.client.connection_manager",
    ),
    (
        "pymilvus.milvus_client.async_milvus_client",
        "AsyncConnectionManager",
        "pymilvus.client.connection_manager",
    ),
)


def machinery_is_replaced() -> bool:
    """Whether the program has put a class or a method of its own, or a mock, in pymilvus's way.

    It then expects that to be asked, not the server.
    """
    for module_name, name, home in _MACHINERY:
        # None as well while the module is being imported.
        found = getattr(sys.modules.get(module_name), name, None)
        if found is None:
            continue
        parts = [found, *vars(found).values()]
        if _untouched.get(name) == parts:
            continue
        if any(_is_method(part) and getattr(part, "__module__", home) != home for part in parts):
            return True
        _untouched[name] = parts
    return False


_untouched: dict[str, list[Any]] = {}  # what the classes were seen to consist of


def _is_method(value: Any) -> bool:
    return callable(value) or isinstance(value, (classmethod, staticmethod))


def client_arguments(config: ConnectionConfig, timeout: float | None) -> dict[str, Any]:
    """Keyword arguments that make pymilvus's client reach what ours reaches, unshared."""
    arguments = config.get_handler_kwargs()
    if config.secure and not arguments.get("server_pem_path") and config.tls.root_path:
        files = ("client_pem_path", "client_key_path", "ca_pem_path")
        if not all(arguments.get(name) for name in files):
            # pymilvus knows a CA file of its own only together with a client certificate.
            arguments["server_pem_path"] = config.tls.root_path
    # grpcio lets channels share a connection: ours would end with it when a server has had enough
    # of the PINGs of another (GOAWAY too_many_pings), as milvus-lite soon has.
    unshared = {"grpc.use_local_subchannel_pool": 1}
    arguments["grpc_options"] = unshared | (arguments.get("grpc_options") or {})
    arguments.update(
        uri=config.uri,
        token=config.token,
        db_name=config.db_name,
        timeout=timeout,
        dedicated=True,
    )
    return arguments


def _make_sync(config: ConnectionConfig, timeout: float | None) -> Any:
    base = original("MilvusClient")
    watch()
    if not config.address.startswith("["):
        return base(**client_arguments(config, timeout))

    class BracketedClient(base):  # type: ignore[misc, valid-type]
        """pymilvus loses the brackets of an IPv6 address and then cannot connect."""

        def __init__(self, **arguments: Any) -> None:
            from pymilvus.client import connection_manager

            del arguments["timeout"], arguments["dedicated"]
            self._config = connection_manager.ConnectionConfig.from_uri(**arguments)
            self._config.address = config.address
            self._manager = connection_manager.ConnectionManager.get_instance()
            self._handler = self._manager.get_or_create(
                self._config, dedicated=True, client=self, timeout=timeout
            )
            self._using = f"cm-{id(self._handler)}"
            self.is_self_hosted = config.server_type == "milvus"

    return BracketedClient(**client_arguments(config, timeout))


_aio_pid: int | None = None


def aio_is_usable() -> bool:
    """False in the forked child of a process that has used grpc.aio: it would wait for ever."""
    ours = sys.modules.get("milvus_native.transport.grpc_aio")
    return {_aio_pid, getattr(ours, "poller_pid", None)} <= {None, os.getpid()}


def make_async(config: ConnectionConfig, timeout: float | None) -> Any:
    """An AsyncMilvusClient, not yet connected."""
    global _aio_pid
    if _aio_pid is None:
        _aio_pid = os.getpid()
    watch()
    client = original("AsyncMilvusClient")(**client_arguments(config, timeout))
    if config.address.startswith("["):
        client._config.address = config.address
    return client


class SyncDelegate:
    """The pymilvus.MilvusClient of one client of ours. Thread-safe."""

    def __init__(self, config: ConnectionConfig, timeout: float | None) -> None:
        self._config = config
        self._timeout = timeout
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._client: Any = None

    def get(self) -> Any:
        """The client, connected, and set to the current database."""
        if self._pid != os.getpid():
            abandon(self._client)
            self._client, self._lock, self._pid = None, threading.Lock(), os.getpid()
        if self._client is None:
            with self._lock:
                if self._client is None:
                    self._client = _make_sync(self._config, self._timeout)
        self._client._config.db_name = self._config.db_name
        return self._client

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            if self._pid == os.getpid():
                client.close()
            else:
                abandon(client)


def forget_loop(loop: asyncio.AbstractEventLoop, client: Any) -> None:
    """Removes what pymilvus keeps for a closed loop that `client` was used on.

    It is found there by the loop's id, which the next loop may have again.
    """
    manager = getattr(client, "_manager", None)
    instances = getattr(type(manager), "_instances", {})
    if manager is not None and instances.get(id(loop)) is manager:
        del instances[id(loop)]


def lend_timestamp(scope: Scope, collection_name: Any) -> None:
    """Tells pymilvus's clients of our writes, so that their Session reads see them."""
    cache = _timestamps()
    if cache is not None and isinstance(collection_name, str):
        newest = scope.last_write_ts(collection_name)
        if newest:
            cache.set(scope.endpoint, scope.db_name, collection_name, newest)


def learn_timestamp(scope: Scope, collection_name: Any) -> None:
    """Takes over what pymilvus's clients have written, so that our Session reads see it."""
    cache = _timestamps()
    if cache is not None and isinstance(collection_name, str):
        newest = cache.get(scope.endpoint, scope.db_name, collection_name)
        if newest:
            scope.record_write(collection_name, newest)


def _timestamps() -> Any:
    module = sys.modules.get("pymilvus.client.cache")
    return getattr(getattr(module, "GlobalCache", None), "collection_ts", None)
