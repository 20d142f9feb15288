"""What the tests of RpcConnection say to one, and hear from it."""

from __future__ import annotations

from typing import Any

from milvus_native._core import RpcConnection
from tests.servers import frames

METADATA = [("authorization", "token"), ("trace-bin", b"\x00\xff")]


def connect(**options: Any) -> RpcConnection:
    connection = RpcConnection("localhost:19530", "http", "test/1", **options)
    sent = connection.data_to_send()
    assert sent.startswith(frames.PREFACE)
    assert connection.receive(frames.settings()) == []
    return connection


def sent_frames(connection: RpcConnection) -> list[frames.Frame]:
    data = b""
    while more := connection.data_to_send():
        data += more
    parsed, rest = frames.parse(data)
    assert rest == b""
    return parsed


def begin(connection: RpcConnection, message: Any = b"question", tag: Any = None) -> int:
    return connection.submit("/service/Method", message, METADATA, 5.0, tag)


def body_of(sent: list[frames.Frame], stream: int) -> bytes:
    return b"".join(f.payload for f in sent if f.type == frames.DATA and f.stream == stream)
