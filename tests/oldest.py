"""What a pymilvus older than the oracle's 3.0.2 lacks. `make test-pymilvus` runs the tests that
compare with it on the newest 2.6: what is not there is skipped by its name, never by a failure."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import pymilvus
import pytest


@functools.cache
def has(name: str) -> bool:
    """Whether there is package.module:Name.attribute or, of a message, module:Name/field."""
    module, _, path = name.partition(":")
    path, _, field = path.partition("/")
    try:
        found: Any = importlib.import_module(module)
        for attribute in filter(None, path.split(".")):
            found = getattr(found, attribute)
    except (ImportError, AttributeError):
        return False
    return not field or field in found.DESCRIPTOR.fields_by_name


def skip_what_is_missing(items: list[pytest.Item], lacking: Mapping[str, list[str]]) -> None:
    """Marks the tests whose ids match a pattern of a name that is not there."""
    missing = {name: patterns for name, patterns in lacking.items() if not has(name)}
    for item in items:
        for name, patterns in missing.items():
            if any(fnmatchcase(item.nodeid, pattern) for pattern in patterns):
                reason = f"pymilvus {pymilvus.__version__} has no {name}"
                item.add_marker(pytest.mark.skip(reason=reason))


_GRPC = "pymilvus.grpc_gen."
# What is looked for: the ids of the tests that need it.
LACKING: dict[str, list[str]] = {
    "pymilvus:DataType.TEXT": [
        "tests/unit/rows/test_encoder_life.py::test_too_large_for_one_message",
    ],
    _GRPC + "schema_pb2:StructArrayFieldSchema/nullable": [
        "tests/oracle/vectors/test_columns.py::test_struct_arrays",
        "tests/oracle/rows/test_schema.py::test_every_key_of_the_description",
    ],
    _GRPC + "milvus_pb2:DeleteRequest/namespace": [
        "tests/oracle/requests/test_request_differences.py::test_delete_sends_the_namespace",
    ],
    "pymilvus:FunctionChain": [
        "tests/oracle/requests/test_request_errors.py::*chain*",
    ],
    "pymilvus:SearchAggregation": [
        "tests/oracle/requests/test_request_errors.py::*aggregation*",
    ],
    "pymilvus:MilvusClient.session": [
        "tests/oracle/requests/test_requests_like_pymilvus.py::test_a_session_names_its_cluster*",
    ],
    # 3.0 brought these with it.
    "pymilvus.client.iterator:": [
        # An iterator's cursor comes before the filter; cluster_id and order_by_fields are sent.
        "tests/oracle/iterators/test_against_pymilvus.py::test_query[[]*",
        "tests/oracle/iterators/test_against_pymilvus.py::test_search[[]*",
        "tests/oracle/iterators/test_against_pymilvus.py::test_random_walks",
        # Structs, arrays of vectors and element indices are laid out otherwise.
        "tests/oracle/results/test_query.py::test_equals_pymilvus*",
        "tests/oracle/results/test_query.py::test_copies_are_whole*",
        "tests/oracle/results/test_query.py::test_json_holds_every_field*",
        "tests/oracle/results/test_query.py::test_other_bytes_of_the_same_message*",
        "tests/oracle/results/test_query.py::test_two_element_rows_share_nothing",
        "tests/oracle/results/test_query.py::test_unknown_types_leave_none",
        "tests/oracle/results/test_search.py::test_equals_pymilvus*",
        "tests/oracle/results/test_search.py::test_copies_are_whole*",
        "tests/oracle/results/test_search.py::test_json_holds_every_field*",
        "tests/oracle/results/test_search.py::test_other_bytes_of_the_same_message*",
        # group_by_fields and order_by are checked, in another order.
        "tests/oracle/requests/test_requests_like_pymilvus.py::test_what_a_hybrid_search_of_nothing*",
        "tests/oracle/requests/test_request_errors.py::*group_by_fields*",
        "tests/oracle/requests/test_request_differences.py::test_group_by_of_a_query_may_be_none",
        "tests/oracle/requests/test_request_differences.py::test_an_order_that_is_neither*",
        "tests/oracle/test_errors.py::*group_by_fields a string*",
    ],
}
