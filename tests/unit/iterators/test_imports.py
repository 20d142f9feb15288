"""Iterating imports nothing that searching does not import."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.servers.paging import PagingCollection
from tests.servers.recording import RecordingServer

SYNC = """
from milvus_native import MilvusClient
with MilvusClient("{uri}") as client:
    rows = [row for page in client.query_iterator("c", 7) for row in page]
    hits = [hit for page in client.search_iterator("c", [[0.5, 0.5]], 7) for hit in page]
"""
ASYNC = """
import asyncio
from milvus_native import AsyncMilvusClient
async def main():
    async with AsyncMilvusClient("{uri}") as client:
        rows = [row async for page in await client.query_iterator("c", 7) for row in page]
        iterator = await client.search_iterator("c", [[0.5, 0.5]], 7)
        return rows, [hit async for page in iterator for hit in page]
rows, hits = asyncio.run(main())
"""
TELL = "import json, sys; print(json.dumps([len(rows), len(hits), list(sys.modules)]))"


@pytest.mark.parametrize("v2", [True, False])
@pytest.mark.parametrize("script", [SYNC, ASYNC], ids=["sync", "async"])
def test_no_pymilvus(script, v2):
    rows = [{"id": n, "tag": 1, "vec": [1 + n / 10, 0.0]} for n in range(20)]
    with RecordingServer(PagingCollection(rows, v2=v2).replies()) as server:
        done = subprocess.run(
            [sys.executable, "-c", script.format(uri=server.uri) + TELL],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    row_count, hit_count, modules = json.loads(done.stdout)
    assert row_count == hit_count == 20
    assert not {"pymilvus", "google.protobuf", "numpy", "pandas"} & set(modules)
