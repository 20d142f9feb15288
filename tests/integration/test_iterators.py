"""Iterators on real servers: every row once, over random data with ties, by both clients."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pymilvus
import pytest
from pymilvus import DataType

from milvus_native import AsyncMilvusClient, MilvusClient
from tests.servers import Server

SEED = 1_337
COUNT = 600
# What a key may hold: quotes and backslashes end or bend a literal that is not escaped.
AWKWARD = [
    "O'Brien",
    'say "hi"',
    "back\\slash",
    "end\\",
    "two\nlines",
    "\ttab",
    "ümlaut",
    " ",
    "%_",
]


@pytest.fixture(scope="module", params=["lite_server", "milvus_server"])
def server(request: pytest.FixtureRequest) -> Server:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def theirs(server: Server) -> Iterator[pymilvus.MilvusClient]:
    client = pymilvus.MilvusClient(server.uri)
    yield client
    client.close()


@pytest.fixture(scope="module")
def ours(server: Server) -> Iterator[MilvusClient]:
    with MilvusClient(server.uri) as client:
        yield client


def make(client: Any, rows: list[dict], metric: str = "L2") -> str:
    """A loaded collection with these rows; the primary key is "id", the vector "vec"."""
    name = f"walk_{uuid.uuid4().hex}"
    schema = client.create_schema()
    if isinstance(rows[0]["id"], str):
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=200)
    else:
        schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("tag", DataType.INT64)
    schema.add_field("vec", DataType.FLOAT_VECTOR, dim=2)
    index = client.prepare_index_params()
    index.add_index("vec", index_type="FLAT", metric_type=metric)
    # A Strong read waits 0.2 s for the next tick of Milvus's clock; one is enough.
    client.create_collection(
        name, schema=schema, index_params=index, consistency_level="Eventually"
    )
    client.insert(name, rows)
    strong = {"output_fields": ["id"], "limit": 10_000, "consistency_level": "Strong"}
    assert len(client.query(name, "", **strong)) == len(rows)
    return name


def random_rows(string_keys: bool) -> list[dict]:
    """Keys in random order, some awkward; vectors on a coarse grid, so many distances tie."""
    generator = random.Random(SEED)
    keys: list[Any] = generator.sample(range(-(10**12), 10**12), COUNT)
    if string_keys:
        keys = [f"k{key}" for key in keys[len(AWKWARD) :]] + AWKWARD
    else:
        keys[:3] = [-(2**63), -(2**63) + 1, 0]
    return [
        {"id": key, "tag": number % 5, "vec": [generator.randrange(8), generator.randrange(8)]}
        for number, key in enumerate(keys)
    ]


@pytest.fixture(scope="module", params=[False, True], ids=["integer keys", "string keys"])
def walked(request: pytest.FixtureRequest, theirs: Any) -> Iterator[tuple[str, list[dict]]]:
    rows = random_rows(request.param)
    name = make(theirs, rows)
    yield name, rows
    theirs.drop_collection(name)


def keys_of(pages: Any) -> list[Any]:
    return [row["id"] for page in pages for row in page]


def assert_once(keys: list[Any], expected: list[Any]) -> None:
    twice = [key for key, times in Counter(keys).items() if times > 1]
    assert twice == []
    assert set(keys) == set(expected)


@pytest.mark.parametrize("batch_size", [1, 64, 1000])
async def test_query_returns_every_row_once(server, ours, walked, batch_size):
    name, rows = walked
    expected = sorted(row["id"] for row in rows if row["tag"] != 3)
    if batch_size == 1:
        expected = expected[:30]
    arguments: dict[str, Any] = {"batch_size": batch_size, "filter": "tag != 3"}
    arguments |= {"output_fields": ["tag"], "limit": len(expected)}
    pages = list(ours.query_iterator(name, **arguments))
    # The server's order of strings is that of their bytes.
    assert keys_of(pages) == sorted(expected, key=lambda k: k.encode() if isinstance(k, str) else k)
    assert all(len(page) == batch_size for page in pages[:-1])
    by_key = {row["id"]: row["tag"] for row in rows}
    assert all(row["tag"] == by_key[row["id"]] for page in pages for row in page)
    async with AsyncMilvusClient(server.uri) as client:
        iterator = await client.query_iterator(name, **arguments)
        assert [page async for page in iterator] == pages


@pytest.mark.parametrize("offset", [5, 130, 10_000])
async def test_query_offset(ours, walked, offset):
    name, rows = walked
    expected = sorted(
        (row["id"] for row in rows), key=lambda k: k.encode() if isinstance(k, str) else k
    )
    iterator = ours.query_iterator(name, batch_size=100, output_fields=["tag"], offset=offset)
    assert keys_of(iterator) == expected[offset:]


@pytest.mark.parametrize("string_keys", [False, True])
def test_query_pages_equal_pymilvus(theirs, ours, string_keys):
    rows = [
        {"id": f"k{n:04}" if string_keys else n, "tag": n % 5, "vec": [n, n % 7]}
        for n in range(300)
    ]
    name = make(theirs, rows)
    try:
        for arguments in ({"output_fields": ["*"]}, {"filter": "tag > 1"}, {"limit": 100}):
            iterator = theirs.query_iterator(name, batch_size=70, **arguments)
            pages = []
            while page := iterator.next():
                pages.append([{**row} for row in page])
            assert list(ours.query_iterator(name, batch_size=70, **arguments)) == pages
    finally:
        theirs.drop_collection(name)


def test_query_resumes_from_its_checkpoint(ours, walked, tmp_path):
    name, rows = walked
    path = tmp_path / "place"
    keys: list[Any] = []
    while True:
        iterator = ours.query_iterator(
            name, batch_size=250, output_fields=["tag"], iterator_cp_file=str(path)
        )
        page = iterator.next()
        if not page:
            break
        keys += [row["id"] for row in page]
    iterator.close()
    assert_once(keys, [row["id"] for row in rows])
    assert not path.exists()


@pytest.mark.parametrize("batch_size", [5, 20, 100])
async def test_search_returns_every_row_once(server, ours, walked, batch_size):
    name, rows = walked
    query = [[2.25, 3.5]]
    arguments: dict[str, Any] = {"data": query, "batch_size": batch_size, "output_fields": ["tag"]}
    pages = list(ours.search_iterator(name, **arguments))
    assert_once(keys_of(pages), [row["id"] for row in rows])
    distances = [hit["distance"] for page in pages for hit in page]
    assert distances == sorted(distances)
    [[x, y]] = query
    by_key = {row["id"]: row for row in rows}
    for page in pages:
        for hit in page:
            row = by_key[hit["id"]]
            a, b = row["vec"]
            assert hit["distance"] == pytest.approx((a - x) ** 2 + (b - y) ** 2, abs=1e-4)
            assert hit["entity"]["tag"] == row["tag"]
    async with AsyncMilvusClient(server.uri) as client:
        iterator = await client.search_iterator(name, **arguments)
        assert [page.ids() async for page in iterator] == [page.ids() for page in pages]


@pytest.mark.parametrize("digits", [0, 1])
def test_search_with_rounded_distances_returns_every_row_once(ours, walked, digits):
    name, rows = walked
    iterator = ours.search_iterator(name, [[2.25, 3.6]], batch_size=50, round_decimal=digits)
    pages = list(iterator)
    assert_once(keys_of(pages), [row["id"] for row in rows])
    assert all(d == round(d, digits) for page in pages for d in page.distances())


@pytest.mark.parametrize("metric", ["L2", "IP", "COSINE"])
def test_search_pages_equal_pymilvus(theirs, ours, metric):
    generator = random.Random(SEED)
    rows = [
        {"id": n, "tag": n % 5, "vec": [generator.random(), generator.random()]}
        for n in range(COUNT)
    ]
    name = make(theirs, rows, metric)
    try:
        for arguments in ({}, {"limit": 120}, {"filter": "tag in [1, 2]"}):
            walks = []
            for client in (theirs, ours):
                iterator = client.search_iterator(
                    name, [[0.3, 0.7]], batch_size=50, output_fields=["tag"], **arguments
                )
                assert type(iterator).__name__ == "SearchIterator"
                pages = []
                while len(page := iterator.next()):
                    pages.append([dict(hit.to_dict()) for hit in page])
                walks.append(pages)
            assert walks[1] == walks[0]
            if not arguments:
                assert_once(keys_of(walks[1]), [row["id"] for row in rows])
    finally:
        theirs.drop_collection(name)


def test_search_crosses_a_wide_gap(theirs, ours):
    near = [{"id": n, "tag": 0, "vec": [n / 100, 0.0]} for n in range(40)]
    far = [{"id": 40 + n, "tag": 0, "vec": [500.0 + n, 0.0]} for n in range(20)]
    name = make(theirs, near + far)
    try:
        iterator = ours.search_iterator(name, [[0.0, 0.0]], batch_size=16)
        assert keys_of(iterator) == list(range(60))
    finally:
        theirs.drop_collection(name)


def test_writes_meanwhile_disturb_no_other_row(theirs, ours):
    rows = [{"id": n, "tag": 0, "vec": [n, 0]} for n in range(0, 300, 2)]
    name = make(theirs, rows)
    try:
        query = ours.query_iterator(name, batch_size=30, output_fields=["tag"])
        search = ours.search_iterator(name, [[-1.0, 0.0]], batch_size=30)
        keys, hits = keys_of([query.next()]), keys_of([search.next()])
        deleted = [4, 100, 102, 104, 298]
        ours.insert(name, [{"id": n, "tag": 1, "vec": [n, 0]} for n in range(1, 300, 2)])
        ours.delete(name, ids=deleted)
        keys += keys_of(query)
        hits += keys_of(search)
        for seen in (keys, hits):
            steady = [key for key in seen if key % 2 == 0 and key not in deleted]
            assert steady == [n for n in range(0, 300, 2) if n not in deleted]
            assert len(set(seen)) == len(seen)
    finally:
        theirs.drop_collection(name)
