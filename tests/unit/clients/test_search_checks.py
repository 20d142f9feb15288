"""What the cache knows of a collection, said of searches that the server would refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pymilvus import AnnSearchRequest, DataType, MilvusException, RRFRanker
from pymilvus.exceptions import ParamError

from milvus_native import schema_cache
from tests.servers.recording import RecordingServer

from . import replies
from .conftest import Either

VECTOR = [0.0] * 4


def search(either: Either, data: Any, **more: Any) -> Any:
    return either.search("things", data, **more)


def hybrid(either: Either, data: Any, search_params: Any = None, anns_field: str = "vector") -> Any:
    request = AnnSearchRequest(data, anns_field, search_params or {}, limit=1)
    return either.hybrid_search("things", [request], RRFRanker())


BOTH = pytest.mark.parametrize("call", [search, hybrid])
METRIC = {"metric_type": "HAMMING"}


def warm(server: RecordingServer, either: Either, **description: Any) -> None:
    server.set("DescribeCollection", replies.describe(**description))
    either.get("things", [1])
    server.take()


def sent(server: RecordingServer) -> list[str]:
    return [call.method for call in server.take()]


@BOTH
def test_metric_of_another_kind(server: RecordingServer, either: Either, call: Any) -> None:
    warm(server, either)
    text = (
        'metric type not match: metric HAMMING is not for "vector", a FLOAT_VECTOR: '
        "COSINE or IP or L2 may be"
    )
    with pytest.raises(ParamError, match=text):
        call(either, [VECTOR], search_params=METRIC)
    assert sent(server) == ["DescribeCollection"]  # to be sure
    with pytest.raises(ParamError, match="metric JACCARD is not for"):
        call(either, [VECTOR], search_params={"params": {"metric_type": "jaccard"}})


@BOTH
def test_metric_of_bits(server: RecordingServer, either: Either, call: Any) -> None:
    warm(server, either, kind=DataType.BINARY_VECTOR, dim=16)
    with pytest.raises(ParamError, match="a BINARY_VECTOR: HAMMING or JACCARD may be"):
        call(either, [b"ab"], search_params={"metric_type": "L2"}, anns_field="vector")


@BOTH
@pytest.mark.parametrize("metric", ["L2", "IP", "COSINE", "cosine", "BM25", "MAX_SIM", "", 3])
def test_other_metrics_are_the_servers_business(
    server: RecordingServer, either: Either, call: Any, metric: Any
) -> None:
    warm(server, either)
    call(either, [VECTOR], search_params={"metric_type": metric})
    assert sent(server) in (["Search"], ["HybridSearch"])


@BOTH
def test_nothing_is_asked_for_a_check(server: RecordingServer, either: Either, call: Any) -> None:
    call(either, [VECTOR], search_params=METRIC)
    assert sent(server) in (["Search"], ["HybridSearch"])


@BOTH
def test_metric_that_fits_the_new_schema(
    server: RecordingServer, either: Either, call: Any
) -> None:
    warm(server, either)
    server.set(
        "DescribeCollection", replies.describe(kind=DataType.BINARY_VECTOR, dim=16, version=2)
    )
    call(either, [b"ab"], search_params=METRIC, anns_field="vector")
    assert sent(server)[0] == "DescribeCollection"
    known = schema_cache.peek(either.client, "things")
    assert known is not None
    assert known.field_type("vector") == DataType.BINARY_VECTOR


@BOTH
@pytest.mark.parametrize(
    "data", [[[0.0] * 5], [VECTOR, np.zeros(5, np.float32)], np.zeros((1, 5)), [bytes(20)]]
)
def test_wrong_dim_explains_an_error(
    server: RecordingServer, either: Either, call: Any, data: Any
) -> None:
    warm(server, either)
    for rpc in ("Search", "HybridSearch"):
        server.set(rpc, replies.search(replies.failed(65535, "Assert failed in Plan.cpp")))
    if len(data) == 2:
        data = [np.zeros(4, np.float32), data[1]]
    place = f'data\\[{len(data) - 1}\\] has 5 dimensions, the field "vector" has 4: Assert'
    with pytest.raises(MilvusException, match=place) as caught:
        call(either, data, anns_field="vector")
    assert caught.value.code == 65535
    assert type(caught.value) is MilvusException


@BOTH
def test_wrong_dim_is_not_refused(server: RecordingServer, either: Either, call: Any) -> None:
    """Milvus and milvus-lite search an empty collection with any vector."""
    warm(server, either)
    call(either, [[0.0] * 5])
    assert sent(server) in (["Search"], ["HybridSearch"])


@BOTH
def test_explanation_of_an_old_schema_is_not_given(
    server: RecordingServer, either: Either, call: Any
) -> None:
    warm(server, either)
    server.set("DescribeCollection", replies.describe(dim=5, version=2))
    for rpc in ("Search", "HybridSearch"):
        server.set(rpc, replies.search(replies.failed(1100, "out of luck")))
    with pytest.raises(MilvusException) as caught:
        call(either, [[0.0] * 5])
    assert caught.value.message == "out of luck"
