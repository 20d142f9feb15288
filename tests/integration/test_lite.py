"""Every scenario that milvus-lite can take, through both packages."""

from __future__ import annotations

import asyncio

import pytest

from milvus_native import AsyncMilvusClient
from tests.servers import Server

from . import scenarios
from .harness import Pairing, Scenario, cases, check

assert scenarios.__all__  # importing them registers them


@pytest.mark.parametrize(("chosen", "pairing"), cases("lite"))
def test_lite(chosen: Scenario, pairing: Pairing, lite_server: Server) -> None:
    check(chosen, pairing, lite_server)


async def test_more_inserts_than_the_server_takes_at_once(lite_server: Server) -> None:
    """It kills calls when more than 1,000 wait. Several clients, since one holds back."""
    name = "more_inserts_than_it_takes"
    clients = [AsyncMilvusClient(lite_server.uri) for _ in range(4)]
    await clients[0].create_collection(name, dimension=4)
    calls = [
        client.insert(name, [{"id": i * len(clients) + j, "vector": [float(i), 0, 0, 0]}])
        for i in range(1000)
        for j, client in enumerate(clients)
    ]
    results = await asyncio.gather(*calls)
    assert [result["insert_count"] for result in results] == [1] * len(calls)
    rows = await clients[0].query(name, filter="id >= 0", output_fields=["id"])
    assert sorted(row["id"] for row in rows) == list(range(len(calls)))
    await clients[0].drop_collection(name)
    for client in clients:
        await client.close()
