"""grpc.aio for one event loop, as a pass-through of bytes."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import grpc
import grpc.aio

from ..config import ConnectionConfig
from .base import SERVICE, AsyncTransport, Metadata
from .grpc_common import Meter, abandon, channel_options, credentials, no_message, rpc_error
from .grpc_sync import GrpcTransport

# The process whose threads grpc.aio polls with. It never starts others in a forked child.
poller_pid: int | None = None

CALLS_IN_CHILD = 32  # at once


def open_transport(config: ConnectionConfig) -> AsyncTransport:
    """A transport of the running loop."""
    global poller_pid
    if poller_pid is None:
        poller_pid = os.getpid()
    if poller_pid != os.getpid():
        return ThreadedTransport(config)
    return GrpcAioTransport(config)


class GrpcAioTransport:
    """One channel of the running loop. It dials with the first call."""

    def __init__(self, config: ConnectionConfig) -> None:
        options = channel_options(config)
        secrets = credentials(config)
        if secrets is None:
            self._channel = grpc.aio.insecure_channel(config.address, options=options)
        else:
            self._channel = grpc.aio.secure_channel(config.address, secrets, options=options)
        self._calls: dict[str, Any] = {}
        self._meter = Meter()
        self.usage = self._meter.usage

    async def unary(
        self, method: str, request: bytes, *, timeout: float | None, metadata: Metadata
    ) -> bytes:
        call = self._calls.get(method)
        if call is None:
            call = self._calls[method] = self._channel.unary_unary(SERVICE + method)
        self._meter.count(len(request), 0, 1)
        try:
            reply = cast("bytes | None", await call(request, timeout=timeout, metadata=metadata))
        except grpc.RpcError as error:
            raise rpc_error(error) from None
        if reply is None:
            raise no_message()
        self._meter.count(0, len(reply))
        return reply

    async def close(self) -> None:
        await self._channel.close()

    def drop(self) -> None:
        # The channel closes when nothing refers to it any more; its close() needs the loop.
        self._calls.clear()
        del self._channel

    def abandon(self) -> None:
        abandon((self._channel, self._calls))


class ThreadedTransport:
    """For the child of a process that has used grpc.aio: blocking calls, a thread for each."""

    def __init__(self, config: ConnectionConfig) -> None:
        self._transport = GrpcTransport(config)
        self.usage = self._transport.usage
        self._threads = ThreadPoolExecutor(CALLS_IN_CHILD, thread_name_prefix="milvus_native")

    async def unary(
        self, method: str, request: bytes, *, timeout: float | None, metadata: Metadata
    ) -> bytes:
        def call() -> bytes:
            return self._transport.unary(method, request, timeout=timeout, metadata=metadata)

        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def close(self) -> None:
        self.drop()

    def drop(self) -> None:
        self._transport.close()
        self._threads.shutdown(wait=False)

    def abandon(self) -> None:
        self._transport.abandon()
        abandon(self._threads)
