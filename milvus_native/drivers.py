"""The driver that runs operations in threads. Its twin for event loops is in async_driver.py."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from . import errors, memory, schema_cache
from ._core import StatusError
from .calls import Call
from .connection import Link, SyncConnection, handshake
from .effects import Encode, Handshake, NeedSchema, Operation, Rpc, Wait
from .errors import ConnectFailed
from .flights import PATIENCE, Flight
from .transport.base import OK, RpcError, SyncTransport

if TYPE_CHECKING:
    from .observing import Observer

T = TypeVar("T")


class SyncDriver:
    """Runs operations in the calling thread; any number of threads at once."""

    def __init__(self, connection: SyncConnection) -> None:
        self._connection = connection

    def run(self, operation: Operation[T], call: Call, inner: bool = False) -> T:
        """The operation's answer. Raises pymilvus's exceptions and grpc.RpcError.

        `inner`: it is part of another operation, which sees failures as they are.
        """
        try:
            effect = next(operation)
            while True:
                try:
                    if isinstance(effect, Rpc):
                        result = self._rpc(effect, call)
                    else:
                        result = self._perform(effect, call)
                except BaseException as error:
                    effect = operation.throw(error)
                else:
                    effect = operation.send(result)
        except StopIteration as stop:
            answer: T = stop.value
            return answer
        except BaseException as error:
            operation.close()  # what interrupts may come between its steps
            if inner or not isinstance(error, Exception):
                raise
            errors.raise_translated(error)

    def connect(self, call: Call) -> None:
        """Opens the session, unless it is open."""
        self.run(handshake(self._connection.link()), call)

    def _perform(self, effect: NeedSchema | Encode | Wait | Handshake, call: Call) -> Any:
        if isinstance(effect, NeedSchema):
            if not effect.refresh:
                key = call.scope.schema_key(effect.collection_name)
                schema = schema_cache.CACHE.get(key)
                if schema is not None:
                    return schema
            return self.run(schema_cache.lookup(call.scope, effect), call, inner=True)
        if isinstance(effect, Encode):
            return effect.encoder.finish()
        if isinstance(effect, Wait):
            return self._wait(effect.flight, call)
        return self._handshake(effect, call)

    def _rpc(self, rpc: Rpc, call: Call) -> Any:
        while True:
            link: Link[SyncTransport] = self._connection.link()
            headers = link.headers
            try:
                if headers is None:
                    self.run(handshake(link), call, inner=True)
                    headers = link.headers or link.authorization()
                metadata = call.metadata(headers)
                observer = self._connection.observer
                if observer is not None:
                    reply = self._observed(observer, rpc, call, link, metadata)
                else:
                    reply = link.transport.unary(
                        rpc.method, rpc.request, timeout=call.remaining(), metadata=metadata
                    )
                if len(rpc.request) + len(reply) > memory.SMALLEST:
                    memory.expect(max(len(rpc.request), len(reply)))
                return reply if rpc.decode is None else rpc.decode(reply)
            except (RpcError, ConnectFailed, StatusError) as error:
                delay = call.failed(error, rpc, link, headers)
                if delay is None:
                    raise
            time.sleep(delay)

    def _observed(
        self,
        observer: Observer,
        rpc: Rpc,
        call: Call,
        link: Link[SyncTransport],
        metadata: list[tuple[str, str | bytes]],
    ) -> bytes:
        call.attempts += 1
        observation = observer.begin(rpc, call.attempts)
        metadata += observation.headers
        try:
            reply = link.transport.unary(
                rpc.method, rpc.request, timeout=call.remaining(), metadata=metadata
            )
        except BaseException as error:
            observation.failed(error)
            raise
        observation.end(OK, len(reply))
        return reply

    def _handshake(self, effect: Handshake, call: Call) -> bytes:
        link = self._connection.link()
        return link.transport.unary(
            "Connect",
            effect.request,
            timeout=call.handshake_timeout(effect),
            metadata=link.authorization(),
        )

    def _wait(self, flight: Flight, call: Call) -> bool:
        landed = threading.Event()
        flight.on_landing(landed.set)
        try:
            while not flight.landed and not flight.is_stuck():
                left = call.remaining()
                landed.wait(PATIENCE if left is None else min(left, PATIENCE))
        finally:
            flight.forget(landed.set)
        return flight.landed
