"""Replies with all that a server may say, and what is made of them."""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator
from typing import Any

from pymilvus.grpc_gen import common_pb2, milvus_pb2

from tests.faker import ALL_TYPES, DataType, FakeField, Faker
from tests.oracle.results.faker import ReplyFaker

from .. import scenarios
from .scenario import Scenario, anew, calling, outcome


def rich_description() -> bytes:
    """Everything that a collection can have, with a name outside of ASCII."""
    fake = Faker("description")
    kinds = [kind for kind in ALL_TYPES for _ in range(2)]
    fields = [fake.field(kind, f"é{i}") for i, kind in enumerate(kinds)]
    fields.sort(key=lambda field: field.type == DataType._ARRAY_OF_STRUCT)
    fields.insert(3, FakeField("out", DataType.SPARSE_FLOAT_VECTOR, function_output=True))
    key = FakeField("id", DataType.VARCHAR, primary=True, auto_id=True)
    reply = fake.describe([key, *fields], dynamic=True).reply
    reply.aliases.extend(["é", "b"])
    reply.properties.add(key="é", value="ü")
    reply.schema.description = "é"
    for i, field in enumerate(reply.schema.fields):
        field.description = "é"
        field.type_params.add(key="params", value='{"a": 1}')
        field.type_params.add(key="mmap.enabled", value="true")
        field.type_params.add(key="other", value="é")
        field.is_partition_key = i == 1
        field.is_clustering_key = i == 2
    defaults = iter(reply.schema.fields)
    for member, value in (
        ("bool_data", True),
        ("int_data", 5),
        ("long_data", 2**40),
        ("float_data", 0.5),
        ("double_data", 0.25),
        ("string_data", "é"),
        ("bytes_data", b"{}"),
        ("timestamptz_data", 2**40),
    ):
        setattr(next(defaults).default_value, member, value)
    for struct in reply.schema.struct_array_fields:
        struct.description = "é"
        struct.type_params.add(key="mmap.enabled", value="true")
        struct.type_params.add(key="é", value="not JSON")
    return reply.SerializeToString()


DESCRIPTION = rich_description()
NOT_FOUND = milvus_pb2.DescribeCollectionResponse(
    status=common_pb2.Status(code=100, error_code=4, reason="né", extra_info={"a": "é"})
).SerializeToString()


def use_schema(core: Any, argument: bytes) -> list[Any]:
    sys._getframe()
    schema = core.Schema.from_reply(argument)
    found = [schema.field_names, schema.to_dict(), repr(schema), schema.primary_field]
    found += [schema.collection_name, schema.db_name, schema.aliases, schema.collection_id]
    found += [schema.created_timestamp, schema.update_timestamp, schema.nbytes]
    for name in schema.field_names:
        found += [schema.field_type(name), schema.field_dim(name)]
    return found


def use_cache(core: Any, schema: bytes) -> list[Any]:
    sys._getframe()
    compiled = core.Schema.from_reply(schema)
    cache = core.SchemaCache(capacity=2, max_age=1000.0)
    generation = cache.generation()
    found: list[Any] = [cache.put(("é", i, None), compiled, generation) for i in range(5)]
    found.append(cache.put(("é", 4, None), compiled, generation))
    found += [cache.get(("é", i, None)) is compiled for i in range(5)]
    found += [cache.peek(("é", 4, None)) is compiled, cache.is_current(("a",), generation)]
    found += [cache.invalidate(("é", 4, None)), cache.invalidate(("b",)), len(cache)]
    found.append(cache.invalidate_if(operator.is_))
    found.append(cache.stats())
    found.append(cache.put(("z",), compiled, generation))
    cache.configure(capacity=1, max_age=None)
    cache.clear()
    return found


def use_hit(core: Any, argument: dict[str, Any]) -> list[Any]:
    sys._getframe()
    hit = core.Hit(argument, pk_name="né")
    found = [hit.id, hit.pk, hit.distance, hit.score, hit.fields, hit.entity, hit.get("x")]
    found += [hit.get("title"), hit["title"], "title" in hit, hit.to_dict(), hit.title]
    found += [outcome(hit.__getattr__, 5), len(hit.__reduce_ex__(4)), hit.__class__]
    found += [outcome(core.Hit, 5), outcome(core.Hit, pk_name="é"), outcome(core.Hit, [("a", 1)])]
    found += [outcome(hit.__getitem__, "nothing"), hit.highlight, hasattr(hit, "é")]
    return found


def index_reply() -> bytes:
    reply = milvus_pb2.DescribeIndexResponse(status=common_pb2.Status())
    for i in range(3):
        index = reply.index_descriptions.add(index_name=f"é{i}", field_name="né")
        index.params.add(key="é", value="ü")
        index.params.add(key="metric_type", value="L2")
    return reply.SerializeToString()


def aggregation_replies() -> list[bytes]:
    found = []
    for seed in range(8):
        fake = ReplyFaker(f"aggregation {seed}")
        reply = milvus_pb2.SearchResults()
        fake.aggregation(reply.results)
        found.append(reply.SerializeToString())
    return found


def each(function: str, replies: list[bytes], **options: Any) -> Scenario:
    """One decoder, one reply after the other."""

    def run(core: Any, argument: list[bytes]) -> list[Any]:
        sys._getframe()
        return [outcome(getattr(core, function), reply, **options) for reply in argument]

    return Scenario(run, anew(replies))


def connect_reply(**options: Any) -> bytes:
    server = common_pb2.ServerInfo(build_tags="é", go_version="é", reserved={"é": "ü", "a": "b"})
    return milvus_pb2.ConnectResponse(
        status=common_pb2.Status(**options), identifier=2**40, server_info=server
    ).SerializeToString()


def replies() -> Iterator[tuple[str, Scenario]]:
    yield "description", Scenario(use_schema, anew(DESCRIPTION))
    yield "no description", each("decode_query", [NOT_FOUND])
    yield "schema cache", Scenario(use_cache, anew(scenarios.REPLY))
    yield "indexes", calling("parse_indexes", index_reply())
    yield "connected", calling("parse_connect", connect_reply())
    yield "not connected", calling("parse_connect", connect_reply(code=5, reason="é"))
    yield "no reply to connect", calling("parse_connect", "x")
    yield "no reply about indexes", calling("parse_indexes", b"\xff")
    yield (
        "mutations",
        each("decode_mutation", [ReplyFaker(i).mutation().SerializeToString() for i in range(12)]),
    )
    yield "failed mutation", each("decode_mutation", [scenarios.FAILED])
    yield "aggregations", each("decode_search", aggregation_replies())
    for seed in range(16):
        search = ReplyFaker(f"search {seed}").search().SerializeToString()
        query = ReplyFaker(f"query {seed}").query().SerializeToString()
        strict = {"strict_float32": True} if seed % 4 == 3 else {}
        rounded = {"round_decimal": 2} if seed % 4 == 3 else {}
        yield f"search reply {seed}", each("decode_search", [search], **rounded)
        yield f"query reply {seed}", each("decode_query", [query], **strict)
    values = {"né": 5, "distance": 0.5, "entity": {"title": "é", "x": None}, "highlight": {"a": 1}}
    yield "hit", Scenario(use_hit, anew(values))
