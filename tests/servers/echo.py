"""Servers of grpcio and of Go that do what a method's name says, with bytes for messages.

All three know the methods of go_grpc/main.go: Echo, Enlarge, Gzip, Metadata, Fail, Sleep, Seen.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from tests.sanitizers import environment_of_others

from .recording import SERVICE

GO_SOURCES = Path(__file__).parent / "go_grpc"
TEXT = "why: é 100%\n"
TRAILERS = [("note", "plain"), ("note-bin", b"\x00\xff"), ("note-bin", b"two")]
SERVER_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
]


class _Failed(Exception):
    pass


class Servicer(grpc.GenericRpcHandler):
    """Of grpc.server; a subclass makes it one of grpc.aio.server."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method = details.method.removeprefix(SERVICE)

        def handle(request: bytes, context: Any) -> bytes:
            with self._lock:
                self.seen[method] += 1
            if method == "Sleep":
                self._sleep(request, context)
                return request
            return self.answer(method, request, context)

        return grpc.unary_unary_rpc_method_handler(handle)

    def _sleep(self, request: bytes, context: Any) -> None:
        given_up = threading.Event()
        context.add_callback(given_up.set)
        if given_up.wait(seconds(request)):
            with self._lock:
                self.seen["cancelled"] += 1

    def answer(self, method: str, request: bytes, context: Any) -> bytes:
        if method == "Echo":
            return request
        if method == "Enlarge":
            return b"x" * int(request)
        if method == "Gzip":
            context.set_compression(grpc.Compression.Gzip)
            return request
        if method == "Seen":
            return b"%d" % self.seen[request.decode()]
        if method == "Metadata":
            return describe(context)
        raise _Failed

    def _fail(self, method: str, request: bytes) -> tuple[grpc.StatusCode, str]:
        if method == "Fail":
            [code] = [code for code in grpc.StatusCode if code.value[0] == int(request)]
            return code, TEXT
        return grpc.StatusCode.UNIMPLEMENTED, f"no such method: {method}"


class SyncServicer(Servicer):
    def answer(self, method: str, request: bytes, context: Any) -> bytes:
        try:
            return super().answer(method, request, context)
        except _Failed:
            context.set_trailing_metadata(TRAILERS)
            return context.abort(*self._fail(method, request))  # type: ignore[no-any-return]


class AsyncServicer(Servicer):
    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method = details.method.removeprefix(SERVICE)

        async def handle(request: bytes, context: Any) -> bytes:
            self.seen[method] += 1
            if method == "Sleep":
                try:
                    await asyncio.sleep(seconds(request))
                except asyncio.CancelledError:
                    self.seen["cancelled"] += 1
                    raise
                return request
            try:
                return self.answer(method, request, context)
            except _Failed:
                context.set_trailing_metadata(TRAILERS)
                return await context.abort(*self._fail(method, request))  # type: ignore

        return grpc.unary_unary_rpc_method_handler(handle)


def seconds(request: bytes) -> float:
    """The duration that a request of Sleep says, in Go's words, of which "s" is enough."""
    return float(request.decode().removesuffix("s"))


def describe(context: Any) -> bytes:
    lines = []
    for name, value in context.invocation_metadata():
        lines.append(f"{name} {quote(value)}\n")
    left = context.time_remaining()
    if left is not None:
        lines.append(f'deadline "{left}s"\n')
    return "".join(lines).encode()


def quote(value: str | bytes) -> str:
    """As Go's %q, near enough."""
    return json.dumps(value if isinstance(value, str) else value.decode("latin-1"))


@contextmanager
def grpcio_server(credentials: grpc.ServerCredentials | None = None) -> Iterator[int]:
    """A port."""
    with ThreadPoolExecutor(64) as threads:
        server = grpc.server(threads, handlers=(SyncServicer(),), options=SERVER_OPTIONS)
        if credentials is None:
            port = server.add_insecure_port("127.0.0.1:0")
        else:
            port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        yield int(port)
        server.stop(None).wait()


@contextmanager
def grpcio_aio_server() -> Iterator[int]:
    loop = asyncio.new_event_loop()
    ports: list[int] = []
    started = threading.Event()

    async def serve() -> None:
        server = grpc.aio.server(handlers=(AsyncServicer(),), options=SERVER_OPTIONS)
        ports.append(server.add_insecure_port("127.0.0.1:0"))
        await server.start()
        started.set()
        while ports:
            await asyncio.sleep(0.02)
        await server.stop(None)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(60)
    try:
        yield ports[0]
    finally:
        ports.clear()
        thread.join()
        loop.close()


def build_go_server(folder: Path) -> Path:
    """Compiles it. Raises if there is no Go here."""
    go = shutil.which("go")
    if go is None:
        raise FileNotFoundError("no `go` on PATH; tools/system_packages.sh golang-go installs it")
    binary = folder / "go_grpc"
    command = [go, "build", "-mod=readonly", "-o", str(binary), "."]
    done = subprocess.run(
        command,
        cwd=GO_SOURCES,
        env=environment_of_others(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return binary


@contextmanager
def go_server(binary: Path, *flags: str) -> Iterator[int]:
    """A port. The server ends when its standard input does."""
    with subprocess.Popen(
        [str(binary), *flags],
        env=environment_of_others(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            assert process.stdin is not None
            process.stdin.close()
            end = time.monotonic() + 30
            while process.poll() is None and time.monotonic() < end:
                time.sleep(0.01)
            process.kill()
