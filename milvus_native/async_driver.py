"""The driver that runs operations on event loops. Its twin for threads is in drivers.py."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from . import errors, memory, schema_cache
from ._core import StatusError
from .async_connection import AsyncConnection, LoopLink
from .calls import Call
from .connection import handshake
from .effects import Encode, Handshake, NeedSchema, Operation, Rpc, Wait
from .errors import ConnectFailed
from .flights import PATIENCE, Flight
from .transport.base import OK, RpcError

if TYPE_CHECKING:
    from .observing import Observer

T = TypeVar("T")

# A loop turn during encoding takes about as long as this many bytes of request.
ENCODE_SLICE = 1 << 20


class AsyncDriver:
    """Runs operations on the running event loop; any number of tasks and loops at once."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def run(self, operation: Operation[T], call: Call, inner: bool = False) -> T:
        """The operation's answer. Raises pymilvus's exceptions and grpc.RpcError.

        `inner`: it is part of another operation, which sees failures as they are.
        """
        try:
            effect = next(operation)
            while True:
                try:
                    if isinstance(effect, Rpc):
                        result = await self._rpc(effect, call)
                    else:
                        result = await self._perform(effect, call)
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
            asyncio.get_running_loop()  # RuntimeError in a program of trio's, say
            out_of_time = None if call.timeout is None else call.limit_text()
            errors.raise_translated(error, out_of_time=out_of_time)

    async def connect(self, call: Call) -> None:
        """Opens the running loop's session, unless it is open."""
        await self.run(handshake(self._connection.link()), call)

    async def _perform(self, effect: NeedSchema | Encode | Wait | Handshake, call: Call) -> Any:
        if isinstance(effect, NeedSchema):
            if not effect.refresh:
                key = call.scope.schema_key(effect.collection_name)
                schema = schema_cache.CACHE.get(key)
                if schema is not None:
                    return schema
            return await self.run(schema_cache.lookup(call.scope, effect), call, inner=True)
        if isinstance(effect, Encode):
            return await self._encode(effect, call)
        if isinstance(effect, Wait):
            return await self._wait(effect.flight, call)
        return await self._handshake(effect, call)

    async def _rpc(self, rpc: Rpc, call: Call) -> Any:
        while True:
            link: LoopLink = self._connection.link()
            headers = link.headers
            try:
                if headers is None:
                    await self.run(handshake(link), call, inner=True)
                    headers = link.headers or link.authorization()
                metadata = call.metadata(headers)
                observer = self._connection.observer
                if observer is not None:
                    reply = await self._observed(observer, rpc, call, link, metadata)
                else:
                    reply = await link.transport.unary(
                        rpc.method, rpc.request, timeout=call.remaining(), metadata=metadata
                    )
                if len(rpc.request) + len(reply) > memory.SMALLEST:
                    memory.expect(max(len(rpc.request), len(reply)))
                return reply if rpc.decode is None else rpc.decode(reply)
            except (RpcError, ConnectFailed, StatusError) as error:
                delay = call.failed(error, rpc, link, headers)
                if delay is None:
                    raise
            await asyncio.sleep(delay)

    async def _observed(
        self,
        observer: Observer,
        rpc: Rpc,
        call: Call,
        link: LoopLink,
        metadata: list[tuple[str, str | bytes]],
    ) -> bytes:
        call.attempts += 1
        observation = observer.begin(rpc, call.attempts)
        metadata += observation.headers
        try:
            reply = await link.transport.unary(
                rpc.method, rpc.request, timeout=call.remaining(), metadata=metadata
            )
        except BaseException as error:
            observation.failed(error)
            raise
        observation.end(OK, len(reply))
        return reply

    async def _encode(self, effect: Encode, call: Call) -> bytes:
        encoder = effect.encoder
        while not encoder.step(ENCODE_SLICE):
            call.remaining()
            await asyncio.sleep(0)
        return encoder.finish()

    async def _handshake(self, effect: Handshake, call: Call) -> bytes:
        link = self._connection.link()
        return await link.transport.unary(
            "Connect",
            effect.request,
            timeout=call.handshake_timeout(effect),
            metadata=link.authorization(),
        )

    async def _wait(self, flight: Flight, call: Call) -> bool:
        loop, landed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # when that loop is closed nobody waits there any more
                loop.call_soon_threadsafe(landed.set)

        flight.on_landing(wake)
        try:
            while not flight.landed and not flight.is_stuck(loop):
                left = call.remaining()
                left = PATIENCE if left is None else min(left, PATIENCE)
                timer = loop.call_later(left, landed.set)
                try:
                    await landed.wait()
                finally:
                    timer.cancel()
                landed.clear()
        finally:
            flight.forget(wake)
        return flight.landed
