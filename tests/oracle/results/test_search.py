"""Random SearchResults, decoded by us and by pymilvus."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import orjson
import pytest
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import _core
from milvus_native.results import HybridHits, SearchResult
from tests.oldest import has

from .faker import fakers
from .reference import assert_same, search
from .scramble import scramble


def assert_same_result(ours: Any, theirs: Any) -> None:
    assert type(ours) is SearchResult
    assert_same(ours, theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert type(mine) is HybridHits
        assert_same(mine.ids, other.ids, "ids")
        assert_same(mine.distances, other.distances, "distances")
        assert mine.start == other.start
        assert mine.dynamic_fields == other.dynamic_fields
        for hit, reference in zip(mine, other, strict=True):
            assert type(hit) is _core.Hit
            assert hit._pk_name == reference._pk_name
            assert_same(hit.id, reference.id, "id")
            assert_same(hit.distance, reference.distance, "distance")
            assert_same(hit.fields, reference.fields, "fields")
            assert_same(hit.highlight, reference.highlight, "highlight")
    assert_same(ours.recalls, theirs.recalls, "recalls")
    assert_same(ours.extra, theirs.extra, "extra")
    assert ours.get_session_ts() == theirs.get_session_ts()
    mine = ours.get_search_iterator_v2_results_info()
    other = theirs.get_search_iterator_v2_results_info()
    assert mine.token == other.token
    assert_same(mine.last_bound, other.last_bound, "last_bound")
    if has("pymilvus:SearchAggregation"):
        assert_same_buckets(ours.agg_buckets, theirs.agg_buckets)


def assert_same_buckets(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            assert_same_buckets(mine, other)
        return
    assert_same(ours.key, theirs.key, "key")
    assert ours.count == theirs.count
    assert {k: repr(v) for k, v in ours.metrics.items()} == {
        k: repr(v) for k, v in theirs.metrics.items()
    }
    assert len(ours.hits) == len(theirs.hits)
    for mine, other in zip(ours.hits, theirs.hits, strict=True):
        assert_same(mine.pk, other.pk, "pk")
        assert_same(mine.score, other.score, "score")
        assert_same(mine.fields, other.fields, "fields")
        assert mine.field_ids() == other.field_ids()
        assert repr(mine) == repr(other)
    assert_same_buckets(ours.sub_groups, theirs.sub_groups)


def copies(result: SearchResult) -> list[SearchResult]:
    made = [pickle.loads(pickle.dumps(result, protocol)) for protocol in range(6)]
    return [*made, copy.copy(result), copy.deepcopy(result)]


@pytest.mark.parametrize("batch", range(10))
def test_equals_pymilvus(batch: int) -> None:
    for faker in fakers(batch):
        reply = faker.search()
        decimals = faker.random.choice((None, -1, 0, 1, 3, 6, True))
        ours = _core.decode_search(reply.SerializeToString(), round_decimal=decimals)
        assert_same_result(ours, search(reply, decimals))


@pytest.mark.parametrize("batch", range(4))
def test_copies_are_whole(batch: int) -> None:
    for faker in fakers(batch):
        reply = faker.search()
        theirs = search(reply)
        for made in copies(_core.decode_search(reply.SerializeToString())):
            assert_same_result(made, theirs)


def plain(value: Any) -> Any:
    """For json and orjson: what they do not know."""
    return value.hex() if isinstance(value, bytes) else value.item()


@pytest.mark.parametrize("batch", range(4))
def test_json_holds_every_field(batch: int) -> None:
    for faker in fakers(batch):
        reply = faker.search()
        ours, theirs = _core.decode_search(reply.SerializeToString()), search(reply)
        assert json.dumps(ours, default=plain) == json.dumps(theirs, default=plain)
        options = orjson.OPT_NON_STR_KEYS
        assert orjson.dumps(ours, plain, options) == orjson.dumps(theirs, plain, options)


@pytest.mark.parametrize("batch", range(4))
def test_other_bytes_of_the_same_message(batch: int) -> None:
    for faker in fakers(batch):
        reply = faker.search()
        data = scramble(faker.random, reply)
        parsed = milvus_pb2.SearchResults.FromString(data)
        parsed.DiscardUnknownFields()
        assert parsed.SerializeToString(deterministic=True) == reply.SerializeToString(
            deterministic=True
        )
        assert_same_result(_core.decode_search(data), search(reply))
