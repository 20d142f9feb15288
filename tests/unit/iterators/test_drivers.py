"""The two drivers: both run the same pagers, and both are iterators of Python's too."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from milvus_native import iterators
from milvus_native.iterators import QueryPlan, SearchPlan
from tests.servers.paging import PagingCollection
from tests.unit.iterators.model import ModelCalls, open_query, open_search, run_async


def collection(count: int = 25, **options) -> PagingCollection:
    rows = [{"id": n, "tag": n % 3, "vec": [1 + n / 10, 0.0]} for n in range(count)]
    return PagingCollection(rows, **options)


async def open_query_async(data: PagingCollection, **arguments):
    calls = ModelCalls(data)
    return await iterators.async_query_iterator(run_async, calls, QueryPlan(**arguments)), calls


async def open_search_async(data: PagingCollection, **arguments):
    calls = ModelCalls(data)
    plan = SearchPlan(data=[[0.5, 0.5]], **arguments)
    return await iterators.async_search_iterator(run_async, calls, plan), calls


async def test_both_send_the_same_and_return_the_same():
    for arguments in ({"batch_size": 4}, {"batch_size": 7, "limit": 20}):
        ours, calls = open_query(collection(), **arguments)
        theirs, async_calls = await open_query_async(collection(), **arguments)
        while page := ours.next():
            assert await theirs.next() == page
        assert await theirs.next() == []
        assert calls.log == async_calls.log
        assert theirs.get_cursor().int_pk == ours.get_cursor().int_pk
        for v2 in (False, True):
            data = collection(v2=v2)
            search, calls = open_search(data, **arguments)
            search_async, async_calls = await open_search_async(data, **arguments)
            assert type(search_async).__name__ == "Async" + type(search).__name__
            while page := search.next():
                assert (await search_async.next()).ids() == page.ids()
            assert not await search_async.next()
            assert calls.log == async_calls.log


def test_iteration_yields_pages_until_the_empty_one():
    iterator, _calls = open_query(collection(10), batch_size=4)
    assert [len(page) for page in iterator] == [4, 4, 2]
    assert list(iterator) == []
    for v2 in (False, True):
        for limit in (-1, 6):
            search, _calls = open_search(collection(10, v2=v2), batch_size=4, limit=limit)
            ids = [hit.id for page in search for hit in page]
            assert len(ids) == len(set(ids)) == (10 if limit == -1 else 6)


async def test_async_iteration_yields_pages_until_the_empty_one():
    iterator, _calls = await open_query_async(collection(10), batch_size=4)
    assert [len(page) async for page in iterator] == [4, 4, 2]
    assert [page async for page in iterator] == []
    for v2 in (False, True):
        search, _calls = await open_search_async(collection(10, v2=v2), batch_size=4, limit=6)
        ids = [hit.id async for page in search for hit in page]
        assert len(ids) == len(set(ids)) == 6


async def test_async_close_and_with(tmp_path):
    path = tmp_path / "place"
    options = {"iterator_cp_file": str(path)}
    iterator, _calls = await open_query_async(collection(), batch_size=4, options=options)
    await iterator.next()
    await iterator.close()
    assert await iterator.next() == []
    assert not path.exists()
    iterator, _calls = await open_query_async(collection(), batch_size=4, options=options)
    with contextlib.suppress(ZeroDivisionError):
        async with iterator:
            await iterator.next()
            raise ZeroDivisionError
    assert path.exists()
    iterator, _calls = await open_query_async(collection(), batch_size=4, options=options)
    async with iterator:
        assert (await iterator.next())[0]["id"] == 4
    assert not path.exists()


def test_threads_that_share_an_iterator_get_every_row_once():
    iterator, calls = open_query(collection(200), batch_size=3)
    calls.before = lambda method, message: threading.Event().wait(0.0005)

    def work(_number):
        rows = []
        while page := iterator.next():
            rows += [row["id"] for row in page]
        return rows

    with ThreadPoolExecutor(4) as pool:
        rows = [row for part in pool.map(work, range(4)) for row in part]
    assert sorted(rows) == list(range(200))


async def test_tasks_that_share_an_iterator_get_every_row_once():
    calls = ModelCalls(collection(60))

    async def slow(operation):
        await asyncio.sleep(0)
        return operation()

    iterator = await iterators.async_query_iterator(slow, calls, QueryPlan(batch_size=3))
    pages = await asyncio.gather(*(iterator.next() for _ in range(25)))
    assert [row["id"] for page in pages for row in page] == list(range(60))


@pytest.mark.parametrize("v2", [False, True])
async def test_a_cancelled_page_comes_at_the_next_call(v2):
    hang = False

    async def runner(operation):
        result = operation()
        if hang:
            await asyncio.sleep(3600)
        return result

    data = collection(30, v2=v2)
    query = await iterators.async_query_iterator(runner, ModelCalls(data), QueryPlan(batch_size=7))
    search = await iterators.async_search_iterator(
        runner, ModelCalls(data), SearchPlan(data=[[0.5, 0.5]], batch_size=7)
    )
    for iterator in (query, search):
        seen = []
        while True:
            hang = True
            with contextlib.suppress(asyncio.TimeoutError):
                # What is in stock needs no request, and so does not hang.
                seen += [row["id"] for row in await asyncio.wait_for(iterator.next(), 0.001)]
            hang = False
            page = await iterator.next()
            if not page:
                break
            seen += [row["id"] for row in page]
        assert sorted(seen) == list(range(30))
