"""encode_search, encode_hybrid_search, encode_query and encode_delete by themselves."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pymilvus.exceptions import ParamError
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import _core

PAIRS = [("topk", "3"), ("", ""), ("params", '{"ef":64}')]
EVERYTHING: dict[str, dict[str, Any]] = {
    "encode_search": {
        "collection_name": "c\0é",
        "partition_names": ["p", ""],
        "dsl": "a > 1",
        "data": [[0.5, 1.0]],
        "output_fields": ["id", ""],
        "params": PAIRS,
        "guarantee_timestamp": 2**64 - 1,
        "consistency_level": 2,
        "use_default_consistency": True,
        "templates": {"x": [1, "a"], "": 0},
        "namespace": "",
        "extra": milvus_pb2.SearchRequest(db_name="db").SerializeToString(),
    },
    "encode_hybrid_search": {
        "collection_name": "c",
        "requests": [b"", milvus_pb2.SearchRequest(dsl="a > 1").SerializeToString()],
        "params": PAIRS,
        "partition_names": ("p",),
        "output_fields": ["id"],
        "guarantee_timestamp": 1,
        "consistency_level": 4,
        "use_default_consistency": False,
        "namespace": "n",
        "extra": milvus_pb2.HybridSearchRequest(db_name="db").SerializeToString(),
    },
    "encode_query": {
        "collection_name": "c",
        "expr": "a in {x}",
        "output_fields": ["*"],
        "partition_names": [],
        "params": PAIRS,
        "guarantee_timestamp": 5,
        "consistency_level": -1,
        "use_default_consistency": 1,
        "templates": {"x": [1, 2], "y": {}.keys().__class__.__name__},
        "namespace": "n",
    },
    "encode_delete": {
        "collection_name": "c",
        "expr": "a in {x}",
        "partition_name": "p",
        "consistency_level": 3,
        "templates": {"x": b"bloom"},
        "namespace": "",
    },
}
MESSAGES = {
    "encode_search": milvus_pb2.SearchRequest,
    "encode_hybrid_search": milvus_pb2.HybridSearchRequest,
    "encode_query": milvus_pb2.QueryRequest,
    "encode_delete": milvus_pb2.DeleteRequest,
}
FUNCTIONS = sorted(MESSAGES)


def encode(name: str, **changed: Any) -> bytes:
    return getattr(_core, name)(**{**EVERYTHING[name], **changed})


def message(name: str, **changed: Any) -> Any:
    return MESSAGES[name].FromString(encode(name, **changed))


def pairs(items: Any) -> list[tuple[str, str]]:
    return [(item.key, item.value) for item in items]


def test_search():
    search = message("encode_search")
    assert search.collection_name == "c\0é"
    assert list(search.partition_names) == ["p", ""]
    assert search.dsl == "a > 1"
    assert search.dsl_type == 1
    assert search.nq == 1
    assert search.placeholder_group.endswith(np.array([0.5, 1.0], "<f4").tobytes())
    assert list(search.output_fields) == ["id", ""]
    assert pairs(search.search_params) == PAIRS
    assert search.guarantee_timestamp == 2**64 - 1
    assert search.consistency_level == 2
    assert search.use_default_consistency is True
    assert list(search.expr_template_values["x"].array_val.json_data.data) == [b"1", b'"a"']
    assert search.expr_template_values[""].WhichOneof("val") == "int64_val"
    assert search.HasField("namespace")
    assert search.namespace == ""
    assert search.db_name == "db"


def test_search_by_ids():
    search = message("encode_search", data=None, ids=[5, np.int8(-6)])
    assert search.WhichOneof("search_input") == "ids"
    assert list(search.ids.int_id.data) == [5, -6]
    assert search.nq == 2
    assert list(message("encode_search", data=None, ids=["a\0", "b"]).ids.str_id.data) == [
        "a\0",
        "b",
    ]


def test_hybrid_search():
    hybrid = message("encode_hybrid_search")
    assert hybrid.collection_name == "c"
    assert list(hybrid.partition_names) == ["p"]
    assert [request.dsl for request in hybrid.requests] == ["", "a > 1"]
    assert pairs(hybrid.rank_params) == PAIRS
    assert list(hybrid.output_fields) == ["id"]
    assert hybrid.guarantee_timestamp == 1
    assert hybrid.consistency_level == 4
    assert hybrid.use_default_consistency is False
    assert hybrid.namespace == "n"
    assert hybrid.db_name == "db"


def test_query():
    query = message("encode_query")
    assert query.collection_name == "c"
    assert query.expr == "a in {x}"
    assert list(query.output_fields) == ["*"]
    assert list(query.partition_names) == []
    assert pairs(query.query_params) == PAIRS
    assert query.guarantee_timestamp == 5
    assert query.consistency_level == -1
    assert query.use_default_consistency is True
    assert list(query.expr_template_values["x"].array_val.long_data.data) == [1, 2]
    assert query.namespace == "n"


def test_delete():
    delete = message("encode_delete")
    assert delete.collection_name == "c"
    assert delete.expr == "a in {x}"
    assert delete.partition_name == "p"
    assert delete.consistency_level == 3
    assert delete.expr_template_values["x"].bytes_val == b"bloom"
    assert delete.HasField("namespace")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_not_given_is_not_sent(name: str):
    required = {"collection_name": "", "params": [], "requests": [], "expr": "", "data": ["q"]}
    required["output_fields"] = None
    given = {k: v for k, v in required.items() if k in EVERYTHING[name]}
    fields = [
        f.name for f, _ in MESSAGES[name].FromString(getattr(_core, name)(**given)).ListFields()
    ]
    assert fields == (["placeholder_group", "dsl_type", "nq"] if name == "encode_search" else [])
    everything = {**dict.fromkeys(EVERYTHING[name]), **given}
    assert getattr(_core, name)(**everything) == getattr(_core, name)(**given)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_text_may_be_given_as_utf8(name: str):
    assert encode(name, collection_name="é".encode()) == encode(name, collection_name="é")
    with pytest.raises(UnicodeDecodeError):
        encode(name, collection_name=b"\xff")


WRONG: list[tuple[str, Any, type[Exception]]] = [
    ("collection_name", 5, _core.TextError),
    ("collection_name", "\ud800", UnicodeEncodeError),
    ("partition_names", "ab", TypeError),
    ("partition_names", [1], _core.TextError),
    ("output_fields", 5, TypeError),
    ("params", "ab", TypeError),
    ("params", [("a",)], TypeError),
    ("params", [["a", "b"]], TypeError),
    ("params", [("a", 1)], _core.TextError),
    ("params", [("a", "\udfff")], UnicodeEncodeError),
    ("guarantee_timestamp", -1, OverflowError),
    ("guarantee_timestamp", 2**64, OverflowError),
    ("guarantee_timestamp", 1.0, TypeError),
    ("consistency_level", 2**31, OverflowError),
    ("consistency_level", -(2**31) - 1, OverflowError),
    ("consistency_level", "Strong", ValueError),
    ("templates", [1], AttributeError),
    ("templates", {1: 1}, _core.TextError),
    ("templates", {"a": {1}}, ParamError),
    ("namespace", 5, _core.TextError),
    ("extra", "text", TypeError),
    ("requests", ["text"], TypeError),
    ("unknown", 1, TypeError),
]


@pytest.mark.parametrize(
    ("name", "argument", "value", "error"),
    [
        (name, argument, value, error)
        for name in FUNCTIONS
        for argument, value, error in WRONG
        if argument in EVERYTHING[name] or argument == "unknown"
    ],
)
def test_wrong_values_raise_and_leak_nothing(
    name: str, argument: str, value: Any, error: type[Exception]
):
    with pytest.raises(error):
        encode(name, **{argument: value})
    assert growth(lambda: silent(lambda: encode(name, **{argument: value}))) == 0


def silent(run: Callable[[], object]) -> None:
    try:
        run()
    except Exception:
        return
    raise AssertionError("nothing was raised")


def growth(run: Callable[[], object]) -> int:
    """Blocks of memory that a call leaves behind, rounded down, over the best of three rounds."""
    run()
    grown = []
    for _ in range(3):
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(200):
            run()
        gc.collect()
        grown.append(sys.getallocatedblocks() - before)
    return max(0, min(grown) // 200)


@pytest.fixture(autouse=True, scope="module")
def _few_objects_to_collect():
    """What the imports have made is set aside, or every collection would walk it."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_success_leaks_nothing(name: str):
    templates = {
        "a": [1, "x", None, {"k": np.int8(1)}],
        "b": [np.float32(1), np.float32(2)],
        "c": [[1], [True]],
        "d": np.longdouble(1),
        "e": np.array([["x"]]),
    }
    changed = {"templates": templates} if "templates" in EVERYTHING[name] else {}
    assert growth(lambda: encode(name, **changed)) == 0


def test_ids_leak_nothing():
    assert growth(lambda: encode("encode_search", data=None, ids=[1, np.int64(2)])) == 0
    bad = [[], [1, "a"], ["a", ""], [2**64], [1.5], (1,)]
    for ids in bad:
        silent(lambda ids=ids: encode("encode_search", data=None, ids=ids))
    assert (
        growth(
            lambda: [
                silent(lambda ids=ids: encode("encode_search", data=None, ids=ids)) for ids in bad
            ]
        )
        == 0
    )


def test_lists_may_change_while_they_are_read():
    ids: list[Any] = []

    class Clears:
        def __index__(self) -> int:
            ids.clear()
            return 7

    ids.extend([Clears(), 8])
    search = message("encode_search", data=None, ids=ids)
    assert list(search.ids.int_id.data) == [7, 8]
    assert search.nq == 2

    templates: dict[str, Any] = {}
    values: list[Any] = []

    class Kind(np.ndarray):
        def tolist(self) -> Any:
            templates.clear()
            values.clear()
            return [1]

    values.extend([np.zeros(1).view(Kind), np.zeros(1).view(Kind)])
    templates.update(x=values, y=2)
    query = message("encode_query", templates=templates)
    assert query.expr_template_values["y"].int64_val == 2
    [first, second] = query.expr_template_values["x"].array_val.array_data.data
    assert list(first.long_data.data) == list(second.long_data.data) == [1]


def test_templates_nested_too_deep_raise():
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(RecursionError):
        encode("encode_query", templates={"x": value})
    depth = 20  # more than this, and protobuf's Python parser refuses the message
    value = []
    for _ in range(depth):
        value = [value]
    array = message("encode_query", templates={"x": value}).expr_template_values["x"].array_val
    for _ in range(depth):
        [array] = array.array_data.data
    assert array.WhichOneof("data") is None


def test_errors_of_values_pass_through():
    class Fails(dict):
        def items(self) -> Any:
            raise KeyError("mine")

    class FailingArray(np.ndarray):
        def tolist(self) -> Any:
            raise KeyError("mine")

    for templates in (Fails(x=1), {"x": np.zeros(1).view(FailingArray)}):
        if type(templates) is Fails:
            continue  # a dict is read without its methods
        with pytest.raises(KeyError, match="mine"):
            encode("encode_query", templates=templates)
