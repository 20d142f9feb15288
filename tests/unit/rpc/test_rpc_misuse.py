"""What an RpcConnection makes of wrong arguments and of two threads at once: an error that says so,
and a connection that is as it was."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from milvus_native._core import RpcConnection
from tests.servers import frames

from .conversation import begin, connect

USES: dict[str, Callable[[RpcConnection], Any]] = {
    "submit": lambda c: c.submit("/s/M", b"x", None, None, None),
    "cancel": lambda c: c.cancel(1, 1, "over"),
    "data_to_send": lambda c: c.data_to_send(),
    "receive": lambda c: c.receive(b""),
    "exchange": lambda c: c.exchange(0, 0.0),
    "pump": lambda c: c.pump(0, True),
    "finished": lambda c: c.finished(),
    "lost": lambda c: c.lost("over"),
    "tick": lambda c: c.tick(),
    "ping": lambda c: c.ping(),
    **{
        name: lambda c, name=name: getattr(c, name)
        for name in ("accepts", "closed", "error", "free_streams", "open_calls", "settings_came")
    },
    "goaway_code": lambda c: c.goaway_code,
    "pings_answered": lambda c: c.pings_answered,
}


def test_two_threads_at_once() -> None:
    connection = connect()
    begin(connection)
    here, there = socket.socketpair()
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.extend(connection.exchange(here, None)))
    with here, there:
        thread.start()
        assert there.recv(10)  # it is on its way
        for use in USES.values():
            with pytest.raises(RuntimeError, match="used by two threads at once"):
                use(connection)
        gc.collect()  # which looks at the connection, too
        assert connection.bytes_sent >= len(frames.PREFACE)  # any thread may read the counters
        there.sendall(frames.reply(1, b"answer"))
        thread.join(60)
    assert [result[4] for result in results] == [b"answer"]
    assert connection.open_calls == 0


@pytest.mark.parametrize(
    "options",
    [
        {"window": 0},
        {"window": 2**31},
        {"send_batch": 0},
        {"max_message": -1},
        {"max_message": 2**31},
        {"max_header_list": 0},
        {"keepalive_time": "x"},
        {"keepalive_timeout": []},
        {"unknown": 1},
    ],
    ids=repr,
)
def test_wrong_options(options: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        RpcConnection("localhost:19530", "http", "test/1", **options)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("submit", ("/s/M", b"x", None, None)),
        ("submit", (5, b"x", None, None, None)),
        ("submit", ("/s\ud800", b"x", None, None, None)),
        ("submit", ("/s/M", 5, None, None, None)),
        ("submit", ("/s/M", [b"x", 5], None, None, None)),
        ("submit", ("/s/M", b"x", 5, None, None)),
        ("submit", ("/s/M", b"x", [5], None, None)),
        ("submit", ("/s/M", b"x", [("a", 5)], None, None)),
        ("submit", ("/s/M", b"x", [(5, "b")], None, None)),
        ("submit", ("/s/M", b"x", [("a",)], None, None)),
        ("submit", ("/s/M", b"x", None, "soon", None)),
        ("submit", ("/s/M", b"x", None, float("nan"), None)),
        ("cancel", (1, 1)),
        ("cancel", ("x", 1, "text")),
        ("cancel", (1, "x", "text")),
        ("cancel", (1, 1, 5)),
        ("cancel", (1, 0, "text")),
        ("cancel", (1, 17, "text")),
        ("cancel", (1, 2**70, "text")),
        ("receive", (5,)),
        ("receive", ("text",)),
        ("lost", (5,)),
        ("lost", ("\ud800",)),
        ("exchange", (0,)),
        ("exchange", (-1, None)),
        ("exchange", ("x", None)),
        ("exchange", (0, "soon")),
        ("pump", (0,)),
        ("pump", (-1, True)),
        ("pump", ("x", True)),
    ],
    ids=repr,
)
def test_wrong_arguments(method: str, arguments: tuple[Any, ...]) -> None:
    connection = connect()
    assert begin(connection) == 1
    with pytest.raises((TypeError, ValueError, OverflowError)):
        getattr(connection, method)(*arguments)
    assert connection.open_calls == 1
    while connection.data_to_send():
        pass
    assert [result[4] for result in connection.receive(frames.reply(1, b"answer"))] == [b"answer"]


def test_arguments_whose_own_code_fails() -> None:
    class Interrupt(BaseException):
        pass

    class Hostile:
        def fileno(self) -> int:
            raise Interrupt

        def __float__(self) -> float:
            raise Interrupt

        def __iter__(self) -> Any:
            raise Interrupt

        def __bool__(self) -> bool:
            raise Interrupt

    hostile: Any = Hostile()
    connection = connect()
    for call in (
        lambda: connection.submit("/s/M", b"x", hostile, None, None),
        lambda: connection.submit("/s/M", b"x", None, hostile, None),
        lambda: connection.exchange(hostile, None),
        lambda: connection.exchange(0, hostile),
        lambda: connection.pump(hostile, True),
        lambda: connection.pump(0, hostile),
    ):
        with pytest.raises(Interrupt):
            call()
    assert connection.open_calls == 0
    assert begin(connection) == 1


def test_a_descriptor_that_is_none() -> None:
    """A closed one: the connection is lost, and its call says so."""
    here, there = socket.socketpair()
    there.close()
    fd = here.detach()
    socket.close(fd)
    for use in (lambda c: c.exchange(fd, 1.0), lambda c: c.pump(fd, True)[0]):
        connection = connect()
        begin(connection)
        try:
            results = use(connection)
        except OSError:
            continue
        assert [result[1] for result in results] == [14] or connection.closed
