"""Where our iterators differ from pymilvus's on purpose: it loses rows, repeats them or fails."""

from __future__ import annotations

import random

import pymilvus
import pytest
from pymilvus.client.cache import GlobalCache
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import common_pb2, milvus_pb2

import milvus_native
from milvus_native import schema_cache
from tests.oracle.iterators.walk import Walk, both
from tests.servers.paging import PagingCollection
from tests.servers.recording import RecordingServer

DATA = {"data": [[0.0, 0.0]]}


def keyed(keys, **options) -> PagingCollection:
    rows = [{"id": key, "vec": [float(n + 1), 0.0]} for n, key in enumerate(keys)]
    return PagingCollection(rows, **options)


def lost(collection: PagingCollection, walk: Walk) -> int:
    """How many rows an iteration did not return."""
    return len({row["id"] for row in collection.rows} - {row["id"] for row in walk.rows()})


def assert_each_once(collection: PagingCollection, *walks: Walk) -> None:
    for walk in walks:
        assert walk.error is None
        ids = [row["id"] for row in walk.rows()]
        assert sorted(ids) == sorted(row["id"] for row in collection.rows)


@pytest.mark.parametrize("method", ["query_iterator", "search_iterator"])
@pytest.mark.parametrize("key", ['say "hello"', "back\\slash\\", "two\nlines", '" or id != "'])
async def test_keys_with_special_characters(method, key):
    """They are escaped in the cursor's predicate; pymilvus sends them as they are."""
    collection = keyed(["a", key, "z"])
    arguments = {"batch_size": 1, **(DATA if method == "search_iterator" else {})}
    theirs, *ours = await both(collection, method, arguments)
    assert_each_once(collection, *ours)
    assert theirs.error is not None or lost(collection, theirs)


@pytest.mark.parametrize("keys", [[1, 2**63 - 1], ["", "a"]])
async def test_no_filter_at_all(keys):
    """filter=None excludes nothing, not even the greatest integer and the empty string."""
    collection = keyed(keys)
    theirs, *ours = await both(collection, "query_iterator", {"filter": None})
    assert_each_once(collection, *ours)
    assert lost(collection, theirs) == 1


@pytest.mark.parametrize("v2", [True, False])
async def test_round_decimal(v2):
    """The server's place is kept by unrounded distances."""
    generator = random.Random(1)
    rows = [{"id": n, "vec": [generator.random(), 0.0]} for n in range(600)]
    collection = PagingCollection(rows, v2=v2)
    arguments = {**DATA, "batch_size": 4, "round_decimal": 1}
    theirs, *ours = await both(collection, "search_iterator", arguments)
    assert_each_once(collection, *ours)
    for walk in ours:
        assert all(hit["distance"] == round(hit["distance"], 1) for hit in walk.rows())
    assert lost(collection, theirs)


@pytest.mark.parametrize("metric", ["L2", "IP"])
async def test_wide_gaps(metric):
    """Older servers: a gap wider than 21 rings does not end the iteration."""
    rows = [{"id": n, "vec": [-(10.0**n), 0.0]} for n in range(8)]
    collection = PagingCollection(rows, metric)
    arguments = {"data": [[0.0 if metric == "L2" else 1.0, 0.0]], "batch_size": 2}
    theirs, *ours = await both(collection, "search_iterator", arguments)
    assert_each_once(collection, *ours)
    assert lost(collection, theirs)


async def test_distances_that_come_out_differently():
    """Older servers: a distance computed anew may lie on the other side of a ring's edge."""
    rows = [{"id": n, "vec": [float(n % 6), float(n % 5)]} for n in range(300)]
    collection = PagingCollection(rows, noise=4e-7)
    theirs, *ours = await both(collection, "search_iterator", {**DATA, "batch_size": 7})
    assert_each_once(collection, *ours)
    assert lost(collection, theirs)


async def test_rows_that_the_server_hides():
    """Older servers, milvus-lite: a range is looked for among a limit's nearest rows only."""
    rows = [{"id": n, "vec": [float(n), 0.0]} for n in range(200)]
    collection = PagingCollection(rows, lookahead=5)
    theirs, *ours = await both(collection, "search_iterator", {**DATA, "batch_size": 2})
    assert_each_once(collection, *ours)
    assert lost(collection, theirs)


async def test_range_in_one_layer():
    """Older servers: radius may stand beside metric_type, as in a search."""
    collection = keyed(range(10))
    arguments = {**DATA, "batch_size": 2, "search_params": {"metric_type": "L2", "radius": 26.0}}
    theirs, *ours = await both(collection, "search_iterator", arguments)
    assert isinstance(theirs.error, MilvusException)
    assert "ambiguous parameter" in theirs.error.message
    for walk in ours:
        assert [hit["distance"] for hit in walk.rows()] == [1, 4, 9, 16, 25]


async def test_external_filter_on_older_servers():
    """It is applied; pymilvus ignores it there."""
    collection = keyed(range(10))
    arguments = {
        **DATA,
        "batch_size": 3,
        "external_filter_func": lambda hits: [hit for hit in hits if hit.id % 2],
    }
    theirs, *ours = await both(collection, "search_iterator", arguments)
    assert [hit["id"] for hit in theirs.rows()] == list(range(10))
    for walk in ours:
        assert [hit["id"] for hit in walk.rows()] == [1, 3, 5, 7, 9]


async def test_index_with_a_name_of_its_own():
    """Older servers: the metric is found by the field too."""
    collection = keyed(range(10), index_name="by_vec")
    theirs, *ours = await both(collection, "search_iterator", {**DATA, "batch_size": 3})
    assert isinstance(theirs.error, MilvusException)
    assert_each_once(collection, *ours)


async def test_filter_params():
    """Templates are sent, as query() and search() do."""
    collection = keyed(range(3), v2=True)
    for method, data in (("query_iterator", {}), ("search_iterator", DATA)):
        arguments = {**data, "filter": "id < 2", "filter_params": {"edge": 2}}
        _theirs, *ours = await both(collection, method, arguments)
        for walk in ours:
            assert {m.expr_template_values["edge"].int64_val for m in walk.requests} == {2}


def test_the_collection_is_described_once():
    collection = keyed(range(5))
    counts = {}
    with RecordingServer(collection.replies()) as server:
        for package in (pymilvus, milvus_native):
            client = package.MilvusClient(server.uri)
            for method, data in (("query_iterator", {}), ("search_iterator", DATA)):
                GlobalCache.schema.clear()
                schema_cache.clear()
                server.take()
                getattr(client, method)("c", **data)
                counts[package.__name__, method] = len(server.take("DescribeCollection"))
            client.close()
    assert counts["milvus_native", "query_iterator"] == 1
    assert counts["milvus_native", "search_iterator"] == 1
    assert counts["pymilvus", "query_iterator"] == 2
    assert counts["pymilvus", "search_iterator"] == 3


async def test_a_collection_that_the_server_calls_empty():
    collection = keyed(range(5))
    status = common_pb2.Status(code=0, error_code=common_pb2.EmptyCollection, reason="no rows")
    empty = milvus_pb2.QueryResults(status=status).SerializeToString()
    collection.fail = lambda call: empty if call.method == "Query" else None
    theirs, *ours = await both(collection, "query_iterator", {})
    assert isinstance(theirs.error, AttributeError)
    for walk in ours:
        assert walk.error is None
        assert walk.rows() == []


def test_resuming_after_an_offset(tmp_path):
    """The offset is not applied again to every page after the checkpoint."""
    collection = keyed(range(20))
    seen = {}
    with RecordingServer(collection.replies()) as server:
        for package in (pymilvus, milvus_native):
            client = package.MilvusClient(server.uri)
            path = tmp_path / package.__name__
            ids = []
            for _turn in range(2):
                iterator = client.query_iterator(
                    "c", batch_size=4, offset=2, iterator_cp_file=str(path)
                )
                ids += [row["id"] for row in iterator.next()]
            ids += [row["id"] for row in iterator.next()]
            seen[package.__name__] = ids
            client.close()
    assert seen["milvus_native"] == list(range(2, 14))
    assert seen["pymilvus"] != seen["milvus_native"]


def test_cursor_before_the_first_page():
    with RecordingServer(keyed(["a"]).replies()) as server:
        theirs = pymilvus.MilvusClient(server.uri, dedicated=True).query_iterator("c").get_cursor()
        with milvus_native.MilvusClient(server.uri) as client:
            ours = client.query_iterator("c").get_cursor()
            assert (theirs.str_pk, ours.str_pk) == ("None", None)
            assert ours.session_ts == theirs.session_ts
