"""What is imported, and when: nothing heavy before it is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from milvus_native import schema_cache
from milvus_native.transport import VARIABLE
from tests.servers.recording import RecordingServer

HEAVY = ["pymilvus", "google.protobuf", "pandas", "numpy", "requests", "dotenv", "scipy"]


def loaded_after(script: str) -> set[str]:
    """Names in sys.modules after the script, in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", script + "\nimport sys, json; print(json.dumps(list(sys.modules)))"],
        env={name: value for name, value in os.environ.items() if name != VARIABLE},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_package() -> None:
    loaded = loaded_after("import milvus_native")
    assert not loaded & {*HEAVY, "grpc", "asyncio", "logging", "milvus_native._core"}


def test_client_classes() -> None:
    loaded = loaded_after("from milvus_native import MilvusClient")
    assert not loaded & {*HEAVY, "grpc", "asyncio"}
    loaded = loaded_after("from milvus_native import AsyncMilvusClient")
    assert not loaded & {*HEAVY, "grpc"}


SYNC = """
from milvus_native import MilvusClient
row = {{"id": 1, "vector": [0.0] * 4}}
with MilvusClient("{uri}") as client:
    client.has_collection("things")
    client.insert("things", row)
    client.upsert("things", [row])
    client.search("things", [[0.0] * 4], output_fields=["id"], search_params={{"ef": 5}})
    client.search("things", [bytes(16)], anns_field="vector")
    client.query("things", "id > {{x}}", filter_params={{"x": 1}})
    client.get("things", [1])
    client.delete("things", ids=[1])
    for page in client.query_iterator("things", limit=1):
        break
    assert client.stats()["control"] == client.stats()["delegated"] == {{}}
"""
ASYNC = """
import asyncio
from milvus_native import AsyncMilvusClient
row = {{"id": 1, "vector": [0.0] * 4}}
async def main():
    async with AsyncMilvusClient("{uri}") as client:
        await asyncio.gather(*(client.insert("things", row) for _ in range(10)))
        await client.search("things", [[0.0] * 4], output_fields=["id"])
        await client.query("things", "id > 1")
        await client.get("things", [1])
        await client.delete("things", ids=[1])
asyncio.run(main())
"""


@pytest.mark.parametrize("script", [SYNC, ASYNC], ids=["sync", "async"])
def test_using_a_collection(server: RecordingServer, script: str) -> None:
    schema_cache.clear()
    loaded = loaded_after(script.format(uri=server.uri))
    assert not loaded & {*HEAVY, "grpc"}


def test_numpy_is_imported_by_its_user_only(server: RecordingServer) -> None:
    loaded = loaded_after("import numpy\n" + SYNC.format(uri=server.uri))
    assert not loaded & (set(HEAVY) - {"numpy"})


def test_error_brings_pymilvus() -> None:
    loaded = loaded_after(
        "from milvus_native import MilvusClient\n"
        "try: MilvusClient('nowhere')\n"
        "except Exception as e: assert type(e).__name__ == 'ConnectionConfigException'"
    )
    assert "pymilvus" in loaded


def test_environment_and_logging_are_left_alone(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    (folder / ".env").write_text("MVN_PROBE=1\n")
    script = (
        "import os, logging, sys; sys.path.insert(0, os.environ['MVN_ROOT'])\n"
        "from milvus_native import MilvusClient, AsyncMilvusClient\n"
        "assert 'MVN_PROBE' not in os.environ\n"
        "assert not logging.getLogger('pymilvus').handlers\n"
        "assert not logging.getLogger('milvus_native').handlers\n"
    )
    import os

    root = str(Path(__file__).parents[3])
    subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, "MVN_ROOT": root},
        check=True,
        timeout=60,
    )


def test_star_import_and_dir() -> None:
    script = (
        "import milvus_native\n"
        "from milvus_native import *\n"
        "assert MilvusClient is milvus_native.MilvusClient\n"
        "assert DataType.INT64 == 5\n"
        "assert 'RRFRanker' in dir(milvus_native)\n"
        "from milvus_native.exceptions import MilvusException\n"
        "import pymilvus; assert MilvusException is pymilvus.MilvusException\n"
    )
    assert "pymilvus" in loaded_after(script)
