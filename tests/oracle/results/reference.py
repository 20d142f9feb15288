"""What pymilvus makes of a reply, and when two results are the same."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from pymilvus.client.grpc_handler import GrpcHandler
from pymilvus.client.search_result import SearchResult
from pymilvus.grpc_gen import milvus_pb2


def search(reply: milvus_pb2.SearchResults, round_decimal: int | None = None) -> SearchResult:
    result = SearchResult(
        reply.results, round_decimal, status=reply.status, session_ts=reply.session_ts
    )
    result.materialize()
    return result


def query(reply: milvus_pb2.QueryResults, strict_float32: bool = False) -> Any:
    """pymilvus's own GrpcHandler.query on a stub that answers with `reply`."""
    handler = cast(Any, GrpcHandler.__new__(GrpcHandler))
    handler._address = "localhost:19530"
    handler._stub = SimpleNamespace(Query=lambda *args, **kwargs: reply)
    result = handler.query("c", "", ["*"], strict_float32=strict_float32, consistency_level=0)
    result.materialize()
    return result


def assert_same(ours: Any, theirs: Any, place: str = "result") -> None:
    """Equal values of the same Python types and, for dicts, in the same order.

    Where pymilvus gives NumPy scalars or protobuf containers we give plain Python.
    """
    if isinstance(theirs, dict):
        assert isinstance(ours, dict), place
        assert list(ours) == list(theirs), place
        for key in theirs:
            assert_same(ours[key], theirs[key], f"{place}[{key!r}]")
    elif isinstance(theirs, np.ndarray):
        assert isinstance(ours, np.ndarray), place
        assert ours.dtype == theirs.dtype, place
        assert ours.flags.writeable == theirs.flags.writeable, place
        assert np.array_equal(ours, theirs, equal_nan=True), place
    elif isinstance(theirs, bool | str | bytes | None):
        assert type(ours) is type(theirs), place
        assert ours == theirs, place
    elif isinstance(theirs, float | np.floating):
        assert type(ours) is float, place
        same_sign = math.copysign(1, ours) == math.copysign(1, theirs)
        assert (ours == theirs and same_sign) or (math.isnan(ours) and math.isnan(theirs)), place
    elif isinstance(theirs, int | np.integer):
        assert type(ours) is int, place
        assert ours == theirs, place
    else:
        assert isinstance(ours, list), f"{place}: {type(theirs)}"
        assert len(ours) == len(theirs), place
        for i, item in enumerate(theirs):
            assert_same(ours[i], item, f"{place}[{i}]")
