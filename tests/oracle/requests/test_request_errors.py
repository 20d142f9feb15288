"""Mistakes, one by one: class, code and message of the exception are those of pymilvus."""

from __future__ import annotations

import datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pymilvus
import pytest
from pymilvus import (
    AnnSearchRequest,
    Function,
    FunctionScore,
    FunctionType,
    RRFRanker,
)
from pymilvus.client.embedding_list import EmbeddingList
from pymilvus.exceptions import MilvusException

from tests.oldest import has
from tests.oracle.requests.twins import COLLECTION, Ours, Theirs, assert_same

VECTOR = [[0.1, 0.2]]
RERANK = Function("f", FunctionType.RERANK, ["a"], params={"reranker": "boost"})
# None with pymilvus 2.6, where what needs them is skipped (tests/oldest.py).
AGGREGATION: Any = None
CHAIN: Any = None
EMPTY_CHAIN: Any = None
if has("pymilvus:SearchAggregation"):
    AGGREGATION = pymilvus.SearchAggregation(["brand"], 3)
if has("pymilvus:FunctionChain"):
    CHAIN = pymilvus.FunctionChain(pymilvus.FunctionChainStage.L2_RERANK)
    EMPTY_CHAIN = pymilvus.FunctionChain(pymilvus.FunctionChainStage.UNSPECIFIED)

SEARCH: dict[str, dict[str, Any]] = {
    "neither data nor ids": {"data": None},
    "data and ids": {"ids": [1]},
    "no ids": {"data": None, "ids": []},
    "bool id": {"data": None, "ids": True},
    "bool ids": {"data": None, "ids": [True]},
    "int ids with a str": {"data": None, "ids": [1, "a"]},
    "int ids with a bool": {"data": None, "ids": [1, False]},
    "str ids with an int": {"data": None, "ids": ["a", 1]},
    "empty str id": {"data": None, "ids": [""]},
    "long str id": {"data": None, "ids": ["x" * 65536]},
    "int id beyond int64": {"data": None, "ids": [2**63]},
    "float ids": {"data": None, "ids": [1.5]},
    "ids in a dict": {"data": None, "ids": {1: 2}},
    "data is a str": {"data": "text"},
    "data is a flat list": {"data": [0.1, 0.2]},
    "data is a number": {"data": 5},
    "data is a dict": {"data": {1: 0.5}},
    "limit 0": {"limit": 0},
    "limit negative": {"limit": -1},
    "limit is a str": {"limit": "10"},
    "limit is a float": {"limit": 10.0},
    "limit is None": {"limit": None},
    "round_decimal too small": {"round_decimal": -2},
    "round_decimal too large": {"round_decimal": 7},
    "round_decimal is a float": {"round_decimal": 2.0},
    "anns_field is an int": {"anns_field": 5},
    "partition_names is a str": {"partition_names": "p"},
    "partition_names has an int": {"partition_names": ["p", 1]},
    "partition_names is a tuple": {"partition_names": ("p",)},
    "output_fields is a str": {"output_fields": "id"},
    "output_fields has an empty str": {"output_fields": ["id", ""]},
    "output_fields has None": {"output_fields": [None]},
    "guarantee_timestamp negative": {"guarantee_timestamp": -1},
    "guarantee_timestamp is a str": {"guarantee_timestamp": "1"},
    "guarantee_timestamp too large": {
        "guarantee_timestamp": 2**64,
        "consistency_level": "Customized",
    },
    "timeout is a str": {"timeout": "1"},
    "consistency_level unknown": {"consistency_level": "strong"},
    "consistency_level out of range": {"consistency_level": 5},
    "consistency_level negative": {"consistency_level": -1},
    "consistency_level of no type": {"consistency_level": 1.0},
    "consistency_level unknown, in an iterator": {"consistency_level": "x", "iterator": "True"},
    "consistency_level of no type, in an iterator": {"consistency_level": 1.5, "iterator": "1"},
    "search_params is a str": {"search_params": "ef"},
    "search_params is a number": {"search_params": 5},
    "params is a list": {"search_params": {"params": [1]}},
    "params is None": {"search_params": {"params": None}},
    "params ambiguous": {"search_params": {"ef": 1, "params": {"ef": 2}}},
    "params with a set": {"search_params": {"x": {1}}},
    "params with bytes": {"search_params": {"params": {"x": b"1"}}},
    "params with an int key": {"search_params": {1: 2}},
    "params with a huge int": {"search_params": {"x": 2**64}},
    "params with a lone surrogate": {"search_params": {"x": "\ud800"}},
    "page_retain_order twice": {
        "page_retain_order": True,
        "search_params": {"page_retain_order": True},
    },
    "page_retain_order is an int": {"page_retain_order": 1},
    "offset twice": {"offset": 1, "search_params": {"offset": 1}},
    "offset is a str": {"offset": "1"},
    "offset is a float": {"search_params": {"offset": 1.0}},
    "group_by_fields is a str": {"group_by_fields": "a"},
    "group_by_fields with an int": {"group_by_fields": [1]},
    "order_by_fields with a str": {"order_by_fields": ["a"]},
    "order_by_fields without a field": {"order_by_fields": [{"order": "asc"}]},
    "json_type of a float": {"json_type": 10},
    "json_type is a str": {"json_type": "int8"},
    "json_type is a list": {"json_type": [5]},
    "aggregation is a dict": {"search_aggregation": {"fields": ["a"]}},
    "aggregation and group_by_field": {"search_aggregation": AGGREGATION, "group_by_field": "a"},
    "aggregation and group_by_fields": {
        "search_aggregation": AGGREGATION,
        "group_by_fields": ["a"],
    },
    "ranker is a Ranker": {"ranker": RRFRanker()},
    "ranker is a str": {"ranker": "rrf"},
    "chains and ranker": {"function_chains": CHAIN, "ranker": RERANK},
    "chains are a str": {"function_chains": "chain"},
    "chains with a str": {"function_chains": [CHAIN, "chain"]},
    "chain of no stage": {"function_chains": EMPTY_CHAIN},
    "highlighter is a str": {"highlighter": "bold"},
    "filter is an int": {"filter": 5},
    "filter is a list": {"filter": []},
    "filter with a lone surrogate": {"filter": "a == '\ud800'"},
    "filter of bytes that are no text": {"filter": b"\xff"},
    "namespace is an int": {"namespace": 5},
    "filter_params is a list": {"filter_params": [1]},
    "template of None": {"filter_params": {"x": None}},
    "template is a dict": {"filter_params": {"x": {"a": 1}}},
    "template is a set": {"filter_params": {"x": {1}}},
    "template is a Decimal": {"filter_params": {"x": Decimal("1.5")}},
    "template is a date": {"filter_params": {"x": datetime.date(2026, 1, 1)}},
    "template is complex": {"filter_params": {"x": np.complex64(1)}},
    "template is a datetime64": {"filter_params": {"x": np.datetime64(5, "ns")}},
    "template with None only": {"filter_params": {"x": [None, None]}},
    "template with bytes only": {"filter_params": {"x": [b"a", b"b"]}},
    "template with sets only": {"filter_params": {"x": [{1}, {2}]}},
    "template with bytes and ints": {"filter_params": {"x": [b"a", 1]}},
    "template int beyond int64": {"filter_params": {"x": 2**63}},
    "template ints beyond int64": {"filter_params": {"x": [1, -(2**63) - 1]}},
    "template with an int key in JSON": {"filter_params": {"x": [1, {1: 2}]}},
    "template with a lone surrogate": {"filter_params": {"x": "\udfff"}},
    "template name is an int": {"filter_params": {1: 2}},
    "schema is a str": {"data": [b"12"], "anns_field": "v", "schema": "books"},
    "embedding list is empty": {"data": [EmbeddingList()]},
}
# The text of these names the value's class where pymilvus has a number for it, or the template.
TEMPLATE_TYPES = "Unsupported element type: "

NAMES = {"None": None, "an int": 5, "bytes": b"books"}


def ann(**changed: Any) -> AnnSearchRequest:
    fields = {"data": VECTOR, "anns_field": "v", "param": {}, "limit": 3}
    return AnnSearchRequest(**fields | changed)


HYBRID: dict[str, dict[str, Any]] = {
    "ranker is a str": {"ranker": "rrf"},
    "ranker is a FunctionScore": {"ranker": FunctionScore(RERANK)},
    "ranker is a class": {"ranker": RRFRanker},
    "function_chains": {"function_chains": CHAIN},
    "empty function_chains": {"function_chains": []},
    "aggregation": {"search_aggregation": AGGREGATION},
    "aggregation is a str": {"search_aggregation": "brand"},
    "aggregation and group_by_field": {"search_aggregation": AGGREGATION, "group_by_field": "a"},
    "limit 0": {"limit": 0},
    "limit is a str": {"limit": "3"},
    "round_decimal too large": {"round_decimal": 7},
    "output_fields is a tuple": {"output_fields": ("id",)},
    "partition_names is a str": {"partition_names": "p"},
    "guarantee_timestamp negative": {"guarantee_timestamp": -5},
    "timeout is a str": {"timeout": "1"},
    "consistency_level unknown": {"consistency_level": "x"},
    "reqs is None": {"reqs": None},
    "reqs is one request": {"reqs": ann()},
    "reqs of dicts": {"reqs": [{"data": VECTOR}]},
    "request without a limit": {
        "reqs": [SimpleNamespace(data=VECTOR, anns_field="v", param={}, expr=None)]
    },
    "data is None": {"reqs": [ann(data=None)]},
    "param is None": {"reqs": [ann(param=None)]},
    "param is a str": {"reqs": [ann(param="ef")]},
    "params is a list": {"reqs": [ann(param={"params": [1]})]},
    "offset twice": {"offset": 3, "reqs": [ann(param={"offset": 3})]},
    "offset is a str": {"reqs": [ann(param={"offset": "3"})]},
    "template of None": {"reqs": [ann(expr_params={"x": None})]},
    "templates are a list": {"reqs": [ann(expr_params=["x"])]},
    "rank_group_scorer is an int": {"rank_group_scorer": 5},
    "highlighter is a str": {"highlighter": "bold"},
    "filter is an int": {
        "reqs": [
            SimpleNamespace(
                data=VECTOR, anns_field="v", param={}, limit=3, expr=5, expr_params=None
            )
        ]
    },
}

QUERY: dict[str, dict[str, Any]] = {
    "filter is an int": {"filter": 5},
    "filter is a list": {"filter": ["a"]},
    "filter is 0": {"filter": 0},
    "filter is an empty list": {"filter": []},
    "filter and ids": {"filter": "a > 1", "ids": [1]},
    "filter and no ids": {"filter": "a > 1", "ids": []},
    "output_fields is a str": {"output_fields": "id"},
    "output_fields is a tuple": {"output_fields": ("id",)},
    "output_fields with an int": {"output_fields": [1]},
    "partition_names with an int": {"partition_names": [1]},
    "partition_names is a number": {"partition_names": 5},
    "consistency_level unknown": {"consistency_level": "x"},
    "guarantee_timestamp negative": {
        "guarantee_timestamp": -1,
        "consistency_level": "Customized",
    },
    "guarantee_timestamp is a str": {
        "guarantee_timestamp": "1",
        "consistency_level": "Eventually",
    },
    "group_by_fields is a str": {"group_by_fields": "a"},
    "group_by_fields with an int": {"group_by_fields": [1]},
    "timezone is an int": {"timezone": 8},
    "time_fields is a list": {"time_fields": ["year"]},
    "namespace is an int": {"namespace": 5},
    "filter_params is a str": {"filter_params": "x"},
    "template of None": {"filter_params": {"x": None}},
    "collection_name is an int": {"collection_name": 5},
}

DELETE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no ids": {"ids": []},
    "no pks": {"pks": []},
    "empty filter": {"filter": ""},
    "filter is an int": {"filter": 5},
    "filter and ids": {"filter": "a > 1", "ids": [1]},
    "filter and pks": {"filter": "a > 1", "pks": 1},
    "ids of floats": {"ids": [1.5]},
    "ids of None": {"ids": [None]},
    "ids is a float": {"ids": 1.5},
    "ids is a dict": {"ids": {"a": 1}},
    "pks of floats": {"pks": [1.5]},
    "collection_name is empty": {"collection_name": "", "filter": "a > 1"},
    "collection_name is None": {"collection_name": None, "filter": "a > 1"},
    "collection_name is an int": {"collection_name": 5, "filter": "a > 1"},
    "partition_name is empty": {"filter": "a > 1", "partition_name": ""},
    "partition_name is an int": {"filter": "a > 1", "partition_name": 5},
    "consistency_level unknown": {"filter": "a > 1", "consistency_level": "x"},
    "consistency_level is a float": {"filter": "a > 1", "consistency_level": 1.0},
    "timeout is a str": {"filter": "a > 1", "timeout": "1"},
    "template of None": {"filter": "a > {x}", "filter_params": {"x": None}},
    "filter_params is a list": {"filter": "a > {x}", "filter_params": [1]},
    "filter with a lone surrogate": {"filter": "a == '\ud800'"},
}


def both(theirs: Theirs, method: str, call: dict[str, Any]) -> tuple[Any, Any]:
    call = {"collection_name": COLLECTION, **call}
    name = call.pop("collection_name")
    return Ours().call(method, name, **call), theirs.call(method, name, **call)


def check(theirs: Theirs, method: str, message: str, call: dict[str, Any]) -> None:
    result, expected = both(theirs, method, call)
    assert isinstance(expected, Exception), "pymilvus does not mind"
    if TEMPLATE_TYPES in str(expected):
        assert isinstance(result, type(expected))
        assert TEMPLATE_TYPES in str(result)
        assert result.code == expected.code
    else:
        assert_same(message, result, expected)


@pytest.mark.parametrize("mistake", SEARCH)
def test_search(theirs: Theirs, mistake: str):
    check(theirs, "search", "Search", {"data": VECTOR, **SEARCH[mistake]})


@pytest.mark.parametrize("mistake", HYBRID)
def test_hybrid_search(theirs: Theirs, mistake: str):
    call = {"reqs": [ann()], "ranker": RRFRanker(), **HYBRID[mistake]}
    check(theirs, "hybrid_search", "HybridSearch", call)


@pytest.mark.parametrize("mistake", QUERY)
def test_query(theirs: Theirs, mistake: str):
    check(theirs, "query", "Query", QUERY[mistake])


@pytest.mark.parametrize("mistake", DELETE)
def test_delete(theirs: Theirs, mistake: str):
    check(theirs, "delete", "Delete", DELETE[mistake])


@pytest.mark.parametrize("name", NAMES)
def test_collection_name(theirs: Theirs, name: str):
    value = NAMES[name]
    check(theirs, "search", "Search", {"collection_name": value, "data": VECTOR})
    call = {"collection_name": value, "reqs": [ann()], "ranker": RRFRanker()}
    check(theirs, "hybrid_search", "HybridSearch", call)


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("search", {"data": VECTOR, "filter": 5}),
        ("query", {"filter": "a > 1", "output_fields": [5]}),
    ],
)
def test_words_for_what_is_no_text(theirs: Theirs, method: str, call: dict[str, Any]):
    """Milvus's own tests look for protobuf's words, with the bracket after them."""
    result, expected = both(theirs, method, call)
    assert isinstance(result, MilvusException)
    assert isinstance(expected, MilvusException)
    assert result.message.startswith(expected.message + ": ")
    assert "must be str, not int" in result.message
