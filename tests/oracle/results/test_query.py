"""Random QueryResults, decoded by us and by pymilvus."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import orjson
import pytest
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import _core
from milvus_native.results import HybridExtraList, OmitZeroDict
from tests.oldest import has

from .faker import fakers
from .reference import assert_same, query
from .scramble import scramble


def assert_same_result(ours: Any, theirs: Any) -> None:
    assert type(ours) is HybridExtraList
    assert all(type(row) is dict for row in ours)
    assert_same(ours, theirs)
    assert type(ours.extra) is OmitZeroDict
    assert_same(ours.extra, theirs.extra, "extra")
    assert str(ours.extra) == str(theirs.extra)
    assert repr(ours.extra) == repr(theirs.extra)
    assert ours.extra.omit_zero_len() == theirs.extra.omit_zero_len()


def plain(value: Any) -> Any:
    """For json and orjson: what they do not know."""
    return value.hex() if isinstance(value, bytes) else value.tolist()


@pytest.mark.parametrize("batch", range(10))
def test_equals_pymilvus(batch: int) -> None:
    for faker in fakers(batch):
        reply = faker.query()
        strict = has("pymilvus.client.iterator:") and faker.chance(0.5)  # 2.6 knows none
        ours = _core.decode_query(reply.SerializeToString(), strict_float32=strict)
        assert_same_result(ours, query(reply, strict))


@pytest.mark.parametrize("batch", range(4))
def test_other_bytes_of_the_same_message(batch: int) -> None:
    for faker in fakers(batch):
        reply = faker.query()
        data = scramble(faker.random, reply)
        parsed = milvus_pb2.QueryResults.FromString(data)
        parsed.DiscardUnknownFields()
        assert parsed.SerializeToString(deterministic=True) == reply.SerializeToString(
            deterministic=True
        )
        assert_same_result(_core.decode_query(data), query(reply))


@pytest.mark.parametrize("batch", range(4))
def test_copies_are_whole(batch: int) -> None:
    for faker in fakers(batch):
        reply = faker.query()
        theirs = query(reply)
        ours = _core.decode_query(reply.SerializeToString())
        for made in (
            *(pickle.loads(pickle.dumps(ours, protocol)) for protocol in range(6)),
            copy.copy(ours),
            copy.deepcopy(ours),
        ):
            assert_same_result(made, theirs)


@pytest.mark.parametrize("batch", range(4))
def test_json_holds_every_field(batch: int) -> None:
    for faker in fakers(batch):
        reply = faker.query()
        ours, theirs = _core.decode_query(reply.SerializeToString()), query(reply)
        assert json.dumps(ours, default=plain) == json.dumps(theirs, default=plain)
        options = orjson.OPT_NON_STR_KEYS
        assert orjson.dumps(ours, plain, options) == orjson.dumps(list(theirs), plain, options)


def column(reply: milvus_pb2.QueryResults, kind: int, name: str) -> Any:
    return reply.fields_data.add(type=kind, field_name=name)


def refused_replies() -> dict[str, milvus_pb2.QueryResults]:
    replies: dict[str, milvus_pb2.QueryResults] = {"nothing": milvus_pb2.QueryResults()}
    reply = replies["no payload"] = milvus_pb2.QueryResults()
    column(reply, 5, "a")
    reply = replies["scalars without a member"] = milvus_pb2.QueryResults()
    column(reply, 5, "a").scalars.SetInParent()
    reply = replies["uneven columns"] = milvus_pb2.QueryResults()
    column(reply, 5, "a").scalars.long_data.data.extend([1, 2])
    column(reply, 5, "b").scalars.long_data.data.extend([1])
    reply = replies["uneven float vectors"] = milvus_pb2.QueryResults()
    vectors = column(reply, 101, "a").vectors
    vectors.dim = 4
    vectors.float_vector.data.extend([1.0] * 6)
    reply = replies["uneven half vectors"] = milvus_pb2.QueryResults()
    vectors = column(reply, 102, "a").vectors
    vectors.dim = 4
    vectors.float16_vector = b"123456"
    reply = replies["legacy strings"] = milvus_pb2.QueryResults()
    column(reply, 20, "a").scalars.string_data.data.extend(["x"])
    if has("pymilvus.grpc_gen.milvus_pb2:QueryResults/element_indices"):
        reply = replies["element indices"] = milvus_pb2.QueryResults()
        column(reply, 5, "a").scalars.long_data.data.extend([1, 2])
        reply.element_indices.add().indices.data.extend([1, 2])
    reply = replies["array of unknown elements"] = milvus_pb2.QueryResults()
    array = column(reply, 22, "a").scalars.array_data
    array.element_type = 23
    array.data.add().json_data.data.append(b"1")
    reply = replies["array of sparse vectors"] = milvus_pb2.QueryResults()
    nested = column(reply, 106, "a").vectors.vector_array
    nested.element_type = 104
    nested.data.add().sparse_float_vector.contents.append(b"")
    reply = replies["binary vectors of 12 bits"] = milvus_pb2.QueryResults()
    vectors = column(reply, 106, "a").vectors
    vectors.vector_array.element_type = 100
    vectors.vector_array.data.add(dim=12, binary_vector=b"12")
    reply = replies["int8 vectors without a dimension"] = milvus_pb2.QueryResults()
    vectors = column(reply, 106, "a").vectors
    vectors.vector_array.element_type = 105
    vectors.vector_array.data.add(int8_vector=b"12")
    reply = replies["cut sparse vector"] = milvus_pb2.QueryResults()
    column(reply, 104, "a").vectors.sparse_float_vector.contents.append(b"seven..")
    return replies


@pytest.mark.parametrize("name", list(refused_replies()))
def test_refuses_what_pymilvus_refuses(name: str) -> None:
    reply = refused_replies()[name]
    with pytest.raises(MilvusException) as theirs:
        query(reply)
    with pytest.raises(MilvusException) as ours:
        _core.decode_query(reply.SerializeToString())
    assert type(ours.value) is type(theirs.value)
    assert ours.value.code == theirs.value.code
    assert ours.value.message == theirs.value.message


def test_unknown_types_leave_none() -> None:
    reply = milvus_pb2.QueryResults()
    column(reply, 5, "id").scalars.long_data.data.extend([1, 2])
    column(reply, 28, "date").scalars.date_data.data.extend([3, 4])
    column(reply, 777, "far").scalars.int_data.data.extend([3, 4])
    assert_same_result(_core.decode_query(reply.SerializeToString()), query(reply))


def test_two_element_rows_share_nothing() -> None:
    reply = milvus_pb2.QueryResults()
    column(reply, 5, "id").scalars.long_data.data.extend([1])
    array = column(reply, 22, "list").scalars.array_data
    array.element_type = 5
    array.data.add().long_data.data.extend([1, 2])
    reply.element_indices.add().indices.data.extend([3, 4])
    first, second = _core.decode_query(reply.SerializeToString())
    assert first == {"id": 1, "offset": 3, "list": [1, 2]}
    first["list"].append(3)
    assert second == {"id": 1, "offset": 4, "list": [1, 2]}
