"""The fault proxy does to a connection what its plan says, where it says so."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.servers import fault_proxy
from tests.servers.fault_proxy import (
    ALL,
    CLOSE,
    HALF_CLOSE,
    HOLD,
    REFUSE,
    RESET,
    SLOW,
    TO_CLIENT,
    TO_SERVER,
    Fault,
    FaultProxy,
    always,
    mixture,
)

SAID = random.Random(1).randbytes(100_000)
CUT = 70_000


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that says what it is told, up to the end."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(sock: socket.socket) -> None:
        with sock, suppress(OSError):
            while data := sock.recv(4096):
                sock.sendall(data)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def converse(port: int) -> tuple[bytes, bool]:
    """What comes back of SAID, and whether the connection ended with a reset."""
    heard, reset = bytearray(), False
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:

        def say() -> None:
            with suppress(OSError):
                sock.sendall(SAID)
                sock.shutdown(socket.SHUT_WR)

        speaker = threading.Thread(target=say)
        speaker.start()
        try:
            while data := sock.recv(4096):
                heard += data
        except ConnectionResetError:
            reset = True
        speaker.join()
    return bytes(heard), reset


def wait_until_let_in(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port)).close()
        time.sleep(0.05)
    raise AssertionError("nobody listens any more")


def test_nothing_happens(echo: int) -> None:
    with FaultProxy(echo) as proxy:
        assert converse(proxy.port) == (SAID, False)
        assert not proxy.struck


@pytest.mark.parametrize("direction", [TO_SERVER, TO_CLIENT])
@pytest.mark.parametrize("kind", ALL)
def test_one_fault(echo: int, kind: str, direction: str) -> None:
    seconds = 3.0 if kind == REFUSE else 0.3
    with FaultProxy(echo, always(Fault(kind, direction, CUT, seconds)), budget=1) as proxy:
        started = time.monotonic()
        heard, reset = converse(proxy.port)
        taken = time.monotonic() - started
        assert proxy.struck == {kind: 1}
        assert SAID.startswith(heard)
        if kind in (HOLD, SLOW):
            assert (heard, reset) == (SAID, False)
            assert taken >= 0.3
        elif direction == TO_CLIENT and kind in (CLOSE, HALF_CLOSE):
            assert len(heard) == CUT
        elif direction == TO_SERVER and kind == HALF_CLOSE:
            assert (len(heard), reset) == (CUT, False)
        else:
            assert len(heard) <= CUT
        if kind == REFUSE:
            with pytest.raises(ConnectionRefusedError):
                converse(proxy.port)
            wait_until_let_in(proxy.port)
        assert converse(proxy.port) == (SAID, False)  # the budget is spent
        assert proxy.struck == {kind: 1}


def test_calm(echo: int) -> None:
    """Ends what is under way, too."""
    with FaultProxy(echo, always(Fault(HOLD, TO_SERVER, CUT, 1000))) as proxy:
        timer = threading.Timer(0.2, proxy.calm)
        timer.start()
        assert converse(proxy.port) == (SAID, False)
        timer.join()


def test_drop(echo: int) -> None:
    with FaultProxy(echo) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        proxy.drop()
        assert sock.recv(1) == b""
        assert converse(proxy.port) == (SAID, False)


def test_plans_follow_from_the_seed() -> None:
    plan = mixture(ALL)
    one, other = ([plan(random.Random(f"7:{i}")) for i in range(500)] for _ in range(2))
    assert one == other
    assert (
        {fault.kind for fault in one if fault}
        == set(ALL)
        == {*(RESET, CLOSE, HALF_CLOSE, HOLD, SLOW, REFUSE)}
    )
    assert {fault.direction for fault in one if fault} == {TO_SERVER, TO_CLIENT}
    assert fault_proxy.SLOW_PIECE < fault_proxy.CHUNK
