"""Protobuf's wire format, written and read by hand, without any package."""

from __future__ import annotations

VARINT, FIXED64, LENGTH, START, END, FIXED32 = range(6)


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and where the next thing begins."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
        shift += 7


def delimited(payload: bytes) -> bytes:
    return varint(len(payload)) + payload


def tag(number: int, wire: int) -> bytes:
    return varint(number << 3 | wire)
