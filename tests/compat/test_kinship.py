"""Our results are instances of pymilvus's classes, too, once pymilvus is imported."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from importlib import import_module
from typing import Any

import pymilvus
import pytest
from pymilvus.client import search_result, types
from pymilvus.grpc_gen import common_pb2, schema_pb2

from milvus_native import (
    AsyncMilvusClient,
    Hit,
    MilvusClient,
    iterators,
    results,
    search_page,
)
from tests.oldest import has
from tests.servers.recording import RecordingServer

if has("pymilvus.client.iterator:"):
    from pymilvus.client.iterator.query_iterator import QueryIterator
    from pymilvus.client.iterator.search_iterator import (
        SearchIterator,
        SearchIteratorV2,
        SearchPage,
    )
else:
    from pymilvus.client.search_iterator import SearchIteratorV2
    from pymilvus.orm.iterator import QueryIterator, SearchIterator, SearchPage


def hit() -> Hit:
    made = Hit({"id": 7, "distance": 0.5, "entity": {"a": 1}})
    made.note = "an attribute"
    return made


def with_note(result: Any) -> Any:
    result.note = ["kept"]
    result.extra = results.OmitZeroDict(cost=2)
    return result


PAIRS = [
    (hit(), search_result.Hit),
    (with_note(results.HybridHits([hit()])), search_result.HybridHits),
    (with_note(results.SearchResult([results.HybridHits([hit()])])), search_result.SearchResult),
    (results.ExtraList([1], extra={"cost": 2}), types.ExtraList),
    (with_note(results.HybridExtraList([{"a": 1}])), types.HybridExtraList),
    (results.OmitZeroDict(insert_count=1), types.OmitZeroDict),
    (search_page.SearchPage([hit()]), SearchPage),
]
if has("pymilvus.client.search_aggregation:AggregationHit"):
    from pymilvus.client import search_aggregation

    PAIRS += [
        (
            results.AggregationHit._of(1, 0.5, {"a": 1}, {"a": 100}),
            search_aggregation.AggregationHit,
        ),
        (results.AggregationBucket._of([], 1, {}, [], []), search_aggregation.AggregationBucket),
    ]
IDS = [type(result).__name__ for result, _ in PAIRS]


@pytest.mark.parametrize(("result", "theirs"), PAIRS, ids=IDS)
def test_isinstance(result: Any, theirs: type) -> None:
    assert isinstance(result, theirs)
    assert isinstance(result, type(result))
    assert type(result) is not theirs
    others = {cls for _, cls in PAIRS} - {theirs, *theirs.__mro__}
    assert not isinstance(result, tuple(others))


@pytest.mark.parametrize("theirs", [QueryIterator, SearchIterator, SearchIteratorV2])
def test_iterators(theirs: type) -> None:
    ours: type = getattr(iterators, theirs.__name__)
    assert isinstance(ours.__new__(ours), theirs)


@pytest.mark.parametrize(("result", "_theirs"), PAIRS, ids=IDS)
def test_copies_are_ours(result: Any, _theirs: type) -> None:
    copies = [pickle.loads(pickle.dumps(result, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)]
    copies += [copy.copy(result), copy.deepcopy(result)]
    for other in copies:
        assert type(other) is type(result)
        assert vars(other) == vars(result)
        if isinstance(result, (list, dict)):
            assert other == result
            assert repr(other) == repr(result)


@pytest.mark.parametrize(("result", "_theirs"), PAIRS, ids=IDS)
def test_what_makes_copies_is_found_by_its_name(result: Any, _theirs: type) -> None:
    """YAML writes that down."""
    make = result.__reduce_ex__(2)[0]
    assert getattr(import_module(make.__module__), make.__name__) is make


def test_copy_of_a_subclass_that_wants_arguments() -> None:
    class Mine(Hit):
        def __init__(self, id: int) -> None:  # noqa: A002
            super().__init__({"id": id})

    twin = copy.copy(Mine(3))
    assert (type(twin), twin) == (Mine, {"id": 3})


@pytest.mark.parametrize(
    "base", [Hit, results.HybridHits, results.SearchResult, results.OmitZeroDict]
)
def test_a_subclass_is_itself(base: type) -> None:
    cls = type("Mine", (base,), {"__module__": __name__})
    assert cls().__class__ is cls
    assert not isinstance(cls(), pymilvus.MilvusException)


def test_without_pymilvus() -> None:
    program = """
import pickle, sys
from milvus_native import Hit, results
for made in Hit(id=1), results.SearchResult([[]]), results.OmitZeroDict(a=1):
    assert made.__class__ is type(made)
    assert pickle.loads(pickle.dumps(made)) == made
assert "pymilvus" not in sys.modules
hit = Hit(id=1)
import pymilvus
assert isinstance(hit, pymilvus.Hit)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_results_are_made_from_messages_as_in_pymilvus() -> None:
    ids = schema_pb2.IDs(int_id=schema_pb2.LongArray(data=[7, 9, 8]))
    data = schema_pb2.SearchResultData(
        num_queries=2,
        top_k=2,
        topks=[2, 1],
        ids=ids,
        scores=[0.25, 0.5, 1.0],
        recalls=[0.5, 1.0],
        primary_field_name="key",
    )
    status = common_pb2.Status(extra_info={"report_value": "12"}, code=65535, reason="ignored")
    ours = results.SearchResult(data, 4, status, session_ts=99)
    theirs = search_result.SearchResult(data, 4, status, session_ts=99)
    assert [list(map(dict, hits)) for hits in ours] == [list(map(dict, hits)) for hits in theirs]
    assert (ours.extra, ours.recalls) == (theirs.extra, list(theirs.recalls))
    assert ours.get_session_ts() == theirs.get_session_ts() == 99
    assert ours.agg_buckets == getattr(theirs, "agg_buckets", []) == []  # pymilvus 2.6 has none
    assert results.SearchResult() == []


@pytest.mark.skipif(
    not has("pymilvus.client.search_aggregation:AggregationHit"),
    reason="this pymilvus has no aggregations",
)
def test_aggregations_are_made_from_messages_as_in_pymilvus() -> None:
    field = schema_pb2.AggHitField(field_name="name", field_id=101, string_val="x")
    hit = schema_pb2.AggHit(int_pk=7, score=0.5, fields=[field])
    entry = schema_pb2.BucketKeyEntry(field_id=102, field_name="kind", int_val=3)
    inner = schema_pb2.AggBucket(count=1)
    bucket = schema_pb2.AggBucket(key=[entry], count=4, hits=[hit], sub_groups=[inner])
    pairs = (
        (results.AggregationHit(hit), search_aggregation.AggregationHit(hit)),
        (results.AggregationBucket(bucket), search_aggregation.AggregationBucket(bucket)),
    )
    for ours, theirs in pairs:
        assert repr(ours) == repr(theirs)
    assert [str(hit) for hit in pairs[1][0].hits] == [str(hit) for hit in pairs[1][1].hits]


def test_clients() -> None:
    with RecordingServer() as server, MilvusClient(server.uri) as client:
        assert isinstance(client, pymilvus.MilvusClient)
        assert isinstance(client, MilvusClient)
        assert not isinstance(client, pymilvus.AsyncMilvusClient)
        assert type(client) is MilvusClient
        twin = copy.copy(client)
        assert type(twin) is MilvusClient
    one = AsyncMilvusClient(server.uri)
    assert isinstance(one, pymilvus.AsyncMilvusClient)
    assert not isinstance(one, pymilvus.MilvusClient)

    class Own(MilvusClient):
        pass

    with RecordingServer() as server, Own(server.uri) as own:
        assert own.__class__ is Own
        assert not isinstance(own, pymilvus.MilvusClient)


async def test_a_client_is_given_a_class() -> None:
    """As programs do that add methods to an object they were given."""

    class Own(AsyncMilvusClient):
        def mark(self) -> str:
            return self._config.address

    client: Any = AsyncMilvusClient("http://localhost:1")
    client.__class__ = Own
    assert type(client) is client.__class__ is Own
    assert client.mark() == "localhost:1"
    with pytest.raises(TypeError):
        client.__class__ = int
    with pytest.raises(pymilvus.MilvusException):
        await client.has_collection("things", timeout=0.1)
