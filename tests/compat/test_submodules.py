"""Each module of pymilvus can be imported under our name, and has our clients in it."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import import_module, reload
from importlib.util import find_spec
from types import ModuleType
from unittest import mock

import pymilvus
import pytest

import milvus_native
from milvus_native import submodules
from milvus_native.submodules import HOLDERS

# Need packages that pymilvus's own extras install.
EXTRAS = ("pymilvus.bulk_writer", "pymilvus._version")
MODULES = [
    module.name
    for module in pkgutil.walk_packages(pymilvus.__path__, "pymilvus.", onerror=lambda _: None)
    if not module.name.startswith(EXTRAS)
]


def ours(name: str) -> str:
    return name.replace("pymilvus", "milvus_native", 1)


@pytest.mark.parametrize("name", [name for name in MODULES if name not in HOLDERS])
def test_is_the_same_module(name: str) -> None:
    theirs = import_module(name)
    assert import_module(ours(name)) is theirs
    assert theirs.__name__ == name
    assert theirs.__spec__ is not None
    assert theirs.__spec__.name == name


@pytest.mark.parametrize("name", HOLDERS)
def test_has_our_clients(name: str) -> None:
    theirs, view = import_module(name), import_module(ours(name))
    assert view.__name__ == ours(name)
    assert dir(view) == dir(theirs)
    assert view.__doc__ == theirs.__doc__
    assert view.__file__ == theirs.__file__
    for key, value in vars(theirs).items():
        if key in ("MilvusClient", "AsyncMilvusClient"):
            assert getattr(view, key) is getattr(milvus_native, key)
        elif f"{name}.{key}" in sys.modules:
            assert getattr(view, key) is import_module(ours(f"{name}.{key}"))
        elif not key.startswith("__"):
            assert getattr(view, key) is value
    with pytest.raises(AttributeError, match="nothing"):
        view.nothing  # noqa: B018


PROGRAM = """
import milvus_native as pymilvus
import sys
assert "pymilvus" not in sys.modules
from milvus_native.client.types import LoadState
from milvus_native.exceptions import MilvusException, ParamError
from milvus_native.grpc_gen import schema_pb2
from milvus_native.milvus_client import *
from milvus_native.milvus_client.async_milvus_client import AsyncMilvusClient
from milvus_native.milvus_client.index import IndexParams as again
from milvus_native.orm.schema import CollectionSchema
import milvus_native.orm.iterator
assert again is IndexParams
assert MilvusClient is pymilvus.MilvusClient is pymilvus.milvus_client.MilvusClient
assert AsyncMilvusClient is pymilvus.AsyncMilvusClient
assert pymilvus.milvus_client.milvus_client.MilvusClient is MilvusClient
assert CollectionSchema is pymilvus.CollectionSchema
import pymilvus as theirs
assert theirs.MilvusClient is not MilvusClient
assert theirs.milvus_client.milvus_client.MilvusClient is theirs.MilvusClient
assert pymilvus.client.types.LoadState is theirs.client.types.LoadState is LoadState
"""


def test_fresh_program() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["nothing", "orm.nothing", "control.nothing", "client.types.x"])
def test_missing_module(name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=f"milvus_native.{name}") as caught:
        import_module(f"milvus_native.{name}")
    assert caught.value.name == f"milvus_native.{name}"


@pytest.mark.parametrize("name", ["exceptions", "milvus_client"])
def test_who_waits_for_another_threads_import(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The import system hands it what stood in sys.modules before: the module that was empty."""
    empty: list[ModuleType] = []
    load = submodules._Loader.exec_module

    def exec_module(self: submodules._Loader, module: ModuleType) -> None:
        empty.append(module)
        load(self, module)

    monkeypatch.setattr(submodules._Loader, "exec_module", exec_module)
    monkeypatch.delitem(sys.modules, f"milvus_native.{name}", raising=False)
    module = import_module(f"milvus_native.{name}")
    assert empty[0] is not module
    for key in {*dir(module)} - {*vars(empty[0])}:
        assert getattr(empty[0], key) is getattr(module, key)
    with pytest.raises(AttributeError):
        empty[0].nothing  # noqa: B018


def test_what_is_set_is_set_for_pymilvus_too() -> None:
    from pymilvus.milvus_client import milvus_client as theirs

    before = theirs.ConnectionManager
    with mock.patch("milvus_native.milvus_client.milvus_client.ConnectionManager") as fake:
        assert theirs.ConnectionManager is fake
    assert theirs.ConnectionManager is before


def test_a_replaced_client_is_replaced_here_alone() -> None:
    view = import_module("milvus_native.milvus_client")
    before = pymilvus.milvus_client.MilvusClient
    with mock.patch("milvus_native.milvus_client.MilvusClient") as fake:
        assert view.MilvusClient is fake
        assert pymilvus.milvus_client.MilvusClient is before
    assert view.MilvusClient is milvus_native.MilvusClient


def test_reload() -> None:
    import_module("milvus_native.milvus_client")
    again = reload(import_module("milvus_native.milvus_client"))
    assert again.MilvusClient is milvus_native.MilvusClient
    assert sys.modules["milvus_native.milvus_client"] is again


def test_others_still_see_our_modules_imported() -> None:
    """Tracers, and whoever else has put a finder first to be told of imports."""
    program = """
import sys
class Watcher:
    seen = []
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        cls.seen.append(name)
sys.meta_path.insert(0, Watcher)
import milvus_native.transport.wire
names = {"milvus_native", "milvus_native.transport", "milvus_native.transport.wire"}
assert names <= {*Watcher.seen}, Watcher.seen
assert "pymilvus" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_our_own_modules_are_found_as_ever() -> None:
    for name in ("milvus_native.transport", "milvus_native.control.table", "milvus_native._core"):
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        assert spec.origin.startswith(milvus_native.__path__[0])
