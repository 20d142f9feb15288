"""A gRPC server that misbehaves as told: what happens on a connection is a script's doing.

    def refuse(peer: Peer) -> None:
        request = peer.serve(until="Search")
        peer.send(frames.rst_stream(request.stream, frames.REFUSED_STREAM))
        peer.serve()

    with FaultServer(refuse) as server:
        MilvusClient(server.uri).search(...)
        assert server.count("Search") == 2

A script runs in a thread of its own for each connection. What it reads is recorded frame by frame;
SETTINGS and PING are acknowledged and windows replenished on the way, unless it says otherwise.
It may leave when it likes: the connection is closed then. An AssertionError of a script is raised
in the test, when the server is closed.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import hpack

from milvus_native.transport.base import SERVICE

from . import frames
from .frames import Frame

PATIENCE = 60.0  # seconds that a script waits for bytes before it gives the client up


class Gone(Exception):
    """The client has closed the connection, or says nothing."""


class Request:
    """A call on its way in."""

    def __init__(self, stream: int, pairs: list[tuple[str, str]]) -> None:
        self.stream = stream
        self.pairs = pairs
        self.headers = dict(pairs)
        self.method = self.headers[":path"].removeprefix(SERVICE)
        self.data = bytearray()
        self.ended = False

    @property
    def body(self) -> bytes:
        """The message. AssertionError unless all of it has come, framed as gRPC says."""
        flag, size = struct.unpack(">BI", self.data[:5])
        assert self.ended
        assert flag == 0
        assert len(self.data) == 5 + size
        return bytes(self.data[5:])


class Peer:
    """The server's end of one connection, as scripts see it."""

    def __init__(self, server: FaultServer, sock: Any, number: int) -> None:
        self.server = server
        self.number = number  # 0 for the server's first connection
        self.sock = sock
        self.answers_pings = True
        self.acknowledges = True  # SETTINGS
        self.replenishes = True  # windows, as data comes
        self.received: list[Frame] = []
        self.requests: dict[int, Request] = {}  # by stream; those that are not reset
        self.ready: list[Request] = []  # complete, not handed out
        self._greeted = False
        self._buffer = b""
        self._decoder = hpack.Decoder()
        self._block = b""

    # speaking

    def send(self, *pieces: bytes) -> None:
        """Raises Gone when the client is not there any more."""
        try:
            self.sock.sendall(b"".join(pieces))
        except OSError as error:
            raise Gone from error

    def send_slowly(self, data: bytes, *cuts: int, pause: float = 0.02) -> None:
        """`data` cut at these places, with a pause at each."""
        for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
            self.send(data[start:end])
            time.sleep(pause)

    def reset(self) -> None:
        """Ends the TCP connection with RST."""
        sock = self.sock
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def close(self) -> None:
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def greet(self, settings: dict[int, int] | None = None) -> None:
        """Reads the client's preface and sends the server's, which is its SETTINGS."""
        self._greeted = True
        self._read_preface()
        self.send(frames.settings(settings))

    def greet_silently(self) -> None:
        """The same, but the script sends the SETTINGS itself."""
        self._greeted = True
        self._read_preface()

    def answer(self, request: Request) -> None:
        """What the server's replies say, or UNIMPLEMENTED."""
        self.send(self.server.answer_to(request))

    # listening

    def serve(self, until: str | None = None) -> Request:
        """Answers calls: for good, or up to a call of this method, which it returns."""
        while True:
            request = self.request()
            if request.method == until:
                return request
            self.answer(request)

    def request(self) -> Request:
        """The next call, once all of it has come."""
        while not self.ready:
            self.read()
        return self.ready.pop(0)

    def begun(self, method: str) -> Request:
        """The next call of `method` whose headers have come. Others are answered."""
        while True:
            self._serve_ready()
            for request in self.requests.values():
                if request.method == method:
                    return request
            self.read()

    def until(self, kind: int) -> Frame:
        """Reads up to the next frame of this type."""
        while True:
            frame = self.read()
            if frame.type == kind:
                return frame

    def drain(self) -> None:
        """Reads until the client has closed the connection."""
        with suppress(Gone):
            while True:
                self.read()

    def drain_some(self, seconds: float = 0.1) -> None:
        """Reads for so long. Frames that are cut off by the end of it are lost."""
        self.sock.settimeout(seconds)
        self.drain()
        self.sock.settimeout(PATIENCE)

    def read(self) -> Frame:
        """One frame."""
        if not self._greeted:
            self.greet()
        while True:
            parsed, _ = frames.parse(self._buffer[: 9 + int.from_bytes(self._buffer[:3], "big")])
            if parsed:
                break
            self._read()
        frame = parsed[0]
        self._buffer = self._buffer[9 + len(frame.payload) :]
        self.received.append(frame)
        self._take(frame)
        return frame

    def _read_preface(self) -> None:
        size = len(frames.PREFACE)
        while len(self._buffer) < size:
            self._read()
        assert self._buffer[:size] == frames.PREFACE
        self._buffer = self._buffer[size:]

    def _serve_ready(self) -> None:
        while self.ready:
            self.answer(self.ready.pop(0))

    def _read(self) -> None:
        try:
            data = self.sock.recv(1 << 16)
        except OSError as error:
            raise Gone from error
        if not data:
            raise Gone
        self._buffer += data

    def _take(self, frame: Frame) -> None:
        if frame.type == frames.SETTINGS and not frame.flags & frames.ACK:
            if self.acknowledges:
                self.send(frames.SETTINGS_ACK)
        elif frame.type == frames.PING and not frame.flags & frames.ACK:
            if self.answers_pings:
                self.send(frames.ping(frame.payload, ack=True))
        elif frame.type in (frames.HEADERS, frames.CONTINUATION):
            self._block += frame.payload
            if frame.flags & frames.END_HEADERS:
                block, self._block = self._block, b""
                pairs = [(str(name), str(value)) for name, value in self._decoder.decode(block)]
                request = self.requests[frame.stream] = Request(frame.stream, pairs)
                self.server.begun(request)
        elif frame.type == frames.RST_STREAM:
            self.requests.pop(frame.stream, None)
        elif frame.type == frames.DATA and frame.stream in self.requests:
            request = self.requests[frame.stream]
            request.data += frame.payload
            if self.replenishes and frame.payload:
                size = len(frame.payload)
                self.send(frames.window_update(0, size), frames.window_update(frame.stream, size))
        if frame.flags & frames.END_STREAM and frame.type in (frames.HEADERS, frames.DATA):
            ended = self.requests.pop(frame.stream, None)
            if ended is not None:
                ended.ended = True
                self.server.complete(ended)
                self.ready.append(ended)


Script = Callable[[Peer], Any]


def serve(peer: Peer) -> None:
    """Nothing is wrong."""
    peer.serve()


class FaultServer:
    """Listens on a free port of 127.0.0.1 until `close` (or the end of `with`).

    Connection n is played by script n; the last one plays those that follow, too. `replies` are
    message bytes by method; Connect has one. With `tls` connections begin with a TLS handshake;
    one that fails counts as a connection and calls no script. Thread-safe.
    """

    def __init__(
        self,
        *scripts: Script,
        replies: dict[str, bytes] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._scripts = scripts or (serve,)
        self._replies = replies or {}
        self._tls = tls
        self._lock = threading.Lock()
        self._begun: Counter[str] = Counter()
        self._complete: list[Request] = []
        self._failures: list[AssertionError] = []
        self._open: dict[socket.socket, threading.Thread] = {}
        self.connections = 0
        self.peers: list[Peer] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        self.ended = threading.Event()  # set by close, for scripts that wait for it
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def uri(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://{self.address}"

    def count(self, method: str) -> int:
        """Calls of `method` that came whole."""
        with self._lock:
            return sum(request.method == method for request in self._complete)

    def count_begun(self, method: str) -> int:
        """Calls of `method` of which at least the headers came."""
        with self._lock:
            return self._begun[method]

    def requests(self, method: str) -> list[Request]:
        """The calls of `method` that came whole."""
        with self._lock:
            return [request for request in self._complete if request.method == method]

    @property
    def open_connections(self) -> int:
        """Connections that neither side has closed, as far as scripts have noticed."""
        with self._lock:
            return len(self._open)

    def answer_to(self, request: Request) -> bytes:
        reply = self._replies.get(request.method)
        if reply is None and request.method == "Connect":
            from .recording import connect_reply  # pymilvus, which tests of transports do without

            reply = connect_reply()
        if reply is None:
            return frames.failure(request.stream, 12, f"no reply set for {request.method}")
        return frames.reply(request.stream, reply)

    def begun(self, request: Request) -> None:
        with self._lock:
            self._begun[request.method] += 1

    def complete(self, request: Request) -> None:
        with self._lock:
            self._complete.append(request)

    def close(self) -> None:
        self.ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        with self._lock:
            sockets = [*self._open, *(peer.sock for peer in self.peers)]
            threads = list(self._open.values())
        for sock in sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(10)
        if self._failures:
            raise self._failures[0]

    def __enter__(self) -> FaultServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self.ended.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(PATIENCE)
            number = self.connections
            thread = threading.Thread(target=self._play, args=(sock, number), daemon=True)
            with self._lock:
                self.connections += 1
                self._open[sock] = thread
            thread.start()

    def _play(self, sock: socket.socket, number: int) -> None:
        script = self._scripts[min(number, len(self._scripts) - 1)]
        connected: Any = sock
        peer = None
        try:
            if self._tls is not None:
                connected = self._tls.wrap_socket(sock, server_side=True)
            peer = Peer(self, connected, number)
            with self._lock:
                self.peers.append(peer)
            script(peer)
        except AssertionError as error:
            self._failures.append(error)
        except (Gone, OSError):
            pass
        finally:
            if peer is not None:
                peer.close()
            sock.close()
            with self._lock:
                del self._open[sock]
