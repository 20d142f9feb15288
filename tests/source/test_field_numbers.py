"""Field numbers are facts of the protocol: ours against those of pymilvus's descriptors."""

from __future__ import annotations

import re
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from pymilvus.grpc_gen import common_pb2, milvus_pb2, msg_pb2, rg_pb2, schema_pb2

from .sources import CSRC

CONTROL = (CSRC / "proto" / "control.proto").read_text()

# The entry of a map, for which the descriptors have a name of their own in each message.
MAP_ENTRY = "StringEntry"


def their_messages() -> dict[str, Descriptor]:
    found: dict[str, Descriptor] = {}

    def add(message: Descriptor) -> None:
        found.setdefault(message.name, message)
        for nested in message.nested_types:
            add(nested)

    for module in (milvus_pb2, schema_pb2, common_pb2, msg_pb2, rg_pb2):
        for message in module.DESCRIPTOR.message_types_by_name.values():
            add(message)
    return found


def our_messages() -> dict[str, list[tuple[str, str, str, int]]]:
    """Message -> [(label, type, field name, number)], as control.proto has them."""
    text = re.sub(r"//[^\n]*", "", CONTROL)
    found = {}
    for name, body in re.findall(r"message (\w+) \{(.*?)\n\}", text, re.DOTALL):
        fields = re.findall(r"(?:(repeated|optional) )?([\w.]+) (\w+) = (\d+)", body)
        found[name] = [(label, kind, field, int(number)) for label, kind, field, number in fields]
    return found


SCALARS: dict[str, set[int]] = {
    "bool": {FieldDescriptor.TYPE_BOOL},
    "int32": {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_ENUM},
    "int64": {FieldDescriptor.TYPE_INT64},
    "uint32": {FieldDescriptor.TYPE_UINT32},
    "uint64": {FieldDescriptor.TYPE_UINT64},
    "float": {FieldDescriptor.TYPE_FLOAT},
    "double": {FieldDescriptor.TYPE_DOUBLE},
    "string": {FieldDescriptor.TYPE_STRING},
    "bytes": {FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_STRING},
}


def plain(name: str) -> str:
    """Theirs mix fieldID and field_id."""
    return name.replace("_", "").lower()


def is_repeated(field: Any) -> bool:
    repeated = getattr(field, "is_repeated", None)  # protobuf 6 and later
    return repeated if repeated is not None else field.label == FieldDescriptor.LABEL_REPEATED


@pytest.mark.parametrize("name", our_messages())
def test_control_messages(name: str) -> None:
    fields = our_messages()[name]
    assert fields
    if name == MAP_ENTRY:
        assert [(field, number) for _, _, field, number in fields] == [("key", 1), ("value", 2)]
        return
    theirs = {plain(field.name): field for field in their_messages()[name].fields}
    for label, kind, field, number in fields:
        other = theirs[plain(field)]
        assert other.number == number, field
        assert is_repeated(other) == (label == "repeated"), field
        if kind in SCALARS:
            assert other.type in SCALARS[kind], field
        else:
            assert other.type == FieldDescriptor.TYPE_MESSAGE, field
            expected = MAP_ENTRY if other.message_type.GetOptions().map_entry else kind
            assert expected == kind, field
            assert kind == MAP_ENTRY or other.message_type.name == kind, field


def test_every_message_was_read() -> None:
    assert len(our_messages()) == len(re.findall(r"^message ", CONTROL, re.MULTILINE)) > 5


def test_data_types() -> None:
    """mvn_data_type of codec.h is DataType."""
    text = (CSRC / "py" / "codecs" / "codec.h").read_text()
    names = {
        "ARRAY_OF_VECTOR": "ArrayOfVector",
        "ARRAY_OF_STRUCT": "ArrayOfStruct",
        "BFLOAT16_VECTOR": "BFloat16Vector",
        "VARCHAR": "VarChar",
        "JSON": "JSON",
    }
    ours = re.findall(r"MVN_TYPE_(\w+) = (\d+)", text)
    assert len(ours) > 20
    for name, number in ours:
        theirs = names.get(name) or "".join(part.capitalize() for part in name.split("_"))
        assert schema_pb2.DataType.Value(theirs) == int(number), name
