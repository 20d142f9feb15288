"""What programs, and their tests, do to the insides of pymilvus's clients works with ours."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import re
import weakref
from collections.abc import Callable
from typing import Any, get_type_hints
from unittest.mock import AsyncMock, MagicMock, patch

import pymilvus
import pytest
from pymilvus.client.connection_manager import AsyncConnectionManager, ConnectionManager

from milvus_native import AsyncMilvusClient, MilvusClient, iterators, results
from tests import servers

NOWHERE = "http://127.0.0.1:9"  # nothing listens there
ROW = {"id": 1, "vector": [0.0, 1.0]}


def handler() -> MagicMock:
    made = MagicMock()
    made.insert_rows.return_value = MagicMock(insert_count=7, primary_keys=[1], cost=0)
    made.has_collection.return_value = "asked"
    return made


@pytest.fixture
def client(lite_server: servers.Server) -> Any:
    with MilvusClient(lite_server.uri) as made:
        yield made


@pytest.mark.parametrize("name", ["_handler", "_get_connection"])
def test_set_on_a_client(client: MilvusClient, name: str) -> None:
    """All calls go there as long as it is set, and to the server again afterwards."""
    mine = handler()
    with patch.object(client, name, mine if name == "_handler" else lambda: mine):
        assert client.insert("things", [ROW])["insert_count"] == 7
        assert client.has_collection("things") == "asked"
        client.search("things", [[0.0, 1.0]])
        client.drop_collection("things")
    assert [call[0] for call in mine.method_calls] == [
        "insert_rows",
        "has_collection",
        "search",
        "drop_collection",
    ]
    assert client.has_collection("things") is False
    assert client._handler is client._get_connection() is not mine


def test_handler_of_none_is_a_closed_client(client: MilvusClient) -> None:
    client._handler = None
    with pytest.raises(pymilvus.MilvusException, match="should create connection first"):
        client.query("things", "id > 0")


def test_closed(lite_server: servers.Server) -> None:
    client = MilvusClient(lite_server.uri)
    client.close()
    assert client._handler is None
    with pytest.raises(pymilvus.MilvusException, match="should create connection first"):
        client._get_connection()


def test_made_without_its_constructor() -> None:
    client = MilvusClient.__new__(MilvusClient)
    with pytest.raises(AttributeError, match="_handler"):
        client.drop_collection("things")
    client._handler = mine = handler()
    client._manager = manager = MagicMock()
    client._config = MagicMock(db_name="base")
    assert client.insert("things", [ROW])["insert_count"] == 7
    assert mine.insert_rows.call_args.kwargs["context"].get_db_name() == "base"
    client.create_collection("things", dimension=2)
    mine.create_collection.assert_called_once()
    client.close()
    manager.release.assert_called_once_with(mine, client=client)


async def test_made_without_its_constructor_async() -> None:
    client = AsyncMilvusClient.__new__(AsyncMilvusClient)
    client._closed = False
    client._config = MagicMock(db_name="")
    client._handler = mine = AsyncMock()
    await client.search("things", [[0.0]])
    await client.drop_collection("things")
    assert [call[0] for call in mine.method_calls] == ["search", "drop_collection"]
    client._closed = True
    with pytest.raises(pymilvus.MilvusException, match="should create connection first"):
        await client.query("things", "id > 0")


@pytest.mark.parametrize("target", ["get_instance", "get_or_create"])
def test_replaced_connection_manager(target: str) -> None:
    mine = handler()
    manager = MagicMock()
    manager.get_or_create.return_value = mine
    value = manager if target == "get_instance" else mine
    with patch.object(ConnectionManager, target, return_value=value) as replaced:
        client = MilvusClient(NOWHERE, db_name="db")
        assert client._handler is mine
        assert client._config.db_name == "db"
        assert client.insert("things", [ROW])["insert_count"] == 7
        replaced.assert_called_once()
        client.close()


async def test_replaced_connection_manager_async() -> None:
    """Of an async client that was made before: it connects when it is first used."""
    client = AsyncMilvusClient(NOWHERE)
    manager = MagicMock(get_or_create=AsyncMock(return_value=AsyncMock()), release=AsyncMock())
    manager.get_or_create.return_value.get_server_type = lambda: "milvus"
    with patch.object(AsyncConnectionManager, "get_instance", return_value=manager):
        async with client:
            await client.query("things", "id > 0")
            await client._connect()
    manager.get_or_create.assert_awaited_once()
    manager.get_or_create.return_value.query.assert_awaited_once()
    manager.release.assert_awaited_once()


def test_clients_with_a_replaced_handler_share_it() -> None:
    """As pymilvus's clients do. The manager is one of the test's own: pymilvus's is the whole
    process's, and to reset it would close the connections of other tests."""
    with (
        patch.object(ConnectionManager, "_instance", None),
        patch("pymilvus.client.grpc_handler.GrpcHandler", side_effect=lambda **_: handler()),
    ):
        clients = [MilvusClient(NOWHERE, dedicated=n == 2) for n in range(3)]
        handlers = [client._handler for client in clients]
        for client in clients:
            client.close()
    assert handlers[0] is handlers[1] is not handlers[2]


def test_a_method_of_the_handler_is_replaced(lite_server: servers.Server) -> None:
    target = "pymilvus.client.grpc_handler.GrpcHandler.search"
    with (
        patch(target, return_value=["nothing"]) as search,
        MilvusClient(lite_server.uri, dedicated=True) as client,
    ):
        assert client.search("things", [[0.0]]) == ["nothing"]
    search.assert_called_once()


def test_overridden_methods_are_called(lite_server: servers.Server) -> None:
    """pymilvus's create_collection calls create_index and load_collection of its `self`."""
    called = []

    class Watched(MilvusClient):
        def create_index(self, collection_name: str, *args: Any, **kwargs: Any) -> None:
            called.append("create_index")
            super().create_index(collection_name, *args, **kwargs)

        def load_collection(self, collection_name: str, *args: Any, **kwargs: Any) -> None:
            called.append("load_collection")
            super().load_collection(collection_name, *args, **kwargs)

    with Watched(lite_server.uri) as client:
        client.create_collection("watched", dimension=2)
        client.insert("watched", ROW)
        client.drop_collection("watched")
        assert client.stats()["delegated"] == {}
    assert called == ["create_index", "load_collection"]


def test_overridden_get_connection(lite_server: servers.Server) -> None:
    class Counting(MilvusClient):
        asked = 0

        def _get_connection(self) -> Any:
            self.asked += 1
            return super()._get_connection()

    with Counting(lite_server.uri) as client:
        before = client.asked
        assert client.has_collection("things") is False
        with pytest.raises(pymilvus.MilvusException):
            client.query("things", "id > 0")
        assert client.asked >= before + 2


def test_private_methods_can_be_patched(client: MilvusClient) -> None:
    with patch.object(client, "_fast_create_collection") as create:
        client.create_collection("things", dimension=2)
    create.assert_called_once()
    with patch.object(MilvusClient, "_fast_create_collection", autospec=True) as create:
        client.create_collection("things", dimension=2)
    assert create.call_args.args == (client, "things", 2)
    assert not client.has_collection("things")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (MilvusClient, pymilvus.MilvusClient),
        (AsyncMilvusClient, pymilvus.AsyncMilvusClient),
    ],
)
def test_every_private_method_is_there(ours: type, theirs: type) -> None:
    names = {
        name
        for name, value in inspect.getmembers(theirs, inspect.isfunction)
        if not name.startswith("__")
    }
    assert names - set(dir(ours)) == set()
    for name in sorted(names):
        if name.startswith("_") and name not in ("_get_connection", "_connect"):
            assert getattr(ours, name) is getattr(theirs, name), name


CLASSES = [
    MilvusClient,
    AsyncMilvusClient,
    results.SearchResult,
    results.HybridHits,
    iterators.QueryIterator,
    iterators.SearchIteratorV2,
    iterators.AsyncQueryIterator,
]


@pytest.mark.parametrize("cls", CLASSES)
def test_annotations_can_be_evaluated(cls: type) -> None:
    """As tools do that make forms, or calls by a language model, from a function."""
    for _name, function in inspect.getmembers(cls, inspect.isfunction):
        get_type_hints(function)
        inspect.signature(function, eval_str=True)


def test_a_copy_leaves_the_connections_open(lite_server: servers.Server) -> None:
    client = MilvusClient(lite_server.uri)
    twin = copy.copy(client)
    assert type(twin) is MilvusClient
    assert twin._config == client._config
    del twin
    gc.collect()
    assert client.has_collection("things") is False
    twin = copy.copy(client)
    del client
    gc.collect()
    assert twin.has_collection("things") is False
    twin.close()


async def test_a_copy_of_the_async_client(lite_server: servers.Server) -> None:
    async with AsyncMilvusClient(lite_server.uri) as client:
        twin = copy.copy(client)
        assert await twin.has_collection("things") is False
        del twin
        gc.collect()
        assert await client.has_collection("things") is False


def pickled(client: AsyncMilvusClient) -> AsyncMilvusClient:
    made: AsyncMilvusClient = pickle.loads(pickle.dumps(client))
    return made


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
async def test_a_deep_copy_of_the_async_client_connects_by_itself(
    lite_server: servers.Server, duplicate: Callable[[AsyncMilvusClient], AsyncMilvusClient]
) -> None:
    first = AsyncMilvusClient(lite_server.uri, token="a:b", retry_writes=True)
    before = duplicate(first)
    async with first:
        assert await first.has_collection("things") is False
        after = duplicate(first)
    for client in (before, after):
        assert type(client) is AsyncMilvusClient
        assert client._config == first._config
        assert client.stats()["open_connections"] == 0
        async with client:
            assert await client.has_collection("things") is False
            with pytest.raises(pymilvus.MilvusException, match="things"):
                await client.query("things", "id > 0")
    with pytest.raises(pymilvus.MilvusException, match="should create connection first"):
        await first.has_collection("things")


async def test_a_deep_copy_of_a_copy(lite_server: servers.Server) -> None:
    first = AsyncMilvusClient(lite_server.uri)
    twin = copy.copy(first)
    second = copy.deepcopy(twin)
    assert await second.has_collection("things") is False
    gone = weakref.ref(second)
    del first, twin
    with pytest.warns(ResourceWarning, match="unclosed"):
        del second
    assert gone() is None


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
@pytest.mark.parametrize("client", [AsyncMilvusClient, pymilvus.AsyncMilvusClient])
async def test_a_deep_copy_of_a_closed_client(client: Any, duplicate: Any) -> None:
    first = client("http://localhost:1")
    await first.close()
    second = duplicate(first)
    assert second._closed
    with pytest.raises(pymilvus.MilvusException, match="should create connection first"):
        await second.has_collection("things")


def test_a_deep_copy_of_a_client_without_its_constructor() -> None:
    client = AsyncMilvusClient.__new__(AsyncMilvusClient)
    client.note = ["mine"]  # type: ignore[attr-defined]
    assert vars(copy.deepcopy(client)) == {"note": ["mine"]}


def test_clients_of_one_server_have_one_alias(lite_server: servers.Server) -> None:
    """Under it programs make connections for the ORM, which other clients' users then look for."""
    name = "of_alias"
    clients = [MilvusClient(lite_server.uri, token=token) for token in ("", "", "a:b")]
    clients.append(MilvusClient(lite_server.uri, dedicated=True))
    first, second, *others = clients
    assert first._using == second._using
    assert len({client._using for client in clients}) == 3
    assert all(re.fullmatch(r"cm-\d+", client._using) for client in clients)
    first.create_collection(name, dimension=2, consistency_level="Strong")
    first.insert(name, [ROW])
    pymilvus.connections.connect(alias=first._using, uri=lite_server.uri)
    for client in clients:
        client.close()
    rows = pymilvus.Collection(name, using=second._using).query("id > 0")
    assert [row["id"] for row in rows] == [1]
    for client in others:
        assert not pymilvus.connections.has_connection(client._using)
    pymilvus.utility.drop_collection(name, using=second._using)
    pymilvus.connections.disconnect(first._using)
