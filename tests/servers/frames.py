"""HTTP/2 frames by hand, for servers that must be able to do everything wrong.

Header blocks are written as literals without Huffman codes and without the dynamic table, which
every HPACK decoder takes; those of a client are not decoded here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY = range(8)
WINDOW_UPDATE, CONTINUATION = 8, 9

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS = 1, 2, 3
INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 4, 5, 6

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 2, 3
REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY = 7, 8, 11, 12

Pairs = Iterable[tuple[str, str]]


class Frame(NamedTuple):
    type: int
    flags: int
    stream: int
    payload: bytes

    @property
    def number(self) -> int:
        """The payload of RST_STREAM or WINDOW_UPDATE."""
        return int(struct.unpack(">I", self.payload)[0])


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def parse(data: bytes) -> tuple[list[Frame], bytes]:
    """Whole frames at the front of `data`, and the rest."""
    frames = []
    while len(data) >= 9:
        size = int.from_bytes(data[:3], "big")
        if len(data) < 9 + size:
            break
        kind, flags, stream = struct.unpack(">BBI", data[3:9])
        frames.append(Frame(kind, flags, stream & 0x7FFFFFFF, data[9 : 9 + size]))
        data = data[9 + size :]
    return frames, data


def settings(values: dict[int, int] | None = None) -> bytes:
    payload = b"".join(struct.pack(">HI", *item) for item in (values or {}).items())
    return frame(SETTINGS, 0, 0, payload)


SETTINGS_ACK = frame(SETTINGS, ACK, 0)


def ping(data: bytes = b"ping-ing", ack: bool = False) -> bytes:
    return frame(PING, ACK if ack else 0, 0, data)


def goaway(last_stream: int, code: int = NO_ERROR, debug: bytes = b"") -> bytes:
    return frame(GOAWAY, 0, 0, struct.pack(">II", last_stream, code) + debug)


def rst_stream(stream: int, code: int) -> bytes:
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def _integer(value: int) -> bytes:
    """An HPACK integer with a 7-bit prefix whose eighth bit is 0."""
    if value < 127:
        return bytes([value])
    rest, out = value - 127, bytearray([127])
    while rest >= 128:
        out.append(rest % 128 | 128)
        rest //= 128
    out.append(rest)
    return bytes(out)


def header_block(pairs: Pairs) -> bytes:
    block = b""
    for name, value in pairs:
        raw_name, raw_value = name.encode(), value.encode("latin-1")
        block += b"\0" + _integer(len(raw_name)) + raw_name + _integer(len(raw_value)) + raw_value
    return block


def headers(stream: int, pairs: Pairs, end_stream: bool = False) -> bytes:
    flags = END_HEADERS | (END_STREAM if end_stream else 0)
    return frame(HEADERS, flags, stream, header_block(pairs))


def split_headers(stream: int, pairs: Pairs, size: int, end_stream: bool = False) -> bytes:
    """The same in HEADERS and CONTINUATION frames of `size` bytes."""
    block = header_block(pairs)
    pieces = [block[at : at + size] for at in range(0, len(block), size)]
    out = b""
    for i, piece in enumerate(pieces):
        flags = END_HEADERS if i == len(pieces) - 1 else 0
        if i == 0:
            out += frame(HEADERS, flags | (END_STREAM if end_stream else 0), stream, piece)
        else:
            out += frame(CONTINUATION, flags, stream, piece)
    return out


def data(stream: int, payload: bytes, end_stream: bool = False) -> bytes:
    return frame(DATA, END_STREAM if end_stream else 0, stream, payload)


def message(body: bytes, compressed: bool = False) -> bytes:
    """A gRPC message with its prefix."""
    return struct.pack(">BI", compressed, len(body)) + body


RESPONSE = [(":status", "200"), ("content-type", "application/grpc")]


def response(stream: int, pairs: Pairs = ()) -> bytes:
    """The headers of a gRPC reply that goes on."""
    return headers(stream, [*RESPONSE, *pairs])


def trailers(stream: int, status: int = 0, text: str = "", pairs: Pairs = ()) -> bytes:
    more = [("grpc-message", text)] if text else []
    return headers(stream, [("grpc-status", str(status)), *more, *pairs], end_stream=True)


def in_frames(stream: int, payload: bytes, size: int = 16384) -> Iterator[bytes]:
    """DATA frames of at most `size` bytes."""
    for at in range(0, len(payload), size):
        yield data(stream, payload[at : at + size])


def reply(stream: int, body: bytes) -> bytes:
    """A whole reply with status OK."""
    return response(stream) + b"".join(in_frames(stream, message(body))) + trailers(stream)


def failure(stream: int, status: int, text: str = "") -> bytes:
    """A trailers-only reply."""
    pairs = [*RESPONSE, ("grpc-status", str(status)), ("grpc-message", text)]
    return headers(stream, pairs, end_stream=True)
