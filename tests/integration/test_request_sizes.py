"""Requests of more than the 64 MB that Milvus takes unless it is told otherwise.

A client cannot know a server's limit: milvus-lite has none, and a Milvus may have been given a
higher one. So nothing is refused before it is sent. What the server then answers, once it has seen
how long the message is going to be, names both sizes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
import pytest

from milvus_native import AsyncMilvusClient, MilvusClient
from tests.servers import Server

COLLECTION = "request_sizes"
DIM = 32768  # 128 KiB a row
LIMIT = 64 << 20  # proxy.grpc.serverMaxRecvSize
ROWS = [{"id": i, "vector": row} for i, row in enumerate(np.ones((520, DIM), np.float32))]


@contextmanager
def collection(server: Server) -> Iterator[None]:
    with MilvusClient(server.uri) as client:
        client.drop_collection(COLLECTION)
        client.create_collection(COLLECTION, dimension=DIM)
        yield
        client.drop_collection(COLLECTION)


def insert(server: Server, transport: str, rows: list[dict[str, Any]]) -> int:
    with MilvusClient(server.uri, transport=transport) as client:
        try:
            return int(client.insert(COLLECTION, rows)["insert_count"])
        finally:
            assert client.insert(COLLECTION, rows[:2])["insert_count"] == 2


def insert_async(server: Server, transport: str, rows: list[dict[str, Any]]) -> int:
    async def run() -> int:
        async with AsyncMilvusClient(server.uri, transport=transport) as client:
            try:
                return int((await client.insert(COLLECTION, rows))["insert_count"])
            finally:
                assert (await client.insert(COLLECTION, rows[:2]))["insert_count"] == 2

    return asyncio.run(run())


@pytest.mark.parametrize("transport", ["native", "grpc"])
@pytest.mark.parametrize("send", [insert, insert_async])
def test_milvus_says_how_much_is_too_much(milvus_server: Server, send: Any, transport: str) -> None:
    with collection(milvus_server), pytest.raises(grpc.RpcError) as caught:
        send(milvus_server, transport, ROWS)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    size, allowed = map(int, re.findall(r"\d+", caught.value.details()))
    assert len(ROWS) * DIM * 4 < size < 1.01 * len(ROWS) * DIM * 4
    assert allowed == LIMIT


def test_lite_takes_it(lite_server: Server) -> None:
    with collection(lite_server):
        assert insert(lite_server, "native", ROWS) == len(ROWS)
