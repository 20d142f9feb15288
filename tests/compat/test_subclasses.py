"""Subclasses that were written for pymilvus's clients."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
from typing import Any

import pymilvus
import pytest

from milvus_native import AsyncMilvusClient, MilvusClient
from tests import servers
from tests.servers.recording import RecordingServer

NAME = "subclasses"
ROWS = [{"id": n, "vector": [n, 1.0]} for n in range(5)]

# What ours have and pymilvus's lack, and what is no attribute of a program's.
ADDED = {"list_loaded_segments", "query_iterator", "search_iterator", "stats"}
OURS_ALONE = ("_mvn_", "_THEIRS")


def use(client: MilvusClient) -> None:
    if client.has_collection(NAME):
        client.drop_collection(NAME)
    client.create_collection(NAME, dimension=2, consistency_level="Strong")
    assert client.insert(NAME, ROWS)["insert_count"] == 5
    assert client.upsert(NAME, ROWS[0])["upsert_count"] == 1
    assert client.search(NAME, [[4.0, 1.0]], limit=1, timeout=30)[0].ids == [4]
    assert len(client.query(NAME, "id > 2")) == len(client.get(NAME, [1, 2])) == 2
    assert sum(map(len, client.query_iterator(NAME, 2))) == 5
    client.delete(NAME, [0])
    assert client.get(NAME, [0]) == []
    client.drop_collection(NAME)


async def use_async(client: AsyncMilvusClient) -> None:
    if await client.has_collection(NAME):
        await client.drop_collection(NAME)
    await client.create_collection(NAME, dimension=2, consistency_level="Strong")
    assert (await client.insert(NAME, ROWS))["insert_count"] == 5
    assert (await client.search(NAME, [[4.0, 1.0]], limit=1, timeout=30))[0].ids == [4]
    assert len(await client.query(NAME, "id > 2")) == len(await client.get(NAME, [1, 2])) == 2
    await client.drop_collection(NAME)


def with_patience(client: Any, name: str, found: Any) -> Any:
    """As programs wrap whatever they find on a client to try it again, with a timeout of theirs."""
    if not callable(found) or name.startswith("__"):
        return found
    if "timeout" in inspect.signature(found).parameters:
        return functools.partial(found, timeout=60)
    return found


class Patient(MilvusClient):
    def __getattribute__(self, name: str) -> Any:
        return with_patience(self, name, super().__getattribute__(name))


class AsyncPatient(AsyncMilvusClient):
    def __getattribute__(self, name: str) -> Any:
        return with_patience(self, name, super().__getattribute__(name))


def test_each_method_is_wrapped(lite_server: servers.Server) -> None:
    with Patient(lite_server.uri) as client:
        use(client)


async def test_each_method_is_wrapped_async(lite_server: servers.Server) -> None:
    async with AsyncPatient(lite_server.uri) as client:
        await use_async(client)


def refuse(*_args: Any, **_kwargs: Any) -> Any:
    raise AssertionError("this is the program's own")


# As programs call what they add to a client.
METHODS = "call control count delegate dispatch encode execute insert query request retry run scope"
VALUES = "cache client connection counts db_name driver lock logger observer scope timeout uri"


def test_own_values(lite_server: servers.Server) -> None:
    """Whether they are set before pymilvus's constructor is called or after it."""
    own = {f"_{name}": "mine" for name in VALUES.split()}

    class Store(MilvusClient):
        def __init__(self, uri: str, *, late: bool) -> None:
            if not late:
                vars(self).update(own)
            super().__init__(uri)
            vars(self).update(own)

    for late in (False, True):
        with Store(lite_server.uri, late=late) as client:
            use(client)
            assert own.items() <= vars(client).items()


def test_own_methods(lite_server: servers.Server) -> None:
    own = dict.fromkeys((f"_{name}" for name in METHODS.split()), refuse)
    store = type("Store", (MilvusClient,), own)
    with store(lite_server.uri) as client:
        use(client)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(MilvusClient, pymilvus.MilvusClient), (AsyncMilvusClient, pymilvus.AsyncMilvusClient)],
)
def test_further_names_are_marked(ours: Any, theirs: Any) -> None:
    """Whatever a client has that pymilvus's has not, a subclass does not meet by accident."""
    # Not milvus-lite: all channels of a process to one server share a connection, and pymilvus does
    # not try again when that has got "too many pings" for what another test did.
    with RecordingServer() as server:
        made, peer = ours(server.uri), theirs(server.uri)
        names = {*dir(ours), *vars(made)} - {*dir(theirs), *vars(peer)}
        if ours is MilvusClient:
            made.close()
            peer.close()
    unmarked = {name for name in names if not name.startswith(("__", *OURS_ALONE))}
    assert unmarked <= ADDED


def test_repr_without_the_constructor(lite_server: servers.Server) -> None:
    class Mock(MilvusClient):
        def __init__(self) -> None:
            pass

    assert "Mock object at" in repr(Mock())
    with MilvusClient(lite_server.uri) as client:
        assert repr(client) == f"<MilvusClient of 127.0.0.1:{lite_server.port}>"


class Reduced(AsyncMilvusClient):
    def __reduce__(self) -> Any:
        return Reduced, (self._config.uri,)


def test_own_reduce() -> None:
    for made in (
        copy.deepcopy(Reduced("http://localhost:1")),
        pickle.loads(pickle.dumps(Reduced("http://localhost:1"))),
    ):
        assert type(made) is Reduced
        assert made._config.uri == "http://localhost:1"
