"""One scenario per operation of the C core: a function without arguments that makes the operation
and returns something that can be compared. Their inputs are made once and are never to change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pymilvus.grpc_gen import common_pb2, milvus_pb2

from milvus_native import _core
from tests.faker import ALL_TYPES, SCALARS, DataType, FakeField, Faker
from tests.oracle.results.faker import PlainFaker, ReplyFaker
from tests.servers import frames

Scenario = Callable[[], Any]


def _schema() -> tuple[bytes, _core.Schema, list[dict[str, Any]]]:
    fake = Faker("hardening")
    key = FakeField("id", DataType.INT64, primary=True)
    described = fake.describe([key, *(fake.field(kind) for kind in ALL_TYPES)], dynamic=True)
    schema = _core.Schema.from_reply(described.reply_bytes)
    return described.reply_bytes, schema, fake.rows(described, 4)


def _defaults() -> bytes:
    key = FakeField("id", DataType.INT64, primary=True)
    fields = [FakeField(kind.name, kind, has_default=True) for kind in SCALARS]
    return Faker(0).describe([key, *fields]).reply_bytes


REPLY, SCHEMA, ROWS = _schema()
DEFAULTS_REPLY = _defaults()
COLUMNS: dict[str, Any] = {
    "id": np.arange(5),
    "t": list("abcde"),
    "v": np.ones((5, 4), dtype=np.float32),
}
COLUMN_SCHEMA = _core.Schema.from_reply(
    Faker(0)
    .describe(
        [
            FakeField("id", DataType.INT64, primary=True),
            FakeField("t", DataType.VARCHAR),
            FakeField("v", DataType.FLOAT_VECTOR, dim=4),
        ]
    )
    .reply_bytes
)
# Of types that Python itself has: nobody's code but ours touches them.
PLAIN_SCHEMA = _core.Schema.from_reply(
    Faker(0)
    .describe(
        [
            FakeField("id", DataType.INT64, primary=True),
            FakeField("b", DataType.BOOL, nullable=True),
            FakeField("d", DataType.DOUBLE),
            FakeField("t", DataType.VARCHAR),
            FakeField("a", DataType.ARRAY, element_type=DataType.INT32),
            FakeField("v", DataType.FLOAT_VECTOR, dim=4),
            FakeField("s", DataType.SPARSE_FLOAT_VECTOR),
        ]
    )
    .reply_bytes
)
PLAIN_ROWS = [
    {
        "id": i,
        "b": (True, None)[i % 2],
        "d": i / 3,
        "t": f"né {i}",
        "a": [i, -i],
        "v": [0.5, i, 1.5, 2],
        "s": {i: 0.5, 7: 1.5},
    }
    for i in range(5)
]
ARRAY = np.ones((3, 4), np.float32)
PARAMS = [("topk", "3"), ("params", '{"ef": 64}')]
TEMPLATES: dict[str, Any] = {"x": [1, "a", [2.5, True]], "y": "text"}
VECTOR = [0.5, 0.25, 1.0]
SEARCH = milvus_pb2.SearchRequest(dsl="a > 1").SerializeToString()
CONNECT = milvus_pb2.ConnectResponse(
    status=common_pb2.Status(),
    identifier=5,
    server_info=common_pb2.ServerInfo(build_tags="v2.6", reserved={"a": "b"}),
).SerializeToString()
INDEXES = milvus_pb2.DescribeIndexResponse(
    status=common_pb2.Status(),
    index_descriptions=[
        milvus_pb2.IndexDescription(
            index_name="i",
            field_name="v",
            params=[common_pb2.KeyValuePair(key="metric_type", value="L2")],
        )
    ],
).SerializeToString()
FAILED = milvus_pb2.MutationResult(
    status=common_pb2.Status(code=5, error_code=1, reason="no", extra_info={"a": "b"})
).SerializeToString()


def _search_replies() -> list[bytes]:
    return [ReplyFaker(seed).search().SerializeToString() for seed in range(6)]


SEARCHES = _search_replies()
QUERIES = [ReplyFaker(seed).query().SerializeToString() for seed in range(6)]
PLAIN_SEARCHES = [PlainFaker(seed).search().SerializeToString() for seed in range(6)]
PLAIN_QUERIES = [PlainFaker(seed).query().SerializeToString() for seed in range(6)]
MUTATIONS = [ReplyFaker(seed).mutation().SerializeToString() for seed in range(6)]


def encode_in_slices() -> bytes:
    encoder = _core.RowEncoder(SCHEMA, ROWS, collection_name="c", upsert=True)
    while not encoder.step(100):
        pass
    return encoder.finish()


def refused_rows() -> str:
    try:
        _core.encode_rows(SCHEMA, [*ROWS, {"unknown": 1, "id": "x"}], collection_name="c")
    except MemoryError:
        raise
    except Exception as error:
        return type(error).__name__
    return "nothing was refused"


def failed_status() -> tuple[Any, ...]:
    try:
        _core.decode_mutation(FAILED)
    except _core.StatusError as error:
        return (error.code, error.reason, error.extra_info)
    raise AssertionError("the status is an error")


def use_cache() -> int:
    cache = _core.SchemaCache(capacity=2)
    generation = cache.generation()
    for i in range(4):
        cache.put(("a", i), SCHEMA, generation)
    cache.invalidate(("a", 3))
    cache.invalidate_if(lambda key, schema: False)
    return len(cache)


def one_call() -> list[Any]:
    """A gRPC call from its first byte to its last, on a connection of its own."""
    connection = _core.RpcConnection("localhost:19530", "http", "test/1")
    results = []
    try:
        connection.receive(frames.settings())
        metadata = [("authorization", "token"), ("trace-bin", b"\x00")]
        try:
            connection.submit("/s/M", [b"question", b"x" * 5000], metadata, 5.0, "tag")
        except ConnectionError as error:
            raise MemoryError(error) from error
        while connection.data_to_send():
            pass
        results += connection.receive(frames.reply(1, b"answer"))
        # What fails is told by the call, or by the connection.
        if connection.error:
            raise MemoryError(connection.error)
        for result in results:
            if result[1] != 0:
                raise MemoryError(result)
    finally:
        connection.lost("over")
    return results


SCENARIOS: dict[str, Scenario] = {
    "schema": lambda: _core.Schema.from_reply(REPLY).field_names,
    "schema with defaults": lambda: _core.Schema.from_reply(DEFAULTS_REPLY).to_dict(),
    "schema as a dict": lambda: SCHEMA.to_dict(),
    "rows": lambda: _core.encode_rows(SCHEMA, ROWS, collection_name="c"),
    "rows in slices": encode_in_slices,
    "plain rows": lambda: _core.encode_rows(PLAIN_SCHEMA, PLAIN_ROWS, collection_name="c"),
    "columns": lambda: _core.encode_rows(COLUMN_SCHEMA, COLUMNS, collection_name="c"),
    "refused rows": refused_rows,
    "cache": use_cache,
    "search": lambda: _core.encode_search(
        collection_name="c",
        partition_names=["p"],
        dsl="a in {x}",
        data=[VECTOR, VECTOR],
        output_fields=["id"],
        params=PARAMS,
        templates=TEMPLATES,
    ),
    "sparse search": lambda: _core.encode_search(
        collection_name="c", data=[{5: 0.5, 1: 0.25}], params=PARAMS
    ),
    "array search": lambda: _core.encode_search(collection_name="c", data=ARRAY, params=PARAMS),
    "hybrid search": lambda: _core.encode_hybrid_search(
        collection_name="c", requests=[SEARCH, SEARCH], params=PARAMS
    ),
    "query": lambda: _core.encode_query(
        collection_name="c", expr="a in {x}", output_fields=["*"], params=[], templates=TEMPLATES
    ),
    "delete": lambda: _core.encode_delete(collection_name="c", expr="a > 1"),
    "keys": lambda: _core.primary_key_expression("id", ["a", "b'", "c\"'"] * 40, 21),
    "search reply": lambda: [_core.decode_search(data) for data in SEARCHES],
    "query reply": lambda: [_core.decode_query(data) for data in QUERIES],
    "plain search reply": lambda: [_core.decode_search(data) for data in PLAIN_SEARCHES],
    "plain query reply": lambda: [_core.decode_query(data) for data in PLAIN_QUERIES],
    "mutation reply": lambda: [_core.decode_mutation(data) for data in MUTATIONS],
    "failed reply": failed_status,
    "connect": lambda: _core.connect_request(
        sdk_type="p", sdk_version="1", local_time="t", user="u", host="h", reserved={"a": "b"}
    ),
    "connect reply": lambda: _core.parse_connect(CONNECT),
    "index request": lambda: _core.index_request("c"),
    "index reply": lambda: _core.parse_indexes(INDEXES),
    "describe request": lambda: _core.describe_request("c"),
    "call": one_call,
}
