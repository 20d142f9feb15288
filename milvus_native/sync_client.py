"""MilvusClient: the data plane through the C core, everything else through pymilvus."""

from __future__ import annotations

import sys
import warnings
from types import TracebackType
from typing import Any

import milvus_native

from . import operations
from .arguments import check_collection_name, delete_keys, get_keys, query_keys
from .base import (
    DELEGATE_ATTRIBUTES,
    DELETE_KEYWORDS,
    HYBRID_KEYWORDS,
    INSERT_KEYWORDS,
    QUERY_ITERATOR_KEYWORDS,
    QUERY_KEYWORDS,
    SEARCH_ITERATOR_KEYWORDS,
    SEARCH_KEYWORDS,
    UPSERT_KEYWORDS,
    BaseClient,
    check_rows,
    check_str,
    owner_of_mixins,
)
from .connection import SyncConnection
from .control.sync_access import Access
from .control.sync_administration import Administration
from .control.sync_collections import Collections
from .control.sync_definition import Definition
from .control.table import TABLE
from .delegates import SyncDelegate, learn_timestamp, lend_timestamp, original
from .drivers import SyncDriver
from .errors import closed
from .insides import Replaceable, borrow
from .iterator_calls import IteratorCalls, Step
from .results import SearchResult
from .session import MilvusClientSession


@owner_of_mixins
class MilvusClient(BaseClient, Collections, Definition, Access, Administration):
    """A client of one Milvus server, for any number of threads.

    It is a context manager; a client that is not closed gives a ResourceWarning.

    Calls that take a `timeout` (seconds) end within it, whatever they wait for. Failures are
    pymilvus's exceptions, and grpc.RpcError where pymilvus raises that.
    """

    _THEIRS = "MilvusClient"

    def __init__(
        self,
        uri: str = "http://localhost:19530",
        user: str = "",
        password: str = "",
        db_name: str = "",
        token: str = "",
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Connects to the server.

        `uri` is http(s)://[user:password@]host:port[/database], tcp://..., unix:path, or the path
        of a local file that ends in .db, which milvus-lite then serves. `timeout` is for
        connecting, 10 seconds if None. kwargs: secure, server_name, ca_pem_path,
        client_pem_path, client_key_path, server_pem_path, grpc_options (dict), option (dict of
        str sent at connecting), transport ("native" or "grpc"; by default it is the native
        one, unless `grpc_options` or an HTTP proxy in the environment need grpcio), retry_writes
        (True: an insert that may have reached the server is sent again), on_call (a function that
        is called with a CallEvent for each request), tracing (True: OpenTelemetry spans).

        Raises ConnectionConfigException for a bad URI, and MilvusException with code 2 when the
        server cannot be reached.
        """
        dedicated = kwargs.get("dedicated", False)
        super().__init__(uri, user, password, db_name, token, kwargs)
        self._mvn_delegate = SyncDelegate(self._config, timeout)
        connection = SyncConnection(
            self._config, self._mvn_transport_name, timeout, self._mvn_observer
        )
        self._mvn_connection: SyncConnection = connection
        self._mvn_driver = SyncDriver(connection)
        # Programs give the ORM a connection by this name, and look for it by that of another
        # client: pymilvus's have it in common if address and token are the same.
        shared = hash(self._config.key) & sys.maxsize
        self._using = f"cm-{id(connection) if dedicated else shared}"
        try:
            if self._mvn_is_programs:
                original(self._THEIRS).__init__(
                    self,
                    uri,
                    user,
                    password,
                    db_name,
                    token,
                    timeout,
                    dedicated=dedicated,
                    **kwargs,
                )
                return
            if self._mvn_all_delegated:
                self._mvn_delegate.get()
                return
            self._mvn_driver.connect(self._mvn_call("connect", self._mvn_scope(), None, {}))
        except BaseException:
            connection.close()
            raise

    def insert(
        self,
        collection_name: str,
        data: dict[str, Any] | list[Any],
        timeout: float | None = None,
        partition_name: str | None = "",
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Inserts rows.

        `data` is a row (dict of field name to value), a list of rows, a list of columns in
        schema order, or a dict of columns. kwargs: namespace.

        {"insert_count": int, "ids": list of the primary keys, "cost": int}
        """
        if self._mvn_is_foreign(kwargs, INSERT_KEYWORDS):
            result: dict[str, Any] = self._mvn_delegated(
                "insert",
                collection_name,
                data=data,
                timeout=timeout,
                partition_name=partition_name,
                **kwargs,
            )
            return result
        check_rows(data)
        if isinstance(data, list) and not data:
            return {"insert_count": 0, "ids": []}
        scope = self._mvn_scope()
        operation = operations.insert(
            scope, collection_name, data, partition_name=partition_name, **kwargs
        )
        call = self._mvn_call("insert_rows", scope, timeout, kwargs)
        return self._mvn_driver.run(operation, call)

    def upsert(
        self,
        collection_name: str,
        data: dict[str, Any] | list[Any],
        timeout: float | None = None,
        partition_name: str | None = "",
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Inserts rows, in place of those that have the same primary keys.

        `data` as in insert(). kwargs: namespace; partial_update=True leaves fields alone that
        are not given; field_ops is a dict of field name to "replace", "array_append" or
        "array_remove".

        {"upsert_count": int, "cost": int, "ids": list of the primary keys}
        """
        if self._mvn_is_foreign(kwargs, UPSERT_KEYWORDS):
            result: dict[str, Any] = self._mvn_delegated(
                "upsert",
                collection_name,
                data=data,
                timeout=timeout,
                partition_name=partition_name,
                **kwargs,
            )
            return result
        check_rows(data)
        if isinstance(data, list) and not data:
            return {"upsert_count": 0, "ids": []}
        scope = self._mvn_scope()
        operation = operations.upsert(
            scope, collection_name, data, partition_name=partition_name, **kwargs
        )
        call = self._mvn_call("upsert_rows", scope, timeout, kwargs)
        return self._mvn_driver.run(operation, call)

    def delete(
        self,
        collection_name: str,
        ids: list[Any] | str | int | None = None,
        timeout: float | None = None,
        filter: str | None = None,  # noqa: A002
        partition_name: str | None = None,
        **kwargs: Any,
    ) -> dict[str, int]:
        """Deletes rows by primary key or by filter expression, not both.

        kwargs: filter_params (values of the filter's {templates}), consistency_level, namespace.

        {"delete_count": int, "cost": int}; from servers before Milvus 2.3.2 the list of keys.
        """
        if self._mvn_is_foreign(kwargs, DELETE_KEYWORDS):
            result: dict[str, int] = self._mvn_delegated(
                "delete",
                collection_name,
                ids=ids,
                timeout=timeout,
                filter=filter,
                partition_name=partition_name,
                **kwargs,
            )
            return result
        keys = delete_keys(ids, filter, kwargs.pop("pks", None))
        scope = self._mvn_scope()
        operation = operations.delete(
            scope,
            collection_name,
            keys,
            filter,
            partition_name=partition_name,
            timeout=timeout,
            **kwargs,
        )
        deleted: dict[str, int] = self._mvn_driver.run(
            operation, self._mvn_call("delete", scope, timeout, kwargs)
        )
        return deleted

    def search(
        self,
        collection_name: str,
        data: Any = None,
        filter: str = "",  # noqa: A002
        limit: int = 10,
        output_fields: list[str] | None = None,
        search_params: dict[str, Any] | None = None,
        timeout: float | None = None,
        partition_names: list[str] | None = None,
        anns_field: str | None = None,
        ranker: Any = None,
        function_chains: Any = None,
        highlighter: Any = None,
        ids: list[Any] | str | int | None = None,
        search_aggregation: Any = None,
        **kwargs: Any,
    ) -> SearchResult:
        """Finds the nearest neighbours of each vector of `data`, or of the rows with keys `ids`.

        `data` is a list or array of vectors (lists, arrays, bytes, sparse rows), of texts, or of
        EmbeddingLists. kwargs: filter_params, consistency_level, guarantee_timestamp, offset,
        round_decimal, group_by_field(s), group_size, strict_group_size, order_by_fields,
        ignore_growing, timezone, time_fields, json_path, json_type, strict_cast, namespace.

        A SearchResult: a list with, for each vector, a list of Hit, best first.
        """
        arguments = {
            "filter": filter,
            "limit": limit,
            "output_fields": output_fields,
            "search_params": search_params,
            "timeout": timeout,
            "partition_names": partition_names,
            "anns_field": anns_field,
            "ranker": ranker,
            "function_chains": function_chains,
            "highlighter": highlighter,
            "ids": ids,
            "search_aggregation": search_aggregation,
            **kwargs,
        }
        if self._mvn_is_foreign(kwargs, SEARCH_KEYWORDS):
            result: SearchResult = self._mvn_delegated(
                "search", collection_name, data=data, **arguments
            )
            return result
        check_collection_name(collection_name)
        scope = self._mvn_scope()
        operation = operations.search(scope, collection_name, data, arguments)
        return self._mvn_driver.run(operation, self._mvn_call("search", scope, timeout, kwargs))

    def hybrid_search(
        self,
        collection_name: str,
        reqs: list[Any],
        ranker: Any,
        limit: int = 10,
        output_fields: list[str] | None = None,
        timeout: float | None = None,
        partition_names: list[str] | None = None,
        **kwargs: Any,
    ) -> SearchResult:
        """Runs several searches (AnnSearchRequest) and ranks what they find together.

        `ranker` is an RRFRanker, a WeightedRanker or a Function. kwargs as in search(), and
        rank_group_scorer.

        A SearchResult, as from search().
        """
        arguments = {
            "limit": limit,
            "output_fields": output_fields,
            "timeout": timeout,
            "partition_names": partition_names,
            **kwargs,
        }
        if self._mvn_is_foreign(kwargs, HYBRID_KEYWORDS):
            result: SearchResult = self._mvn_delegated(
                "hybrid_search", collection_name, reqs=reqs, ranker=ranker, **arguments
            )
            return result
        check_collection_name(collection_name)
        scope = self._mvn_scope()
        operation = operations.hybrid_search(scope, collection_name, reqs, ranker, **arguments)
        return self._mvn_driver.run(
            operation, self._mvn_call("hybrid_search", scope, timeout, kwargs)
        )

    def query(
        self,
        collection_name: str,
        filter: str = "",  # noqa: A002
        output_fields: list[str] | None = None,
        timeout: float | None = None,
        ids: list[Any] | str | int | None = None,
        partition_names: list[str] | None = None,
        **kwargs: Any,
    ) -> list[dict[str, Any]]:
        """Rows that match a filter expression, or that have the primary keys `ids`.

        Without `output_fields` all fields are returned. kwargs: filter_params, limit, offset,
        consistency_level, guarantee_timestamp, order_by_fields, group_by_fields, ignore_growing,
        timezone, time_fields, strict_float32, namespace.

        A list of dict with an attribute `extra`.
        """
        if self._mvn_is_foreign(kwargs, QUERY_KEYWORDS):
            result: list[dict[str, Any]] = self._mvn_delegated(
                "query",
                collection_name,
                filter=filter,
                output_fields=output_fields,
                timeout=timeout,
                ids=ids,
                partition_names=partition_names,
                **kwargs,
            )
            return result
        keys = query_keys(filter, ids)
        return self._mvn_query(
            collection_name, keys, filter, output_fields, timeout, partition_names, kwargs
        )

    def get(
        self,
        collection_name: str,
        ids: list[Any] | str | int,
        output_fields: list[str] | None = None,
        timeout: float | None = None,
        partition_names: list[str] | None = None,
        **kwargs: Any,
    ) -> list[dict[str, Any]]:
        """Rows by primary key: one key or a list of them. kwargs and result as in query()."""
        if self._mvn_is_foreign(kwargs, QUERY_KEYWORDS):
            result: list[dict[str, Any]] = self._mvn_delegated(
                "get",
                collection_name,
                ids=ids,
                output_fields=output_fields,
                timeout=timeout,
                partition_names=partition_names,
                **kwargs,
            )
            return result
        keys = get_keys(ids)
        return self._mvn_query(
            collection_name, keys, "", output_fields, timeout, partition_names, kwargs
        )

    def _mvn_query(
        self,
        collection_name: str,
        keys: list[Any] | None,
        filter: str,  # noqa: A002
        output_fields: list[str] | None,
        seconds: float | None,
        partition_names: list[str] | None,
        options: dict[str, Any],
    ) -> list[dict[str, Any]]:
        if keys is not None and not keys:
            return []
        scope = self._mvn_scope()
        operation = operations.query(
            scope,
            collection_name,
            keys,
            filter,
            output_fields=output_fields or ["*"],
            partition_names=partition_names,
            **options,
        )
        return self._mvn_driver.run(operation, self._mvn_call("query", scope, seconds, options))

    def query_iterator(
        self,
        collection_name: str,
        batch_size: int | None = 1000,
        limit: int | None = -1,
        filter: str | None = "",  # noqa: A002
        output_fields: list[str] | None = None,
        partition_names: list[str] | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> milvus_native.iterators.QueryIterator:
        """Pages through all rows that match a filter, `batch_size` at a time.

        The iterator's next() returns a list of dict, [] at the end; a for loop does as well.
        `timeout` is for each request. kwargs as in query(), and iterator_cp_file.
        """
        if self._mvn_is_foreign(kwargs, QUERY_ITERATOR_KEYWORDS):
            result: milvus_native.iterators.QueryIterator = self._mvn_delegated(
                "query_iterator",
                collection_name,
                batch_size=batch_size,
                limit=limit,
                filter=filter,
                output_fields=output_fields,
                partition_names=partition_names,
                timeout=timeout,
                **kwargs,
            )
            return result
        from .iterators import query_iterator
        from .query_paging import QueryPlan

        calls = IteratorCalls(self._mvn_scope(), collection_name, timeout, kwargs)
        plan = QueryPlan(
            batch_size=batch_size,  # type: ignore[arg-type]
            limit=limit,
            filter=filter,
            output_fields=output_fields,
            partition_names=partition_names,
            options=kwargs,
        )
        return query_iterator(self._mvn_runner(calls), calls, plan)

    def search_iterator(
        self,
        collection_name: str,
        data: Any,
        batch_size: int | None = 1000,
        filter: str | None = None,  # noqa: A002
        limit: int | None = -1,
        output_fields: list[str] | None = None,
        search_params: dict[str, Any] | None = None,
        timeout: float | None = None,
        partition_names: list[str] | None = None,
        anns_field: str | None = None,
        round_decimal: int = -1,
        *,
        external_filter_func: Any = None,
        **kwargs: Any,
    ) -> milvus_native.iterators.SearchIteratorV2 | milvus_native.iterators.SearchIterator:
        """Pages through the neighbours of one vector, nearest first, `batch_size` at a time.

        `external_filter_func` gets each page of hits and returns those to keep. The iterator's
        next() returns a page; a for loop does as well. `timeout` is for each request. kwargs as
        in search().
        """
        if self._mvn_is_foreign(kwargs, SEARCH_ITERATOR_KEYWORDS):
            result: (
                milvus_native.iterators.SearchIteratorV2 | milvus_native.iterators.SearchIterator
            ) = self._mvn_delegated(
                "search_iterator",
                collection_name,
                data=data,
                batch_size=batch_size,
                filter=filter,
                limit=limit,
                output_fields=output_fields,
                search_params=search_params,
                timeout=timeout,
                partition_names=partition_names,
                anns_field=anns_field,
                round_decimal=round_decimal,
                external_filter_func=external_filter_func,
                **kwargs,
            )
            return result
        from .iterators import search_iterator
        from .search_paging import SearchPlan

        calls = IteratorCalls(self._mvn_scope(), collection_name, timeout, kwargs)
        plan = SearchPlan(
            data=data,
            batch_size=batch_size,  # type: ignore[arg-type]
            filter=filter,
            limit=limit,
            output_fields=output_fields,
            search_params=search_params,
            partition_names=partition_names,
            anns_field=anns_field,
            round_decimal=round_decimal,
            external_filter_func=external_filter_func,
            options=kwargs,
        )
        return search_iterator(self._mvn_runner(calls), calls, plan)

    def _mvn_runner(self, calls: IteratorCalls) -> Any:
        def run(step: Step) -> Any:
            call = self._mvn_call(step.name, calls.scope, calls.timeout, step.options)
            return self._mvn_driver.run(step.operation, call)

        return run

    def session(self, cluster_id: str) -> MilvusClientSession:
        """Reads that are pinned to the cluster `cluster_id`."""
        check_str("cluster_id", cluster_id)
        return MilvusClientSession(self, cluster_id)

    def close(self) -> None:
        """Closes the connections. Calls made afterwards raise MilvusException."""
        if "_manager" in self.__dict__:
            borrow(self, "close")()
        if self._mvn_is_made:
            self._mvn_connection.close()
            self._mvn_delegate.close()

    def __enter__(self) -> MilvusClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self, _warn: Any = warnings.warn, _finalizing: Any = sys.is_finalizing) -> None:
        if "_mvn_copied_from" in self.__dict__:
            return
        connection = self.__dict__.get("_mvn_connection")  # absent when the constructor failed
        if connection is not None and connection.is_open and not _finalizing():
            _warn(f"unclosed {self!r}", ResourceWarning, source=self)
            self.close()

    def __getattr__(self, name: str) -> Any:
        if name in DELEGATE_ATTRIBUTES and self._mvn_is_made:
            return getattr(self._mvn_pymilvus(), name)
        return borrow(self, name)

    def _mvn_connected_handler(self) -> Any:
        if not self._mvn_is_made:
            raise AttributeError("_handler")
        return None if self._mvn_connection.closed else self._mvn_pymilvus()._handler

    def _mvn_handler_in_use(self) -> Any:
        if "_handler" in self.__dict__ or not self._mvn_is_made:
            return borrow(self, "_get_connection")()
        return self._mvn_pymilvus()._get_connection()

    _handler = Replaceable(property(_mvn_connected_handler))
    _get_connection = Replaceable(_mvn_handler_in_use)

    def _mvn_pymilvus(self) -> Any:
        """The pymilvus client, connected, with the handler for what is not native."""
        if self._mvn_connection.closed:
            raise closed()
        return self._mvn_delegate.get()

    def _mvn_delegated(self, method: str, collection_name: str, /, **kwargs: Any) -> Any:
        """A whole data-plane call, done by pymilvus."""
        self._mvn_count("delegated", method)
        call = borrow(self, method)
        if self._mvn_is_programs:
            return call(collection_name, **kwargs)
        scope = self._mvn_scope()
        lend_timestamp(scope, collection_name)
        try:
            return call(collection_name, **kwargs)
        finally:
            learn_timestamp(scope, collection_name)

    def _mvn_control(self, method: str, /, **arguments: Any) -> Any:
        row = TABLE[method]
        if row.operation is not None and not self._mvn_all_delegated:
            scope = self._mvn_scope()
            call = self._mvn_call(method, scope, arguments.get("timeout"), arguments)
            return self._mvn_driver.run(row.operation(scope, **arguments), call)
        self._mvn_count("control", method)
        try:
            return borrow(self, method)(**arguments)
        finally:
            if row.forget is not None and not self._mvn_is_programs:
                row.forget(self._mvn_scope(), arguments)
