"""Field numbers are facts of the protocol: ours against those of pymilvus's descriptors."""

from __future__ import annotations

import re
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from pymilvus.grpc_gen import common_pb2, milvus_pb2, msg_pb2, rg_pb2, schema_pb2

from .sources import CSRC, c_files, without_comments

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


SCALAR_MEMBERS = (
    *("bool", "int", "long", "float", "double", "string", "bytes"),
    *("array", "json", "geometry"),
)

# File of csrc -> constant -> (message, field), for the field numbers that C has names for.
FIELD_DATA = {
    "FIELD_TYPE": ("FieldData", "type"),
    "FIELD_NAME": ("FieldData", "field_name"),
    "FIELD_VALID_DATA": ("FieldData", "valid_data"),
}
CONSTANTS = {
    "py/slot.c": {**FIELD_DATA, "FIELD_IS_DYNAMIC": ("FieldData", "is_dynamic")},
    "py/codecs/struct_array.c": {**FIELD_DATA, "STRUCT_FIELDS": ("StructArrayField", "fields")},
    "py/codecs/vector_array.c": {
        "VECTOR_DIM": ("VectorField", "dim"),
        "VECTOR_ARRAY": ("VectorField", "vector_array"),
        "FLOAT_ARRAY_DATA": ("FloatArray", "data"),
        "ARRAY_DIM": ("VectorArray", "dim"),
        "ARRAY_DATA": ("VectorArray", "data"),
        "ARRAY_ELEMENT_TYPE": ("VectorArray", "element_type"),
    },
    "py/row_encoder.c": {
        "REQUEST_COLLECTION_NAME": ("InsertRequest", "collection_name"),
        "REQUEST_PARTITION_NAME": ("InsertRequest", "partition_name"),
        "REQUEST_NUM_ROWS": ("InsertRequest", "num_rows"),
        "REQUEST_SCHEMA_TIMESTAMP": ("InsertRequest", "schema_timestamp"),
        "INSERT_NAMESPACE": ("InsertRequest", "namespace"),
        "UPSERT_PARTIAL_UPDATE": ("UpsertRequest", "partial_update"),
        "UPSERT_NAMESPACE": ("UpsertRequest", "namespace"),
        "UPSERT_FIELD_OPS": ("UpsertRequest", "field_ops"),
        "OP_FIELD_NAME": ("FieldPartialUpdateOp", "field_name"),
        "OP_OP": ("FieldPartialUpdateOp", "op"),
    },
    "py/phases.c": {"REQUEST_FIELDS_DATA": ("InsertRequest", "fields_data")},
    "py/placeholders.c": {
        "GROUP_PLACEHOLDERS": ("PlaceholderGroup", "placeholders"),
        "VALUE_TAG": ("PlaceholderValue", "tag"),
        "VALUE_TYPE": ("PlaceholderValue", "type"),
        "VALUE_VALUES": ("PlaceholderValue", "values"),
    },
    "py/templates.c": {
        "VALUE_BOOL": ("TemplateValue", "bool_val"),
        "VALUE_INT": ("TemplateValue", "int64_val"),
        "VALUE_FLOAT": ("TemplateValue", "float_val"),
        "VALUE_STRING": ("TemplateValue", "string_val"),
        "VALUE_ARRAY": ("TemplateValue", "array_val"),
        "VALUE_BYTES": ("TemplateValue", "bytes_val"),
        "ARRAY_BOOL": ("TemplateArrayValue", "bool_data"),
        "ARRAY_INT": ("TemplateArrayValue", "long_data"),
        "ARRAY_FLOAT": ("TemplateArrayValue", "double_data"),
        "ARRAY_STRING": ("TemplateArrayValue", "string_data"),
        "ARRAY_ARRAY": ("TemplateArrayValue", "array_data"),
        "ARRAY_JSON": ("TemplateArrayValue", "json_data"),
        "ELEMENTS": ("LongArray", "data"),
    },
    "py/requests.c": {
        "PAIR_KEY": ("KeyValuePair", "key"),
        "PAIR_VALUE": ("KeyValuePair", "value"),
        "IDS_INT": ("IDs", "int_id"),
        "IDS_STR": ("IDs", "str_id"),
        "IDS_DATA": ("LongArray", "data"),
        "SEARCH_PLACEHOLDERS": ("SearchRequest", "placeholder_group"),
        "SEARCH_DSL_TYPE": ("SearchRequest", "dsl_type"),
        "SEARCH_NQ": ("SearchRequest", "nq"),
        "SEARCH_IDS": ("SearchRequest", "ids"),
    },
    "core/result_index.h": {
        "MVN_IDS_INT": ("IDs", "int_id"),
        "MVN_IDS_STRING": ("IDs", "str_id"),
    },
    "core/column.h": {
        **{
            f"MVN_SCALARS_{name.upper()}": ("ScalarField", f"{name}_data")
            for name in SCALAR_MEMBERS
        },
        "MVN_VECTORS_FLOAT": ("VectorField", "float_vector"),
        "MVN_VECTORS_BINARY": ("VectorField", "binary_vector"),
        "MVN_VECTORS_FLOAT16": ("VectorField", "float16_vector"),
        "MVN_VECTORS_BFLOAT16": ("VectorField", "bfloat16_vector"),
        "MVN_VECTORS_SPARSE": ("VectorField", "sparse_float_vector"),
        "MVN_VECTORS_INT8": ("VectorField", "int8_vector"),
        "MVN_VECTORS_ARRAY": ("VectorField", "vector_array"),
        "MVN_COLUMN_SCALARS": ("FieldData", "scalars"),
        "MVN_COLUMN_VECTORS": ("FieldData", "vectors"),
        "MVN_COLUMN_STRUCTS": ("FieldData", "struct_arrays"),
    },
}


def constants(text: str) -> dict[str, int]:
    """Numbers that C source gives names to, by #define or in an enum."""
    found = re.findall(r"^#define (\w+) (\d+)\b", text, re.MULTILINE)
    found += re.findall(r"\b([A-Z][A-Z0-9_]+) = (\d+)", text)
    return {name: int(number) for name, number in found}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants(name: str) -> None:
    ours = constants((CSRC / name).read_text())
    theirs = their_messages()
    for constant, (message, field) in CONSTANTS[name].items():
        assert ours[constant] == theirs[message].fields_by_name[field].number, constant
    for field in ("collection_name", "partition_name", "num_rows", "schema_timestamp"):
        # One constant serves both requests.
        insert, upsert = theirs["InsertRequest"], theirs["UpsertRequest"]
        assert insert.fields_by_name[field].number == upsert.fields_by_name[field].number


def test_every_group_of_field_numbers_is_compared() -> None:
    """A comment that begins "Field number" announces a group of constants."""
    for path in c_files("core", "py"):
        text = path.read_text()
        groups = re.findall(
            r"/\* Field numbers[^*]*\*/\n((?:#define [^\n]*\n|(?:typedef )?enum \{.*?\}[^\n]*\n)+)",
            text,
            re.DOTALL,
        )
        known = set(CONSTANTS.get(str(path.relative_to(CSRC)), ()))
        # The entries of a map have no message to compare with: 1 and 2 by the format.
        known |= {"ENTRY_KEY", "ENTRY_VALUE"}
        assert {name for group in groups for name in constants(group)} <= known, path


# What the encoders of requests.c call differently from the message.
RENAMED = {"params": "search_params", "templates": "expr_template_values"}
REQUESTS = {
    "encode_search": ("SearchRequest", {}),
    "encode_hybrid_search": ("HybridSearchRequest", {"params": "rank_params"}),
    "encode_query": ("QueryRequest", {"params": "query_params"}),
    "encode_delete": ("DeleteRequest", {}),
}


@pytest.mark.parametrize("function", REQUESTS)
def test_request_members(function: str) -> None:
    """The tables of requests.c pair each parameter with the number of its field, or with 0."""
    text = without_comments((CSRC / "py" / "requests.c").read_text())
    start = text.index(f"PyObject *{function}(")
    body = text[start : text.index("\n}\n", start)]
    tables = re.findall(r"\[COUNT\] = \{(.*?)\n    \};", body, re.DOTALL)
    parameters = re.findall(r'\{"(\w+)"', tables[0])
    numbers = [int(number) for number in re.findall(r"\{(\d+), FORM_", tables[1])]
    assert len(parameters) == len(numbers) > 5
    message, renamed = REQUESTS[function]
    fields = their_messages()[message].fields_by_name
    for parameter, number in zip(parameters, numbers, strict=True):
        if number:
            name = {**RENAMED, **renamed}.get(parameter, parameter)
            assert fields[name].number == number, parameter
