"""Arguments that pymilvus takes, though it does not say so: programs pass them."""

from __future__ import annotations

import enum
import uuid
from typing import Any

import numpy as np
import pymilvus
import pytest

from milvus_native import AsyncMilvusClient, MilvusClient, schema_cache
from tests import servers


class Names(str, enum.Enum):
    """As programs keep the names of their collections, and of what is in them."""

    THINGS = "odd_arguments"
    KEY = "key"
    VECTOR = "vector"
    FILTER = "key != ''"
    PARTITION = "_default"


@pytest.fixture
def client(lite_server: servers.Server) -> Any:
    with MilvusClient(lite_server.uri) as made:
        if made.has_collection(Names.THINGS):
            made.drop_collection(Names.THINGS)
        made.create_collection(
            Names.THINGS,
            dimension=2,
            primary_field_name="key",
            id_type="string",
            max_length=64,
            consistency_level="Strong",
        )
        yield made
        made.drop_collection(Names.THINGS)


def test_names_of_an_enum(client: MilvusClient) -> None:
    rows = [{Names.KEY: str(n), Names.VECTOR: [n, 1.0]} for n in range(3)]
    assert client.insert(Names.THINGS, rows, partition_name=Names.PARTITION)["insert_count"] == 3
    assert client.upsert(Names.THINGS, rows)["upsert_count"] == 3
    read = {"output_fields": [Names.KEY], "partition_names": [Names.PARTITION]}
    assert len(client.query(Names.THINGS, Names.FILTER, **read)) == 3
    assert client.get(Names.THINGS, ["1"], **read) == [{"key": "1"}]
    [hits] = client.search(
        Names.THINGS, [[2.0, 1.0]], Names.FILTER, limit=1, anns_field=Names.VECTOR, **read
    )
    assert hits.ids == ["2"]
    assert sum(map(len, client.query_iterator(Names.THINGS, 2, filter=Names.FILTER))) == 3
    client.delete(Names.THINGS, ["2"])
    assert len(client.query(Names.THINGS, Names.FILTER)) == 2
    assert client.stats()["delegated"] == {}


def test_a_name_of_an_enum_is_the_same_name(client: MilvusClient) -> None:
    """Schemas that are cached under the one are dropped under the other."""
    client.insert(Names.THINGS, {"key": "a", "vector": [0.0, 1.0]})
    assert schema_cache.peek(client, Names.THINGS.value) is not None
    assert schema_cache.peek(client, Names.THINGS) is not None
    client.alter_collection_properties(Names.THINGS, {"mmap.enabled": "false"})
    assert schema_cache.peek(client, Names.THINGS.value) is None


async def test_names_of_an_enum_async(client: MilvusClient, lite_server: servers.Server) -> None:
    async with AsyncMilvusClient(lite_server.uri) as other:
        await other.insert(Names.THINGS, {Names.KEY: "a", Names.VECTOR: [0.0, 1.0]})
        assert await other.has_collection(Names.THINGS)
        assert len(await other.query(Names.THINGS, Names.FILTER)) == 1


def test_keys_of_a_varchar_field(client: MilvusClient) -> None:
    key = uuid.uuid4()
    for value in (key, 5):
        client.insert(Names.THINGS, {"key": str(value), "vector": [0.0, 1.0]})
    found = client.get(Names.THINGS, [key, np.int64(5)], output_fields=["key"])
    assert {row["key"] for row in found} == {str(key), "5"}


@pytest.mark.parametrize("pks", [range(3), {0: "a", 1: "b", 2: "c"}, iter((0, 1, 2))])
def test_any_iterable_of_pks(client: MilvusClient, pks: Any) -> None:
    client.insert(Names.THINGS, [{"key": str(n), "vector": [n, 1.0]} for n in range(4)])
    client.delete(Names.THINGS, pks=pks)
    assert [row["key"] for row in client.query(Names.THINGS, "key >= ''")] == ["3"]


@pytest.mark.parametrize("wrong", ["x", 5, ["s"]])
def test_wrong_field_ops(client: MilvusClient, wrong: Any) -> None:
    with pytest.raises(pymilvus.MilvusException, match="has no attribute 'items'"):
        client.upsert(Names.THINGS, {"key": "a", "vector": [0.0, 1.0]}, field_ops=wrong)


@pytest.mark.parametrize("wrong", ["x", 5, [1]])
def test_wrong_search_params_of_an_iterator(client: MilvusClient, wrong: Any) -> None:
    with pytest.raises(pymilvus.exceptions.ParamError, match="`search_params` value"):
        client.search_iterator(Names.THINGS, [[0.0, 1.0]], search_params=wrong)


@pytest.mark.parametrize("size", [2.0, np.float64(2), np.int64(2)])
def test_page_size_by_division(client: MilvusClient, size: Any) -> None:
    client.insert(Names.THINGS, [{"key": str(n), "vector": [n, 1.0]} for n in range(5)])
    pages = list(client.query_iterator(Names.THINGS, batch_size=size, limit=2 * size))
    assert [len(page) for page in pages] == [2, 2]


@pytest.mark.parametrize("partition", [5, ["_default"]])
def test_a_partition_that_is_no_name(client: MilvusClient, partition: Any) -> None:
    row = {"key": "a", "vector": [0.0, 1.0]}
    for write in (client.insert, client.upsert):
        with pytest.raises(pymilvus.MilvusException, match="partition_name must be a str or None"):
            write(Names.THINGS, row, partition_name=partition)
    assert client.query(Names.THINGS, "key >= ''") == []


@pytest.mark.parametrize("uri", ["localhost", "", "ftp://host"])
def test_wording_of_a_bad_uri(uri: str) -> None:
    caught = []
    for cls in (pymilvus.MilvusClient, MilvusClient):
        with pytest.raises(pymilvus.exceptions.ConnectionConfigException) as info:
            cls(uri)
        caught.append(info.value.message)
    assert caught[0] == caught[1]


def test_wording_of_a_server_that_is_not_there() -> None:
    with pytest.raises(pymilvus.MilvusException) as caught:
        MilvusClient("http://127.0.0.1:1", timeout=0.5)
    text = "on 127.0.0.1:1, illegal connection params or server unavailable"
    assert caught.value.code == 2
    assert text in caught.value.message
