"""Windows, SETTINGS that change, early replies, and the limit on streams."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from contextlib import suppress
from typing import Any

import pytest

from milvus_native.transport.base import (
    DEADLINE_EXCEEDED,
    NOT_FOUND,
    RESOURCE_EXHAUSTED,
    UNAVAILABLE,
    RpcError,
)
from tests.servers import frames
from tests.servers.faulty import FaultServer, Gone, Peer

from .lines import ANSWER, KINDS, METHOD, QUESTION, AsyncLine, open_line

NATIVE = ("native-sync", "native-async")
LARGE = bytes(range(256)) * 8192  # 2 MB


def data_frames(peer: Peer) -> list[frames.Frame]:
    return [frame for frame in peer.received if frame.type == frames.DATA]


@pytest.mark.parametrize("kind", NATIVE)
@pytest.mark.parametrize("window", [1, 7, 16384])
def test_tiny_stream_window(kind: str, window: int) -> None:
    """A request goes out as the server gives room, and no faster."""
    body = LARGE[: window * 200]

    def play(peer: Peer) -> None:
        peer.greet({frames.INITIAL_WINDOW_SIZE: window})
        # A client may fill 65535 bytes before it has seen the settings; a call made after it has
        # may not.
        peer.answer(peer.request())
        before = len(peer.received)
        peer.answer(peer.request())
        sizes = [len(f.payload) for f in peer.received[before:] if f.type == frames.DATA]
        assert sum(sizes) == len(body) + 5
        assert max(sizes) <= window
        peer.drain()

    with (
        FaultServer(play, replies={METHOD: ANSWER}) as server,
        open_line(kind, server.uri) as line,
    ):
        assert line.call(b"") == ANSWER
        assert line.call(body) == ANSWER
        assert server.requests(METHOD)[1].body == body


@pytest.mark.parametrize("kind", NATIVE)
def test_closed_window(kind: str) -> None:
    """No room at all: the call waits, and in vain until its deadline. It was not sent whole."""

    def play(peer: Peer) -> None:
        peer.replenishes = False
        peer.begun(METHOD)
        peer.until(frames.RST_STREAM)
        assert sum(len(frame.payload) for frame in data_frames(peer)) == 65535
        peer.drain()

    with FaultServer(play) as server, open_line(kind, server.uri) as line:
        with pytest.raises(RpcError) as caught:
            line.call(LARGE, timeout=0.7)
        assert (caught.value.code, caught.value.sent) == (DEADLINE_EXCEEDED, False)
        if isinstance(line, AsyncLine):
            line.run(asyncio.sleep(0.05))  # the reset goes out with the loop's next turn
        assert server.count(METHOD) == 0


@pytest.mark.parametrize("kind", NATIVE)
def test_window_that_shrinks_below_zero(kind: str) -> None:
    def play(peer: Peer) -> None:
        peer.replenishes = False
        request = peer.begun(METHOD)
        while len(request.data) < 65535:
            peer.read()
        # 65535 bytes are under way: the stream's window is now negative, and opens by degrees.
        peer.send(frames.settings({frames.INITIAL_WINDOW_SIZE: 100}))
        peer.send(frames.window_update(0, 1 << 24))
        peer.send(frames.window_update(request.stream, 65535))
        while len(request.data) < 65535 + 100:
            peer.read()
        assert len(request.data) == 65535 + 100
        peer.send(frames.settings({frames.INITIAL_WINDOW_SIZE: 1 << 24}))
        peer.answer(peer.request())
        peer.drain()

    with (
        FaultServer(play, replies={METHOD: ANSWER}) as server,
        open_line(kind, server.uri) as line,
    ):
        assert line.call(LARGE) == ANSWER
        assert server.requests(METHOD)[0].body == LARGE


@pytest.mark.parametrize("kind", NATIVE)
def test_frame_size_that_changes(kind: str) -> None:
    """Frames are larger than 16384 bytes only after the server has allowed it."""

    def play(peer: Peer) -> None:
        peer.greet({frames.INITIAL_WINDOW_SIZE: 1 << 24})
        peer.send(frames.window_update(0, 1 << 24))
        peer.answer(peer.request())
        peer.send(frames.settings({frames.MAX_FRAME_SIZE: 1 << 20, frames.HEADER_TABLE_SIZE: 0}))
        peer.serve()

    with (
        FaultServer(play, replies={METHOD: ANSWER}) as server,
        open_line(kind, server.uri) as line,
    ):
        for _ in range(4):
            assert line.call(LARGE) == ANSWER
            if isinstance(line, AsyncLine):
                line.run(asyncio.sleep(0.05))  # it hears of the change
            else:
                time.sleep(0.05)
        assert [request.body == LARGE for request in server.requests(METHOD)] == [True] * 4
        [peer] = server.peers
        acks = [i for i, f in enumerate(peer.received) if f[:2] == (frames.SETTINGS, frames.ACK)]
        sizes = [len(f.payload) if f.type == frames.DATA else 0 for f in peer.received]
        assert max(sizes[: acks[1]]) == 16384
        assert max(sizes[acks[1] :]) > 16384


@pytest.mark.parametrize("kind", NATIVE)
def test_stalled_reader(kind: str) -> None:
    """The server stops taking bytes from the socket for a while."""
    go_on = threading.Event()

    def play(peer: Peer) -> None:
        peer.greet({frames.INITIAL_WINDOW_SIZE: (1 << 31) - 1})
        peer.send(frames.window_update(0, 1 << 30))
        peer.begun(METHOD)
        go_on.wait(30)
        peer.serve()

    huge = LARGE * 4
    with (
        FaultServer(play, replies={METHOD: ANSWER}) as server,
        open_line(kind, server.uri) as line,
    ):
        timer = threading.Timer(0.3, go_on.set)
        timer.start()
        assert line.call(huge) == ANSWER
        assert server.requests(METHOD)[0].body == huge


@pytest.mark.parametrize("kind", NATIVE)
def test_stalled_reader_and_a_deadline(kind: str) -> None:
    def play(peer: Peer) -> None:
        peer.greet({frames.INITIAL_WINDOW_SIZE: (1 << 31) - 1})
        peer.send(frames.window_update(0, 1 << 30))
        peer.begun(METHOD)
        peer.server.ended.wait()

    with FaultServer(play) as server, open_line(kind, server.uri) as line:
        with pytest.raises(RpcError) as caught:
            line.call(LARGE * 8, timeout=0.5)
        assert caught.value.code == DEADLINE_EXCEEDED


class Flood:
    """A server that answers METHOD with frames that mean nothing, for as long as it can."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.given_up = False  # it went on for so long that the client would have stayed

    def play(self, peer: Peer) -> None:
        request = peer.serve(until=METHOD)
        junk = frames.window_update(request.stream, 1) * 400_000
        until = time.monotonic() + 60
        while time.monotonic() < until:
            peer.send(junk)
            self.started.set()
        self.given_up = True


@pytest.mark.parametrize("kind", NATIVE)
def test_flood_and_a_deadline(kind: str) -> None:
    """Bytes that come faster than they can be taken in do not hold a call past its deadline."""
    flood = Flood()
    with FaultServer(flood.play) as server, open_line(kind, server.uri) as line:
        with pytest.raises(RpcError) as caught:
            line.call(timeout=1.0)
        assert caught.value.code == DEADLINE_EXCEEDED
        assert flood.started.is_set()
        assert not flood.given_up


def test_flood_and_a_signal() -> None:
    """Nor do they keep a signal from being handled."""

    class Interrupted(Exception):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    flood = Flood()
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with FaultServer(flood.play) as server, open_line("native-sync", server.uri) as line:
            signal.setitimer(signal.ITIMER_REAL, 1.0)
            with pytest.raises(Interrupted):
                line.call(timeout=None)
            assert flood.started.is_set()
            assert not flood.given_up
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", NATIVE)
def test_large_reply_within_windows(kind: str) -> None:
    """64 MB come in with one window, and the client has replenished what it took."""
    body = LARGE * 33

    def play(peer: Peer) -> None:
        request = peer.request()
        peer.send(frames.response(request.stream))
        peer.send(*frames.in_frames(request.stream, frames.message(body)))
        peer.send(frames.trailers(request.stream))
        peer.serve()

    with (
        FaultServer(play, replies={METHOD: ANSWER}) as server,
        open_line(kind, server.uri) as line,
    ):
        assert line.call() == body
        assert line.call() == ANSWER
        [peer] = server.peers
        given = sum(
            frame.number
            for frame in peer.received
            if frame.type == frames.WINDOW_UPDATE and frame.stream == 0
        )
        assert given >= len(body)


# --- replies before the request was read ---

EARLY = {
    "refusal": (lambda stream: frames.failure(stream, 5, "no such thing"), NOT_FOUND),
    "refusal and RST_STREAM": (
        lambda stream: frames.failure(stream, 5, "no such thing") + frames.rst_stream(stream, 0),
        NOT_FOUND,
    ),
    "HTTP error": (lambda stream: frames.headers(stream, [(":status", "429")], True), UNAVAILABLE),
    "RST_STREAM": (lambda stream: frames.rst_stream(stream, 11), RESOURCE_EXHAUSTED),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("answer", "code"), EARLY.values(), ids=EARLY)
def test_early_reply(answer: Any, code: int, kind: str) -> None:
    """The rest of the request is not sent, and the connection serves the next call."""

    def play(peer: Peer) -> None:
        peer.replenishes = False
        request = peer.begun(METHOD)
        peer.send(answer(request.stream))
        peer.send(frames.window_update(0, 1 << 24))
        peer.serve()

    with (
        FaultServer(play, replies={METHOD: ANSWER}) as server,
        open_line(kind, server.uri) as line,
    ):
        with pytest.raises(RpcError) as caught:
            line.call(LARGE)
        assert caught.value.code == code
        assert line.call() == ANSWER
        assert server.connections == 1
        assert [request.body for request in server.requests(METHOD)] == [QUESTION]


# --- the limit on concurrent streams ---


def test_streams_beyond_the_limit_take_other_connections() -> None:
    all_came = threading.Event()

    def play(peer: Peer) -> None:
        peer.greet({frames.MAX_CONCURRENT_STREAMS: 3})
        if peer.number == 0:
            peer.answer(peer.request())  # the client knows the limit then
            held = [peer.request() for _ in range(3)]
            all_came.wait(30)
            assert not peer.ready
            assert not peer.requests
        else:
            held = []
            peer.sock.settimeout(0.05)
            # Six and one; the last three may wait on a connection that has three already.
            while peer.server.count(METHOD) < 7:
                with suppress(Gone):  # nothing more on this connection, as yet
                    held.append(peer.request())
            peer.sock.settimeout(30)
            all_came.set()
        for request in held:
            peer.answer(request)
        peer.serve()

    with (
        FaultServer(play, replies={METHOD: ANSWER}) as server,
        open_line("native-async", server.uri) as line,
    ):
        assert line.call() == ANSWER
        assert line.call_many(9) == [ANSWER] * 9
        assert line.usage().open_connections == server.connections >= 2
        assert line.usage().calls == 10


@pytest.mark.parametrize("limit", [2**31 - 1, 100])
def test_herd_before_the_limit_is_known(limit: int) -> None:
    """A hundred go ahead; the others wait to hear what is allowed, and then share connections."""

    def play(peer: Peer) -> None:
        peer.greet_silently()
        peer.acknowledges = peer.replenishes = False  # nothing may come before the settings
        if peer.number == 0:
            begun = [peer.request() for _ in range(100)]
            peer.drain_some(0.3)
            assert not peer.ready
            assert not peer.requests
        else:
            begun = []
        peer.send(frames.settings({frames.MAX_CONCURRENT_STREAMS: limit}), frames.SETTINGS_ACK)
        for request in begun:
            peer.answer(request)
        peer.serve()

    with (
        FaultServer(play, replies={METHOD: ANSWER}) as server,
        open_line("native-async", server.uri) as line,
    ):
        assert line.call_many(250) == [ANSWER] * 250
        assert server.count(METHOD) == 250
        assert (server.connections > 1) is (limit == 100)


def test_settings_that_never_come() -> None:
    def play(peer: Peer) -> None:
        peer.greet_silently()
        peer.acknowledges = peer.replenishes = False
        peer.drain()

    with FaultServer(play) as server, open_line("native-async", server.uri) as line:
        results = line.call_many(150, timeout=0.7)
        assert [(error.code, error.sent) for error in results[:100]] == [
            (DEADLINE_EXCEEDED, True)
        ] * 100
        assert [(error.code, error.sent) for error in results[100:]] == [
            (DEADLINE_EXCEEDED, False)
        ] * 50
        assert server.connections <= 2  # silent, it is given up when the first run out of time


@pytest.mark.parametrize("kind", KINDS)
def test_calls_wait_for_their_turn(kind: str) -> None:
    """More calls than streams and connections: all are answered in the end."""

    def play(peer: Peer) -> None:
        peer.greet({frames.MAX_CONCURRENT_STREAMS: 2})
        peer.serve()

    with (
        FaultServer(play, replies={METHOD: ANSWER}) as server,
        open_line(kind, server.uri) as line,
    ):
        assert line.call_many(200) == [ANSWER] * 200
        assert server.count(METHOD) == 200


def test_limit_that_sinks_to_nothing() -> None:
    """No streams at all: calls go elsewhere or wait, and end by their deadline."""

    def play(peer: Peer) -> None:
        peer.greet({frames.MAX_CONCURRENT_STREAMS: 0})
        peer.drain()

    with FaultServer(play) as server, open_line("native-async", server.uri) as line:
        results = line.call_many(5, timeout=0.7)
        assert [error.code for error in results] == [DEADLINE_EXCEEDED] * 5
        assert server.count_begun(METHOD) <= 5


def test_limit_that_grows() -> None:
    gate = threading.Event()

    def play(peer: Peer) -> None:
        peer.greet({frames.MAX_CONCURRENT_STREAMS: 1})
        peer.answer(peer.request())
        gate.wait(30)
        peer.send(frames.settings({frames.MAX_CONCURRENT_STREAMS: 100}))
        peer.until(frames.SETTINGS)
        peer.serve()

    with (
        FaultServer(play, replies={METHOD: ANSWER}) as server,
        open_line("native-async", server.uri) as line,
    ):
        assert line.call() == ANSWER
        threading.Timer(0.2, gate.set).start()
        started = time.monotonic()
        assert line.call_many(50) == [ANSWER] * 50
        assert time.monotonic() >= started
