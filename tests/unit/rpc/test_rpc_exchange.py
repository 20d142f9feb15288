"""RpcConnection.exchange: the I/O of a blocking caller, on a pair of sockets."""

from __future__ import annotations

import _thread
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from milvus_native._core import RpcConnection
from tests.servers import frames

from .conversation import begin, body_of


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with closing(ours), closing(theirs):
        yield ours, theirs


def exchange_all(connection: RpcConnection, ours: socket.socket) -> list[Any]:
    """What exchange() gives after it has come back for the server's settings."""
    assert connection.exchange(ours, 20) == []
    assert connection.settings_came
    return connection.exchange(ours, 20)


def test_exchange(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    connection = RpcConnection("a", "http", "test/1")
    begin(connection, tag="tag")
    theirs.sendall(frames.settings())
    assert connection.exchange(ours, 5) == []  # back for the settings
    assert connection.settings_came
    assert connection.exchange(ours, 0) == []
    theirs.sendall(frames.reply(1, b"answer"))
    assert connection.exchange(ours, 5) == [("tag", 0, None, None, b"answer", True)]
    sent = theirs.recv(65536)
    assert sent.startswith(frames.PREFACE)
    assert frames.message(b"question") in sent
    assert connection.bytes_sent >= len(sent)


def test_exchange_of_bulk(pair: tuple[socket.socket, socket.socket]) -> None:
    """More than the socket's buffers hold, both ways at once."""
    ours, theirs = pair
    question, answer = os.urandom(3_000_000), os.urandom(5_000_000)
    connection = RpcConnection("a", "http", "test/1")
    received = bytearray()

    def server() -> None:
        window = {frames.INITIAL_WINDOW_SIZE: 1 << 26}
        theirs.sendall(frames.settings(window) + frames.window_update(0, 1 << 26))
        while len(received) < len(question) + 5:
            received.extend(theirs.recv(1 << 20))
        theirs.sendall(frames.reply(1, answer))

    thread = threading.Thread(target=server)
    thread.start()
    begin(connection, question, tag="tag")
    [result] = exchange_all(connection, ours)
    thread.join()
    assert result[4] == answer
    assert body_of(frames.parse(bytes(received[len(frames.PREFACE) :]))[0], 1).startswith(
        frames.message(question)[:2_900_000]
    )


def test_exchange_gives_up_in_time(pair: tuple[socket.socket, socket.socket]) -> None:
    connection = RpcConnection("a", "http", "test/1")
    connection.submit("/s/m", b"", None, 0.05, "tag")
    started = time.monotonic()
    assert connection.exchange(pair[0], None) == [("tag", 4, "Deadline Exceeded", None, None, True)]
    assert time.monotonic() - started >= 0.05
    assert connection.exchange(pair[0], 0.01) == []


def test_exchange_with_a_lost_server(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    connection = RpcConnection("a", "http", "test/1")
    begin(connection, tag="tag")
    theirs.close()
    [(tag, code, text, _, _, sent)] = connection.exchange(ours, 5)
    assert (tag, code, sent) == ("tag", 14, False)
    assert "closed the connection" in text
    assert connection.closed
    assert connection.exchange(ours, None) == []


def test_exchange_reads_the_reason_before_it_fails(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    connection = RpcConnection("a", "http", "test/1")
    begin(connection, tag="tag")
    theirs.sendall(frames.settings() + frames.goaway(0, frames.ENHANCE_YOUR_CALM, b"go away"))
    theirs.close()
    [(tag, code, text, *_)] = connection.exchange(ours, 5)
    assert (tag, code) == ("tag", 14)
    assert "go away" in text


def test_exchange_returns_for_a_ping(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    connection = RpcConnection("a", "http", "test/1")
    connection.ping()
    theirs.sendall(frames.settings() + frames.ping(bytes(8), ack=True))
    assert connection.exchange(ours, 5) == []
    assert connection.pings_answered == 1


def test_exchange_is_interrupted(pair: tuple[socket.socket, socket.socket]) -> None:
    connection = RpcConnection("a", "http", "test/1")
    begin(connection)

    def handler(*_: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGUSR1, handler)
    timer = threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGUSR1])
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            connection.exchange(pair[0], 10)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, previous)
    assert connection.open_calls == 1


@pytest.mark.parametrize("blocking", [False, True])
def test_exchange_hears_of_a_signal_that_came_before(
    pair: tuple[socket.socket, socket.socket], blocking: bool
) -> None:
    """One that came just before a system call does not interrupt it; it is handled all the same."""
    connection = RpcConnection("a", "http", "test/1", keepalive_time=None)
    connection.submit("/service/Method", b"question", None, None, None)
    pair[0].setblocking(blocking)

    def handler(*_: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGUSR1, handler)
    # Notes the signal as its C handler does, and interrupts nothing.
    timer = threading.Timer(0.05, _thread.interrupt_main, [signal.SIGUSR1])
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            connection.exchange(pair[0], None)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, previous)


@pytest.mark.parametrize("blocking", [False, True])
def test_exchange_hears_of_a_signal_amid_a_trickle(
    pair: tuple[socket.socket, socket.socket], blocking: bool
) -> None:
    """Bytes that come now and then, of a long reply say, do not put off its handling for ever."""
    ours, theirs = pair
    connection = RpcConnection("a", "http", "test/1", keepalive_time=None)
    connection.submit("/service/Method", b"question", None, None, None)
    ours.setblocking(blocking)
    theirs.sendall(frames.settings())
    assert connection.exchange(ours, 20) == []
    handled = threading.Event()
    given_up = False

    def handler(*_: object) -> None:
        handled.set()
        raise KeyboardInterrupt

    def server() -> None:
        nonlocal given_up
        _thread.interrupt_main(signal.SIGUSR1)  # interrupts no system call
        by = time.monotonic() + 60
        while not handled.wait(0.05):
            if time.monotonic() > by:
                given_up = True
                theirs.close()
                return
            theirs.sendall(frames.window_update(1, 1))

    previous = signal.signal(signal.SIGUSR1, handler)
    thread = threading.Timer(0.05, server)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            connection.exchange(ours, None)
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, previous)
    assert not given_up


def test_exchange_goes_on_after_a_signal(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    connection = RpcConnection("a", "http", "test/1")
    begin(connection, tag="tag")
    seen = []
    previous = signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))

    def server() -> None:
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.05)
        theirs.sendall(frames.settings() + frames.reply(1, b"answer"))

    thread = threading.Thread(target=server)
    try:
        thread.start()
        assert len(connection.exchange(ours, 10)) == 1
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, previous)
    assert seen == [1]
