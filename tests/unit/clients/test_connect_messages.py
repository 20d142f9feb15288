"""ConnectRequest and ConnectResponse, held against pymilvus's protobuf classes."""

from __future__ import annotations

from typing import Any

import pytest
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from milvus_native import _core

TEXTS = {"sdk_type": "Python", "sdk_version": "1.2", "local_time": "now", "user": "é", "host": ""}


def test_request_is_the_message_that_protobuf_builds() -> None:
    built = _core.connect_request(**TEXTS, reserved={"a": "b", "ключ": ""})
    expected = milvus_pb2.ConnectRequest(
        client_info=common_pb2.ClientInfo(**TEXTS, reserved={"a": "b", "ключ": ""})
    )
    assert milvus_pb2.ConnectRequest.FromString(built) == expected


def test_request_without_reserved_entries() -> None:
    built = milvus_pb2.ConnectRequest.FromString(_core.connect_request(**TEXTS))
    assert not built.client_info.reserved


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"user": "a\0b"}, ValueError),
        ({"user": 1}, TypeError),
        ({"user": "\ud800"}, UnicodeEncodeError),
        ({"reserved": {"a": 1}}, TypeError),
        ({"reserved": {1: "a"}}, TypeError),
        ({"reserved": {"a\0": "b"}}, ValueError),
        ({"reserved": 5}, AttributeError),
    ],
)
def test_request_refuses(change: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        _core.connect_request(**{**TEXTS, **change})


def test_request_names_a_missing_argument() -> None:
    with pytest.raises(TypeError, match="host"):
        _core.connect_request(sdk_type="", sdk_version="", local_time="", user="")  # type: ignore[call-arg]


def test_reply() -> None:
    reply = milvus_pb2.ConnectResponse(identifier=-5)
    reply.server_info.build_tags = "2.6"
    reply.server_info.deploy_mode = "STANDALONE"
    reply.server_info.reserved["zone"] = "z"
    reply.server_info.reserved["build_tags"] = "false"
    assert _core.parse_connect(reply.SerializeToString()) == (
        -5,
        {
            "zone": "z",
            "build_tags": "2.6",
            "build_time": "",
            "git_commit": "",
            "go_version": "",
            "deploy_mode": "STANDALONE",
        },
    )


def test_empty_reply() -> None:
    assert _core.parse_connect(b"") == (0, {})


def test_refused() -> None:
    reply = milvus_pb2.ConnectResponse(
        status=common_pb2.Status(code=1800, reason="no", retriable=True, extra_info={"k": "v"})
    )
    with pytest.raises(_core.StatusError) as caught:
        _core.parse_connect(reply.SerializeToString())
    error = caught.value
    assert (error.code, error.error_code, error.reason, error.retriable, error.extra_info) == (
        1800,
        0,
        "no",
        True,
        {"k": "v"},
    )


@pytest.mark.parametrize("reply", [b"\xff", b"\x0a\x05", b"\x0a\xff\xff\xff\xff\x0f"])
def test_malformed_reply(reply: bytes) -> None:
    with pytest.raises(_core.DecodeError):
        _core.parse_connect(reply)
