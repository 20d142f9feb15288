"""A TCP proxy before a server: connections that are cut, held up, slowed down, or not let in.

    with FaultProxy(server.port, mixture(CUTS), seed=7) as proxy:
        client = MilvusClient(proxy.uri)
        ...
        proxy.calm()

What befalls a connection, in which direction and after how many bytes, follows from the seed and
from the number of the connection alone; one that has lived through a fault meets another. The proxy
listens on 127.0.0.1, on a port that stays the same.

As a process of its own, for those who count what their own has open:

    python -m tests.servers.fault_proxy PORT --seed 7

prints its port, reads "calm" and "fierce" from stdin, and prints what it did after each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

CHUNK = 16 << 10
TO_SERVER, TO_CLIENT = "to server", "to client"

RESET = "reset"  # RST, to both ends
CLOSE = "close"  # FIN, to both ends; what is under way in the other direction is lost
HALF_CLOSE = "half-close"  # FIN in this direction, the other one goes on
HOLD = "hold"  # nothing passes in this direction for so many seconds
SLOW = "slow"  # little passes in this direction for so many seconds
REFUSE = "refuse"  # RST, and nobody is let in for so many seconds

CUTS = {RESET: 3.0, CLOSE: 2.0, HALF_CLOSE: 2.0}
ALL = {**CUTS, HOLD: 1.0, SLOW: 1.0, REFUSE: 1.0}

SLOW_PIECE, SLOW_PAUSE = 512, 0.01  # bytes, seconds


class Fault(NamedTuple):
    """What happens to one connection when `after` bytes have passed in one direction."""

    kind: str
    direction: str
    after: int
    seconds: float = 0.0


Plan = Callable[[random.Random], "Fault | None"]


def mixture(
    weights: Mapping[str, float], most_bytes: int = 200_000, most_seconds: float = 1.0
) -> Plan:
    """Each connection gets a fault, of a kind drawn by these weights."""

    def plan(source: random.Random) -> Fault:
        [kind] = source.choices(list(weights), list(weights.values()))
        # As many in the first hundred bytes as between a thousand and ten thousand.
        after = int(math.exp(source.uniform(math.log(10), math.log(most_bytes))))
        direction = source.choice((TO_SERVER, TO_CLIENT))
        return Fault(kind, direction, after, source.uniform(0.1, 1.0) * most_seconds)

    return plan


def always(fault: Fault) -> Plan:
    return lambda _: fault


class FaultProxy:
    """`budget`: after so many faults all is well. Its methods are for other threads."""

    def __init__(
        self, target: int, plan: Plan | None = None, seed: int = 0, budget: float = math.inf
    ) -> None:
        self._target = target
        self._plan = plan
        self._seed = seed
        self._left = budget
        self._numbers = 0  # of connections
        self._tasks: set[asyncio.Task[None]] = set()  # one for each connection
        self._refusing: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.struck: Counter[str] = Counter()  # faults so far, by kind
        self.port = 0

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """How many were let in so far."""
        return self._numbers

    def calm(self) -> None:
        """From now on nothing befalls any connection, and those held up go on."""
        self._plan = None

    def fierce(self, plan: Plan, budget: float = math.inf) -> None:
        """New connections follow this plan."""
        self._plan, self._left = plan, budget

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(30)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def refuse(self, seconds: float) -> None:
        """Lets nobody in for so long, beginning now."""

        async def begin() -> None:
            self.struck[REFUSE] += 1
            self._refuse(seconds)

        asyncio.run_coroutine_threadsafe(begin(), self._loop).result(30)

    def drop(self) -> None:
        """Closes the connections that there are."""
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(30)

    async def _drop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0.05)  # asyncio closes a socket in a later turn

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, backlog=256)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._refusing is not None:
            self._refusing.cancel()
        if self._server is not None:
            self._server.close()
        await self._drop()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        fate = _Fate(random.Random(f"{self._seed}:{self._numbers}"), self._plan)
        self._numbers += 1
        near = _End(reader, writer)
        try:
            far = _End(*await asyncio.open_connection("127.0.0.1", self._target))
        except OSError:
            near.abort(reset=True)  # the server is not there
            self._tasks.discard(task)
            return
        pumps = [
            self._loop.create_task(self._pump(near, far, TO_SERVER, fate)),
            self._loop.create_task(self._pump(far, near, TO_CLIENT, fate)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_EXCEPTION)
        except asyncio.CancelledError:
            pass  # `drop`; asyncio's streams log it as a fault if it gets through to them
        finally:
            for pump in pumps:
                pump.cancel()
            results = await asyncio.gather(*pumps, return_exceptions=True)
            reset = any(isinstance(r, (ConnectionResetError, _Reset)) for r in results)
            near.abort(reset)
            far.abort(reset)
            self._tasks.discard(task)

    def _strikes(self, fault: Fault) -> bool:
        if self._plan is None or self._left <= 0:
            return False
        self._left -= 1
        self.struck[fault.kind] += 1
        return True

    async def _pump(self, source: _End, sink: _End, direction: str, fate: _Fate) -> None:
        """Up to the end of what `source` says, which is passed on."""
        slow_until = 0.0
        while data := await source.reader.read(CHUNK):
            fault = fate.fault
            if fault is not None and fault.direction == direction:
                if len(data) <= fate.left:
                    fate.left -= len(data)
                elif self._strikes(fault):
                    await sink.send(data[: fate.left])
                    data = data[fate.left :]
                    if fault.kind == HALF_CLOSE:
                        break
                    slow_until = await self._strike(fault)
                    fate.draw(self._plan)
                else:
                    fate.fault = None
            while data and self._plan is not None and self._loop.time() < slow_until:
                piece, data = data[:SLOW_PIECE], data[SLOW_PIECE:]
                await sink.send(piece)
                await asyncio.sleep(SLOW_PAUSE)
            await sink.send(data)
        sink.end()

    async def _strike(self, fault: Fault) -> float:
        """Until when this direction is slow from now on. Raises what ends the connection."""
        if fault.kind == CLOSE:
            raise _Closed
        if fault.kind == REFUSE:
            self._refuse(fault.seconds)
        if fault.kind in (RESET, REFUSE):
            raise _Reset
        until = self._loop.time() + fault.seconds
        if fault.kind == SLOW:
            return until
        while self._plan is not None and self._loop.time() < until:
            await asyncio.sleep(0.02)
        return 0.0

    def _refuse(self, seconds: float) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            self._refusing = self._loop.create_task(self._listen_again(seconds))

    async def _listen_again(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._listen()


class _Fate:
    """What is to befall one connection next."""

    def __init__(self, source: random.Random, plan: Plan | None) -> None:
        self._source = source
        self.draw(plan)

    def draw(self, plan: Plan | None) -> None:
        self.fault = None if plan is None else plan(self._source)
        self.left = 0 if self.fault is None else self.fault.after  # bytes in its direction


class _Reset(Exception):
    pass


class _Closed(Exception):
    pass


class _End:
    """One of the two ends that a connection is made of."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer
        writer.transport.set_write_buffer_limits(high=0)  # `drain` waits until all is sent

    async def send(self, data: bytes) -> None:
        if data:
            self._writer.write(data)
            await self._writer.drain()

    def end(self) -> None:
        with suppress(OSError):
            self._writer.write_eof()

    def abort(self, reset: bool) -> None:
        if reset:
            sock = self._writer.get_extra_info("socket")
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with FaultProxy(options.target, seed=options.seed) as proxy:
        print(proxy.port, flush=True)
        for line in sys.stdin:
            if line.strip() == "calm":
                proxy.calm()
            else:
                proxy.fierce(mixture(ALL, most_bytes=50_000))
                proxy.drop()
            print(json.dumps(proxy.struck), flush=True)


if __name__ == "__main__":
    main()
