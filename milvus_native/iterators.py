"""The iterators that the clients hand out: two drivers of the pagers, and pymilvus's interface.

`query_iterator` and `search_iterator` make them for the sync client, `async_query_iterator` and
`async_search_iterator` for the async one. The client gives a runner: a callable that runs one
operation (one RPC, with its own deadline and retries) and returns its result.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar, cast

from .kinship import Kin
from .query_paging import (
    QueryCalls,
    QueryIteratorCursor,
    QueryPager,
    QueryPlan,
    Row,
    Steps,
    T,
)
from .search_page import SearchPage
from .search_paging import SearchCalls, SearchPagerV2, SearchPlan, open_search

__all__ = [
    "AsyncQueryIterator",
    "AsyncSearchIterator",
    "AsyncSearchIteratorV2",
    "QueryIterator",
    "QueryIteratorCursor",
    "QueryPlan",
    "SearchIterator",
    "SearchIteratorV2",
    "SearchPage",
    "SearchPlan",
    "async_query_iterator",
    "async_search_iterator",
    "query_iterator",
    "search_iterator",
]

Runner = Callable[[Any], Any]
AsyncRunner = Callable[[Any], Awaitable[Any]]

Page = TypeVar("Page")  # what iteration yields
Result = TypeVar("Result")  # what next() returns: a page, or what stands for the end
SyncSelf = TypeVar("SyncSelf", bound="_Iterator[Any, Any]")
AsyncSelf = TypeVar("AsyncSelf", bound="_AsyncIterator[Any, Any]")


class _Pager(Protocol):
    def fetch(self) -> Steps[Any]: ...
    def close(self) -> None: ...
    def release(self) -> None: ...


def drive(steps: Steps[T], run: Runner) -> T:
    """Runs a pager's method in the calling thread, operation by operation."""
    try:
        operation = next(steps)
        while True:
            try:
                result = run(operation)
            except BaseException as error:
                operation = steps.throw(error)
            else:
                operation = steps.send(result)
    except StopIteration as stop:
        return cast(T, stop.value)


async def drive_async(steps: Steps[T], run: AsyncRunner) -> T:
    """Runs a pager's method on the running event loop, operation by operation."""
    try:
        operation = next(steps)
        while True:
            try:
                result = await run(operation)
            except BaseException as error:
                operation = steps.throw(error)
            else:
                operation = steps.send(result)
    except StopIteration as stop:
        return cast(T, stop.value)


class _Iterator(Generic[Page, Result]):
    """Serves one caller at a time, so threads that share it get each page once."""

    def __init__(self, pager: _Pager, run: Runner) -> None:
        self._pager = pager
        self._run = run
        # Re-entrant: an external_filter_func may close its iterator.
        self._lock = threading.RLock()

    def next(self) -> Result:
        """The next page; at the end one without rows (SearchIteratorV2: None at its limit)."""
        with self._lock:
            return cast(Result, drive(self._pager.fetch(), self._run))

    def close(self) -> None:
        """Ends the iteration and deletes its checkpoint file, if it has one."""
        with self._lock:
            self._pager.close()

    def __iter__(self: SyncSelf) -> SyncSelf:
        return self

    def __next__(self) -> Page:
        page = self.next()
        if not page:
            raise StopIteration
        return cast(Page, page)

    def __enter__(self: SyncSelf) -> SyncSelf:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes. After an exception a checkpoint file is kept, so that one can resume."""
        if kind is None:
            self.close()
        else:
            with self._lock:
                self._pager.release()


class _AsyncIterator(Generic[Page, Result]):
    """Serves one caller at a time, so tasks that share it get each page once."""

    def __init__(self, pager: _Pager, run: AsyncRunner) -> None:
        self._pager = pager
        self._run = run
        import asyncio  # the sync client has no use for it

        self._lock = asyncio.Lock()

    async def next(self) -> Result:
        """The next page; at the end one without rows (AsyncSearchIteratorV2: None at its limit)."""
        async with self._lock:
            return cast(Result, await drive_async(self._pager.fetch(), self._run))

    async def close(self) -> None:
        """Ends the iteration and deletes its checkpoint file, if it has one."""
        async with self._lock:
            self._pager.close()

    def __aiter__(self: AsyncSelf) -> AsyncSelf:
        return self

    async def __anext__(self) -> Page:
        page = await self.next()
        if not page:
            raise StopAsyncIteration
        return cast(Page, page)

    async def __aenter__(self: AsyncSelf) -> AsyncSelf:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes. After an exception a checkpoint file is kept, so that one can resume."""
        if kind is None:
            await self.close()
        else:
            async with self._lock:
                self._pager.release()


class QueryIterator(_Iterator[list[Row], list[Row]], Kin):
    """Pages of rows (lists of dict) in the order of the primary key, at one point in time."""

    _pager: QueryPager

    def get_cursor(self) -> QueryIteratorCursor:
        """Timestamp of the iteration and primary key of the last row returned."""
        return self._pager.get_cursor()


class SearchIterator(_Iterator[SearchPage, SearchPage], Kin):
    """Pages of hits, nearest first, found by range searches: for servers before Milvus 2.5.2."""


class SearchIteratorV2(_Iterator[SearchPage, "SearchPage | None"], Kin):
    """Pages of hits, nearest first, found by the server's own iterator."""


class AsyncQueryIterator(_AsyncIterator[list[Row], list[Row]]):
    """Pages of rows (lists of dict) in the order of the primary key, at one point in time."""

    _pager: QueryPager

    def get_cursor(self) -> QueryIteratorCursor:
        """Timestamp of the iteration and primary key of the last row returned."""
        return self._pager.get_cursor()


class AsyncSearchIterator(_AsyncIterator[SearchPage, SearchPage]):
    """Pages of hits, nearest first, found by range searches: for servers before Milvus 2.5.2."""


class AsyncSearchIteratorV2(_AsyncIterator[SearchPage, "SearchPage | None"]):
    """Pages of hits, nearest first, found by the server's own iterator."""


def query_iterator(run: Runner, calls: QueryCalls, plan: QueryPlan) -> QueryIterator:
    pager = QueryPager(calls, plan)
    drive(pager.open(), run)
    return QueryIterator(pager, run)


async def async_query_iterator(
    run: AsyncRunner, calls: QueryCalls, plan: QueryPlan
) -> AsyncQueryIterator:
    pager = QueryPager(calls, plan)
    await drive_async(pager.open(), run)
    return AsyncQueryIterator(pager, run)


def search_iterator(
    run: Runner, calls: SearchCalls, plan: SearchPlan
) -> SearchIteratorV2 | SearchIterator:
    pager = drive(open_search(calls, plan), run)
    if isinstance(pager, SearchPagerV2):
        return SearchIteratorV2(pager, run)
    return SearchIterator(pager, run)


async def async_search_iterator(
    run: AsyncRunner, calls: SearchCalls, plan: SearchPlan
) -> AsyncSearchIteratorV2 | AsyncSearchIterator:
    pager = await drive_async(open_search(calls, plan), run)
    if isinstance(pager, SearchPagerV2):
        return AsyncSearchIteratorV2(pager, run)
    return AsyncSearchIterator(pager, run)
