"""The same call made twice: by pymilvus's client to a recording server, and by our request
functions. Both give the bytes of the request, or the exception."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymilvus import AsyncMilvusClient, DataType, MilvusClient, MilvusException
from pymilvus.client.cache import GlobalCache
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from milvus_native import _core, arguments, requests
from tests.servers.recording import RecordingServer

COLLECTION = "books"
MESSAGES = {
    "Search": milvus_pb2.SearchRequest,
    "HybridSearch": milvus_pb2.HybridSearchRequest,
    "Query": milvus_pb2.QueryRequest,
    "Delete": milvus_pb2.DeleteRequest,
}


def describe_reply(primary_type: int = DataType.INT64) -> bytes:
    """A collection with a vector field of each type, and a struct array with a vector."""

    def field(number: int, name: str, kind: int, **options: Any) -> schema_pb2.FieldSchema:
        dim = [common_pb2.KeyValuePair(key="dim", value="8")] if kind >= 100 else []
        return schema_pb2.FieldSchema(
            fieldID=100 + number, name=name, data_type=kind, type_params=dim, **options
        )

    vectors = [
        field(kind, name, kind)
        for name, kind in (
            ("binary", DataType.BINARY_VECTOR),
            ("float", DataType.FLOAT_VECTOR),
            ("half", DataType.FLOAT16_VECTOR),
            ("brain", DataType.BFLOAT16_VECTOR),
            ("int8", DataType.INT8_VECTOR),
        )
    ]
    struct = schema_pb2.StructArrayFieldSchema(
        fieldID=300,
        name="chunks",
        fields=[
            field(301, "half", DataType._ARRAY_OF_VECTOR, element_type=DataType.FLOAT16_VECTOR),
            field(302, "page", DataType.ARRAY, element_type=DataType.INT64),
        ],
    )
    return milvus_pb2.DescribeCollectionResponse(
        status=common_pb2.Status(),
        collection_name=COLLECTION,
        collectionID=42,
        schema=schema_pb2.CollectionSchema(
            name=COLLECTION,
            fields=[field(0, "id", primary_type, is_primary_key=True), *vectors],
            struct_array_fields=[struct],
        ),
    ).SerializeToString()


REPLIES = {
    "Search": milvus_pb2.SearchResults(
        results=schema_pb2.SearchResultData(num_queries=1, topks=[0])
    ).SerializeToString(),
    "HybridSearch": milvus_pb2.SearchResults(
        results=schema_pb2.SearchResultData(num_queries=1, topks=[0])
    ).SerializeToString(),
    "Query": milvus_pb2.QueryResults(
        fields_data=[
            schema_pb2.FieldData(
                type=DataType.INT64,
                field_name="id",
                scalars=schema_pb2.ScalarField(long_data=schema_pb2.LongArray()),
            )
        ]
    ).SerializeToString(),
    "Delete": milvus_pb2.MutationResult().SerializeToString(),
    "DescribeCollection": describe_reply(),
}


class Theirs:
    """pymilvus's two clients on a recording server."""

    def __init__(self, server: RecordingServer) -> None:
        self._server = server
        # Not shared: the pool may hold a closed one, of an earlier server on the same port.
        self._client = MilvusClient(server.uri, dedicated=True)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._async_client = AsyncMilvusClient(server.uri, dedicated=True)

    def call(self, method: str, /, *args: Any, **kwargs: Any) -> bytes | Exception | None:
        """The request, the exception, or None when nothing was sent."""
        try:
            getattr(self._client, method)(*args, **kwargs)
        except Exception as error:
            self._server.take()
            return error
        return self._sent()

    def acall(self, method: str, /, *args: Any, **kwargs: Any) -> bytes | Exception | None:
        """The same with the async client."""

        async def run() -> None:
            await getattr(self._async_client, method)(*args, **kwargs)

        try:
            asyncio.run_coroutine_threadsafe(run(), self._loop).result(60)
        except Exception as error:
            self._server.take()
            return error
        return self._sent()

    def set_last_write(self, timestamp: int) -> None:
        GlobalCache.collection_ts.invalidate(self._server.address, "", COLLECTION)
        GlobalCache.collection_ts.set(self._server.address, "", COLLECTION, timestamp)

    @contextmanager
    def session(self, cluster_id: str) -> Iterator[None]:
        """Calls within are made as those of a client that is bound to a cluster."""
        self._client._cluster_id = cluster_id
        try:
            yield
        finally:
            del self._client._cluster_id

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._async_client.close(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._client.close()

    def _sent(self) -> bytes | None:
        sent = [call.request for call in self._server.take() if call.method in MESSAGES]
        assert len(sent) <= 1
        return sent[0] if sent else None


class Scope:
    def __init__(self, cluster_id: str | None = None, last_write: int = 0) -> None:
        self.cluster_id = cluster_id
        self.last_write = last_write

    def last_write_ts(self, collection_name: str) -> int:
        return self.last_write


class Ours:
    """What the clients make of our functions, with the methods' own rules."""

    def __init__(self, scope: Scope | None = None, description: bytes | None = None) -> None:
        self.scope = scope or Scope()
        self.schema = _core.Schema.from_reply(description or REPLIES["DescribeCollection"])

    def call(self, method: str, /, *args: Any, **kwargs: Any) -> bytes | Exception | None:
        try:
            return getattr(self, method)(*args, **kwargs)
        except Exception as error:
            return error

    def search(self, name: str, data: Any = None, **kwargs: Any) -> bytes:
        schema = self.schema if requests.search_needs_schema(data) else None
        return requests.search(self.scope, schema, name, data, **kwargs)

    def hybrid_search(self, name: str, reqs: Any, ranker: Any, **kwargs: Any) -> bytes:
        schema = self.schema if requests.hybrid_needs_schema(reqs) else None
        return requests.hybrid_search(self.scope, schema, name, reqs, ranker, **kwargs)

    def query(
        self,
        name: str,
        filter: Any = "",  # noqa: A002
        output_fields: Any = None,
        ids: Any = None,
        **kwargs: Any,
    ) -> bytes | None:
        keys = arguments.query_keys(filter, ids)
        if keys == []:
            return None
        expr = filter if keys is None else self._expression(keys)
        return requests.query(
            self.scope, name, expr, output_fields=output_fields or ["*"], **kwargs
        )

    def get(self, name: str, ids: Any, output_fields: Any = None, **kwargs: Any) -> bytes | None:
        keys = arguments.get_keys(ids)
        if not keys:
            return None
        expr = self._expression(keys)
        return requests.query(
            self.scope, name, expr, output_fields=output_fields or ["*"], **kwargs
        )

    def delete(
        self,
        name: str,
        ids: Any = None,
        filter: Any = None,  # noqa: A002
        **kwargs: Any,
    ) -> bytes:
        keys = arguments.delete_keys(ids, filter, kwargs.pop("pks", None))
        expr = self._expression(keys) if keys else filter
        return requests.delete(self.scope, name, expr, **kwargs)

    def _expression(self, keys: list[Any]) -> str:
        return _core.primary_key_expression(
            self.schema.primary_field, keys, self.schema.primary_type
        )


@contextmanager
def pymilvus_twin() -> Iterator[Theirs]:
    """pymilvus with a server that answers every request with as little as it may."""
    logger = logging.getLogger("pymilvus")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)  # it logs a traceback for every exception
    with RecordingServer(REPLIES) as server:
        theirs = Theirs(server)
        try:
            yield theirs
        finally:
            theirs.close()
            logger.setLevel(level)


def parsed(method: str, request: bytes | Exception | None) -> Any:
    """The message, so that a difference is shown by field."""
    assert isinstance(request, bytes), request
    return MESSAGES[method].FromString(request)


def assert_same(
    method: str, ours: bytes | Exception | None, theirs: bytes | Exception | None
) -> None:
    """Same message; or the same class, code and text of an exception, as far as it is pymilvus's
    own: the text of protobuf's or struct's complaint inside it may differ."""
    if isinstance(theirs, Exception):
        assert isinstance(ours, Exception), f"they raise {theirs!r} ({theirs}), we send {ours!r}"
        assert type(ours) is type(theirs), (ours, theirs)
        if isinstance(theirs, MilvusException):
            assert ours.code == theirs.code
            assert core_of(ours.message) == core_of(theirs.message)
        else:
            assert str(ours) == str(theirs)
    else:
        mine, wanted = parsed(method, ours), parsed(method, theirs)
        assert mine == wanted, f"we send\n{mine}\nthey send\n{wanted}"


def core_of(message: str) -> str:
    return "Unexpected error" if message.startswith("Unexpected error") else message
