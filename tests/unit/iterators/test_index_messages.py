"""index_request and parse_indexes against pymilvus's own message classes."""

from __future__ import annotations

import pytest
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from milvus_native import _core


@pytest.mark.parametrize("name", ["books", "bücher", ""])
def test_request_is_the_message_pymilvus_builds(name):
    expected = milvus_pb2.DescribeIndexRequest(collection_name=name, index_name="")
    assert _core.index_request(name) == expected.SerializeToString()


@pytest.mark.parametrize(("name", "error"), [(7, TypeError), ("a\0b", ValueError)])
def test_request_refuses_what_no_collection_is_called(name, error):
    with pytest.raises(error):
        _core.index_request(name)


def test_reply_is_names_and_parameters():
    reply = milvus_pb2.DescribeIndexResponse(
        status=common_pb2.Status(),
        index_descriptions=[
            milvus_pb2.IndexDescription(
                index_name="by_vec",
                field_name="vec",
                indexID=7,
                total_rows=9,
                params=[
                    common_pb2.KeyValuePair(key="metric_type", value="COSINE"),
                    common_pb2.KeyValuePair(key="index_type", value="HNSW"),
                ],
            ),
            milvus_pb2.IndexDescription(index_name="plain"),
        ],
    )
    assert _core.parse_indexes(reply.SerializeToString()) == [
        ("by_vec", "vec", {"metric_type": "COSINE", "index_type": "HNSW"}),
        ("plain", "", {}),
    ]


def test_error_status_is_raised_with_its_fields():
    status = common_pb2.Status(
        code=700, reason="no índex", retriable=True, extra_info={"is_input_error": "true"}
    )
    reply = milvus_pb2.DescribeIndexResponse(status=status)
    with pytest.raises(_core.StatusError) as caught:
        _core.parse_indexes(reply.SerializeToString())
    error = caught.value
    assert (error.code, error.error_code, error.reason) == (700, 0, "no índex")
    assert error.retriable is True
    assert error.extra_info == {"is_input_error": "true"}


def test_text_that_is_not_utf8_is_mended():
    index = milvus_pb2.IndexDescription(
        index_name="nam",
        field_name="fld",
        params=[common_pb2.KeyValuePair(key="key", value="val")],
    )
    reply = milvus_pb2.DescribeIndexResponse(index_descriptions=[index]).SerializeToString()
    for text in (b"nam", b"fld", b"key", b"val"):
        reply = reply.replace(text, b"a\xff" + text[:1])
    bad = "a\ufffd"
    assert _core.parse_indexes(reply) == [(bad + "n", bad + "f", {bad + "k": bad + "v"})]


@pytest.mark.parametrize("reply", [b"\x0a", b"\x12\x05ab", b"\xff"])
def test_malformed_reply_is_a_decode_error(reply):
    with pytest.raises(_core.DecodeError):
        _core.parse_indexes(reply)


def test_reply_must_be_bytes():
    with pytest.raises(TypeError):
        _core.parse_indexes(bytearray())
