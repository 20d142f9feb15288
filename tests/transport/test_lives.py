"""Connections over several calls: GOAWAY, PING, idle ones that end, refused streams, cancelling."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from milvus_native.transport import native_aio, native_sync
from milvus_native.transport.base import CANCELLED, DEADLINE_EXCEEDED, UNAVAILABLE, RpcError
from tests.servers import frames
from tests.servers.faulty import FaultServer, Gone, Peer, serve

from .lines import ANSWER, KINDS, METHOD, QUESTION, AsyncLine, Line, open_line

NATIVE = ("native-sync", "native-async")
REPLIES = {METHOD: ANSWER}


def until(condition: Callable[[], bool], line: Line | None = None) -> None:
    """Waits, with the line's loop running if it has one."""
    for _ in range(3000):
        if condition():
            return
        if isinstance(line, AsyncLine):
            line.run(asyncio.sleep(0.01))
        else:
            time.sleep(0.01)
    raise AssertionError("it did not happen within 30 s")


# --- connections that end between calls ---


def close_after_one(peer: Peer) -> None:
    peer.answer(peer.request())


def reset_after_one(peer: Peer) -> None:
    peer.answer(peer.request())
    peer.drain_some()
    peer.reset()


def goaway_after_one(peer: Peer) -> None:
    request = peer.request()
    peer.answer(request)
    peer.send(frames.goaway(request.stream))
    peer.drain()


def rude_goaway_after_one(peer: Peer) -> None:
    request = peer.request()
    peer.answer(request)
    peer.send(frames.goaway(request.stream, frames.ENHANCE_YOUR_CALM, b"too_many_pings"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "end", [close_after_one, reset_after_one, goaway_after_one, rude_goaway_after_one]
)
def test_connection_that_ended_while_idle(end: Any, kind: str) -> None:
    """The next call takes a new one, and nobody hears of it."""
    with FaultServer(end, serve, replies=REPLIES) as server, open_line(kind, server.uri) as line:
        assert line.call() == ANSWER
        if end is not goaway_after_one:
            until(lambda: server.open_connections == 0, line)
        time.sleep(0.05)
        assert line.call() == ANSWER
        assert server.count(METHOD) == 2
        assert server.connections == 2
        if kind in NATIVE:
            until(lambda: line.usage().open_connections == 1, line)


def test_all_idle_connections_ended() -> None:
    """A restarted server: none of the pool's connections is of use any more."""
    all_there, restart = threading.Barrier(8), threading.Event()

    def play(peer: Peer) -> None:
        request = peer.request()
        all_there.wait(30)
        peer.answer(request)
        restart.wait(30)

    with (
        FaultServer(*[play] * 8, serve, replies=REPLIES) as server,
        open_line("native-sync", server.uri) as line,
    ):
        assert line.call_many(8) == [ANSWER] * 8
        assert line.usage().open_connections == 8
        restart.set()
        until(lambda: server.open_connections == 0)
        for _ in range(10):
            assert line.call() == ANSWER
        assert server.connections == 9
        assert server.count(METHOD) == 18


# --- GOAWAY with calls under way ---


def test_goaway_among_many_calls() -> None:
    """Those up to the last stream are answered, those above it go elsewhere unasked."""

    def play(peer: Peer) -> None:
        peer.answer(peer.request())
        requests = [peer.request() for _ in range(10)]
        peer.send(frames.goaway(requests[4].stream))
        for request in requests[:5]:
            peer.answer(request)
        peer.drain()

    with (
        FaultServer(play, serve, replies=REPLIES) as server,
        open_line("native-async", server.uri) as line,
    ):
        line.call()
        results = line.call_many(10)
        answered = [result for result in results if result == ANSWER]
        refused = [result for result in results if isinstance(result, RpcError)]
        assert len(answered) + len(refused) == 10
        assert len(answered) >= 5
        # Those that the transport has not sent again by itself were not seen, it says.
        assert all(error.code == UNAVAILABLE and not error.sent for error in refused)
        assert line.call() == ANSWER
        assert server.connections == 2
        until(lambda: line.usage().open_connections == 1, line)


@pytest.mark.parametrize("kind", NATIVE)
def test_calls_go_on_beside_a_draining_connection(kind: str) -> None:
    drained, release = threading.Event(), threading.Event()

    def play(peer: Peer) -> None:
        request = peer.request()
        peer.send(frames.goaway(request.stream))
        drained.set()
        release.wait(30)
        peer.answer(request)
        peer.drain()

    with FaultServer(play, serve, replies=REPLIES) as server, open_line(kind, server.uri) as line:
        if isinstance(line, AsyncLine):

            async def main() -> None:
                def call() -> Any:
                    return line.transport.unary(METHOD, QUESTION, timeout=30, metadata=())

                slow = asyncio.ensure_future(call())
                while not drained.is_set():
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.05)
                assert await call() == ANSWER
                assert not slow.done()
                release.set()
                assert await slow == ANSWER

            line.run(main())
        else:
            results: list[Any] = []
            slow = threading.Thread(target=lambda: results.append(line.call()))
            slow.start()
            drained.wait(30)
            assert line.call() == ANSWER
            assert not results
            release.set()
            slow.join(30)
            assert results == [ANSWER]
        assert server.connections == 2
        assert server.count(METHOD) == 2


# --- refused streams ---


@pytest.mark.parametrize("kind", NATIVE)
def test_server_that_refuses_for_ever(kind: str) -> None:
    """The transport does not knock without end: that is for those who can wait in between."""

    def play(peer: Peer) -> None:
        peer.answer(peer.request())
        while True:
            peer.send(frames.rst_stream(peer.request().stream, frames.REFUSED_STREAM))

    with FaultServer(play, replies=REPLIES) as server, open_line(kind, server.uri) as line:
        assert line.call() == ANSWER
        with pytest.raises(RpcError) as caught:
            line.call()
        assert (caught.value.code, caught.value.sent) == (UNAVAILABLE, False)
        assert server.count(METHOD) <= 4
        assert server.connections == 1


# --- PING ---


@pytest.mark.parametrize("kind", NATIVE)
def test_pings_of_the_server_are_answered(kind: str) -> None:
    def play(peer: Peer) -> None:
        request = peer.request()
        for i in range(50):
            peer.send(frames.ping(b"%08d" % i))
        for i in range(50):
            answer = peer.until(frames.PING)
            assert answer.flags == frames.ACK
            assert answer.payload == b"%08d" % i
        peer.answer(request)
        peer.serve()

    with FaultServer(play, replies=REPLIES) as server, open_line(kind, server.uri) as line:
        assert line.call() == ANSWER


def pings(peer: Peer) -> int:
    return sum(f.type == frames.PING and not f.flags & frames.ACK for f in peer.received)


@pytest.mark.parametrize("kind", NATIVE)
def test_no_storm_of_pings(kind: str) -> None:
    """A long call at an eager keepalive: no more than a server with gRPC's policy allows."""

    def play(peer: Peer) -> None:
        request = peer.request()
        end = time.monotonic() + 1.5
        peer.sock.settimeout(0.05)
        while time.monotonic() < end:
            try:
                peer.read()
            except Gone:
                continue
        peer.sock.settimeout(30)
        assert 1 <= pings(peer) <= 3
        peer.answer(request)
        peer.drain()

    options = {"grpc_options": {"grpc.keepalive_time_ms": 50, "grpc.keepalive_timeout_ms": 20000}}
    with (
        FaultServer(play, replies=REPLIES) as server,
        open_line(kind, server.uri, **options) as line,
    ):
        assert line.call() == ANSWER


@pytest.mark.parametrize("kind", NATIVE)
def test_silent_server_is_found_out(kind: str) -> None:
    """A call without a deadline, to a server that is gone without a word."""

    def play(peer: Peer) -> None:
        peer.answers_pings = False
        peer.request()
        peer.drain()

    options = {"grpc_options": {"grpc.keepalive_time_ms": 100, "grpc.keepalive_timeout_ms": 200}}
    with FaultServer(play) as server, open_line(kind, server.uri, **options) as line:
        with pytest.raises(RpcError, match="PING") as caught:
            line.call(timeout=None)
        assert (caught.value.code, caught.value.sent) == (UNAVAILABLE, True)
        until(lambda: server.open_connections == 0, line)


# The event loop's transport looks at the clock when a PING may be due.
SOON_IDLE = {"grpc_options": {"grpc.keepalive_time_ms": 50}}


@pytest.mark.parametrize("kind", NATIVE)
def test_silent_connection_is_not_used_again(kind: str) -> None:
    """After one call that ran out of time in silence. What waits on it still may be answered."""
    another = threading.Event()

    def play(peer: Peer) -> None:
        if peer.number == 0:
            peer.answer(peer.request())
            peer.replenishes = False  # not a byte
            if kind == "native-async":
                patient = peer.request()
                another.wait(30)
                peer.answer(patient)
            peer.drain()
        else:
            peer.serve()

    with FaultServer(play, replies=REPLIES) as server, open_line(kind, server.uri) as line:
        assert line.call() == ANSWER
        if isinstance(line, AsyncLine):
            call = line.transport.unary(METHOD, QUESTION, timeout=30, metadata=())
            patient = line.loop.create_task(call)
        with pytest.raises(RpcError) as caught:
            line.call(timeout=0.3)
        assert caught.value.code == DEADLINE_EXCEEDED
        assert line.call() == ANSWER
        assert server.connections == 2
        another.set()
        if isinstance(line, AsyncLine):
            assert line.loop.run_until_complete(patient) == ANSWER
        until(lambda: line.usage().open_connections == 1, line)


@pytest.mark.parametrize("kind", NATIVE)
def test_idle_connection_is_asked_before_use(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (native_sync, native_aio):
        monkeypatch.setattr(module, "IDLE_CHECK", 0.0)
    with (
        FaultServer(serve, replies=REPLIES) as server,
        open_line(kind, server.uri, **SOON_IDLE) as line,
    ):
        for _ in range(3):
            assert line.call() == ANSWER
            if isinstance(line, AsyncLine):
                line.run(asyncio.sleep(0.3))
        assert server.connections == 1
        until(lambda: pings(server.peers[0]) >= 1, line)


@pytest.mark.parametrize("kind", NATIVE)
def test_idle_connection_that_is_dead(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A firewall has forgotten it, and nothing comes back. The call is not sent there."""
    for module in (native_sync, native_aio):
        monkeypatch.setattr(module, "IDLE_CHECK", 0.0)
        monkeypatch.setattr(module, "IDLE_ANSWER", 0.2)

    def fall_silent(peer: Peer) -> None:
        peer.answer(peer.request())
        peer.answers_pings = False
        peer.drain()

    with (
        FaultServer(fall_silent, serve, replies=REPLIES) as server,
        open_line(kind, server.uri, **SOON_IDLE) as line,
    ):
        assert line.call() == ANSWER
        if isinstance(line, AsyncLine):
            line.run(asyncio.sleep(0.3))
        assert line.call() == ANSWER
        assert server.connections == 2
        assert server.count(METHOD) == server.count_begun(METHOD) == 2


# --- cancelling, closing ---


def test_cancelled_call_resets_its_stream() -> None:
    def play(peer: Peer) -> None:
        peer.answer(peer.request())
        request = peer.request()
        reset = peer.until(frames.RST_STREAM)
        assert (reset.stream, reset.number) == (request.stream, frames.CANCEL)
        # An answer that crosses with the reset bothers nobody.
        peer.answer(request)
        peer.serve()

    with (
        FaultServer(play, replies=REPLIES) as server,
        open_line("native-async", server.uri) as line,
    ):
        line.call()

        async def main() -> None:
            def call() -> Any:
                return line.transport.unary(METHOD, QUESTION, timeout=30, metadata=())

            task = asyncio.ensure_future(call())
            while server.count(METHOD) < 2:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await call() == ANSWER

        line.run(main())
        assert server.connections == 1
        assert server.count(METHOD) == 3


def test_storm_of_cancelled_calls() -> None:
    """Calls cancelled at every moment of their lives leave nothing behind."""
    with (
        FaultServer(serve, replies=REPLIES) as server,
        open_line("native-async", server.uri) as line,
    ):

        async def main() -> int:
            answered = 0
            for turns in range(40):
                tasks = [
                    asyncio.ensure_future(
                        line.transport.unary(METHOD, QUESTION, timeout=30, metadata=())
                    )
                    for _ in range(50)
                ]
                for _ in range(turns % 8):
                    await asyncio.sleep(0)
                for task in tasks[:: 1 + turns % 2]:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
                answered += results.count(ANSWER)
                assert all(
                    result == ANSWER or isinstance(result, asyncio.CancelledError)
                    for result in results
                )
            return answered

        assert line.run(main()) >= 500
        assert line.call() == ANSWER
        assert line.usage().open_connections <= 2
        [channel] = line.transport._channels
        assert channel.rpc.open_calls == 0


def test_cancelled_while_dialling() -> None:
    """Others who wait for the same connection get it."""
    with (
        FaultServer(serve, replies=REPLIES) as server,
        open_line("native-async", server.uri) as line,
    ):

        async def main() -> None:
            tasks = [
                asyncio.ensure_future(
                    line.transport.unary(METHOD, QUESTION, timeout=30, metadata=())
                )
                for _ in range(5)
            ]
            await asyncio.sleep(0)
            tasks[0].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(results[0], asyncio.CancelledError)
            assert results[1:] == [ANSWER] * 4

        line.run(main())
        assert server.connections == 1


@pytest.mark.parametrize("kind", NATIVE)
def test_closing_ends_calls_under_way(kind: str) -> None:
    with FaultServer(lambda peer: peer.drain()) as server, open_line(kind, server.uri) as line:
        if isinstance(line, AsyncLine):

            async def main() -> Any:
                task = asyncio.ensure_future(
                    line.transport.unary(METHOD, QUESTION, timeout=30, metadata=())
                )
                while server.count(METHOD) < 1:
                    await asyncio.sleep(0.01)
                await line.transport.close()
                with pytest.raises(RpcError) as caught:
                    await task
                return caught.value

            error = line.run(main())
        else:
            errors: list[Any] = []

            def work() -> None:
                try:
                    line.call()
                except RpcError as error:
                    errors.append(error)

            thread = threading.Thread(target=work)
            thread.start()
            until(lambda: server.count(METHOD) == 1)
            line.close()
            thread.join(30)
            [error] = errors
        assert error.code in (UNAVAILABLE, CANCELLED)
        until(lambda: server.open_connections == 0, line)
        assert line.usage().open_connections == 0
        with pytest.raises(RpcError, match="closed"):
            line.call()
        line.close()


@pytest.mark.parametrize("kind", NATIVE)
def test_closed_in_the_moment_of_connecting(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the connection is there already, and not yet among those that are closed."""
    with FaultServer(lambda peer: peer.drain()) as server, open_line(kind, server.uri) as line:
        if isinstance(line, AsyncLine):

            async def main() -> None:
                transport: Any = line.transport
                task = asyncio.ensure_future(
                    transport.unary(METHOD, QUESTION, timeout=30, metadata=())
                )
                while transport._dialling is None or not transport._dialling.done():
                    await asyncio.sleep(0)
                await transport.close()
                await task

            with pytest.raises(RpcError, match="closed"):
                line.run(main())
        else:
            dial = native_sync.dial

            def dial_and_close(*args: Any) -> Any:
                wire = dial(*args)
                line.close()
                return wire

            monkeypatch.setattr(native_sync, "dial", dial_and_close)
            with pytest.raises(RpcError, match="closed"):
                line.call()
        assert line.usage().open_connections == 0
        until(lambda: server.open_connections == 0, line)


def test_interrupted_while_the_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is closed, rather than found unclosed by the collector."""
    monkeypatch.setattr(native_sync, "IDLE_CHECK", 0.0)
    with (
        FaultServer(serve, replies=REPLIES) as server,
        open_line("native-sync", server.uri) as line,
    ):
        assert line.call() == ANSWER
        [connection] = line.transport._all
        wire = connection.wire

        class Interrupted:
            rpc = wire.rpc
            sock = wire.sock

            def exchange(self, timeout: float | None) -> Any:
                raise KeyboardInterrupt

        connection.wire = Interrupted()
        with pytest.raises(KeyboardInterrupt):
            line.call()
        assert wire.sock.fileno() < 0
        assert line.usage().calls == 1
        assert line.call() == ANSWER


class Short:
    """A wire that finds no memory a few times."""

    def __init__(self, wire: Any) -> None:
        self._wire = wire
        self.sock = wire.sock
        self.finished = wire.finished
        self.left = 3

    def pump(self, receive: bool) -> Any:
        if self.left:
            self.left -= 1
            raise MemoryError
        return self._wire.pump(receive)


def test_want_of_memory_leaves_no_call_waiting() -> None:
    with (
        FaultServer(replies={METHOD: ANSWER}) as server,
        open_line("native-async", server.uri) as line,
    ):
        assert line.call() == ANSWER
        [channel] = line.transport._channels
        channel._wire = short = Short(channel._wire)
        assert line.call(timeout=None) == ANSWER
        assert short.left == 0
