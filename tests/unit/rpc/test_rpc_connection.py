"""The binding of the gRPC engine, without sockets: bytes by hand on both sides."""

from __future__ import annotations

import asyncio
import gc
import gzip
import sys
import time
import weakref
from typing import Any

import pytest

from milvus_native._core import RpcConnection
from tests.servers import frames

from .conversation import begin, body_of, connect, sent_frames


def test_a_call() -> None:
    connection = connect()
    tag = object()
    assert begin(connection, tag=tag) == 1
    sent = sent_frames(connection)
    assert [f.type for f in sent] == [frames.SETTINGS, frames.HEADERS, frames.DATA]
    assert sent[-1].flags == frames.END_STREAM
    assert body_of(sent, 1) == frames.message(b"question")
    assert connection.open_calls == 1
    [result] = connection.receive(frames.reply(1, b"answer"))
    assert result == (tag, 0, None, None, b"answer", True)
    assert result[0] is tag
    assert connection.open_calls == 0
    assert connection.finished() == []


def test_metadata_and_text_of_a_failure() -> None:
    connection = connect()
    begin(connection)
    sent_frames(connection)
    pairs = [
        *frames.RESPONSE,
        ("grpc-status", "5"),
        ("grpc-message", "caf%C3%A9 %FF"),
        ("grpc-status-details-bin", "AP8"),
        ("note", "caf\xe9"),
    ]
    [result] = connection.receive(frames.headers(1, pairs, end_stream=True))
    assert result == (
        None,
        5,
        "café \ufffd",
        [("grpc-status-details-bin", b"\x00\xff"), ("note", "caf\ufffd")],
        None,
        True,
    )


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"x",
        bytearray(b"bytearray"),
        memoryview(b"a view"),
        memoryview(b"_a slice_")[1:-1],
        [b"three ", b"", bytearray(b"parts")],
        (b"a", b"tuple"),
        [b"%d" % i for i in range(100)],
        [],
        b"large" * 100_000,
        [b"large" * 10_000, memoryview(b"parts" * 10_000)],
    ],
    ids=lambda message: f"{type(message).__name__}-{len(message)}",
)
def test_forms_of_a_message(message: Any) -> None:
    connection = connect()
    connection.receive(
        frames.settings({frames.INITIAL_WINDOW_SIZE: 1 << 24}) + frames.window_update(0, 1 << 24)
    )
    begin(connection, message)
    parts = message if isinstance(message, list | tuple) else [message]
    whole = b"".join(bytes(part) for part in parts)
    assert body_of(sent_frames(connection), 1) == frames.message(whole)


@pytest.mark.parametrize("message", ["text", None, 5, [b"x", "text"], memoryview(b"abcd")[::2]])
def test_what_is_no_message(message: Any) -> None:
    connection = connect()
    with pytest.raises((TypeError, BufferError)):
        begin(connection, message)
    assert connection.open_calls == 0


def test_a_message_is_held_until_it_is_sent() -> None:
    class Bytes(bytearray):
        pass

    connection = connect()
    message = Bytes(200_000)
    alive = weakref.ref(message)
    begin(connection, message)
    with pytest.raises(BufferError):
        message.append(0)
    del message
    assert connection.data_to_send() != b""
    gc.collect()
    assert alive() is not None  # the server's window is 64 KiB: the rest is still to be sent
    assert len(connection.receive(frames.rst_stream(1, frames.CANCEL))) == 1
    connection.data_to_send()
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize(
    "metadata",
    [
        [("key", "line\nbreak")],
        [("key", "nul\0")],
        [("key", "carriage\rreturn")],
        [("key", "not ascii é")],
        [("Key", "upper case")],
        [("", "no name")],
        [("grpc-timeout", "1S")],
        [(":path", "/other")],
    ],
)
def test_metadata_that_cannot_be_sent(metadata: Any) -> None:
    connection = connect()
    with pytest.raises(ValueError, match="metadata") as caught:
        connection.submit("/s/m", b"", metadata, None, None)
    assert metadata[0][1] not in str(caught.value)
    assert connection.open_calls == 0


@pytest.mark.parametrize(
    "metadata",
    [
        5,
        [("key",)],
        [("key", bytearray(b"bytes"))],
        [("key-bin", "str")],
        [["key", "list"]],
        [(1, "x")],
        "ab",
    ],
)
def test_metadata_of_the_wrong_type(metadata: Any) -> None:
    connection = connect()
    with pytest.raises(TypeError):
        connection.submit("/s/m", b"", metadata, None, None)


def test_more_metadata_than_expected() -> None:
    connection = connect()
    connection.submit("/s/m", b"", tuple((f"key-{i}", str(i)) for i in range(100)), None, None)
    [headers] = [f for f in sent_frames(connection) if f.type == frames.HEADERS]
    assert headers.payload.count(b"key") <= 100  # most names are Huffman-coded
    with pytest.raises(ValueError, match="metadata of a call is larger than 65536 bytes"):
        connection.submit("/s/m", b"", [("key", "x" * 70_000)], None, None)


@pytest.mark.parametrize("timeout", ["1", float("nan"), object()])
def test_a_timeout_is_a_number(timeout: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        connect().submit("/s/m", b"", None, timeout, None)


def test_bad_paths_and_origins() -> None:
    for path in ("", "no-slash", "/new\nline", "/sp ace"):
        with pytest.raises(ValueError, match="method"):
            connect().submit(path, b"", None, None, None)
    for authority in ("", "a\r\nb: c", "höst"):
        with pytest.raises(ValueError, match="authority"):
            RpcConnection(authority, "http", "test/1")
    with pytest.raises(ValueError, match="out of range"):
        RpcConnection("a", "http", "test/1", window=0)


def test_cancel() -> None:
    connection = connect()
    first, second = begin(connection, tag="first"), begin(connection, tag="second")
    sent_frames(connection)
    assert connection.cancel(first, 1, "cancelled")
    assert not connection.cancel(first, 1, "cancelled")
    assert not connection.cancel(99, 1, "cancelled")
    assert connection.finished() == [("first", 1, "cancelled", None, None, True)]
    [reset] = sent_frames(connection)
    assert (reset.type, reset.stream, reset.number) == (frames.RST_STREAM, 1, frames.CANCEL)
    # What the server says of it afterwards is not heard.
    assert connection.receive(frames.reply(1, b"late")) == []
    assert connection.cancel(second, 4, "late")
    with pytest.raises(ValueError, match="gRPC error code"):
        connection.cancel(second, 0, "")


def test_timeouts_and_ticks() -> None:
    connection = connect(keepalive_time=None)
    assert connection.tick() is None
    connection.submit("/s/m", b"", None, 0.02, "soon")
    connection.submit("/s/m", b"", None, 60, "later")
    delay = connection.tick()
    assert delay is not None
    assert 0 < delay <= 0.02
    time.sleep(0.021)
    delay = connection.tick()
    assert delay is not None
    assert 59 < delay < 60
    assert connection.finished() == [("soon", 4, "Deadline Exceeded", None, None, False)]


def test_keepalive_finds_a_dead_server() -> None:
    connection = connect(keepalive_time=0.01, keepalive_timeout=0.01)
    begin(connection)
    assert connection.tick() is not None
    time.sleep(0.011)
    connection.tick()
    assert frames.PING in [f.type for f in sent_frames(connection)]
    time.sleep(0.011)
    assert connection.tick() is None
    assert connection.closed
    [(_, code, text, *_)] = connection.finished()
    assert code == 14
    assert "stopped answering" in text


def test_pings_are_answered_and_counted() -> None:
    connection = connect()
    sent_frames(connection)
    connection.receive(frames.ping(b"12345678"))
    assert sent_frames(connection) == [frames.Frame(frames.PING, frames.ACK, 0, b"12345678")]
    connection.ping()
    [ping] = sent_frames(connection)
    assert connection.pings_answered == 0
    connection.receive(frames.ping(ping.payload, ack=True))
    assert connection.pings_answered == 1


def test_goaway() -> None:
    connection = connect()
    begin(connection, tag="kept")
    sent_frames(connection)
    begin(connection, tag="sent")
    sent_frames(connection)
    begin(connection, tag="waiting")
    assert connection.accepts
    assert connection.goaway_code is None
    done = connection.receive(frames.goaway(1, frames.ENHANCE_YOUR_CALM, b"too_many_pings"))
    text = "the server closes the connection (GOAWAY ENHANCE_YOUR_CALM: too_many_pings)"
    assert done == [
        ("waiting", 14, text, None, None, False),
        ("sent", 14, text, None, None, False),
    ]
    assert connection.goaway_code == frames.ENHANCE_YOUR_CALM
    assert not connection.accepts
    assert not connection.closed
    assert connection.free_streams == 0
    assert connection.error == text
    with pytest.raises(ConnectionError, match="too_many_pings"):
        begin(connection)
    assert connection.receive(frames.reply(1, b"answer")) == [
        ("kept", 0, None, None, b"answer", True)
    ]
    assert connection.closed


def test_lost() -> None:
    connection = connect()
    begin(connection, tag="sent")
    sent_frames(connection)
    begin(connection, b"x" * 300_000, tag="half")
    connection.data_to_send()
    connection.lost("reset by peer")
    assert connection.finished() == [
        ("sent", 14, "reset by peer", None, None, True),
        ("half", 14, "reset by peer", None, None, False),
    ]
    assert connection.receive(b"more") == []


def test_free_streams() -> None:
    connection = RpcConnection("a", "http", "test/1")
    assert connection.free_streams == 100
    assert not connection.settings_came
    connection.receive(frames.settings({frames.MAX_CONCURRENT_STREAMS: 3}))
    assert connection.settings_came
    for i in range(5):
        assert connection.free_streams == max(0, 3 - i)
        begin(connection)
    assert len([f for f in sent_frames_after_preface(connection) if f.type == frames.HEADERS]) == 3


def test_more_calls_than_a_server_should_get_at_once() -> None:
    """They wait here, although the server sets no limit, and each that ends lets one go."""
    connection = RpcConnection("a", "http", "test/1")
    connection.receive(frames.settings({frames.MAX_CONCURRENT_STREAMS: 2**31 - 1}))
    for _ in range(803):
        begin(connection)
    started = [f for f in sent_frames_after_preface(connection) if f.type == frames.HEADERS]
    assert len(started) == 800
    assert connection.free_streams > 1000
    assert connection.open_calls == 803
    for stream in (started[5].stream, started[7].stream):
        connection.receive(frames.reply(stream, b"answer"))
    assert len([f for f in sent_frames(connection) if f.type == frames.HEADERS]) == 2
    assert connection.open_calls == 801


def sent_frames_after_preface(connection: RpcConnection) -> list[frames.Frame]:
    data = connection.data_to_send()
    return frames.parse(data[len(frames.PREFACE) :])[0]


def test_compressed_and_oversized_replies() -> None:
    connection = connect(max_message=1000)
    replies = {
        1: gzip.compress(b"a" * 1000),
        3: gzip.compress(b"a" * 1001),
        5: b"not gzip",
    }
    for stream, body in replies.items():
        begin(connection, tag=stream)
        connection.data_to_send()
        [result] = connection.receive(
            frames.response(stream, [("grpc-encoding", "gzip")])
            + frames.data(stream, frames.message(body, compressed=True))
            + frames.trailers(stream)
        )
        if stream == 1:
            assert result == (1, 0, None, None, b"a" * 1000, True)
        else:
            assert result[1] == {3: 8, 5: 13}[stream]


def test_counters() -> None:
    connection = connect()
    begin(connection)
    before = connection.bytes_sent
    data = connection.data_to_send()
    assert connection.bytes_sent == before + len(data)
    before = connection.bytes_received
    connection.receive(frames.reply(1, b"answer"))
    assert connection.bytes_received == before + len(frames.reply(1, b"answer"))


def test_forgotten_connections_are_collected() -> None:
    class Tag:
        connection: RpcConnection

    tag = Tag()
    tag.connection = connect()
    begin(tag.connection, b"x" * 100_000, tag)
    tag.connection.data_to_send()
    alive = weakref.ref(tag)
    del tag
    gc.collect()
    assert alive() is None


def test_a_result_that_cancels_another_call() -> None:
    """Code that runs between two results may use the connection."""
    connection = connect()
    first = begin(connection, tag="first")
    begin(connection, tag="second")
    connection.data_to_send()
    for _ in connection.receive(frames.reply(3, b"answer")):
        assert connection.cancel(first, 1, "no longer wanted")
    assert len(connection.finished()) == 1


def test_arguments() -> None:
    connection = connect()
    with pytest.raises(TypeError):
        connection.submit("/s/m", b"")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        connection.exchange(0)  # type: ignore[call-arg]
    with pytest.raises((TypeError, ValueError)):
        connection.exchange("x", 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        connection.receive("text")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        connection.lost(5)  # type: ignore[arg-type]


def test_futures_as_tags() -> None:
    async def main() -> bytes:
        connection = connect()
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        begin(connection, tag=future)
        connection.data_to_send()
        for tag, _, _, _, message, _ in connection.receive(frames.reply(1, b"answer")):
            tag.set_result(message)
        return await future

    assert asyncio.run(main()) == b"answer"


@pytest.mark.skipif(not hasattr(sys, "gettotalrefcount"), reason="needs a debug build of Python")
def test_no_references_leak() -> None:
    def conversation() -> None:
        test_a_call()
        test_metadata_and_text_of_a_failure()
        test_goaway()
        test_lost()

    for _ in range(3):
        conversation()
    gc.collect()
    before = sys.gettotalrefcount()  # type: ignore[attr-defined]
    for _ in range(100):
        conversation()
    gc.collect()
    assert sys.gettotalrefcount() - before < 50  # type: ignore[attr-defined]
