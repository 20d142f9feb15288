"""Replies of real servers: the same bytes decoded by us and by pymilvus."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from pymilvus import DataType, MilvusClient
from pymilvus.grpc_gen import milvus_pb2

import milvus_native.results  # noqa: F401  (registers the types that _core's decoders need)
from milvus_native import _core
from tests.oracle.results.reference import assert_same
from tests.servers import Server

SERVICE = "/milvus.proto.milvus.MilvusService/"
REPLIES = {
    "Search": milvus_pb2.SearchResults,
    "Query": milvus_pb2.QueryResults,
    "Insert": milvus_pb2.MutationResult,
    "Delete": milvus_pb2.MutationResult,
}
ROWS = 40
DIM = 8


class Tapped:
    """A pymilvus client that keeps the bytes of the last reply."""

    def __init__(self, uri: str) -> None:
        self.client = MilvusClient(uri, dedicated=True)
        self.last = b""
        handler: Any = self.client._get_connection()
        for method, reply in REPLIES.items():
            call = handler._final_channel.unary_unary(
                SERVICE + method,
                request_serializer=lambda request: request.SerializeToString(),
                response_deserializer=self._keeper(reply),
            )
            setattr(handler._stub, method, call)

    def _keeper(self, reply: Any) -> Any:
        def keep(data: bytes) -> Any:
            self.last = data
            return reply.FromString(data)

        return keep


def schema(client: MilvusClient, nullable: bool) -> Any:
    made = client.create_schema(auto_id=False, enable_dynamic_field=True)
    made.add_field("pk", DataType.VARCHAR, is_primary=True, max_length=50)
    made.add_field("vector", DataType.FLOAT_VECTOR, dim=DIM)
    for kind in (DataType.BOOL, DataType.INT8, DataType.INT64, DataType.FLOAT, DataType.DOUBLE):
        made.add_field(kind.name.lower(), kind, nullable=nullable)
    made.add_field("text", DataType.VARCHAR, max_length=200, nullable=nullable)
    made.add_field("json", DataType.JSON)
    made.add_field("tags", DataType.ARRAY, element_type=DataType.INT32, max_capacity=9)
    return made


def row(chance: random.Random, number: int, nullable: bool) -> dict[str, Any]:
    made: dict[str, Any] = {
        "pk": f"k{number}é",
        "vector": [chance.uniform(-1, 1) for _ in range(DIM)],
        "bool": chance.random() < 0.5,
        "int8": chance.randrange(-128, 128),
        "int64": chance.randrange(-(2**63), 2**63),
        "float": chance.uniform(-1, 1),
        "double": chance.uniform(-1, 1),
        "text": "日本語" * chance.randrange(4),
        "json": {"a": [number, None], "b": {"c": "x"}},
        "tags": [chance.randrange(-9, 9) for _ in range(chance.randrange(4))],
        "extra": number,
    }
    if number % 3 == 0:
        made["other"] = {"n": number}
    if nullable:
        for name in ("bool", "int8", "int64", "float", "double", "text"):
            if chance.random() < 0.3:
                made[name] = None
    return made


@pytest.fixture(scope="module", params=["lite_server", "milvus_server"])
def tapped(request: pytest.FixtureRequest) -> Iterator[tuple[Tapped, str]]:
    """A client and its loaded collection."""
    server: Server = request.getfixturevalue(request.param)
    tap = Tapped(server.uri)
    client, name = tap.client, f"replies_{uuid.uuid4().hex}"
    nullable = request.param == "lite_server"
    index = client.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="L2")
    client.create_collection(
        name, schema=schema(client, nullable), index_params=index, consistency_level="Strong"
    )
    chance = random.Random(1)
    rows = [row(chance, number, nullable) for number in range(ROWS)]
    written = client.insert(name, rows)
    mine = _core.decode_mutation(tap.last)
    assert mine.insert_count == written["insert_count"] == ROWS
    assert mine.ids == list(written["ids"])
    yield tap, name
    client.drop_collection(name)
    client.close()


@pytest.mark.parametrize(
    "fields", [None, ["*"], ["text"], ["extra"], ["other", "tags"], ["vector", "json", "$meta"]]
)
def test_search(tapped: tuple[Tapped, str], fields: list[str] | None) -> None:
    tap, name = tapped
    data = [[0.1 * i] * DIM for i in range(3)]
    theirs = tap.client.search(name, data=data, limit=7, output_fields=fields)
    theirs.materialize()
    ours = _core.decode_search(tap.last, round_decimal=-1)
    assert len(ours) == 3
    assert len(ours[0]) == 7
    assert_same(ours, theirs)
    assert ours.extra == theirs.extra
    assert str(ours) == str(theirs)


@pytest.mark.parametrize(
    "fields", [None, ["*"], ["text"], ["extra"], ["other", "tags"], ["vector", "json", "$meta"]]
)
def test_query(tapped: tuple[Tapped, str], fields: list[str] | None) -> None:
    tap, name = tapped
    theirs = tap.client.query(name, filter='pk != "k1é"', output_fields=fields, limit=100)
    ours = _core.decode_query(tap.last)
    assert len(ours) == ROWS - 1
    assert_same(ours, theirs.materialize())
    assert ours.extra == theirs.extra
    assert str(ours) == str(theirs)


def test_nothing_found(tapped: tuple[Tapped, str]) -> None:
    tap, name = tapped
    theirs = tap.client.query(name, filter='pk == "none"', output_fields=["*"])
    assert _core.decode_query(tap.last) == theirs == []
    found = tap.client.search(name, data=[[0.0] * DIM], filter='pk == "none"', limit=3)
    assert _core.decode_search(tap.last) == found


def test_delete(tapped: tuple[Tapped, str]) -> None:
    tap, name = tapped
    theirs = tap.client.delete(name, filter='pk in ["none"]')
    ours = _core.decode_mutation(tap.last)
    # pymilvus gives the keys where the server, like milvus-lite, sends them.
    counted = {"delete_count": ours.delete_count, "cost": ours.cost}
    assert theirs == (ours.ids if isinstance(theirs, list) else counted)


def test_refused_search(tapped: tuple[Tapped, str]) -> None:
    tap, name = tapped
    with pytest.raises(Exception, match=r".+"):
        tap.client.search(name, data=[[0.0] * DIM], filter="no such (", limit=3)
    with pytest.raises(_core.StatusError) as raised:
        _core.decode_search(tap.last)
    assert raised.value.code or raised.value.error_code
    assert raised.value.reason
