"""Random calls: our request is the message that pymilvus's client sends for the same call, and
where pymilvus raises, so do we."""

from __future__ import annotations

import collections
import copy
import re

import pytest
from hypothesis import HealthCheck, currently_in_test_context, event, given, settings
from hypothesis import strategies as st
from pymilvus import AnnSearchRequest, RRFRanker

from tests.oracle.requests import strategies
from tests.oracle.requests.twins import COLLECTION, Ours, Scope, Theirs, assert_same


def cases(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


TIMES = st.sampled_from([0, 0, 1, 449_000_000_000_000_000])


def compare(method: str, name: str, theirs: Theirs, call: dict, ours: Ours, **fixed: object):
    """Makes the call with both. Neither may change what it was given."""
    theirs.set_last_write(ours.scope.last_write)
    before = shown(call)
    result = ours.call(name, COLLECTION, **call, **fixed)
    assert shown(call) == before
    expected = theirs.call(name, COLLECTION, **copy.deepcopy(call), **fixed)
    if currently_in_test_context():
        event("raises" if isinstance(expected, Exception) else "sends")
    assert_same(method, result, expected)


def shown(call: dict) -> str:
    """All of the values, without the addresses of objects that show none."""
    return re.sub("0x[0-9a-f]+", "", repr(call))


@cases(400)
@given(call=strategies.search_calls(), last_write=TIMES)
def test_search(theirs: Theirs, call: dict, last_write: int):
    compare("Search", "search", theirs, call, Ours(Scope(last_write=last_write)))


@cases(80)
@given(ids=strategies.PLAIN_KEYS, call=strategies.optional(strategies.SEARCH_KEYWORDS, most=3))
def test_search_by_ids(theirs: Theirs, ids: object, call: dict):
    compare("Search", "search", theirs, {**call, "ids": ids}, Ours())


@cases(200)
@given(call=strategies.hybrid_calls(), last_write=TIMES)
def test_hybrid_search(theirs: Theirs, call: dict, last_write: int):
    compare("HybridSearch", "hybrid_search", theirs, call, Ours(Scope(last_write=last_write)))


NUMBERS = [0.5, 1.5, 2.5, 3.5]


@pytest.mark.parametrize(
    "data",
    [
        [tuple(NUMBERS)],
        (NUMBERS, NUMBERS),
        (tuple(NUMBERS), NUMBERS),
        [range(4)],
        [collections.deque(NUMBERS)],
        [collections.UserList(NUMBERS)],
        collections.UserList([NUMBERS]),
    ],
    ids=repr,
)
def test_rows_of_a_hybrid_search_are_any_sequences(theirs: Theirs, data: object):
    """pymilvus checks the data of its requests less than that of a search."""
    reqs = [AnnSearchRequest(data, "float", {}, 3)]
    compare("HybridSearch", "hybrid_search", theirs, {"reqs": reqs, "ranker": RRFRanker()}, Ours())


@cases(200)
@given(call=strategies.QUERY_CALLS, last_write=TIMES)
def test_query(theirs: Theirs, call: dict, last_write: int):
    compare("Query", "query", theirs, call, Ours(Scope(last_write=last_write)))


@cases(60)
@given(
    ids=strategies.PLAIN_KEYS,
    call=strategies.optional(
        {k: v for k, v in strategies.QUERY_KEYWORDS.items() if k != "filter"}, most=3
    ),
)
def test_query_by_ids(theirs: Theirs, ids: object, call: dict):
    compare("Query", "query", theirs, {**call, "ids": ids}, Ours())


@cases(60)
@given(
    ids=strategies.PLAIN_KEYS,
    call=strategies.optional(
        {k: v for k, v in strategies.QUERY_KEYWORDS.items() if not k.startswith("filter")}, most=3
    ),
)
def test_get(theirs: Theirs, ids: object, call: dict):
    compare("Query", "get", theirs, {**call, "ids": ids}, Ours())


@cases(120)
@given(call=strategies.DELETE_CALLS)
def test_delete(theirs: Theirs, call: dict):
    compare("Delete", "delete", theirs, call, Ours())


@cases(200)
@given(templates=strategies.TEMPLATES)
def test_filter_templates(theirs: Theirs, templates: dict):
    call = {"filter": "x in {x}", "filter_params": templates}
    compare("Query", "query", theirs, call, Ours())


@cases(60)
@given(call=strategies.search_calls())
def test_search_by_the_async_client(theirs: Theirs, call: dict):
    assert_same(
        "Search",
        Ours().call("search", COLLECTION, **call),
        theirs.acall("search", COLLECTION, **copy.deepcopy(call)),
    )


def test_what_a_hybrid_search_of_nothing_says_first(theirs: Theirs):
    for wrong in ({}, {"search_aggregation": "brand"}, {"ranker": "best"}):
        for more in ({}, {"iterator": "True"}):
            call = {"reqs": [], "ranker": None, "consistency_level": "strong", **wrong, **more}
            compare("HybridSearch", "hybrid_search", theirs, call, Ours())


def test_what_is_said_of_an_iterators_level(theirs: Theirs):
    call = {"data": [NUMBERS], "consistency_level": "strong", "iterator": "True"}
    ours, expected = (
        twin.call("search", COLLECTION, **copy.deepcopy(call)) for twin in (Ours(), theirs)
    )
    assert type(ours) is type(expected)
    assert str(ours) == str(expected)
    assert 'unknown enum label "strong"' in str(ours)


@cases(40)
@given(call=strategies.hybrid_calls())
def test_hybrid_search_by_the_async_client(theirs: Theirs, call: dict):
    assert_same(
        "HybridSearch",
        Ours().call("hybrid_search", COLLECTION, **call),
        theirs.acall("hybrid_search", COLLECTION, **copy.deepcopy(call)),
    )


@cases(40)
@given(call=strategies.QUERY_CALLS)
def test_query_by_the_async_client(theirs: Theirs, call: dict):
    assert_same(
        "Query",
        Ours().call("query", COLLECTION, **call),
        theirs.acall("query", COLLECTION, **copy.deepcopy(call)),
    )


def test_a_session_names_its_cluster_unless_the_call_does(theirs: Theirs):
    ours = Ours(Scope(cluster_id="east"))
    ranked = {"reqs": [], "ranker": None}
    with theirs.session("east"):
        for method, name, call in (
            ("Search", "search", {"data": [[0.5]]}),
            ("HybridSearch", "hybrid_search", ranked),
            ("Query", "query", {"filter": ""}),
            ("Query", "get", {"ids": [1]}),
        ):
            compare(method, name, theirs, call, ours)
            compare(method, name, theirs, {**call, "cluster_id": "west"}, ours)
            compare(method, name, theirs, {**call, "cluster_id": None}, ours)
