"""Schema.to_dict against pymilvus's describe dict."""

from __future__ import annotations

from typing import Any

import pytest
from pymilvus.client.abstract import CollectionSchema
from pymilvus.grpc_gen import milvus_pb2

from milvus_native._core import Schema
from tests.faker import Faker


def plain(value: Any) -> Any:
    """pymilvus's dict with the messages in it (default values) as plain values."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if hasattr(value, "WhichOneof"):
        return getattr(value, value.WhichOneof("data"))
    if isinstance(value, (str, bytes, int, float)) or value is None:
        return value
    return [plain(v) for v in value]


@pytest.mark.parametrize("seed", range(200))
def test_to_dict_equals_pymilvus(seed: int) -> None:
    schema = Faker(seed).schema(max_fields=12)
    ours = Schema.from_reply(schema.reply_bytes).to_dict()
    theirs = plain(schema.dict)
    if "schema_version" not in theirs:  # pymilvus 2.6, which leaves a struct's name in its fields'
        assert ours.pop("schema_version") == 0
        for struct in theirs["struct_array_fields"]:
            for field in struct["fields"]:
                field["name"] = field["name"].removeprefix(f"{struct['name']}[").removesuffix("]")
    assert ours == theirs


def test_every_key_of_the_description() -> None:
    reply = milvus_pb2.DescribeCollectionResponse(
        collectionID=7, shards_num=2, num_partitions=3, consistency_level=2, aliases=["a", "b"]
    )
    raw = reply.schema
    raw.name, raw.description, raw.version = "books", "all books", 4
    raw.external_source, raw.external_spec, raw.enable_namespace = "s3://x", "{}", True
    reply.properties.add(key="ttl", value="10")
    field = raw.fields.add(name="title", fieldID=100, data_type=21, is_partition_key=True)
    field.is_clustering_key, field.external_field = True, "col"
    for key, value in {
        "max_length": "10",
        "dim": "4",
        "params": '{"a": [1]}',
        "mmap.enabled": "False",
        "enable_analyzer": "true",
        "max_capacity": "5",
    }.items():
        field.type_params.add(key=key, value=value)
    raw.fields.add(name="hidden", data_type=23, is_dynamic=True)
    raw.fields.add(name="words", data_type=22, element_type=21).type_params.add(
        key="max_capacity", value="5"
    )
    struct = raw.struct_array_fields.add(name="parts", description="d", nullable=True)
    struct.type_params.add(key="mmap.enabled", value="true")
    struct.type_params.add(key="note", value="not json")
    struct.fields.add(name="parts[v]", data_type=106, element_type=101).type_params.add(
        key="max_capacity", value="5"
    )
    expected = CollectionSchema(reply).dict()
    got = Schema.from_reply(reply.SerializeToString()).to_dict()
    assert got == plain(expected)
    assert set(got) == set(expected)
