"""Schema: what it reads from a reply, and what it refuses."""

from __future__ import annotations

import pytest
from pymilvus.client.abstract import CollectionSchema
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import _core
from tests.faker import DataType, FakeField, Faker


def books() -> milvus_pb2.DescribeCollectionResponse:
    fields = [
        FakeField("id", DataType.INT64, primary=True, auto_id=True),
        FakeField("title", DataType.VARCHAR),
        FakeField("vector", DataType.FLOAT_VECTOR, dim=8),
        FakeField("words", DataType.SPARSE_FLOAT_VECTOR, function_output=True),
        FakeField(
            "parts",
            DataType._ARRAY_OF_STRUCT,
            sub_fields=(
                FakeField("page", DataType.ARRAY, element_type=DataType.INT32),
                FakeField(
                    "v", DataType._ARRAY_OF_VECTOR, dim=4, element_type=DataType.FLOAT_VECTOR
                ),
            ),
        ),
    ]
    reply = Faker(1).describe(fields, dynamic=True).reply
    reply.aliases.extend(["a", "b"])
    reply.schema.name = "books"
    return reply


def test_getters() -> None:
    reply = books()
    schema = _core.Schema.from_reply(reply.SerializeToString())
    assert schema.collection_name == "books"
    assert schema.db_name == "default"
    assert schema.aliases == ("a", "b")
    assert schema.collection_id == reply.collectionID
    assert schema.created_timestamp == reply.created_timestamp
    assert schema.update_timestamp == reply.update_timestamp
    assert schema.consistency_level == reply.consistency_level
    assert schema.enable_dynamic_field is True
    assert schema.auto_id is True
    assert schema.primary_field == "id"
    assert schema.primary_type == DataType.INT64
    assert schema.field_names == ("id", "title", "vector", "words", "parts")
    assert schema.nbytes > len(reply.SerializeToString())
    assert "books" in repr(schema)


@pytest.mark.parametrize(
    ("name", "kind", "dim"),
    [
        ("id", DataType.INT64, None),
        ("vector", DataType.FLOAT_VECTOR, 8),
        ("words", DataType.SPARSE_FLOAT_VECTOR, None),
        ("parts", DataType._ARRAY_OF_STRUCT, None),
        ("parts[page]", DataType.INT32, None),
        ("parts[v]", DataType.FLOAT_VECTOR, 4),
        ("parts[nothing]", None, None),
        ("parts[", None, None),
        ("part", None, None),
        ("title[x]", None, None),
        ("", None, None),
        ("$meta", None, None),
    ],
)
def test_fields_by_name(name: str, kind: int | None, dim: int | None) -> None:
    schema = _core.Schema.from_reply(books().SerializeToString())
    assert schema.field_type(name) == kind
    assert schema.field_dim(name) == dim


def test_sub_fields_described_by_their_element() -> None:
    reply = books()
    page, vector = reply.schema.struct_array_fields[0].fields
    page.data_type, page.element_type = DataType.INT32, 0
    vector.data_type, vector.element_type = DataType.FLOAT_VECTOR, 0
    schema = _core.Schema.from_reply(reply.SerializeToString())
    assert schema.field_type("parts[page]") == DataType.INT32
    assert schema.field_type("parts[v]") == DataType.FLOAT_VECTOR
    assert schema.field_dim("parts[v]") == 4


def test_an_error_status_is_raised() -> None:
    reply = milvus_pb2.DescribeCollectionResponse()
    reply.status.code = 100
    reply.status.reason = "collection not found"
    with pytest.raises(_core.StatusError) as caught:
        _core.Schema.from_reply(reply.SerializeToString())
    assert (caught.value.code, caught.value.reason) == (100, "collection not found")


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_malformed_replies_are_refused(cut: int) -> None:
    with pytest.raises(_core.DecodeError):
        _core.Schema.from_reply(books().SerializeToString()[:-cut] + b"\xff")


def test_text_that_is_not_utf8_is_refused() -> None:
    data = books().SerializeToString().replace(b"title", b"\xff\xfe\xfd\xfc\xfb")
    with pytest.raises(_core.DecodeError):
        _core.Schema.from_reply(data)


def test_wrong_types_are_refused() -> None:
    schema = _core.Schema.from_reply(books().SerializeToString())
    with pytest.raises(TypeError):
        _core.Schema.from_reply("text")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        _core.Schema()
    with pytest.raises(TypeError):
        schema.field_type(3)  # type: ignore[arg-type]
    with pytest.raises(UnicodeEncodeError):
        schema.field_type("\ud800")


def test_an_empty_reply_is_an_empty_schema() -> None:
    schema = _core.Schema.from_reply(b"")
    assert schema.field_names == ()
    assert (schema.primary_field, schema.primary_type) == ("", 0)
    assert schema.to_dict()["fields"] == []


def test_describe_request() -> None:
    request = milvus_pb2.DescribeCollectionRequest.FromString(_core.describe_request("büro"))
    assert request == milvus_pb2.DescribeCollectionRequest(collection_name="büro")
    with pytest.raises(TypeError):
        _core.describe_request(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="NUL"):
        _core.describe_request("a\0b")


def test_a_description_with_all_that_servers_may_say() -> None:
    """What is rare, beside what pymilvus makes of it."""
    fake = Faker("rare")
    kinds = [DataType.VARCHAR, DataType.ARRAY, DataType.FLOAT_VECTOR, DataType.JSON]
    key = FakeField("id", DataType.INT64, primary=True)
    reply = fake.describe([key, *(fake.field(kind) for kind in kinds)]).reply
    reply.update_timestamp = 2**63
    reply.consistency_level = 2
    for i, field in enumerate(reply.schema.fields):
        field.default_value.Clear()
        field.is_partition_key = i == 1
        field.is_clustering_key = i == 2
        field.type_params.add(key="mmap.enabled", value=("", "false", "FALSE", "true", "x")[i])
    for message, name in (
        (reply.schema, "external_source"),
        (reply.schema, "external_spec"),
        (reply.schema.fields[1], "external_field"),
    ):
        if name in message.DESCRIPTOR.fields_by_name:
            setattr(message, name, "é")
    ours = _core.Schema.from_reply(reply.SerializeToString()).to_dict()
    theirs = CollectionSchema(reply).dict()
    assert {name: theirs[name] for name in ours if name in theirs} == {
        name: value for name, value in ours.items() if name in theirs
    }
    assert ours["update_timestamp"] == 2**63


def test_a_consistency_level_that_nobody_knows() -> None:
    for level in (5, -1):
        reply = Faker(0).describe([FakeField("id", DataType.INT64, primary=True)]).reply
        reply.consistency_level = level
        described = _core.Schema.from_reply(reply.SerializeToString()).to_dict()
        assert described["consistency_level_name"] == str(level)
