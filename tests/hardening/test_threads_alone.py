"""Many threads on the core by itself: input that some of them change while others encode it, what
is not to be shared and what is, and calls.

It needs no package but pytest, and the program openssl, so that it runs where the others cannot be
had: on a free-threaded CPython, with nothing about that would switch the GIL on again
(tools/free_threaded.sh).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import subprocess
import sys
import sysconfig
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from milvus_native import _core
from milvus_native.config import ConnectionConfig
from milvus_native.transport.native_aio import NativeAioTransport
from milvus_native.transport.native_sync import NativeTransport
from tests.servers import frames
from tests.together import THREADS, together
from tests.wire import LENGTH, VARINT, delimited, read_varint, tag, varint

DIM = 4


def wire(number: int, value: int | bytes | str) -> bytes:
    """One field of a protobuf message."""
    if isinstance(value, int):
        return tag(number, VARINT) + varint(value)
    return tag(number, LENGTH) + delimited(value.encode() if isinstance(value, str) else value)


def fields(data: bytes) -> dict[int, list[Any]]:
    """The fields of a message that has only varints and bytes."""
    found: dict[int, list[Any]] = {}
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        assert key & 7 in (VARINT, LENGTH), key
        value: Any
        value, at = read_varint(data, at)
        if key & 7 == LENGTH:
            size, at = value, at + value
            value = data[at - size : at]
            assert len(value) == size
        found.setdefault(key >> 3, []).append(value)
    return found


def schema() -> _core.Schema:
    """id INT64, text VARCHAR, array ARRAY of INT32, vector FLOAT_VECTOR, sparse."""

    def field(number: int, name: str, kind: int, *more: bytes) -> bytes:
        return wire(4, wire(1, 100 + number) + wire(2, name) + wire(5, kind) + b"".join(more))

    def param(key: str, value: str) -> bytes:
        return wire(6, wire(1, key) + wire(2, value))

    described = wire(1, "things") + b"".join(
        [
            field(0, "id", 5, wire(3, 1)),
            field(1, "text", 21, param("max_length", "100")),
            field(2, "array", 22, wire(10, 4), param("max_capacity", "100")),
            field(3, "vector", 101, param("dim", str(DIM))),
            field(4, "sparse", 104),
        ]
    )
    return _core.Schema.from_reply(wire(1, b"") + wire(2, described) + wire(12, "things"))


SCHEMA = schema()


def check(request: bytes) -> None:
    """The message parses, and its columns are of the same number of rows."""
    message = fields(request)
    [rows] = message[7]
    assert len(message[5]) == 5
    for column in map(fields, message[5]):
        [name] = column[2]
        if name == b"vector":
            [[floats]] = [fields(v)[2] for v in column[4]]
            assert len(fields(floats)[1][0]) == 4 * DIM * rows
        elif name == b"sparse":
            [[vectors]] = [fields(v)[6] for v in column[4]]
            assert [len(row) % 8 for row in fields(vectors)[1]] == [0] * rows
        elif name == b"text":
            [[texts]] = [fields(s)[6] for s in column[3]]
            assert len([text.decode() for text in fields(texts)[1]]) == rows


def while_changed(change: Callable[[int], Any], encode: Callable[[], bytes]) -> list[bytes]:
    """What half of the threads made while the other half changed what it is made of. They may be
    refused: with an exception of pymilvus's, or what importing that comes to."""
    done = threading.Event()
    made: list[bytes] = []
    makers = threading.Barrier(THREADS // 2, action=done.set)

    def make() -> None:
        try:
            made.append(encode())
        except SystemError:
            raise
        except Exception:
            return

    def work(number: int) -> None:
        if number % 2 == 0:
            try:
                for _ in range(300):
                    make()
            finally:
                makers.wait()
        while not done.is_set():
            number += 1
            with contextlib.suppress(LookupError):  # another one was there before
                change(number)

    assert together(work) == []
    made.append(encode())
    return made


def test_the_lock_is_off() -> None:
    """Nothing that is imported here, or by that, switches the GIL on in a build without it."""
    free = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    assert getattr(sys, "_is_gil_enabled", lambda: True)() is not free


def test_rows_that_others_change() -> None:
    def row(i: int) -> dict[str, Any]:
        vectors = {"vector": [0.5, i, 1.5, 2], "sparse": {1: 0.5, i: 1.5}}
        return {"id": i, "text": f"né {i}", "array": [1] * (i % 5), **vectors}

    rows = [row(i) for i in range(10)]

    def change(number: int) -> None:
        changed = rows[number % len(rows)]
        changed["sparse"][number % 7] = number / 2
        changed["sparse"].pop(number % 7)
        changed["array"][:] = [number] * (number % 4)
        changed["vector"][number % DIM] = number / 2
        changed["vector"] = [number / 2] * DIM
        changed["id"] = number
        changed["text"] = f"né {number}"
        rows[number % len(rows)] = row(number)
        rows.append(rows.pop(0))

    def encode() -> bytes:
        return _core.encode_rows(SCHEMA, rows, collection_name="c")

    for request in while_changed(change, encode):
        check(request)


def test_columns_that_others_change() -> None:
    columns: dict[str, Any] = {
        "id": list(range(DIM)),
        "text": ["né"] * DIM,
        "array": [[1, 2]] * DIM,
        "vector": [[0.5] * DIM] * DIM,
        "sparse": [{1: 0.5}] * DIM,
    }

    def change(number: int) -> None:
        columns["id"] = [number + i for i in range(DIM)]
        columns["text"] = [f"né {number}"] * DIM
        columns["vector"] = [[number / 2] * DIM for _ in range(DIM)]
        columns["vector"][number % DIM] = [0.25] * DIM
        columns["sparse"][number % DIM] = {number: 0.5}

    def encode() -> bytes:
        return _core.encode_rows(SCHEMA, columns, collection_name="c")

    for request in while_changed(change, encode):
        check(request)


def test_searches_that_others_change() -> None:
    dense: list[Any] = [[0.5, 1.5, 2.5], [3.5, 4.5, 5.5]]
    sparse: list[Any] = [{1: 0.5, 2: 1.5}, [(3, 0.5), (4, 1.5)]]
    templates: dict[str, Any] = {"x": [1, 2, 3], "y": "a"}
    keys: list[Any] = [1, 2, 3]

    def change(number: int) -> None:
        dense[number % 2] = [number / 2] * 3
        dense[0][number % 3] = number / 2
        sparse[0][number] = 2.5
        del sparse[0][number]
        sparse[1][0] = (number, 3.5)
        templates["x"] = [number] * (number % 5)
        templates["z"] = str(number)
        del templates["z"]
        keys.append(number)
        keys.pop(0)

    def encode(data: list[Any]) -> bytes:
        dsl = _core.primary_key_expression("id", keys)
        return _core.encode_search(
            collection_name="c", dsl=dsl, data=data, params=[], templates=templates
        )

    for data in (dense, sparse):
        for request in while_changed(change, lambda data=data: encode(data)):  # type: ignore[misc]
            message = fields(request)
            assert message[12] == [2]
            assert message[5][0].startswith(b"id in [")


def test_one_encoder_is_for_one_caller() -> None:
    """Threads that share one by mistake get an error or the right bytes, never wrong ones."""
    row = {"id": 1, "text": "né", "array": [1], "vector": [0.5] * DIM, "sparse": {1: 0.5}}
    want = _core.encode_rows(SCHEMA, [row] * 50, collection_name="c")
    for _ in range(30):
        encoder = _core.RowEncoder(SCHEMA, [row] * 50, collection_name="c")

        def work(_: int, encoder: _core.RowEncoder = encoder) -> None:
            with contextlib.suppress(RuntimeError):
                while not encoder.step(50):
                    pass
            with contextlib.suppress(RuntimeError):
                assert encoder.finish() == want

        assert together(work) == []
        assert encoder.finish() == want


def test_one_connection_is_for_one_caller() -> None:
    """Threads that share one by mistake get an error or what they asked for, and nothing stays."""

    class Tag:
        pass

    for _ in range(10):
        connection = _core.RpcConnection("localhost:1", "http", "test/1")
        connection.receive(frames.settings())
        begun: list[Tag] = []
        ended: list[Any] = []

        def work(
            _: int,
            connection: _core.RpcConnection = connection,
            begun: list[Tag] = begun,
            ended: list[Any] = ended,
        ) -> None:
            for i in range(30):
                tag = Tag()
                with contextlib.suppress(RuntimeError):
                    call = connection.submit("/s/M", b"question", None, 5.0, tag)
                    begun.append(tag)
                    if i % 2:
                        connection.cancel(call, 1, "no")
                    connection.data_to_send()
                with contextlib.suppress(RuntimeError):
                    ended += [result[0] for result in connection.finished()]
                assert connection.bytes_received > 0

        assert together(work) == []
        connection.lost("over")
        ended += [result[0] for result in connection.finished()]
        assert len(ended) == len(set(ended))
        assert set(ended) <= set(begun)
        tags = [weakref.ref(tag) for tag in begun]
        begun.clear()
        ended.clear()
        del connection, work
        gc.collect()
        assert not [tag for tag in tags if tag() is not None]


def test_one_cache_in_all_threads() -> None:
    cache = _core.SchemaCache(capacity=8)

    def work(number: int) -> None:
        for i in range(500):
            key = ("c", (number * 7 + i) % 20)
            cache.put(key, SCHEMA, cache.generation())
            assert cache.get(key) in (None, SCHEMA)
            if i % 10 == 0:
                cache.invalidate(key)
                cache.configure(capacity=4 + i % 5)
            if i % 50 == 0:
                cache.invalidate_if(lambda k, s: k[1] == 3)
                cache.clear()
            assert cache.stats()["entries"] <= 8

    assert together(work) == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate of 127.0.0.1, that of its own authority, and its key."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=test"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "-", "-out", "-"),
        ],
        capture_output=True,
        check=True,
    )
    path.write_bytes(made.stdout)
    return path


class Echo:
    """A server that answers each call with its own message; over TLS if it has a certificate."""

    def __init__(self, certificate: Path | None = None) -> None:
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
            self._tls.set_alpn_protocols(["h2"])
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        threading.Thread(target=self._accept, daemon=True).start()
        address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        options: dict[str, Any] = {}
        if certificate is not None:
            options = {"secure": True, "server_pem_path": str(certificate)}
        self.config = ConnectionConfig(
            f"http://{address}", address, handler_kwargs=tuple(options.items())
        )

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        rest, bodies = b"", dict[int, bytes]()
        with contextlib.suppress(OSError):
            if self._tls is not None:
                peer = self._tls.wrap_socket(peer, server_side=True)
        with peer, contextlib.suppress(OSError):
            peer.sendall(frames.settings())
            while data := peer.recv(1 << 16):
                rest = (rest + data).removeprefix(frames.PREFACE)
                parsed, rest = frames.parse(rest)
                for frame in parsed:
                    if frame.type != frames.DATA:
                        continue
                    peer.sendall(frames.window_update(0, max(len(frame.payload), 1)))
                    bodies[frame.stream] = bodies.get(frame.stream, b"") + frame.payload
                    if frame.flags & frames.END_STREAM:
                        peer.sendall(frames.reply(frame.stream, bodies.pop(frame.stream)[5:]))

    def close(self) -> None:
        self._listener.close()


def question(number: int, i: int) -> bytes:
    return f"{number} {i} ".encode() * (1 + i * 20 % 3000)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_one_transport_in_all_threads(secure: bool, certificate: Path) -> None:
    server = Echo(certificate if secure else None)
    transport = NativeTransport(server.config)

    def work(number: int) -> None:
        for i in range(100):
            request = question(number, i)
            assert transport.unary("Search", request, timeout=60, metadata=()) == request

    assert together(work) == []
    usage = transport.usage()
    assert usage.calls == THREADS * 100
    transport.close()
    server.close()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_a_loop_in_each_thread(secure: bool, certificate: Path) -> None:
    """Whose transports are asked what they have done, and ended, by other threads."""
    server = Echo(certificate if secure else None)
    transports: list[NativeAioTransport] = []

    async def call(transport: NativeAioTransport, number: int, first: int) -> None:
        for i in range(first, first + 10):
            request = question(number, i)
            assert await transport.unary("Search", request, timeout=60, metadata=()) == request

    async def main(number: int) -> None:
        transport = NativeAioTransport(server.config)
        transports.append(transport)
        await asyncio.gather(*(call(transport, number, 10 * i) for i in range(10)))

    def work(number: int) -> None:
        asyncio.run(main(number))
        for transport in transports.copy():
            assert transport.usage().calls <= 100

    assert together(work) == []
    assert [transport.usage().calls for transport in transports] == [100] * THREADS
    for transport in transports:
        transport.drop()
        assert transport.usage().open_connections == 0
    server.close()
