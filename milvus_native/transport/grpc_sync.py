"""grpcio for threads, as a pass-through of bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import grpc

from ..config import ConnectionConfig
from .base import SERVICE, Metadata
from .grpc_common import Meter, abandon, channel_options, credentials, no_message, rpc_error


class GrpcTransport:
    """One channel. It dials with the first call."""

    def __init__(self, config: ConnectionConfig) -> None:
        options = channel_options(config)
        secrets = credentials(config)
        if secrets is None:
            self._channel = grpc.insecure_channel(config.address, options=options)
        else:
            self._channel = grpc.secure_channel(config.address, secrets, options=options)
        self._calls: dict[str, Callable[..., bytes | None]] = {}
        self._meter = Meter()
        self.usage = self._meter.usage

    def unary(
        self, method: str, request: bytes, *, timeout: float | None, metadata: Metadata
    ) -> bytes:
        call = self._calls.get(method)
        if call is None:
            call = self._calls[method] = cast(
                "Callable[..., bytes | None]", self._channel.unary_unary(SERVICE + method)
            )
        self._meter.count(len(request), 0, 1)
        try:
            reply = call(request, timeout=timeout, metadata=metadata)
        except grpc.RpcError as error:
            raise rpc_error(error) from None
        if reply is None:
            raise no_message()
        self._meter.count(0, len(reply))
        return reply

    def close(self) -> None:
        self._channel.close()

    def abandon(self) -> None:
        abandon((self._channel, self._calls))
