"""AsyncMilvusClient: MilvusClient's calls for asyncio, run by the other driver."""

from __future__ import annotations

import asyncio
import sys
import warnings
from types import TracebackType
from typing import Any

import milvus_native

from . import delegates, operations
from .arguments import check_collection_name, delete_keys, get_keys, query_keys
from .async_connection import AsyncConnection
from .async_driver import AsyncDriver
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
from .control.async_access import AsyncAccess
from .control.async_administration import AsyncAdministration
from .control.async_collections import AsyncCollections
from .control.async_definition import AsyncDefinition
from .control.table import TABLE
from .errors import closed, milvus_error
from .insides import Replaceable, borrow
from .iterator_calls import IteratorCalls, Step
from .results import SearchResult
from .session import AsyncMilvusClientSession

SYNC_ONLY = frozenset({"list_loaded_segments"})
# With pymilvus's async client these need an AllocTimestamp, which milvus-lite does not have.
NEEDS_TIMESTAMPS = frozenset({"create_collection", "create_index"})


@owner_of_mixins
class AsyncMilvusClient(
    BaseClient, AsyncCollections, AsyncDefinition, AsyncAccess, AsyncAdministration
):
    """A client of one Milvus server, for any number of tasks and event loops.

    It may be made outside of any loop, and used in several, one after the other or in threads of
    their own: each has a connection, opened by its first call and gone with the loop. Calls that
    take a `timeout` (seconds) end within it, whatever they wait for. What a call is given must
    not change until it has been awaited. Methods, parameters and results are MilvusClient's.

    It is an async context manager, and a plain one where no loop runs; a client that is not
    closed gives a ResourceWarning.
    """

    _THEIRS = "AsyncMilvusClient"
    _dedicated = True  # pymilvus's code asks for it where it connects

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
        """Parameters as of MilvusClient. Nothing is connected yet."""
        dedicated = kwargs.get("dedicated", False)
        super().__init__(uri, user, password, db_name, token, kwargs)
        self._timeout = timeout  # by pymilvus's name, for its code
        self._mvn_begin()
        if self._mvn_is_programs:
            delegates.original(self._THEIRS).__init__(
                self, uri, user, password, db_name, token, timeout, dedicated=dedicated, **kwargs
            )

    def _mvn_begin(self) -> None:
        self._mvn_connection: AsyncConnection = AsyncConnection(
            self._config, self._mvn_transport_name, self._timeout, self._mvn_observer
        )
        self._mvn_driver = AsyncDriver(self._mvn_connection)
        self._mvn_sync_delegate = delegates.SyncDelegate(self._config, self._timeout)

    def __getstate__(self) -> dict[str, Any]:
        """All but what is connected: a deep copy, or one that was pickled, connects by itself.

        pymilvus's async clients can be copied so as long as nothing is connected.
        """
        left = "_mvn_connection _mvn_copied_from _mvn_driver _mvn_known_scope _mvn_sync_delegate"
        state = {name: value for name, value in vars(self).items() if name not in left.split()}
        if self._mvn_is_made:
            state["_mvn_is_closed"] = self._mvn_connection.closed
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self._mvn_is_made:
            self._mvn_begin()
            self._mvn_connection.closed = vars(self).pop("_mvn_is_closed", False)

    async def insert(
        self,
        collection_name: str,
        data: dict[str, Any] | list[Any],
        timeout: float | None = None,
        partition_name: str | None = "",
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Inserts rows, a list of columns or a dict of columns; see MilvusClient.insert.

        Large batches are encoded in slices, between which the loop turns.
        """
        if self._mvn_is_foreign(kwargs, INSERT_KEYWORDS):
            result: dict[str, Any] = await self._mvn_delegated(
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
        return await self._mvn_driver.run(operation, call)

    async def upsert(
        self,
        collection_name: str,
        data: dict[str, Any] | list[Any],
        timeout: float | None = None,
        partition_name: str | None = "",
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Inserts rows in place of those with the same keys; see MilvusClient.upsert."""
        if self._mvn_is_foreign(kwargs, UPSERT_KEYWORDS):
            result: dict[str, Any] = await self._mvn_delegated(
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
        return await self._mvn_driver.run(operation, call)

    async def delete(
        self,
        collection_name: str,
        ids: list[Any] | str | int | None = None,
        timeout: float | None = None,
        filter: str | None = None,  # noqa: A002
        partition_name: str | None = None,
        **kwargs: Any,
    ) -> dict[str, int]:
        """Deletes rows by primary key or by filter; see MilvusClient.delete."""
        if self._mvn_is_foreign(kwargs, DELETE_KEYWORDS):
            result: dict[str, int] = await self._mvn_delegated(
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
        deleted: dict[str, int] = await self._mvn_driver.run(
            operation, self._mvn_call("delete", scope, timeout, kwargs)
        )
        return deleted

    async def search(
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
        ids: list[Any] | str | int | None = None,
        search_aggregation: Any = None,
        **kwargs: Any,
    ) -> SearchResult:
        """Finds nearest neighbours; see MilvusClient.search. `highlighter` is a kwarg here."""
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
            "ids": ids,
            "search_aggregation": search_aggregation,
            **kwargs,
        }
        if self._mvn_is_foreign(kwargs, SEARCH_KEYWORDS):
            result: SearchResult = await self._mvn_delegated(
                "search", collection_name, data=data, **arguments
            )
            return result
        check_collection_name(collection_name)
        scope = self._mvn_scope()
        operation = operations.search(scope, collection_name, data, arguments)
        return await self._mvn_driver.run(
            operation, self._mvn_call("search", scope, timeout, kwargs)
        )

    async def hybrid_search(
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
        """Ranks the results of several searches together; see MilvusClient.hybrid_search."""
        arguments = {
            "limit": limit,
            "output_fields": output_fields,
            "timeout": timeout,
            "partition_names": partition_names,
            **kwargs,
        }
        if self._mvn_is_foreign(kwargs, HYBRID_KEYWORDS):
            result: SearchResult = await self._mvn_delegated(
                "hybrid_search", collection_name, reqs=reqs, ranker=ranker, **arguments
            )
            return result
        check_collection_name(collection_name)
        scope = self._mvn_scope()
        operation = operations.hybrid_search(scope, collection_name, reqs, ranker, **arguments)
        return await self._mvn_driver.run(
            operation, self._mvn_call("hybrid_search", scope, timeout, kwargs)
        )

    async def query(
        self,
        collection_name: str,
        filter: str = "",  # noqa: A002
        output_fields: list[str] | None = None,
        timeout: float | None = None,
        ids: list[Any] | str | int | None = None,
        partition_names: list[str] | None = None,
        **kwargs: Any,
    ) -> list[dict[str, Any]]:
        """Rows that match a filter or have given keys; see MilvusClient.query."""
        if self._mvn_is_foreign(kwargs, QUERY_KEYWORDS):
            result: list[dict[str, Any]] = await self._mvn_delegated(
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
        return await self._mvn_query(
            collection_name, keys, filter, output_fields, timeout, partition_names, kwargs
        )

    async def get(
        self,
        collection_name: str,
        ids: list[Any] | str | int,
        output_fields: list[str] | None = None,
        timeout: float | None = None,
        partition_names: list[str] | None = None,
        **kwargs: Any,
    ) -> list[dict[str, Any]]:
        """Rows by primary key; see MilvusClient.get."""
        if self._mvn_is_foreign(kwargs, QUERY_KEYWORDS):
            result: list[dict[str, Any]] = await self._mvn_delegated(
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
        return await self._mvn_query(
            collection_name, keys, "", output_fields, timeout, partition_names, kwargs
        )

    async def _mvn_query(
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
        return await self._mvn_driver.run(
            operation, self._mvn_call("query", scope, seconds, options)
        )

    async def query_iterator(
        self,
        collection_name: str,
        batch_size: int | None = 1000,
        limit: int | None = -1,
        filter: str | None = "",  # noqa: A002
        output_fields: list[str] | None = None,
        partition_names: list[str] | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> milvus_native.iterators.AsyncQueryIterator:
        """Opens an iterator over matching rows, for `async for`; see MilvusClient.query_iterator.

        Its next() and close() are to be awaited.
        """
        self._mvn_check_native("query_iterator", kwargs, QUERY_ITERATOR_KEYWORDS)
        from .iterators import async_query_iterator
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
        return await async_query_iterator(self._mvn_runner(calls), calls, plan)

    async def search_iterator(
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
    ) -> (
        milvus_native.iterators.AsyncSearchIteratorV2 | milvus_native.iterators.AsyncSearchIterator
    ):
        """Opens an iterator over neighbours, for `async for`; see MilvusClient.search_iterator.

        Its next() and close() are to be awaited.
        """
        self._mvn_check_native("search_iterator", kwargs, SEARCH_ITERATOR_KEYWORDS)
        from .iterators import async_search_iterator
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
        return await async_search_iterator(self._mvn_runner(calls), calls, plan)

    def _mvn_runner(self, calls: IteratorCalls) -> Any:
        async def run(step: Step) -> Any:
            call = self._mvn_call(step.name, calls.scope, calls.timeout, step.options)
            return await self._mvn_driver.run(step.operation, call)

        return run

    def _mvn_check_native(self, method: str, kwargs: dict[str, Any], known: frozenset[str]) -> None:
        """For what pymilvus's async client does not have and so cannot be asked to do."""
        if self._mvn_all_delegated:
            raise milvus_error(
                "MilvusException", f"{method} of the async client does not know global clusters"
            )
        unknown = kwargs.keys() - known
        if unknown:
            raise TypeError(f"{method}() got an unexpected keyword argument {min(unknown)!r}")

    def session(self, cluster_id: str) -> AsyncMilvusClientSession:
        """Reads that are pinned to the cluster `cluster_id`."""
        check_str("cluster_id", cluster_id)
        return AsyncMilvusClientSession(self, cluster_id)

    async def close(self) -> None:
        """Closes the connections. Calls made afterwards raise MilvusException."""
        if self._mvn_is_programs:
            await borrow(self, "close")()
        if self._mvn_is_made:
            await self._mvn_connection.close()
            self._mvn_sync_delegate.close()

    async def __aenter__(self) -> AsyncMilvusClient:
        await self._connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __enter__(self) -> AsyncMilvusClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._mvn_connection.close_soon()
        self._mvn_sync_delegate.close()

    def __del__(self, _warn: Any = warnings.warn, _finalizing: Any = sys.is_finalizing) -> None:
        if "_mvn_copied_from" in self.__dict__:
            return
        connection = self.__dict__.get("_mvn_connection")  # absent when the constructor failed
        if connection is not None and connection.is_open and not _finalizing():
            _warn(f"unclosed {self!r}", ResourceWarning, source=self)
            connection.drop()
            self._mvn_sync_delegate.close()

    def __getattr__(self, name: str) -> Any:
        if name in DELEGATE_ATTRIBUTES and self._mvn_is_made:
            return self._mvn_of_delegate(name)
        return borrow(self, name)

    def _mvn_of_delegate(self, name: str) -> Any:
        """None as long as nothing is connected, as with pymilvus."""
        link = self._mvn_connection.present_link() if self._mvn_is_made else None
        return None if link is None or link.delegate is None else getattr(link.delegate, name)

    async def _connect(self) -> None:
        if not (self._mvn_is_programs or self._mvn_connection.is_open) and (
            delegates.machinery_is_replaced()
        ):
            self._handler = None  # pymilvus's code shall get one
        if self._mvn_is_programs:
            await borrow(self, "_connect")()
        elif self._mvn_all_delegated:
            await self._mvn_pymilvus()
        else:
            await self._mvn_driver.connect(self._mvn_call("connect", self._mvn_scope(), None, {}))

    def _mvn_handler_in_use(self) -> Any:
        if "_handler" in self.__dict__ or not self._mvn_is_made:
            return borrow(self, "_get_connection")()
        return self._mvn_connected_handler()

    async def _mvn_connected_handler(self) -> Any:
        return await (await self._mvn_pymilvus())._get_connection()

    _closed = Replaceable(property(lambda self: self._mvn_connection.closed))
    _get_connection = Replaceable(_mvn_handler_in_use)
    _handler = Replaceable(property(lambda self: self._mvn_of_delegate("_handler")))

    async def _mvn_pymilvus(self) -> Any:
        """The running loop's pymilvus client, connected, with the handler for the rest."""
        link = self._mvn_connection.link()
        if not link.delegate_is_connected:
            async with link.delegate_lock:
                if link.delegate is None:
                    link.delegate = delegates.make_async(self._config, self._timeout)
                if not link.delegate_is_connected:
                    await link.delegate.__aenter__()
                    link.delegate_is_connected = True
        link.delegate._config.db_name = self._config.db_name
        return link.delegate

    async def _mvn_delegated(self, method: str, collection_name: str, /, **kwargs: Any) -> Any:
        """A whole data-plane call, done by pymilvus."""
        self._mvn_count("delegated", method)
        if self._mvn_is_programs:
            return await borrow(self, method)(collection_name, **kwargs)
        scope = self._mvn_scope()
        delegates.lend_timestamp(scope, collection_name)
        try:
            if not delegates.aio_is_usable():
                kwargs["collection_name"] = collection_name
                return await asyncio.to_thread(self._mvn_in_thread, method, kwargs)
            return await borrow(self, method)(collection_name, **kwargs)
        finally:
            delegates.learn_timestamp(scope, collection_name)

    async def _mvn_control(self, method: str, /, **arguments: Any) -> Any:
        row = TABLE[method]
        if row.operation is not None and not self._mvn_all_delegated:
            scope = self._mvn_scope()
            call = self._mvn_call(method, scope, arguments.get("timeout"), arguments)
            return await self._mvn_driver.run(row.operation(scope, **arguments), call)
        self._mvn_count("control", method)
        try:
            if not self._mvn_is_programs and await self._mvn_needs_thread(method):
                return await asyncio.to_thread(self._mvn_in_thread, method, arguments)
            return await borrow(self, method)(**arguments)
        finally:
            if row.forget is not None and not self._mvn_is_programs:
                row.forget(self._mvn_scope(), arguments)

    async def _mvn_needs_thread(self, method: str) -> bool:
        """Whether only pymilvus's sync client can do it."""
        if method in SYNC_ONLY or not delegates.aio_is_usable():
            return True
        if method not in NEEDS_TIMESTAMPS:
            return False
        await self._connect()
        return self._mvn_connection.link().server_info.get("build_tags") == "milvus_lite"

    def _mvn_in_thread(self, method: str, arguments: dict[str, Any]) -> Any:
        if self._mvn_connection.closed:
            raise closed()
        return getattr(self._mvn_sync_delegate.get(), method)(**arguments)

    async def _mvn_control_stream(self, method: str, /, **arguments: Any) -> Any:
        self._mvn_count("control", method)
        return borrow(self, method)(**arguments)
