"""Messages that are whole but for one place inside: all lengths around it are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from google.protobuf.descriptor import Descriptor

from tests.wire import FIXED32, FIXED64, LENGTH, VARINT, delimited, read_varint, tag, varint

SIZES = {FIXED64: 8, FIXED32: 4}


def fields(data: bytes) -> Iterator[tuple[int, int, int, bytes | None]]:
    """(start, end, number, payload) of each field; the payload is None if it has no length."""
    at = 0
    while at < len(data):
        start = at
        key, at = read_varint(data, at)
        number, wire = key >> 3, key & 7
        payload = None
        if wire == VARINT:
            _, at = read_varint(data, at)
        elif wire == LENGTH:
            size, at = read_varint(data, at)
            payload = data[at : at + size]
            at += size
        else:
            at += SIZES[wire]
        yield start, at, number, payload


def damaged(
    data: bytes, message: Descriptor, damage: Callable[[bytes], bytes], *, leaves: bool
) -> Iterator[bytes]:
    """`data` once for each message inside of it, that one damaged; and for each text and each run
    of numbers too if `leaves`."""
    yield damage(data)
    for start, end, number, payload in fields(data):
        field = message.fields_by_number.get(number)
        if payload is None or field is None:
            continue
        inner = [damage(payload)] if leaves and field.message_type is None else []
        if field.message_type is not None:
            inner += damaged(payload, field.message_type, damage, leaves=leaves)
        for other in inner:
            yield data[:start] + tag(number, LENGTH) + delimited(other) + data[end:]


#: What makes of a message another one that says the same.
HARMLESS: dict[str, Callable[[bytes], bytes]] = {
    "a varint that nobody knows": lambda data: data + tag(1000, VARINT) + varint(5),
    "bytes that nobody knows": lambda data: tag(1001, LENGTH) + delimited(b"x") + data,
    "a fixed32 that nobody knows": lambda data: tag(1001, FIXED32) + b"four" + data,
}
#: What makes of it one that is none.
HARMFUL: dict[str, Callable[[bytes], bytes]] = {
    "the last byte cut": lambda data: data[:-1],
    "a field without a value": lambda data: data + tag(1, LENGTH),
    "a length that is too large": lambda data: data + tag(1, LENGTH) + b"\x7fx",
    "an endless varint": lambda data: data + b"\xff" * 11,
    "no field": lambda data: data + b"\x00",
    "a group that ends": lambda data: data + tag(1000, 4),
    "nothing but rubbish": lambda data: b"\xff",
    "nothing": lambda data: b"",
}
