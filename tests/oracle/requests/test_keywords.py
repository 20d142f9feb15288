"""The keyword sets against pymilvus's own source: every argument it reads is in them, or is one
that only pymilvus can serve."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import pymilvus.client.constants as constants
import pytest
from pymilvus import MilvusClient, decorators
from pymilvus.client import ts_utils
from pymilvus.client.grpc_handler import GrpcHandler
from pymilvus.client.prepare import Prepare
from pymilvus.milvus_client.base import BaseMilvusClient

from milvus_native import requests

# A future instead of a result: the call goes to pymilvus.
FUTURES = {"_async", "_callback"}
# What the client itself passes to the handler: given by the caller it is an error, which pymilvus
# raises best, or (expr_params in a hybrid search) the name of the attribute in each request.
INTERNAL = {"context", "expr_params", "expression", "expr", "param", "self", "rerank", "request"}


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    return inspect.unwrap(function)


def keys_read(function: Callable[..., Any]) -> set[str]:
    """Keys that a function takes out of its `kwargs`."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(unwrapped(function))))
    found: set[str] = set()

    def add(node: ast.expr) -> None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
        elif isinstance(node, ast.Name) and hasattr(constants, node.id):
            found.add(getattr(constants, node.id))
        elif not (isinstance(node, ast.Name) and node.id == "param_key"):
            raise AssertionError(f"a key that is neither constant: {ast.dump(node)}")

    def is_kwargs(node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in ("kwargs", "req_kwargs")

    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and is_kwargs(node.func.value)
            and node.func.attr in ("get", "pop", "setdefault")
        ):
            add(node.args[0])
        elif (
            isinstance(node, ast.Subscript)
            and is_kwargs(node.value)
            and isinstance(node.ctx, ast.Load)
        ):
            add(node.slice)
        elif isinstance(node, ast.Compare) and is_kwargs(node.comparators[0]):
            add(node.left)
        elif isinstance(node, ast.For) and getattr(node.target, "id", "") == "param_key":
            assert isinstance(node.iter, ast.Tuple)
            for element in node.iter.elts:
                add(element)
    return found


def parameters(function: Callable[..., Any]) -> set[str]:
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {
        name
        for name, parameter in inspect.signature(unwrapped(function)).parameters.items()
        if parameter.kind not in kinds
    }


EVERYWHERE = [
    BaseMilvusClient._generate_call_context,
    decorators.retry_on_rpc_failure,
    decorators.tracing_request,
]
CHAINS: dict[str, tuple[frozenset[str], list[Callable[..., Any]]]] = {
    "search": (
        requests.SEARCH_KEYWORDS,
        [
            MilvusClient.search,
            GrpcHandler.search,
            GrpcHandler._execute_search,
            Prepare.search_requests_with_expr,
            ts_utils.construct_guarantee_ts,
        ],
    ),
    "hybrid_search": (
        requests.HYBRID_KEYWORDS,
        [
            MilvusClient.hybrid_search,
            GrpcHandler.hybrid_search,
            GrpcHandler._execute_hybrid_search,
            Prepare.search_requests_with_expr,
            Prepare.hybrid_search_request_with_ranker,
            ts_utils.construct_guarantee_ts,
        ],
    ),
    "query": (
        requests.QUERY_KEYWORDS,
        [
            MilvusClient.query,
            GrpcHandler.query,
            Prepare.query_request,
            ts_utils.construct_guarantee_ts,
        ],
    ),
    "delete": (
        requests.DELETE_KEYWORDS,
        [MilvusClient.delete, GrpcHandler.delete, Prepare.delete_request],
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_every_argument_that_pymilvus_reads_is_understood(name: str):
    keywords, chain = CHAINS[name]
    read: set[str] = set()
    for function in EVERYWHERE + chain:
        read |= keys_read(function)
    for function in chain[1:]:
        if function is not ts_utils.construct_guarantee_ts:  # is given the dict itself
            read |= parameters(function)
    assert len(read) > 10
    explicit = parameters(chain[0])
    # Made by the client, or only for one of the two kinds of search.
    made = {"ids", "data", "anns_field", "ranker", "use_default_consistency", "reqs", "filter"}
    unknown = read - keywords - explicit - FUTURES - INTERNAL - made
    assert unknown == set()


@pytest.mark.parametrize("name", CHAINS)
def test_what_only_pymilvus_can_serve_is_not_in_the_sets(name: str):
    keywords, _ = CHAINS[name]
    assert not keywords & (FUTURES | INTERNAL)
