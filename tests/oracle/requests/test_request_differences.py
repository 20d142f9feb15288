"""Where we differ from pymilvus on purpose: what pymilvus does, and what we do instead."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from pymilvus import DataType, MilvusException
from pymilvus.exceptions import ParamError

from tests.oracle.requests.twins import COLLECTION, Ours, Theirs, describe_reply, parsed

VECTOR = [[0.1, 0.2]]


def sent(method: str, name: str, **call: Any) -> Any:
    return parsed(method, Ours().call(name, COLLECTION, **call))


def fails(theirs: Theirs, name: str, **call: Any) -> bool:
    return isinstance(theirs.call(name, COLLECTION, **call), Exception)


def template(value: Any) -> Any:
    message = sent("Query", "query", filter="a in {x}", filter_params={"x": value})
    return message.expr_template_values["x"]


# --- filter templates ---

LIKE_PYTHON = {
    "numpy bool": (np.bool_(True), True),
    "numpy bool false": (np.bool_(False), False),
    "unsigned": (np.uint64(7), 7),
    "tuple": ((1, 2), [1, 2]),
    "array of ints": (np.array([1, 2], dtype=np.uint8), [1, 2]),
    "array of floats": (np.array([0.5, 2.0]), [0.5, 2.0]),
    "array of bools": (np.array([True, False]), [True, False]),
    "array of texts": (np.array(["a", "b"]), ["a", "b"]),
    "strided array": (np.arange(6)[::2], [0, 2, 4]),
    "array of no dimension": (np.array(5), 5),
    "matrix": (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    "numpy bools": ([np.bool_(True), np.bool_(False)], [True, False]),
    "unsigned numbers": ([np.uint8(1), np.uint8(2)], [1, 2]),
    "tuples": ([(1, 2), (3,)], [[1, 2], [3]]),
    "arrays": ([np.array([1]), np.array([2, 3])], [[1], [2, 3]]),
    "numpy text and text": ([np.str_("a"), "b"], ["a", "b"]),
}


@pytest.mark.parametrize("form", LIKE_PYTHON)
def test_templates_of_numpy_values_are_what_python_values_would_be(theirs: Theirs, form: str):
    value, plain = LIKE_PYTHON[form]
    assert fails(theirs, "query", filter="a in {x}", filter_params={"x": value})
    assert template(value) == template(plain)


def test_text_among_other_values_stays_text(theirs: Theirs):
    [ours, text] = [template([1, "2"]).array_val.json_data.data, b'"2"']
    assert list(ours) == [b"1", text]
    call = {"filter": "a in {x}", "filter_params": {"x": [1, "2"]}}
    message = parsed("Query", theirs.call("query", COLLECTION, **call))
    assert list(message.expr_template_values["x"].array_val.json_data.data) == [b"1", b"2"]
    assert fails(theirs, "query", filter="a in {x}", filter_params={"x": [1, "a"]})
    assert list(template([1, 'a\0"']).array_val.json_data.data) == [b"1", b'"a\\u0000\\""']


def test_booleans_among_ints_stay_booleans(theirs: Theirs):
    assert fails(theirs, "query", filter="a in {x}", filter_params={"x": [1, True]})
    assert list(template([1, True]).array_val.json_data.data) == [b"1", b"true"]


def test_dicts_alone_are_json_as_they_are_among_others(theirs: Theirs):
    assert fails(theirs, "query", filter="a in {x}", filter_params={"x": [{"a": 1}]})
    assert list(template([{"a": 1}, {"b": [2]}]).array_val.json_data.data) == [
        b'{"a":1}',
        b'{"b":[2]}',
    ]


def test_no_templates_may_be_said_with_none(theirs: Theirs):
    for method, name in (("Query", "query"), ("Delete", "delete")):
        call = {"filter": "a > 1", "filter_params": None}
        assert fails(theirs, name, **call)
        assert not sent(method, name, **call).expr_template_values


# --- parameters ---


def test_numpy_numbers_in_search_params(theirs: Theirs):
    strided = np.arange(4)[::2]
    params = {
        "ef": np.int64(64),
        "params": {"radius": np.float32(0.1), "exact": np.bool_(True), "long": np.longdouble(0.5)},
        "levels": np.array([1, 2]),
        "strided": strided,
    }
    call = {"data": VECTOR, "search_params": params}
    assert fails(theirs, "search", **call)
    [json] = [p.value for p in sent("Search", "search", **call).search_params if p.key == "params"]
    assert json == ('{"radius":0.1,"exact":true,"long":0.5,"ef":64,"levels":[1,2],"strided":[0,2]}')


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [("limit", 3, "topk"), ("offset", 4, "offset"), ("round_decimal", 2, "round_decimal")],
)
def test_numpy_integers_as_parameters(theirs: Theirs, name: str, value: int, key: str):
    call = {"data": VECTOR, name: np.int32(value)}
    assert fails(theirs, "search", **call)
    [text] = [p.value for p in sent("Search", "search", **call).search_params if p.key == key]
    assert text == str(value)


def test_an_iterator_flag_of_a_query_may_be_a_bool(theirs: Theirs):
    assert fails(theirs, "query", filter="", iterator=True)
    params = sent("Query", "query", filter="", iterator=True).query_params
    assert ("iterator", "True") in [(p.key, p.value) for p in params]


def test_group_by_of_a_query_may_be_none(theirs: Theirs):
    assert fails(theirs, "query", filter="", group_by_fields=None)
    assert sent("Query", "query", filter="", group_by_fields=None) == sent(
        "Query", "query", filter=""
    )


def test_an_order_that_is_neither_text_nor_dict_is_refused_not_dropped(theirs: Theirs):
    order = [("price", "desc")]
    message = parsed("Query", theirs.call("query", COLLECTION, filter="", order_by_fields=order))
    assert [p.value for p in message.query_params if p.key == "order_by_fields"] == [""]
    with pytest.raises(ParamError, match="Invalid order_by_fields item"):
        raise Ours().call("query", COLLECTION, filter="", order_by_fields=order)


def test_partition_names_that_are_one_text_are_refused_not_split(theirs: Theirs):
    call = {"filter": "", "partition_names": "abc"}
    message = parsed("Query", theirs.call("query", COLLECTION, **call))
    assert list(message.partition_names) == ["a", "b", "c"]
    with pytest.raises(MilvusException, match="partition_names must be a list of str"):
        raise Ours().call("query", COLLECTION, **call)


def test_delete_without_a_consistency_level(theirs: Theirs):
    call = {"filter": "a > 1", "consistency_level": None}
    assert fails(theirs, "delete", **call)
    assert sent("Delete", "delete", **call) == sent("Delete", "delete", filter="a > 1")


def test_delete_sends_the_namespace(theirs: Theirs):
    call = {"filter": "a > 1", "namespace": "tenant"}
    assert not parsed("Delete", theirs.call("delete", COLLECTION, **call)).HasField("namespace")
    assert sent("Delete", "delete", **call).namespace == "tenant"


# --- primary keys ---


def test_query_by_no_ids_asks_for_nothing(theirs: Theirs):
    assert parsed("Query", theirs.call("query", COLLECTION, ids=[])).expr == ""
    assert Ours().call("query", COLLECTION, ids=[]) is None


def test_get_of_a_tuple_or_array(theirs: Theirs):
    assert parsed("Query", theirs.call("get", COLLECTION, ids=(1, 2))).expr == "id in [(1, 2)]"
    for ids in ((1, 2), np.array([1, 2]), range(1, 3), {1: "a", 2: "b"}.keys()):
        assert sent("Query", "get", ids=ids).expr == "id in [1,2]"
        assert sent("Query", "query", ids=ids).expr == "id in [1,2]"
    assert Ours().call("get", COLLECTION, ids=()) is None


def test_delete_of_numpy_ids(theirs: Theirs):
    for ids in (np.int64(1), [np.uint8(1)], (1,), np.array([1])):
        assert fails(theirs, "delete", ids=ids)
        assert sent("Delete", "delete", ids=ids).expr == "id in [1]"


def test_delete_leaves_the_callers_list_alone(theirs: Theirs):
    keys = [1]
    theirs.call("delete", COLLECTION, pks=keys, ids=[2])
    assert keys == [1, 2]
    keys = [1]
    assert sent("Delete", "delete", pks=keys, ids=[2]).expr == "id in [1,2]"
    assert keys == [1]


def test_text_cannot_leave_its_quotes(theirs: Theirs):
    server_reply = describe_reply(DataType.VARCHAR)
    ours = Ours(description=server_reply)
    nasty = "x'] or id != ['"
    for method, name in (("Query", "get"), ("Query", "query"), ("Delete", "delete")):
        message = parsed(method, ours.call(name, COLLECTION, ids=[nasty]))
        assert message.expr == "id in [\"x'] or id != ['\"]"


def test_text_for_a_number_must_be_one(theirs: Theirs):
    message = parsed("Query", theirs.call("get", COLLECTION, ids=["1] or id > [0"]))
    assert message.expr == "id in [1] or id > [0]"
    for key in ("1] or id > [0", "010", "", None, True, 1.0, 2**63):
        with pytest.raises(
            ParamError, match=r"cannot parse expression: .* is illegal, expected an int"
        ):
            raise Ours().call("get", COLLECTION, ids=[key])


def test_search_by_ids_in_other_forms(theirs: Theirs):
    for ids in ((1, 2), np.array([1, 2]), np.array([1, 2], dtype=np.uint8)):
        assert fails(theirs, "search", ids=ids)
        assert list(sent("Search", "search", ids=ids).ids.int_id.data) == [1, 2]
    assert list(sent("Search", "search", ids=np.int8(3)).ids.int_id.data) == [3]


def test_search_by_ids_of_many_digits(theirs: Theirs):
    ids = ["20260101000000000001"]
    assert fails(theirs, "search", ids=ids)
    assert list(sent("Search", "search", ids=ids).ids.str_id.data) == ids


# --- search data ---


def test_a_whole_sparse_matrix(theirs: Theirs):
    matrix = scipy.sparse.csr_matrix([[0.0, 1.5], [2.5, 0.0]])
    assert fails(theirs, "search", data=matrix)
    rows = [{1: 1.5}, {0: 2.5}]
    assert sent("Search", "search", data=matrix) == sent("Search", "search", data=rows)


def test_requests_of_a_hybrid_search_may_be_iterated_once(theirs: Theirs):
    def requests() -> Any:
        yield SimpleNamespace(
            data=[b"1234"], anns_field="half", param={}, limit=3, expr=None, expr_params=None
        )

    wanted = parsed(
        "HybridSearch", theirs.call("hybrid_search", COLLECTION, reqs=list(requests()), ranker=None)
    )
    message = parsed(
        "HybridSearch", theirs.call("hybrid_search", COLLECTION, reqs=requests(), ranker=None)
    )
    assert len(message.requests) == 0
    assert sent("HybridSearch", "hybrid_search", reqs=requests(), ranker=None) == wanted
