"""The same calls to servers of others: grpcio's two kinds, and Go's."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from milvus_native.transport.base import DEADLINE_EXCEEDED, RpcError
from milvus_native.version import __version__
from tests.servers import echo

from .lines import KINDS, AsyncLine, Line, open_line

NATIVE = ("native-sync", "native-async")
SERVERS = ("grpcio", "grpcio-aio", "go")


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """A URI."""
    with ExitStack() as stack:
        if request.param == "grpcio":
            port = stack.enter_context(echo.grpcio_server())
        elif request.param == "grpcio-aio":
            port = stack.enter_context(echo.grpcio_aio_server())
        else:
            port = stack.enter_context(echo.go_server(request.getfixturevalue("go_binary")))
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(params=KINDS)
def line(request: pytest.FixtureRequest, server: str) -> Iterator[Line]:
    with open_line(request.param, server) as line:
        yield line


@pytest.fixture(params=NATIVE)
def native(request: pytest.FixtureRequest, server: str) -> Iterator[Line]:
    with open_line(request.param, server) as line:
        yield line


@pytest.mark.parametrize("size", [0, 1, 16379, 16380, 65535, 5 << 20])
def test_bodies_come_back(line: Line, size: int) -> None:
    body = os.urandom(size)
    assert line.call(body, method="Echo") == body
    assert line.call(body, method="Echo") == body


def test_large_reply(native: Line) -> None:
    assert native.call(b"67108864", method="Enlarge") == b"x" * (64 << 20)


def test_compressed_reply(line: Line, request: pytest.FixtureRequest) -> None:
    body = b"again and " * 10_000
    assert line.call(body, method="Gzip") == body
    kinds = request.node.callspec.params
    if kinds["line"] in NATIVE and kinds["server"] != "grpcio-aio":  # which does not compress
        assert line.usage().bytes_received < len(body)


def described(reply: bytes) -> list[tuple[str, str]]:
    """What the method Metadata answers, quotes undone."""
    pairs = []
    for entry in reply.decode().splitlines():
        name, quoted = entry.split(" ", 1)
        if "\\x" in quoted:  # Go's
            value = quoted[1:-1].encode().decode("unicode_escape")
        else:
            value = json.loads(quoted)
        pairs.append((name, value))
    return pairs


def test_metadata(line: Line) -> None:
    sent = [
        ("authorization", "dG9rZW4="),
        ("plain", "a value, with a comma"),
        ("raw-bin", bytes(range(5))),
        ("empty-bin", b""),
        ("twice", "1"),
        ("twice", "2"),
    ]
    pairs = described(line.call(b"", method="Metadata", metadata=sent, timeout=100))
    for name, value in sent:
        text = value if isinstance(value, str) else value.decode("latin-1")
        assert (name, text) in pairs
    assert [value for name, value in pairs if name == "twice"] == ["1", "2"]
    [left] = [value for name, value in pairs if name == "deadline"]
    minutes, _, rest = left.rpartition("m")  # Go's form is 1m39.9s
    assert 60 < 60 * int(minutes or 0) + float(rest.removesuffix("s")) <= 102


def test_user_agent(native: Line) -> None:
    pairs = dict(described(native.call(b"", method="Metadata")))
    assert __version__ in pairs["user-agent"]
    assert pairs["user-agent"].startswith("grpc-python-milvus_native")


@pytest.mark.parametrize("code", range(1, 17))
def test_codes_and_texts(line: Line, code: int) -> None:
    with pytest.raises(RpcError) as caught:
        line.call(b"%d" % code, method="Fail")
    error = caught.value
    assert (error.code, error.details, error.sent) == (code, echo.TEXT, True)
    trailers = [(name, value) for name, value in error.metadata if name.startswith("note")]
    assert sorted(trailers, key=str) == sorted(echo.TRAILERS, key=str)


def until_seen(line: Line, name: bytes, count: int) -> None:
    for _ in range(1000):
        if int(line.call(name, method="Seen")) >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"the server has not seen {count} x {name.decode()}")


def test_deadline_frees_the_server(native: Line) -> None:
    before = int(native.call(b"cancelled", method="Seen"))
    with pytest.raises(RpcError) as caught:
        native.call(b"60s", method="Sleep", timeout=0.3)
    assert (caught.value.code, caught.value.sent) == (DEADLINE_EXCEEDED, True)
    until_seen(native, b"cancelled", before + 1)


def test_cancelling_frees_the_server(server: str) -> None:
    with open_line("native-async", server) as line:
        before = int(line.call(b"cancelled", method="Seen"))
        slept = int(line.call(b"Sleep", method="Seen"))

        async def main() -> None:
            tasks = [
                asyncio.ensure_future(
                    line.transport.unary("Sleep", b"60s", timeout=None, metadata=())
                )
                for _ in range(20)
            ]
            seen = b"0"
            while int(seen) < slept + 20:
                seen = await line.transport.unary("Seen", b"Sleep", timeout=30, metadata=())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        line.run(main())
        until_seen(line, b"cancelled", before + 20)
        assert line.usage().open_connections == 1


def test_many_at_once(server: str) -> None:
    with open_line("native-async", server) as line:

        async def main() -> None:
            calls = (
                line.transport.unary("Echo", b"%d" % i * (i % 50), timeout=60, metadata=())
                for i in range(1000)
            )
            replies = await asyncio.gather(*calls)
            assert replies == [b"%d" % i * (i % 50) for i in range(1000)]

        line.run(main())


def test_pings_of_a_long_call(server: str) -> None:
    """C core's servers, milvus-lite's for one, and Go's end connections that ping too often.

    grpcio at this pace is told GOAWAY too_many_pings.
    """
    options = {"grpc_options": {"grpc.keepalive_time_ms": 100}}
    for kind in NATIVE:
        with open_line(kind, server, **options) as line:
            assert line.call(b"3s", method="Sleep", timeout=60) == b"3s"
            assert line.call(b"still there", method="Echo") == b"still there"


# --- what only Go's server can be told to do ---


@pytest.fixture
def go(go_binary: Path) -> Iterator[Callable[..., str]]:
    """Starts a server with flags and returns its URI."""
    with ExitStack() as stack:

        def start(*flags: str) -> str:
            port = stack.enter_context(echo.go_server(go_binary, *flags))
            return f"http://127.0.0.1:{port}"

        yield start


@pytest.mark.parametrize("kind", NATIVE)
def test_connections_of_a_limited_age(go: Callable[..., str], kind: str) -> None:
    """GOAWAY every 200 ms while calls go on: none fails."""
    with open_line(kind, go("-max-age=200ms")) as line:
        end = time.monotonic() + 2.5
        count = 0
        while time.monotonic() < end:
            replies = line.call_many(8) if count % 50 == 0 else [line.call(b"x", method="Echo")]
            assert all(
                reply == b"x" or (isinstance(reply, RpcError) and reply.code == 12)
                for reply in replies
            )
            count += 1
        assert line.usage().calls >= count


@pytest.mark.parametrize("kind", NATIVE)
def test_limited_streams(go: Callable[..., str], kind: str) -> None:
    with open_line(kind, go("-max-streams=4")) as line:
        assert line.call(b"x", method="Echo") == b"x"
        results = line.call_many(100)
        # The method is none of this server's: it has answered each call, or refused it because it
        # came before its limit was known, which a client sends again.
        assert {(error.code, error.sent) for error in results} <= {(12, True), (14, False)}


@pytest.mark.parametrize("kind", KINDS)
def test_tls(go_binary: Path, tmp_path: Path, kind: str) -> None:
    authority = trustme.CA()
    ca, own = tmp_path / "ca.pem", tmp_path / "server.pem"
    authority.cert_pem.write_to_path(ca)
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(own)
    body = os.urandom(3 << 20)
    with (
        echo.go_server(go_binary, f"-cert={own}") as port,
        open_line(kind, f"https://127.0.0.1:{port}", ca_pem_path=str(ca)) as line,
    ):
        assert line.call(body, method="Echo") == body
        if isinstance(line, AsyncLine):
            line.run(asyncio.sleep(0))
        with pytest.raises(RpcError) as caught:
            line.call(b"5", method="Fail")
        assert caught.value.code == 5
