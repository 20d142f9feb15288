"""Faults of a server in one call, each with its outcome.

A case's script meets a client that makes one call of METHOD on a new connection. What it leads to
is what the native transport owes; `grpc` is grpcio's status code where that differs. It does where
the server breaks HTTP/2 (ours is UNAVAILABLE: the connection is of no use; grpcio's is UNKNOWN or
INTERNAL, or it overlooks the fault, or waits), and for informational responses and padding, which
HTTP/2 allows and grpcio does not.
"""

from __future__ import annotations

import gzip
import zlib
from typing import NamedTuple

from milvus_native.transport.base import (
    CANCELLED,
    DEADLINE_EXCEEDED,
    INTERNAL,
    NOT_FOUND,
    PERMISSION_DENIED,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    UNIMPLEMENTED,
    UNKNOWN,
)
from tests.servers import frames
from tests.servers.faulty import Peer, Request, Script

from .lines import ANSWER, METHOD

OK = 0


class Case(NamedTuple):
    script: Script
    code: int
    text: str = ""  # what the message has in it
    sent: bool | None = True  # whether the server may have acted on the call; None: who knows
    grpc: int | None = None


CASES: dict[str, Case] = {}


def case(name: str, code: int, text: str = "", **more: object) -> object:
    """Enters a script in CASES."""

    def enter(script: Script) -> Script:
        assert name not in CASES
        CASES[name] = Case(script, code, text, **more)  # type: ignore[arg-type]
        return script

    return enter


def replying(name: str, code: int, text: str = "", **more: object) -> object:
    """The same for a function that says what is sent once the call has come."""

    def enter(answer: object) -> object:
        def script(peer: Peer) -> None:
            peer.send(answer(peer.serve(until=METHOD)))  # type: ignore[operator]
            peer.drain()

        case(name, code, text, **more)(script)  # type: ignore[operator]
        return answer

    return enter


# --- the connection ends ---


@case("closed at once", UNAVAILABLE, sent=None)
def _(peer: Peer) -> None:
    peer.close()


@case("reset at once", UNAVAILABLE, sent=None)
def _(peer: Peer) -> None:
    peer.reset()


@case("closed after the call", UNAVAILABLE, "closed the connection")
def _(peer: Peer) -> None:
    peer.serve(until=METHOD)


@case("reset after the call", UNAVAILABLE, "lost")
def _(peer: Peer) -> None:
    peer.serve(until=METHOD)
    peer.reset()


@case("closed within the reply", UNAVAILABLE, "closed the connection")
def _(peer: Peer) -> None:
    request = peer.serve(until=METHOD)
    peer.send(frames.response(request.stream), frames.data(request.stream, b"\0\0"))


@case("closed before the trailers", UNAVAILABLE, "closed the connection")
def _(peer: Peer) -> None:
    request = peer.serve(until=METHOD)
    peer.send(frames.response(request.stream), frames.data(request.stream, frames.message(ANSWER)))


@case("closed within a header block", UNAVAILABLE, "closed the connection")
def _(peer: Peer) -> None:
    request = peer.serve(until=METHOD)
    peer.send(frames.reply(request.stream, ANSWER)[:15])


# --- GOAWAY ---


def goaway_case(name: str, last: int, code: int, *, unseen: bool, debug: bytes = b"") -> None:
    def script(peer: Peer) -> None:
        peer.serve(until=METHOD)
        peer.send(frames.goaway(last, code, debug))
        peer.close()

    CASES[name] = Case(script, UNAVAILABLE, "GOAWAY", sent=not unseen)


goaway_case("GOAWAY below the call, then closed", 0, frames.NO_ERROR, unseen=True)
goaway_case("GOAWAY at the call, then closed", 1, frames.NO_ERROR, unseen=False)
goaway_case("GOAWAY above the call, then closed", 2**31 - 1, frames.NO_ERROR, unseen=False)
goaway_case("GOAWAY for an error below the call", 0, frames.INTERNAL_ERROR, unseen=True)
goaway_case("GOAWAY for an error at the call", 1, frames.INTERNAL_ERROR, unseen=False)
goaway_case(
    "GOAWAY too_many_pings", 2**31 - 1, frames.ENHANCE_YOUR_CALM, unseen=False,
    debug=b"too_many_pings",
)  # fmt: skip


@case("GOAWAY at the call, then its reply", OK)
def _(peer: Peer) -> None:
    request = peer.serve(until=METHOD)
    peer.send(frames.goaway(request.stream))
    peer.answer(request)


@case("two GOAWAYs around the reply", OK)
def _(peer: Peer) -> None:
    request = peer.serve(until=METHOD)
    peer.send(frames.goaway(2**31 - 1))
    peer.answer(request)
    peer.send(frames.goaway(request.stream))


# --- RST_STREAM ---

RESET_CODES = {
    0: ("NO_ERROR", INTERNAL),
    1: ("PROTOCOL_ERROR", INTERNAL),
    2: ("INTERNAL_ERROR", INTERNAL),
    3: ("FLOW_CONTROL_ERROR", INTERNAL),
    4: ("SETTINGS_TIMEOUT", INTERNAL),
    5: ("STREAM_CLOSED", INTERNAL),
    6: ("FRAME_SIZE_ERROR", INTERNAL),
    7: ("REFUSED_STREAM", UNAVAILABLE),
    8: ("CANCEL", CANCELLED),
    9: ("COMPRESSION_ERROR", INTERNAL),
    10: ("CONNECT_ERROR", INTERNAL),
    11: ("ENHANCE_YOUR_CALM", RESOURCE_EXHAUSTED),
    12: ("INADEQUATE_SECURITY", PERMISSION_DENIED),
    13: ("HTTP_1_1_REQUIRED", INTERNAL),
    99: ("unknown", INTERNAL),
}


def reset_cases(number: int, name: str, code: int) -> None:
    def script(peer: Peer) -> None:
        request = peer.serve(until=METHOD)
        peer.send(frames.rst_stream(request.stream, number))
        peer.drain()

    def script_within(peer: Peer) -> None:
        request = peer.serve(until=METHOD)
        peer.send(frames.response(request.stream), frames.data(request.stream, b"\0\0"))
        peer.send(frames.rst_stream(request.stream, number))
        peer.drain()

    refused = number == frames.REFUSED_STREAM
    CASES[f"RST_STREAM {name}"] = Case(
        script, code, "refused" if refused else name, sent=not refused
    )
    # A server that has begun to answer has looked at the call, whatever it says afterwards.
    CASES[f"RST_STREAM {name} within the reply"] = Case(script_within, code)


for _number, (_name, _code) in RESET_CODES.items():
    reset_cases(_number, _name, _code)


@replying("RST_STREAM NO_ERROR after the reply", OK)
def _(request: Request) -> bytes:
    return frames.reply(request.stream, ANSWER) + frames.rst_stream(request.stream, 0)


# --- header blocks ---


@replying("trailers only", NOT_FOUND, "gone fishing")
def _(request: Request) -> bytes:
    return frames.failure(request.stream, NOT_FOUND, "gone fishing")


@replying("status in trailers", NOT_FOUND, "gone fishing")
def _(request: Request) -> bytes:
    return frames.response(request.stream) + frames.trailers(request.stream, 5, "gone fishing")


@replying("status after a message", NOT_FOUND, "too late")
def _(request: Request) -> bytes:
    message = frames.data(request.stream, frames.message(ANSWER))
    return (
        frames.response(request.stream) + message + frames.trailers(request.stream, 5, "too late")
    )


@replying("percent-encoded text", NOT_FOUND, "café 100% %zz\n")
def _(request: Request) -> bytes:
    return frames.failure(request.stream, NOT_FOUND, "caf%C3%A9 100% %zz%0a")


@replying("status that is no number", UNKNOWN, grpc=INTERNAL)
def _(request: Request) -> bytes:
    return frames.headers(request.stream, [*frames.RESPONSE, ("grpc-status", "five")], True)


@replying("status of no meaning", UNKNOWN)
def _(request: Request) -> bytes:
    return frames.headers(request.stream, [*frames.RESPONSE, ("grpc-status", "77")], True)


@replying("stream ended without trailers", UNKNOWN, "without a grpc-status")
def _(request: Request) -> bytes:
    message = frames.message(ANSWER)
    return frames.response(request.stream) + frames.data(request.stream, message, True)


@replying("trailers without a status", UNKNOWN, "without a grpc-status")
def _(request: Request) -> bytes:
    message = frames.data(request.stream, frames.message(ANSWER))
    trailers = frames.headers(request.stream, [("x", "y")], True)
    return frames.response(request.stream) + message + trailers


@replying("informational response first", OK, grpc=UNKNOWN)
def _(request: Request) -> bytes:
    early = frames.headers(request.stream, [(":status", "103"), ("link", "x")])
    return early + frames.reply(request.stream, ANSWER)


@replying("content type with a parameter", OK)
def _(request: Request) -> bytes:
    pairs = [(":status", "200"), ("content-type", "application/grpc+proto")]
    message = frames.data(request.stream, frames.message(ANSWER))
    return frames.headers(request.stream, pairs) + message + frames.trailers(request.stream)


@replying("wrong content type", UNKNOWN, "text/html")
def _(request: Request) -> bytes:
    pairs = [(":status", "200"), ("content-type", "text/html")]
    return frames.headers(request.stream, pairs) + frames.data(request.stream, b"<html>", True)


@replying("no content type", UNKNOWN, "content-type")
def _(request: Request) -> bytes:
    return frames.headers(request.stream, [(":status", "200")]) + frames.data(
        request.stream, b"?", True
    )


@replying("a status beside an HTTP error", NOT_FOUND, "but known")
def _(request: Request) -> bytes:
    pairs = [(":status", "503"), ("grpc-status", "5"), ("grpc-message", "but known")]
    return frames.headers(request.stream, pairs, True)


HTTP_STATUSES = {
    301: UNKNOWN,
    400: INTERNAL,
    401: UNAUTHENTICATED,
    403: PERMISSION_DENIED,
    404: UNIMPLEMENTED,
    405: UNKNOWN,
    429: UNAVAILABLE,
    500: UNKNOWN,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: UNAVAILABLE,
}


def http_case(status: int, code: int, ends: bool) -> None:
    def script(peer: Peer) -> None:
        request = peer.serve(until=METHOD)
        pairs = [(":status", str(status)), ("content-type", "text/plain")]
        peer.send(frames.headers(request.stream, pairs, end_stream=ends))
        if not ends:
            peer.send(frames.data(request.stream, b"explanation", end_stream=True))
        peer.drain()

    CASES[f"HTTP status {status}{'' if ends else ' with a body'}"] = Case(script, code, str(status))


for _number, _code in HTTP_STATUSES.items():
    http_case(_number, _code, True)
    http_case(_number, _code, False)


@case("header block in CONTINUATION frames", OK)
def _(peer: Peer) -> None:
    request = peer.serve(until=METHOD)
    peer.send(frames.split_headers(request.stream, frames.RESPONSE, 7))
    peer.send(frames.data(request.stream, frames.message(ANSWER)))
    peer.send(frames.split_headers(request.stream, [("grpc-status", "0")], 3, end_stream=True))
    peer.drain()


@replying("another frame within a header block", UNAVAILABLE, "breaks HTTP/2", grpc=UNKNOWN)
def _(request: Request) -> bytes:
    begun = frames.split_headers(request.stream, frames.RESPONSE, 7)[:16]
    return begun + frames.ping()


@replying("bad HPACK", UNAVAILABLE, "breaks HTTP/2", grpc=INTERNAL)
def _(request: Request) -> bytes:
    return frames.frame(frames.HEADERS, frames.END_HEADERS, request.stream, b"\xff\xff\xff\xff\xff")


@replying("headers beyond the limit", RESOURCE_EXHAUSTED, "headers of the reply")
def _(request: Request) -> bytes:
    pairs = [(f"x-{i}", "y" * 1000) for i in range(100)]
    block = frames.split_headers(request.stream, [*frames.RESPONSE, *pairs], 16000)
    return block + frames.trailers(request.stream)


# nghttp2 takes the fault for the stream's own; gRPC's core ends the connection.
@replying("upper case in a header name", INTERNAL, "PROTOCOL_ERROR")
def _(request: Request) -> bytes:
    return frames.headers(request.stream, [*frames.RESPONSE, ("X-Bad", "1")])


# --- messages ---


@replying("no message", UNIMPLEMENTED, "no message", grpc=INTERNAL)
def _(request: Request) -> bytes:
    return frames.response(request.stream) + frames.trailers(request.stream)


@replying("two messages", UNIMPLEMENTED, "more than one message", grpc=DEADLINE_EXCEEDED)
def _(request: Request) -> bytes:
    message = frames.data(request.stream, frames.message(ANSWER) * 2)
    return frames.response(request.stream) + message + frames.trailers(request.stream)


@replying("message cut short", INTERNAL, "cut short")
def _(request: Request) -> bytes:
    message = frames.data(request.stream, frames.message(ANSWER)[:-2])
    return frames.response(request.stream) + message + frames.trailers(request.stream)


@replying("unknown flags", INTERNAL, "flags")
def _(request: Request) -> bytes:
    message = frames.data(request.stream, b"\x05" + frames.message(ANSWER)[1:])
    return frames.response(request.stream) + message + frames.trailers(request.stream)


def packed(name: str, encoding: str | None, body: bytes, code: int, text: str = "") -> None:
    def script(peer: Peer) -> None:
        request = peer.serve(until=METHOD)
        pairs = [] if encoding is None else [("grpc-encoding", encoding)]
        peer.send(frames.response(request.stream, pairs))
        peer.send(frames.data(request.stream, frames.message(body, compressed=True)))
        peer.send(frames.trailers(request.stream))
        peer.drain()

    CASES[name] = Case(script, code, text)


packed("gzip", "gzip", gzip.compress(ANSWER), OK)
packed("deflate", "deflate", zlib.compress(ANSWER), OK)
packed("damaged gzip", "gzip", gzip.compress(ANSWER)[:-6] + b"abcdef", INTERNAL, "decompressed")
packed("cut gzip", "gzip", gzip.compress(ANSWER)[:-6], INTERNAL, "decompressed")
packed("unknown compression", "snappy", ANSWER, INTERNAL, "not offered")
packed("compression without a name", None, gzip.compress(ANSWER), INTERNAL, "no grpc-encoding")


# --- frames ---


@replying("DATA with padding", OK, grpc=INTERNAL)
def _(request: Request) -> bytes:
    payload = b"\x09" + frames.message(ANSWER) + bytes(9)
    padded = frames.frame(frames.DATA, frames.PADDED, request.stream, payload)
    return frames.response(request.stream) + padded + frames.trailers(request.stream)


@replying("empty DATA frames", OK)
def _(request: Request) -> bytes:
    empty = frames.data(request.stream, b"")
    message = frames.data(request.stream, frames.message(ANSWER))
    return (
        frames.response(request.stream)
        + empty * 3
        + message
        + empty
        + frames.trailers(request.stream)
    )


@replying("frames of an unknown type", OK)
def _(request: Request) -> bytes:
    strange = frames.frame(0xBB, 0xFF, request.stream, b"?" * 100)
    return strange + frames.reply(request.stream, ANSWER) + strange


@replying("DATA before HEADERS", UNAVAILABLE, grpc=OK)
def _(request: Request) -> bytes:
    return frames.data(request.stream, frames.message(ANSWER)) + frames.trailers(request.stream)


@replying("frame beyond the maximal size", UNAVAILABLE, "breaks HTTP/2", grpc=UNKNOWN)
def _(request: Request) -> bytes:
    header = b"\xff\xff\xff" + bytes([frames.DATA, 0]) + request.stream.to_bytes(4, "big")
    return frames.response(request.stream) + header + bytes(1 << 16)


@replying("DATA on stream 0", UNAVAILABLE, "breaks HTTP/2", grpc=DEADLINE_EXCEEDED)
def _(request: Request) -> bytes:
    return frames.data(0, b"?")


@replying("SETTINGS of a wrong length", UNAVAILABLE, "breaks HTTP/2", grpc=UNKNOWN)
def _(request: Request) -> bytes:
    return frames.frame(frames.SETTINGS, 0, 0, b"12345")


@replying("WINDOW_UPDATE beyond the window", UNAVAILABLE, "breaks HTTP/2", grpc=DEADLINE_EXCEEDED)
def _(request: Request) -> bytes:
    return frames.window_update(0, 2**31 - 1) * 2


@replying("PUSH_PROMISE", UNAVAILABLE, "breaks HTTP/2", grpc=DEADLINE_EXCEEDED)
def _(request: Request) -> bytes:
    block = frames.header_block([(":method", "GET"), (":path", "/"), (":scheme", "http")])
    promise = (2).to_bytes(4, "big") + block
    return frames.frame(frames.PUSH_PROMISE, frames.END_HEADERS, request.stream, promise)


@case("garbage for a greeting", UNAVAILABLE, sent=None)
def _(peer: Peer) -> None:
    peer.send(bytes(range(200)))
    peer.drain()


@case("HTTP/1 reply", UNAVAILABLE, "HTTP/1", sent=None)
def _(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
    peer.close()


@case("TLS on a plain port", UNAVAILABLE, "TLS", sent=None)
def _(peer: Peer) -> None:
    peer.send(b"\x15\x03\x01\x00\x02\x02\x46")
    peer.close()


# --- silence ---


@case("no greeting", DEADLINE_EXCEEDED, sent=None)
def _(peer: Peer) -> None:
    peer.server.ended.wait()


@case("no answer", DEADLINE_EXCEEDED)
def _(peer: Peer) -> None:
    peer.serve(until=METHOD)
    peer.drain()


@case("an answer that stalls", DEADLINE_EXCEEDED)
def _(peer: Peer) -> None:
    request = peer.serve(until=METHOD)
    peer.send(frames.response(request.stream))
    peer.send(frames.data(request.stream, frames.message(ANSWER)[:-3]))
    peer.drain()
