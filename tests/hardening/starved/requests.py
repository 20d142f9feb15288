"""Requests of searches, queries and deletes, and of what a client asks for itself."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import scipy.sparse

from tests.faker import DENSE, DataType

from .. import scenarios
from .rows import vectors_of
from .scenario import Scenario, anew, calling, outcome


def searching(data: Any, **options: Any) -> Scenario:
    def run(core: Any, argument: tuple[Any, dict[str, Any]]) -> bytes:
        sys._getframe()
        data, options = argument
        return core.encode_search(collection_name="c", data=data, params=[("né", "é")], **options)

    return Scenario(run, anew((data, options)))


def refused_search(data: Any, **options: Any) -> Scenario:
    def run(core: Any, argument: tuple[Any, dict[str, Any]]) -> str:
        sys._getframe()
        data, options = argument
        made = outcome(core.encode_search, collection_name="c", data=data, params=[], **options)
        assert isinstance(made, str), "nothing was refused"
        return made

    return Scenario(run, anew((data, options)))


TEMPLATES: dict[str, Any] = {
    "bools": [True, False],
    "ints": [1, -1, np.int64(5)],
    "floats": [1.5, np.float32(0.5)],
    "texts": ["a", "é"],
    "lists": [[1, 2], [3]],
    "mixed": [1, "a", 2.5, None, {"é": np.arange(2)}],
    "documents": [{"a": 1}, {"b": [1]}],
    "array": np.arange(3),
    "matrix": np.ones((2, 2)),
    "long": np.longdouble(2),
    "half": ml_dtypes.bfloat16(1.5),
    "minus": -1,
    "minus ones": [-1, -1],
    "minus one": -1.0,
    "bool array": np.array([True]),
    "text": "é",
    "int": 2**40,
    "float": 1.5,
    "bool": np.bool_(True),
    "bytes": b"x",
    "empty": [],
}


def searches() -> Iterator[tuple[str, Scenario]]:
    for kind in DENSE:
        forms = vectors_of(kind)
        yield f"search by arrays of {kind.name}", searching([forms[3], forms[4]])
        yield f"search by a matrix of {kind.name}", searching(np.stack([forms[3]] * 2))
        yield f"search by lists, {kind.name}", searching(embedding_list=True, data=[forms[3]])
        if kind != DataType.FLOAT_VECTOR:
            bytes_type = int(kind)
            yield f"search by bytes, {kind.name}", searching(forms[5:], bytes_type=bytes_type)
    matrix = scipy.sparse.csr_matrix(np.array([[0, 0.5, 0.25], [1, 0, 0]]))
    yield "search by floats", searching([[0.5, 1, np.float32(2)], [np.float64(1), 2, 3]])
    yield "search by memory", searching([bytearray(b"x"), b"y"])
    yield "search by text", searching(["a", "né"])
    yield "search by pairs", searching([[(1, 0.5)], [[2, 0.5]]])
    yield "search by dicts", searching([{1: 0.5}, {"7": "1.5"}])
    yield "search by a sparse matrix", searching(matrix)
    yield "search by sparse rows", searching([matrix[0], matrix[1]])
    yield "search by ids", searching(None, ids=[1, -1, np.int64(5)])
    yield "search by rows of a subclass", searching([OrderedDict({1: 0.5}), {}])
    yield "search by nothing", refused_search(None)
    yield "search by unknown bytes", refused_search([b"x"], bytes_type=7)
    yield "search by bytes of a text", refused_search([b"x"], bytes_type="x")
    yield "search by bytes of a large type", refused_search([b"x"], bytes_type=2**70)
    yield "search by text ids", searching(None, ids=["a", "né"])
    yield "templates", searching([[1.0]], dsl="né", templates=TEMPLATES)
    yield (
        "search with all",
        searching(
            [[1.0]],
            partition_names=["p", "né"],
            output_fields=["é"],
            guarantee_timestamp=2**63,
            consistency_level=2,
            use_default_consistency=True,
            namespace="né",
            extra=b"x",
        ),
    )
    for i, data in enumerate(
        (
            [["x"]],
            [np.array(["x"])],
            [np.ones((2, 2))],
            ["a", 1],
            [b"a", 1],
            [{-1: 1}],
            [{1: "x"}],
            [5],
            5,
            "text",
            {},
            [],
            [[1.0], 5],
            [[10**400]],
            ([0.5, 1.0], [1.0, 2.0]),
            np.ones((1, 1, 1)),
            ["\ud800"],
            [np.array(["2020"], dtype="datetime64[D]")],
            [np.float32(1)],
            [np.ones(2, np.int8), np.full(2, 300)],
        )
    ):
        yield f"refused search {i}", refused_search(data)
    for i, ids in enumerate(([], 5, [True], [2**70], ["x", 1], [1, "x"], [""], [1.5])):
        yield f"refused ids {i}", refused_search(None, ids=ids)
    for i, value in enumerate(
        (
            object,
            [object],
            2**70,
            [2**70],
            [b"x"],
            {"a": 1},
            "\ud800",
            np.datetime64(1, "D"),
            np.array([1, 2], dtype="datetime64[D]"),
            [np.datetime64(1, "D")],
            np.zeros(2, dtype=[("a", "i4")]),
            np.array([object]),
            1 + 2j,
            ["a", "\ud800"],
            [[1], object],
        )
    ):
        yield f"refused template {i}", refused_search([[1.0]], templates={"é": value})
    yield "refused name", refused_search([[1.0]], templates={1: 1})
    yield "refused timestamp", refused_search([[1.0]], guarantee_timestamp=2**70)
    yield "refused level", refused_search([[1.0]], consistency_level="x")
    yield "refused texts", refused_search([[1.0]], output_fields=["a", 1])


def requests() -> Iterator[tuple[str, Scenario]]:
    pairs = [("topk", "3"), ("né", "é")]
    yield (
        "query",
        calling(
            "encode_query",
            collection_name="né",
            expr="a in {é}",
            output_fields=["é", "*"],
            partition_names=["né"],
            params=pairs,
            templates=TEMPLATES,
            namespace="é",
        ),
    )
    yield (
        "delete",
        calling(
            "encode_delete", collection_name="né", expr="é > 1", templates=TEMPLATES, namespace="é"
        ),
    )
    yield (
        "hybrid search",
        calling(
            "encode_hybrid_search",
            collection_name="né",
            requests=[scenarios.SEARCH] * 3,
            params=pairs,
            output_fields=["é"],
        ),
    )
    yield (
        "hybrid search of str",
        calling("encode_hybrid_search", collection_name="c", requests=["x"], params=[]),
    )
    yield "params that are none", calling("encode_delete", collection_name="c", expr=5)
    yield "int keys", calling("primary_key_expression", "né", [1, 2**62, np.int64(3)], 5)
    yield "text keys", calling("primary_key_expression", "né", ["a", "é'", '"\\'], 21)
    yield "untyped keys", calling("primary_key_expression", "né", ("a", 1))
    yield "bad keys", calling("primary_key_expression", "né", [object], 5)
    yield "bad text keys", calling("primary_key_expression", "né", ["\ud800"], 21)
    yield "many keys", calling("primary_key_expression", "é", list(range(-1, 40)), 5)
    yield "digits", calling("primary_key_expression", "é", ["-1", "5", "0"], 5)
    for i, keys in enumerate((["x"], ["9" * 30], [2**70], [1.5], [None], 5, ["1" * 9000], [True])):
        yield f"refused keys {i}", calling("primary_key_expression", "é", keys, 5)
    for i, keys in enumerate(([1], [b"x"], [None], [object])):
        yield f"refused text keys {i}", calling("primary_key_expression", "é", keys, 21)
    yield "no field", calling("primary_key_expression", 5, [1], 5)
    yield "no literal", calling("key_literal", 1.5)
    yield "literal", calling("key_literal", "é'")
    yield "int literal", calling("key_literal", 2**40)
    yield "describe", calling("describe_request", "né")
    yield "describe nothing", calling("describe_request", 5)
    yield "indexes of", calling("index_request", "né")
    yield (
        "connect",
        calling(
            "connect_request",
            sdk_type="é",
            sdk_version="1é",
            local_time="té",
            user="üé",
            host="hé",
            reserved={"é": "é", "b": "c"},
        ),
    )
    for i, reserved in enumerate(({"a": 1}, {1: "a"}, {"a\0": "b"}, 5, {"a": "\ud800"})):
        texts = dict.fromkeys(("sdk_type", "sdk_version", "local_time", "user", "host"), "é")
        yield f"refused connect {i}", calling("connect_request", **texts, reserved=reserved)
