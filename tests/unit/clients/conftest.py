"""A recording server on which everything works, and clients of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from milvus_native import AsyncMilvusClient, MilvusClient, schema_cache
from tests.servers.recording import RecordingServer

from . import replies


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    schema_cache.clear()
    with RecordingServer(replies.defaults(), threads=16) as server:
        yield server


@pytest.fixture
def client(server: RecordingServer) -> Iterator[MilvusClient]:
    with MilvusClient(server.uri) as client:
        yield client


@pytest.fixture
async def async_client(server: RecordingServer) -> AsyncIterator[AsyncMilvusClient]:
    async with AsyncMilvusClient(server.uri) as client:
        yield client


class Either:
    """A client of either kind, for tests that hold for both: `call` makes a call and waits."""

    def __init__(self, client: Any, finish: Callable[[Any], Any]) -> None:
        self.client = client
        self._finish = finish

    def call(self, call: Any, **more: Any) -> Any:
        return self._finish(call.on(self.client, **more))

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: self._finish(getattr(self.client, method)(*args, **kwargs))


@pytest.fixture(params=["sync", "async", "sync-grpc", "async-grpc"])
def either(request: pytest.FixtureRequest, server: RecordingServer) -> Iterator[Either]:
    """Of either transport, too."""
    kind, _, transport = request.param.partition("-")
    options = {"transport": transport} if transport else {}
    if kind == "sync":
        with MilvusClient(server.uri, **options) as client:
            yield Either(client, lambda result: result)
        return
    with (
        closing(asyncio.new_event_loop()) as loop,
        AsyncMilvusClient(server.uri, **options) as async_client,
    ):
        yield Either(async_client, loop.run_until_complete)
