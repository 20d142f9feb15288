"""The same protobuf message in other bytes.

Protobuf lets a writer cut sub-messages into pieces, mix the order of fields, repeat fields of which
the last counts, pack numbers or not, and add fields that the reader does not know. `scramble` does
all of it, by the message's descriptor.
"""

from __future__ import annotations

import random
import struct
from typing import Any

from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.message import Message

from tests.wire import END, FIXED32, FIXED64, LENGTH, START, VARINT, delimited, tag, varint

WIRE = {
    Field.TYPE_DOUBLE: FIXED64,
    Field.TYPE_FLOAT: FIXED32,
    Field.TYPE_STRING: LENGTH,
    Field.TYPE_BYTES: LENGTH,
    Field.TYPE_MESSAGE: LENGTH,
}
DECOYS = {VARINT: b"\x05", FIXED64: b"decoy..8", FIXED32: b"four"}


def scalar(field: Field, value: Any) -> bytes:
    wire = WIRE.get(field.type, VARINT)
    if wire == LENGTH:
        return delimited(value.encode() if isinstance(value, str) else value)
    if wire == FIXED64:
        return struct.pack("<d", value)
    if wire == FIXED32:
        return struct.pack("<f", value)
    return varint(int(value))


def runs(chance: random.Random, items: list[bytes]) -> list[list[bytes]]:
    """The items in up to three runs, some of them empty."""
    cuts = sorted(chance.randrange(len(items) + 1) for _ in range(chance.randrange(3)))
    return [items[a:b] for a, b in zip([0, *cuts], [*cuts, len(items)], strict=True)]


def unknown(chance: random.Random) -> bytes:
    """A field that no message has."""
    group = tag(1002, START) + tag(3, VARINT) + b"\x01" + tag(1002, END)
    return chance.choice(
        [
            tag(1000, VARINT) + varint(chance.getrandbits(64)),
            tag(1000, FIXED64) + b"8 bytes.",
            tag(1001, LENGTH) + delimited(b"anything"),
            tag(1001, FIXED32) + b"four",
            group,
        ]
    )


def mistyped(chance: random.Random, field: Field) -> bytes:
    """The field with a wire type that it cannot have; readers take it for an unknown one."""
    wire = WIRE.get(field.type, VARINT)
    wrong = chance.choice([w for w in DECOYS if w != wire])
    return tag(field.number, wrong) + DECOYS[wrong]


def decoy(field: Field) -> bytes:
    """A value that the real one is going to replace; none for messages, which would merge."""
    wire = WIRE.get(field.type, VARINT)
    if wire == LENGTH:
        return tag(field.number, wire) + delimited(b"decoy")
    return tag(field.number, wire) + DECOYS[wire]


def repeated(chance: random.Random, field: Field, values: Any) -> list[bytes]:
    if field.type == Field.TYPE_MESSAGE:
        payloads = [scramble(chance, value) for value in values]
        return [tag(field.number, LENGTH) + delimited(payload) for payload in payloads]
    single = tag(field.number, WIRE.get(field.type, VARINT))
    plain = [scalar(field, value) for value in values]
    if WIRE.get(field.type, VARINT) == LENGTH:
        return [single + value for value in plain]
    out = []
    for run in runs(chance, plain):
        if chance.random() < 0.3:
            out += [single + value for value in run]
        else:
            out.append(tag(field.number, LENGTH) + delimited(b"".join(run)))
    return out


def is_map(field: Field) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def field_chunks(chance: random.Random, message: Message, field: Field) -> list[bytes]:
    """The field's occurrences, in an order that must be kept."""
    value = getattr(message, field.name)
    out = [mistyped(chance, field)] if chance.random() < 0.05 else []
    if is_map(field):
        entry = field.message_type
        for key in value:
            made = {"key": key}
            if entry.fields_by_name["value"].type == Field.TYPE_MESSAGE:
                inner = scramble(chance, value[key])
            else:
                inner = value[key].encode()
            payload = tag(1, LENGTH) + delimited(made["key"].encode())
            payload += tag(2, LENGTH) + delimited(inner)
            out.append(tag(field.number, LENGTH) + delimited(payload))
        return out
    if field.is_repeated:
        return out + repeated(chance, field, value)
    if field.containing_oneof is not None and chance.random() < 0.2:
        others = [f for f in field.containing_oneof.fields if f is not field]
        for other in others[:1]:
            if other.type == Field.TYPE_MESSAGE:
                out.append(tag(other.number, LENGTH) + delimited(tag(1, LENGTH) + b"\x00"))
            else:
                out.append(decoy(other))
    if field.type == Field.TYPE_MESSAGE:
        pieces = runs(chance, chunks(chance, value))
        return out + [tag(field.number, LENGTH) + delimited(b"".join(piece)) for piece in pieces]
    if chance.random() < 0.2:
        out.append(decoy(field))
    return [*out, tag(field.number, WIRE.get(field.type, VARINT)) + scalar(field, value)]


def chunks(chance: random.Random, message: Message) -> list[bytes]:
    """All fields of a message, shuffled, each field's own occurrences in order."""
    queues = [field_chunks(chance, message, field) for field, _ in message.ListFields()]
    queues.append([unknown(chance)] if chance.random() < 0.1 else [])
    out = []
    while any(queues):
        queue = chance.choice([queue for queue in queues if queue])
        out.append(queue.pop(0))
    return out


def scramble(chance: random.Random, message: Message) -> bytes:
    """Other bytes that parse to the same message."""
    return b"".join(chunks(chance, message))
