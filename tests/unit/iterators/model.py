"""Runs pagers against a PagingCollection without any client or network.

An operation is a function without arguments here. Requests are built and replies parsed by
pymilvus, so the pagers are tested alone.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from pymilvus.client.prepare import Prepare
from pymilvus.client.search_result import SearchResult
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import iterators
from milvus_native.iterators import QueryPlan, SearchPlan
from tests.servers.paging import PagingCollection


class Rows(list):
    """Rows as a query returns them: a list with `extra`."""

    extra: dict[str, Any]


class ModelCalls:
    """`log` has (method, message) of every request; `before` is called ahead of each."""

    def __init__(self, collection: PagingCollection) -> None:
        self.collection = collection
        self.log: list[tuple[str, Any]] = []
        self.before: Callable[[str, Any], None] = lambda method, message: None

    def record(self, method: str, message: Any) -> bytes:
        self.before(method, message)
        self.log.append((method, message))
        return message.SerializeToString()

    def methods(self) -> list[str]:
        return [method for method, _message in self.log]

    def messages(self, method: str) -> list[Any]:
        return [message for name, message in self.log if name == method]

    def describe(self) -> Callable[[], Any]:
        def operation() -> Any:
            self.record("DescribeCollection", Prepare.describe_collection_request("c"))
            fields = self.collection.describe(b"").schema.fields
            types = {field.name: field.data_type for field in fields}
            return SimpleNamespace(
                collection_id=self.collection.collection_id,
                primary_field=self.collection.pk,
                primary_type=types[self.collection.pk],
                field_names=tuple(types),
                field_type=types.get,
            )

        return operation

    def indexes(self) -> Callable[[], Any]:
        def operation() -> Any:
            request = self.record("DescribeIndex", Prepare.describe_index_request("c", ""))
            return [
                (index.index_name, index.field_name, {kv.key: kv.value for kv in index.params})
                for index in self.collection.describe_index(request).index_descriptions
            ]

        return operation

    def query(self, expr, output_fields, partition_names, options) -> Callable[[], Any]:
        def operation() -> Any:
            message = Prepare.query_request("c", expr, output_fields, partition_names, **options)
            reply = self.collection.query(self.record("Query", message))
            columns = {}
            for column in reply.fields_data:
                member = column.scalars.WhichOneof("data")
                columns[column.field_name] = getattr(column.scalars, member).data
            rows = Rows(
                dict(zip(columns, cells, strict=True))
                for cells in zip(*columns.values(), strict=True)
            )
            rows.extra = {"iterator_session_ts": reply.session_ts}
            return rows

        return operation

    def search(
        self, plan, *, expr, anns_field, search_params, limit, round_decimal, options
    ) -> Callable[[], Any]:
        def operation() -> Any:
            message = Prepare.search_requests_with_expr(
                collection_name="c",
                anns_field=anns_field,
                param=search_params,
                limit=limit,
                data=plan.data,
                expr=expr,
                partition_names=plan.partition_names,
                output_fields=plan.output_fields,
                round_decimal=round_decimal,
                **options,
            )
            reply: milvus_pb2.SearchResults = self.collection.search(self.record("Search", message))
            return SearchResult(
                reply.results, round_decimal, status=reply.status, session_ts=reply.session_ts
            )

        return operation


def run(operation: Callable[[], Any]) -> Any:
    return operation()


async def run_async(operation: Callable[[], Any]) -> Any:
    return operation()


def open_query(
    collection: PagingCollection, **arguments: Any
) -> tuple[iterators.QueryIterator, ModelCalls]:
    calls = ModelCalls(collection)
    return iterators.query_iterator(run, calls, QueryPlan(**arguments)), calls


def open_search(
    collection: PagingCollection, data: Any = ((0.5, 0.5),), **arguments: Any
) -> tuple[Any, ModelCalls]:
    calls = ModelCalls(collection)
    plan = SearchPlan(data=[list(vector) for vector in data], **arguments)
    return iterators.search_iterator(run, calls, plan), calls


def params_of(message: Any) -> dict[str, str]:
    """The key-value pairs of a QueryRequest or SearchRequest."""
    pairs = getattr(message, "query_params", None) or message.search_params
    return {pair.key: pair.value for pair in pairs}
