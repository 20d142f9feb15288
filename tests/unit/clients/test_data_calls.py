"""Arguments and results of the data-plane calls, beside pymilvus's on the same server."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pymilvus
import pytest
from pymilvus import FieldOp
from pymilvus.client.cache import GlobalCache
from pymilvus.grpc_gen import milvus_pb2, schema_pb2

import milvus_native
from milvus_native import schema_cache
from milvus_native.scope import WRITES
from tests.servers.recording import RecordingServer

from . import replies
from .conftest import Either

Use = Callable[[Any], Any]


def both(server: RecordingServer, use: Use) -> list[tuple[Any, list[tuple[str, bytes]]]]:
    """(result or exception, requests) of pymilvus's and of our client, sync; cold caches."""
    found = []
    for package in (pymilvus, milvus_native):
        GlobalCache.schema.clear()
        GlobalCache.collection_ts.clear()
        schema_cache.clear()
        WRITES.clear()  # an earlier test's server may have had the same port
        options = {"dedicated": True} if package is pymilvus else {}
        client = package.MilvusClient(server.uri, **options)
        server.take()
        result: Any
        try:
            result = use(client)
        except Exception as error:
            result = (type(error), getattr(error, "code", None), str(error))
        finally:
            client.close()
        found.append((result, [(call.method, call.request) for call in server.take()]))
    return found


MISTAKES: dict[str, Use] = {
    "insert str": lambda c: c.insert("things", "rows"),
    "insert tuple": lambda c: c.insert("things", (replies.ROW,)),
    "insert None": lambda c: c.insert("things", None),
    "upsert int": lambda c: c.upsert("things", 5),
    "insert without name": lambda c: c.insert(None, replies.ROW),
    "insert with empty name": lambda c: c.insert("", replies.ROW),
    "insert with number for a name": lambda c: c.insert(7, replies.ROW),
    "get without name": lambda c: c.get(None, [1]),
    "delete float": lambda c: c.delete("things", ids=1.5),
    "delete floats": lambda c: c.delete("things", ids=[1, 2.5]),
    "delete pks float": lambda c: c.delete("things", pks=[2.5]),
    "delete nothing": lambda c: c.delete("things"),
    "delete no ids": lambda c: c.delete("things", ids=[]),
    "delete by both": lambda c: c.delete("things", ids=[1], filter="id > 1"),
    "delete by empty filter": lambda c: c.delete("things", filter=""),
    "delete by number": lambda c: c.delete("things", filter=5),
    "delete in partition ''": lambda c: c.delete("things", filter="id > 1", partition_name=""),
    "delete with a timeout of text": lambda c: c.delete("things", filter="id > 1", timeout="5"),
    "delete keys in time of text": lambda c: c.delete("things", ids=[1], timeout="5"),
    "insert in time of text": lambda c: c.insert("things", replies.ROW, timeout="5"),
    "upsert in a list of time": lambda c: c.upsert("things", replies.ROW, timeout=[5]),
    "query by number": lambda c: c.query("things", 5),
    "query by both": lambda c: c.query("things", "id > 1", ids=[1]),
    "query for a field of text": lambda c: c.query("things", "id > 1", output_fields="id"),
    "search without name": lambda c: c.search(None, [[0.0] * 4]),
    "search in a number": lambda c: c.search(5, [[0.0] * 4]),
    "search nothing": lambda c: c.search("things"),
    "search both": lambda c: c.search("things", [[0.0] * 4], ids=[1]),
    "search for none": lambda c: c.search("things", [[0.0] * 4], limit=0),
    "search with a timeout of text": lambda c: c.search("things", [[0.0] * 4], timeout="5"),
    "hybrid without name": lambda c: c.hybrid_search(None, [], None),
    "has collection without name": lambda c: c.has_collection(None),
    "has collection in text time": lambda c: c.has_collection("things", timeout="5"),
    "unknown operator": lambda c: c.upsert("things", replies.ROW, field_ops={"id": "add"}),
    "operator number": lambda c: c.upsert("things", replies.ROW, field_ops={"id": 77}),
    "operator bool": lambda c: c.upsert("things", replies.ROW, field_ops={"id": True}),
    "operator list": lambda c: c.upsert("things", replies.ROW, field_ops={"id": [1]}),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_mistake(server: RecordingServer, mistake: Use) -> None:
    (theirs, _), (ours, _) = both(server, mistake)
    assert isinstance(theirs, tuple)
    assert ours == theirs


PAIRS: dict[str, Use] = {
    "insert row": lambda c: c.insert("things", replies.ROW),
    "insert rows in a partition": lambda c: c.insert("things", [replies.ROW], partition_name="p"),
    "insert in partition None": lambda c: c.insert("things", [replies.ROW], partition_name=None),
    "insert nothing": lambda c: c.insert("things", []),
    "insert into a namespace": lambda c: c.insert("things", replies.ROW, namespace="n"),
    "insert with a schema": lambda c: c.insert("things", replies.ROW, schema={}),
    "upsert nothing": lambda c: c.upsert("things", []),
    "upsert a part": lambda c: c.upsert("things", {"id": 1}, partial_update=True),
    "delete one": lambda c: c.delete("things", ids=1),
    "delete text": lambda c: c.delete("things", ids=["1", "2"]),
    "delete by pks": lambda c: c.delete("things", pks=[1], ids=[2]),
    "delete by filter": lambda c: c.delete("things", filter="id > 1", consistency_level=1),
    "get one": lambda c: c.get("things", 1),
    "get fields": lambda c: c.get("things", [1], output_fields=["id"], partition_names=["p"]),
    "get none": lambda c: c.get("things", []),
    "query one": lambda c: c.query("things", ids=1),
    "query no fields": lambda c: c.query("things", "id > 1", output_fields=[]),
    "has collection": lambda c: c.has_collection("things", timeout=5, unknown=1),
    "search rounded": lambda c: c.search("things", [[0.0] * 4], round_decimal=2),
    "search in a cluster": lambda c: c.search("things", [[0.0] * 4], cluster_id="c"),
}


@pytest.mark.parametrize("use", PAIRS.values(), ids=PAIRS)
def test_same_requests_and_results(server: RecordingServer, use: Use) -> None:
    (theirs, their_calls), (ours, our_calls) = both(server, use)
    assert ours == theirs
    assert [method for method, _ in our_calls] == [method for method, _ in their_calls]
    for (method, mine), (_, other) in zip(our_calls, their_calls, strict=True):
        message = getattr(milvus_pb2, f"{method}Request")
        assert message.FromString(mine) == message.FromString(other)


OPERATORS: dict[str, Any] = {
    "text": {"tags": "array_append", "id": "replace"},
    "capitals": {"tags": "ARRAY_REMOVE"},
    "numbers": {"tags": 1, "id": 0},
    "messages": {"tags": FieldOp.array_remove(), "id": FieldOp.replace()},
    "none": {"tags": None},
    "empty": {},
}


@pytest.mark.parametrize("operators", OPERATORS.values(), ids=OPERATORS)
def test_field_operators(server: RecordingServer, operators: dict[str, Any]) -> None:
    described = milvus_pb2.DescribeCollectionResponse.FromString(replies.describe())
    described.schema.fields.add(
        fieldID=102,
        name="tags",
        data_type=schema_pb2.Array,
        element_type=schema_pb2.Int64,
        type_params=[{"key": "max_capacity", "value": "9"}],
    )
    server.set("DescribeCollection", described.SerializeToString())
    row = {**replies.ROW, "tags": [1]}
    theirs, ours = both(server, lambda c: c.upsert("things", row, field_ops=operators))
    assert ours[0] == theirs[0]
    parse = milvus_pb2.UpsertRequest.FromString
    assert parse(ours[1][-1][1]) == parse(theirs[1][-1][1])


def test_results(either: Either, server: RecordingServer) -> None:
    reply = replies.mutation(1, 2, insert_cnt=2, upsert_cnt=3, timestamp=5)
    parsed = milvus_pb2.MutationResult.FromString(reply)
    parsed.status.extra_info["report_value"] = "7"
    for rpc in ("Insert", "Upsert"):
        server.set(rpc, parsed.SerializeToString())
    inserted = either.insert("things", replies.ROW)
    assert list(inserted.items()) == [("insert_count", 2), ("ids", [1, 2]), ("cost", 7)]
    assert type(inserted["ids"]) is list
    upserted = either.upsert("things", replies.ROW)
    assert list(upserted.items()) == [("upsert_count", 3), ("cost", 7), ("ids", [1, 2])]
    assert either.delete("things", ids=[1]) == {"delete_count": 1, "cost": 0}
    server.set("Delete", replies.mutation("a", "b", delete_cnt=2))
    assert either.delete("things", filter="id > 1") == ["a", "b"]


@pytest.mark.parametrize("status", [{"code": 26}, {"error_code": 26}])
def test_empty_collection(either: Either, server: RecordingServer, status: dict[str, int]) -> None:
    server.set("Query", replies.query(status=replies.common_pb2.Status(**status)))
    rows = either.query("things", "id > 1")
    assert rows == []
    assert str(rows)
    assert rows.extra == {}


def test_no_keys_need_no_server(either: Either, server: RecordingServer) -> None:
    """pymilvus's query(ids=[]) returns every row."""
    server.take()
    assert either.get("things", []) == []
    assert either.get("things", ()) == []
    assert either.query("things", ids=[]) == []
    assert server.take() == []


def test_callers_lists_are_left_alone(client: milvus_native.MilvusClient) -> None:
    """pymilvus's delete adds the ids to the list that is given as pks."""
    pks, ids = [1], [2]
    client.delete("things", pks=pks, ids=ids)
    assert (pks, ids) == ([1], [2])


def test_namespace_of_every_write(client: milvus_native.MilvusClient, server: Any) -> None:
    """pymilvus drops that of upsert and delete."""
    client.upsert("things", replies.ROW, namespace="n")
    client.delete("things", ids=[1], namespace="n")
    upsert, delete = server.take("Upsert", "Delete")
    assert milvus_pb2.UpsertRequest.FromString(upsert.request).namespace == "n"
    assert milvus_pb2.DeleteRequest.FromString(delete.request).namespace == "n"


def test_session_consistency(either: Either, server: RecordingServer) -> None:
    """A read asks for what this process has written, whichever client wrote it."""
    server.set("Insert", replies.mutation(1, timestamp=1000))
    either.insert("things", replies.ROW)
    with milvus_native.MilvusClient(server.uri, token="x") as other:
        other.query("things", "id > 1", consistency_level="Session")
        other.query("things", "id > 1", consistency_level="Strong")
        other.query("elsewhere", "id > 1", consistency_level="Session")
    sent = [milvus_pb2.QueryRequest.FromString(call.request) for call in server.take("Query")]
    assert [request.guarantee_timestamp for request in sent] == [1000, 0, 1]


def test_older_timestamps_do_not_replace_newer(client: Any, server: RecordingServer) -> None:
    stamps = [2000, 1500]
    server.set("Insert", *(replies.mutation(1, timestamp=stamp) for stamp in stamps))
    for _ in stamps:
        client.insert("things", replies.ROW)
    client.query("things", "id > 1")
    [call] = server.take("Query")
    assert milvus_pb2.QueryRequest.FromString(call.request).guarantee_timestamp == 2000


def test_columns(either: Either, server: RecordingServer) -> None:
    vectors = [[0.0] * 4, [1.0] * 4]
    either.insert("things", [[1, 2], vectors])
    either.insert("things", {"id": [1, 2], "vector": vectors})
    either.insert("things", [{"id": 1, "vector": vectors[0]}, {"id": 2, "vector": vectors[1]}])
    by_order, by_name, by_rows = (
        milvus_pb2.InsertRequest.FromString(call.request) for call in server.take("Insert")
    )
    assert by_order == by_name == by_rows


def test_malformed_reply(either: Either, server: RecordingServer) -> None:
    server.set("Search", b"\xff\xff")
    with pytest.raises(pymilvus.MilvusException, match="Unexpected error"):
        either.search("things", [[0.0] * 4])


def test_search_iterator(either: Either, server: RecordingServer) -> None:
    """The server of this test cannot page by itself: the older kind of iterator is opened."""
    indexes = milvus_pb2.DescribeIndexResponse()
    index = indexes.index_descriptions.add(index_name="vector", field_name="vector")
    index.params.add(key="metric_type", value="L2")
    server.set("DescribeIndex", indexes.SerializeToString())
    iterator = either.search_iterator("things", [[0.0] * 4], batch_size=1, limit=1)
    page = iterator.next()
    if asyncio.iscoroutine(page):
        page = either._finish(page)
    assert [hit["id"] for hit in page] == [3]
    assert server.count("DescribeIndex") == 1
    assert either.client.stats()["delegated"] == {}


@pytest.fixture
def sigint() -> Iterator[None]:
    """Python's own handler: a shell's background job starts with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("sigint")
def test_interrupted_call(client: Any, server: RecordingServer) -> None:
    """Ctrl-C in a call leaves a client that works."""
    gate = threading.Event()
    server.set("Query", replies.held(gate, replies.query(1)), replies.query(1))
    timer = threading.Timer(
        0.3, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    )
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        client.query("things", "id > 1")
    gate.set()
    assert len(client.query("things", "id > 1")) == 1
