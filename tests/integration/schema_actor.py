"""A process that makes calls for test_schema_changes.py: a line of JSON in, one out."""

from __future__ import annotations

import asyncio
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from milvus_native import AsyncMilvusClient, DataType, MilvusClient

THREADS = 2


class Actor:
    """Two threads of one process: the first has a MilvusClient, the second an AsyncMilvusClient."""

    def __init__(self, uri: str) -> None:
        self._threads = [ThreadPoolExecutor(1) for _ in range(THREADS)]
        self._client = MilvusClient(uri)
        self._loop = self._threads[1].submit(asyncio.new_event_loop).result()
        self._async_client = AsyncMilvusClient(uri)

    def do(self, thread: int, action: str, arguments: dict[str, Any]) -> Any:
        """The action's result, or ["failed", type, text]."""
        return self._threads[thread].submit(self._do, thread, action, arguments).result(120)

    def _do(self, thread: int, action: str, arguments: dict[str, Any]) -> Any:
        try:
            return getattr(self, action)(thread, **arguments)
        except Exception as error:
            return ["failed", type(error).__name__, str(error)[:500]]

    def _call(self, thread: int, method: str, *args: Any, **kwargs: Any) -> Any:
        if thread == 0:
            return getattr(self._client, method)(*args, **kwargs)
        call = getattr(self._async_client, method)(*args, **kwargs)
        return self._loop.run_until_complete(call)

    def create(self, thread: int, name: str, pk: str, dim: int) -> None:
        schema = MilvusClient.create_schema()
        schema.add_field(pk, DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
        index = MilvusClient.prepare_index_params()
        index.add_index("vector", index_type="FLAT", metric_type="L2")
        self._call(
            thread,
            "create_collection",
            name,
            schema=schema,
            index_params=index,
            consistency_level="Strong",
        )

    def insert(self, thread: int, name: str, pk: str, key: int, dim: int) -> int:
        row = {pk: key, "vector": [float(key)] * dim}
        return int(self._call(thread, "insert", name, [row])["insert_count"])

    def get(self, thread: int, name: str, keys: list[int]) -> list[dict[str, Any]]:
        rows = self._call(thread, "get", name, keys, consistency_level="Strong")
        return [{k: v for k, v in row.items() if k != "vector"} for row in rows]

    def delete(self, thread: int, name: str, keys: list[int]) -> None:
        self._call(thread, "delete", name, ids=keys)

    def search(self, thread: int, name: str, key: int, dim: int, raw: bool) -> list[int]:
        vector: Any = [float(key)] * dim
        if raw:
            vector = np.full(dim, key, np.float32).tobytes()
        options = {"anns_field": "vector", "consistency_level": "Strong"}
        found = self._call(thread, "search", name, [vector], limit=100, **options)
        return sorted(hit.id for hit in found[0])

    def walk(self, thread: int, name: str, pk: str) -> list[int]:
        if thread == 0:
            pages = self._client.query_iterator(name, batch_size=2, output_fields=[pk])
            return sorted(row[pk] for page in pages for row in page)

        async def walk() -> list[int]:
            pages = await self._async_client.query_iterator(name, batch_size=2, output_fields=[pk])
            return sorted([row[pk] async for page in pages for row in page])

        return self._loop.run_until_complete(walk())

    def control(self, thread: int, method: str, args: list[Any]) -> None:
        self._call(thread, method, *args)

    def close(self) -> None:
        self._client.close()
        self._threads[1].submit(
            lambda: self._loop.run_until_complete(self._async_client.close())
        ).result()
        self._threads[1].submit(self._loop.close).result()
        for thread in self._threads:
            thread.shutdown()


def main() -> None:
    actor = Actor(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(actor.do(*json.loads(line))), flush=True)
    actor.close()


if __name__ == "__main__":
    main()
