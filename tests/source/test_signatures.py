"""Our two clients have every public method of pymilvus's, with the same parameters."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import pymilvus
import pytest

import milvus_native
from milvus_native.async_client import AsyncMilvusClient
from milvus_native.control.table import TABLE
from milvus_native.sync_client import MilvusClient

PAIRS = [(MilvusClient, pymilvus.MilvusClient), (AsyncMilvusClient, pymilvus.AsyncMilvusClient)]

# What ours have beyond pymilvus's.
EXTRA = {
    MilvusClient: {"stats"},
    AsyncMilvusClient: {"stats", "query_iterator", "search_iterator", "list_loaded_segments"},
}
NATIVE = {
    "close",
    "create_field_schema",
    "create_schema",
    "create_struct_field_schema",
    "delete",
    "get",
    "get_server_type",
    "hybrid_search",
    "insert",
    "prepare_index_params",
    "query",
    "query_iterator",
    "search",
    "search_iterator",
    "session",
    "stats",
    "upsert",
}


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    found = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default) for p in found]


def kind(function: Any) -> tuple[bool, bool]:
    return inspect.iscoroutinefunction(function), inspect.isasyncgenfunction(function)


CASES = [
    pytest.param(ours, theirs, name, id=f"{ours.__name__}.{name}")
    for ours, theirs in PAIRS
    for name in sorted({*public(theirs), "__init__"})
]


@pytest.mark.parametrize(("ours", "theirs", "name"), CASES)
def test_method(ours: type, theirs: type, name: str) -> None:
    assert inspect.getattr_static(ours, name) is not None, "not a real attribute"
    ours_method, theirs_method = getattr(ours, name), getattr(theirs, name)
    assert parameters(ours_method) == parameters(theirs_method)
    assert kind(ours_method) == kind(theirs_method)
    static = inspect.getattr_static(ours, name)
    assert isinstance(static, classmethod) == isinstance(
        inspect.getattr_static(theirs, name), classmethod
    )
    assert ours_method.__doc__, "no docstring"
    assert ours_method.__doc__ != theirs_method.__doc__


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_nothing_else_is_public(ours: type, theirs: type) -> None:
    assert public(ours) - public(theirs) == EXTRA[ours]


@pytest.mark.parametrize(
    "name", sorted(EXTRA[AsyncMilvusClient] - {"stats"}), ids=lambda name: name
)
def test_what_the_async_client_has_more_is_as_of_the_sync_one(name: str) -> None:
    assert parameters(getattr(AsyncMilvusClient, name)) == parameters(
        getattr(pymilvus.MilvusClient, name)
    )
    assert inspect.iscoroutinefunction(getattr(AsyncMilvusClient, name))


def test_control_table_has_every_method() -> None:
    """A method is native, or it is a row of the table, and not both."""
    assert set(TABLE) == public(MilvusClient) - NATIVE
    assert set(TABLE) == public(AsyncMilvusClient) - NATIVE


def test_every_name_of_pymilvus_is_exported() -> None:
    assert set(pymilvus.__all__) <= set(milvus_native.__all__)
    assert set(milvus_native.__all__) <= set(dir(milvus_native))


NATIVE_NAMES = {
    "AggregationBucket",
    "AggregationHit",
    "AsyncMilvusClient",
    "Hit",
    "MilvusClient",
    "SearchResult",
    "__version__",
}


@pytest.mark.parametrize("name", sorted(pymilvus.__all__))
def test_exported_object(name: str) -> None:
    ours, theirs = getattr(milvus_native, name), getattr(pymilvus, name)
    assert (ours is not theirs) == (name in NATIVE_NAMES)
    if name in NATIVE_NAMES - {"__version__"}:
        assert ours.__name__ == theirs.__name__
        assert ours.__module__.startswith("milvus_native")


def test_version_is_that_of_the_distribution() -> None:
    text = (milvus_native_root() / "pyproject.toml").read_text()
    assert f'version = "{milvus_native.__version__}"' in text


def milvus_native_root() -> Any:
    from pathlib import Path

    return Path(__file__).parents[2]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_methods_are_named_after_their_client(ours: type, theirs: type) -> None:
    """As in what Python says when an argument is missing."""
    shared = {"create_field_schema", "create_schema", "create_struct_field_schema"}
    shared |= {"get_server_type", "prepare_index_params", "stats"}  # of BaseClient
    for name in set(TABLE) | NATIVE - shared:
        method = inspect.getattr_static(ours, name)
        assert method.__qualname__ == f"{ours.__name__}.{name}"
        assert method.__module__ == ours.__module__
        assert pickle.loads(pickle.dumps(getattr(ours, name))) is method
    said = []
    for client in (ours, theirs):
        with pytest.raises(TypeError) as caught:
            client.describe_snapshot(None)  # type: ignore[attr-defined]
        said.append(str(caught.value))
    assert said[0] == said[1]
