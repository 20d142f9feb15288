"""install() puts our clients into pymilvus, uninstall() takes them out again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from unittest import mock

import pymilvus
import pytest

import milvus_native
from milvus_native.delegates import original
from tests import servers

MODULES = (
    "pymilvus",
    "pymilvus.milvus_client",
    "pymilvus.milvus_client.milvus_client",
    "pymilvus.milvus_client.async_milvus_client",
)
CLASSES = {
    "MilvusClient": milvus_native.MilvusClient,
    "AsyncMilvusClient": milvus_native.AsyncMilvusClient,
}


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    milvus_native.uninstall()


def present() -> set[tuple[str, str, object]]:
    return {
        (module, name, getattr(import_module(module), name))
        for module in MODULES
        for name in CLASSES
        if hasattr(import_module(module), name)
    }


def test_every_place_and_back() -> None:
    before = present()
    assert len(before) == 6
    milvus_native.install()
    assert present() == {(module, name, CLASSES[name]) for module, name, _ in before}
    milvus_native.install()
    milvus_native.uninstall()
    assert present() == before
    milvus_native.uninstall()
    assert present() == before


def test_originals_are_still_found() -> None:
    before = original("MilvusClient")
    milvus_native.install()
    assert original("MilvusClient") is before is not milvus_native.MilvusClient


def test_what_others_put_there_stays() -> None:
    with mock.patch("pymilvus.MilvusClient") as fake:
        milvus_native.install()
        assert pymilvus.MilvusClient is fake
        milvus_native.uninstall()
        assert pymilvus.MilvusClient is fake


def test_class_can_be_patched_by_its_old_path() -> None:
    milvus_native.install()
    target = "pymilvus.milvus_client.milvus_client.MilvusClient.search"
    with mock.patch(target, autospec=True, return_value=["nothing"]) as search:
        client = milvus_native.MilvusClient.__new__(milvus_native.MilvusClient)
        assert client.search("things", [[0.0]]) == ["nothing"]
    search.assert_called_once_with(client, "things", [[0.0]])


PROGRAM = """
import milvus_native
milvus_native.install()

import pymilvus
from pymilvus import Collection, DataType, MilvusClient, connections, utility
from pymilvus.milvus_client import MilvusClient as again
from pymilvus.milvus_client.milvus_client import MilvusClient as and_again

assert MilvusClient is again is and_again is pymilvus.MilvusClient

class Store(MilvusClient):
    def nearest(self, vector):
        (hits,) = super().search("installed", [vector], limit=1, consistency_level="Strong")
        return hits

store = Store(uri="{uri}")
assert isinstance(store, pymilvus.MilvusClient)
if store.has_collection("installed"):
    store.drop_collection("installed")
store.create_collection("installed", dimension=2, consistency_level="Strong")
store.insert("installed", [{{"id": i, "vector": [i, 1.0]}} for i in range(3)])
hits = store.nearest([2.0, 1.0])
assert hits[0].id == 2 and isinstance(hits[0], pymilvus.Hit)

# The ORM is pymilvus's own, and sees the same server.
connections.connect("orm", uri="{uri}")
assert utility.has_collection("installed", using="orm")
rows = Collection("installed", using="orm").query("id >= 0", consistency_level="Strong")
assert len(rows) == 3
connections.disconnect("orm")
store.drop_collection("installed")
assert store.stats()["delegated"] == {{}}
store.close()
print("done")
"""


def test_program(lite_server: servers.Server) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(uri=lite_server.uri)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
