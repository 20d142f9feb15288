"""The first call of a fresh process: python -m benchmarks.first_call PEER PORT.

Imports nothing that a client could have to import itself.
"""

import json
import sys
import time
from typing import Any

from . import measure


def first_call(peer: str, port: str) -> dict[str, Any]:
    """Import and the first search, from an interpreter that has loaded nothing for it yet."""
    query = [[0.1] * 768]
    before, start = measure.cpu_seconds(), time.perf_counter()
    if peer == "pymilvus":
        from pymilvus import MilvusClient

        imported = time.perf_counter()
        client = MilvusClient(f"http://127.0.0.1:{port}")
    elif peer != "bare":
        from milvus_native import MilvusClient as Ours

        imported = time.perf_counter()
        client = Ours(f"http://127.0.0.1:{port}", transport=peer)
    else:
        imported = start
        client = None
    if client is not None:
        hits = client.search("full_768", query, limit=10, anns_field="vector")[0]
        if len(hits) != 10:
            raise AssertionError("search: wrong shape")
    end = time.perf_counter()
    return {
        "import": imported - start,
        "first_call": end - imported,
        "cpu": measure.cpu_seconds() - before,
        **measure.memory(),
    }


if __name__ == "__main__":
    print(json.dumps(first_call(*sys.argv[1:])))
