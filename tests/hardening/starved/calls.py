"""Calls over the gRPC engine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from tests.servers import frames

from .scenario import Scenario, anew

#: Of calls and connections that say themselves that they have failed; made while there is memory.
UNSENT = MemoryError()


def submit(connection: Any, *arguments: Any) -> None:
    sys._getframe()
    try:
        connection.submit(*arguments)
    except ConnectionError:
        raise UNSENT from None


def call_over_engine(core: Any, argument: tuple[Any, list[Any]]) -> list[Any]:
    """Without a `try`: in a function as long as this one, CPython 3.11 never leaves it for good."""
    sys._getframe()
    message, metadata = argument
    connection = core.RpcConnection("localhost:19530", "http", "test/1", keepalive_time=100.0)
    found: list[Any] = []
    connection.data_to_send()
    found += connection.receive(frames.settings())
    submit(connection, "/s/M", message, metadata, 5.0, "tag")
    submit(connection, "/s/M", b"x", None, None, "other")
    while connection.data_to_send():
        pass
    connection.cancel(3, 1, "né")
    found += connection.finished()
    found += connection.receive(frames.reply(1, b"answer"))
    connection.ping()
    connection.tick()
    found += [connection.open_calls, connection.free_streams, connection.goaway_code]
    if connection.error:
        raise UNSENT
    found += connection.receive(frames.goaway(5, 2, b"over"))
    connection.lost("né")
    for result in found:
        if isinstance(result, tuple) and result[1] not in (0, 1):
            raise UNSENT
    return found


def calls() -> Iterator[tuple[str, Scenario]]:
    metadata = [("authorization", "token"), ("trace-bin", b"\x00")]
    yield "call", Scenario(call_over_engine, anew(([b"question", b"x" * 5000], metadata)))
    yield "call of bytes", Scenario(call_over_engine, anew((b"question", [])))
    yield "call of memory", Scenario(call_over_engine, anew((bytearray(b"question"), metadata)))
