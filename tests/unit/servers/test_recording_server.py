"""The recording server: what it records, and that replies come in the order they were set."""

from __future__ import annotations

import grpc
import pytest

from tests.servers.recording import SERVICE, Call, Failure, RecordingServer


@pytest.fixture
def server():
    with RecordingServer() as server:
        yield server


def call(server: RecordingServer, method: str, request: bytes, **options) -> bytes:
    with grpc.insecure_channel(server.address) as channel:
        return channel.unary_unary(SERVICE + method)(request, **options)


def test_requests_and_metadata_are_recorded_as_they_came(server):
    server.set("Query", b"\x01\x00reply")
    assert call(server, "Query", b"\xffrequest", metadata=[("dbname", "books")]) == b"\x01\x00reply"
    [seen] = server.take()
    assert (seen.method, seen.request, seen.header("dbname")) == ("Query", b"\xffrequest", "books")
    assert server.take() == []


def test_replies_come_in_order_and_the_last_one_stays(server):
    server.set("Search", b"1", b"2")
    assert [call(server, "Search", b"") for _ in range(4)] == [b"1", b"2", b"2", b"2"]


def test_a_reply_may_be_computed_or_fail(server):
    def echo(seen: Call) -> bytes | Failure:
        return seen.request or Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "empty")

    server.set("Insert", echo)
    assert call(server, "Insert", b"abc") == b"abc"
    with pytest.raises(grpc.RpcError) as error:
        call(server, "Insert", b"")
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_an_unknown_method_is_unimplemented_and_still_recorded(server):
    with pytest.raises(grpc.RpcError) as error:
        call(server, "Flush", b"x")
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert server.count("Flush") == 1


def test_take_leaves_the_other_methods(server):
    server.set("Search", b"")
    server.set("Query", b"")
    for method in ("Search", "Query", "Connect"):
        call(server, method, b"")
    assert [c.method for c in server.take("Query")] == ["Query"]
    assert [c.method for c in server.take()] == ["Search"]
    assert [c.method for c in server.calls] == ["Connect"]
