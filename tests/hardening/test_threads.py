"""Many threads on what may be shared: schemas, the cache, a client; on what may not; and on rows,
columns and search data that some of them change while others encode them."""

from __future__ import annotations

import contextlib
import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import MilvusClient, _core
from tests.servers import frames
from tests.servers.recording import RecordingServer
from tests.unit.clients import replies
from tests.unit.clients.calls import ALL_CALLS

from . import scenarios
from .test_hostile_objects import DIM, SCHEMA, check

THREADS = 8


def together(work: Callable[[int], Any]) -> list[BaseException]:
    """Runs work(0) to work(THREADS - 1) at the same time; what they raised."""
    barrier = threading.Barrier(THREADS)
    errors: list[BaseException] = []

    def run(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_one_schema_in_all_threads() -> None:
    names = ["rows", "columns", "schema as a dict", "search", "search reply", "query reply", "keys"]
    expected = {name: repr(scenarios.SCENARIOS[name]()) for name in names}

    def work(number: int) -> None:
        for i in range(20):
            name = names[(number + i) % len(names)]
            assert repr(scenarios.SCENARIOS[name]()) == expected[name]

    assert together(work) == []


def test_one_cache_in_all_threads() -> None:
    cache = _core.SchemaCache(capacity=8)

    def work(number: int) -> None:
        for i in range(300):
            key = ("c", (number * 7 + i) % 20)
            cache.put(key, scenarios.SCHEMA, cache.generation())
            assert cache.get(key) in (None, scenarios.SCHEMA)
            if i % 10 == 0:
                cache.invalidate(key)
            if i % 50 == 0:
                cache.invalidate_if(lambda k, s: k[1] == 3)
                cache.stats()
            assert len(cache) <= 8

    assert together(work) == []


def test_one_encoder_is_for_one_caller() -> None:
    """Threads that share one by mistake get an error or the right bytes, never wrong ones."""
    want = scenarios.SCENARIOS["rows"]()
    for _ in range(20):
        encoder = _core.RowEncoder(scenarios.SCHEMA, scenarios.ROWS, collection_name="c")
        made: list[bytes] = []

        def work(_: int, encoder: Any = encoder, made: list[bytes] = made) -> None:
            while not encoder.step(50):
                pass
            made.append(encoder.finish())

        together(work)
        assert all(data == want for data in made)


def test_one_connection_is_for_one_caller() -> None:
    """Threads that share one by mistake get an error or what they asked for, and nothing stays."""

    class Tag:
        pass

    for _ in range(20):
        connection = _core.RpcConnection("localhost:1", "http", "test/1")
        connection.receive(frames.settings())
        begun: list[Tag] = []
        ended: list[Tag] = []

        def work(
            _: int,
            connection: _core.RpcConnection = connection,
            begun: list[Tag] = begun,
            ended: list[Tag] = ended,
        ) -> None:
            for i in range(50):
                tag = Tag()
                with contextlib.suppress(RuntimeError):
                    call = connection.submit("/s/M", b"question", None, 5.0, tag)
                    begun.append(tag)
                    if i % 2:
                        connection.cancel(call, 1, "no")
                    connection.data_to_send()
                with contextlib.suppress(RuntimeError):
                    ended += [result[0] for result in connection.finished()]
                assert connection.bytes_received > 0

        assert together(work) == []
        connection.lost("over")
        ended += [result[0] for result in connection.finished()]
        assert len(ended) == len(set(ended))
        assert set(ended) <= set(begun)
        tags = [weakref.ref(tag) for tag in begun]
        begun.clear()
        ended.clear()
        del connection, work
        gc.collect()
        assert not [tag for tag in tags if tag() is not None]


def while_changed(change: Callable[[int], Any], use: Callable[[], Any]) -> None:
    """Half of the threads call `use` again and again, while the others change what it uses."""
    done = threading.Event()
    users = threading.Barrier(THREADS // 2, action=done.set)

    def work(number: int) -> None:
        if number % 2 == 0:
            try:
                for _ in range(200):
                    use()
            finally:
                users.wait()
        while not done.is_set():
            number += 1
            with contextlib.suppress(LookupError):  # another one was there before
                change(number)

    assert together(work) == []


# What an encoder says of something that has changed under its hands.
NOTICED = (MilvusException, RuntimeError, ValueError, TypeError, LookupError)


def test_rows_that_others_change() -> None:
    def row(i: int) -> dict[str, Any]:
        numbers = {"id": i, "small": i % 100, "real": i / 3, "flag": i % 2 == 0}
        lists = {"array": [1] * (i % 5), "texts": ["né"] * (i % 3), "vector": [0.5, i, 1.5, 2]}
        return {**numbers, **lists, "text": f"né {i}", "sparse": {1: 0.5, i: 1.5}, "json": [i]}

    rows = [row(i) for i in range(10)]

    def change(number: int) -> None:
        changed = rows[number % len(rows)]
        changed["sparse"][number % 7] = number / 2
        changed["sparse"].pop(number % 7)
        changed["array"][:] = [number] * (number % 4)
        changed["vector"].append(changed["vector"].pop(0))
        changed["vector"] = [number / 2] * DIM
        changed["extra"] = [str(number)]
        changed["text"] = f"né {number}"
        del changed["extra"]
        rows[number % len(rows)] = row(number)
        rows.append(rows.pop(0))

    def use() -> None:
        with contextlib.suppress(*NOTICED):
            check(_core.encode_rows(SCHEMA, rows, collection_name="c"))

    while_changed(change, use)


def test_columns_that_others_change() -> None:
    columns: dict[str, Any] = {"id": list(range(DIM)), "vector": [[0.5] * DIM] * DIM}

    def change(number: int) -> None:
        columns["id"] = [number + i for i in range(DIM)]
        columns["vector"] = [[number / 2] * DIM for _ in range(DIM)]
        columns["vector"][number % DIM] = [0.25] * DIM
        columns["id"].append(columns["id"].pop(0))
        columns["extra"] = [str(number)] * DIM
        columns["extra"].pop()
        del columns["extra"]

    def use() -> None:
        with contextlib.suppress(*NOTICED):
            check(_core.encode_rows(SCHEMA, columns, collection_name="c"))

    while_changed(change, use)


def test_searches_that_others_change() -> None:
    dense: list[Any] = [[0.5, 1.5, 2.5], [3.5, 4.5, 5.5]]
    sparse: list[Any] = [{1: 0.5, 2: 1.5}, [(3, 0.5), (4, 1.5)]]
    templates: dict[str, Any] = {"x": [1, 2, 3], "y": "a"}
    keys: list[Any] = [1, 2, 3]

    def change(number: int) -> None:
        dense[number % 2] = [number / 2] * 3
        dense[0].append(dense[0].pop(0))
        sparse[0][number] = 2.5
        del sparse[0][number]
        sparse[1][0] = (number, 3.5)
        templates["x"] = [number] * (number % 5)
        templates["z"] = str(number)
        del templates["z"]
        keys.append(number)
        keys.pop(0)

    def use() -> None:
        for data in (dense, sparse):
            with contextlib.suppress(*NOTICED):
                request = _core.encode_search(
                    collection_name="c", data=data, params=[], templates=templates
                )
                assert milvus_pb2.SearchRequest.FromString(request).nq == 2
        with contextlib.suppress(*NOTICED):
            assert _core.primary_key_expression("id", keys).startswith("id in [")

    while_changed(change, use)


def test_one_client_in_all_threads() -> None:
    with (
        RecordingServer(replies.defaults(), threads=THREADS) as server,
        MilvusClient(server.uri) as client,
    ):
        expected = {name: repr(call.on(client)) for name, call in ALL_CALLS.items()}
        calls = list(ALL_CALLS.items())

        def work(number: int) -> None:
            for i in range(2 * len(calls)):
                name, call = calls[(number + i) % len(calls)]
                assert repr(call.on(client)) == expected[name]

        assert together(work) == []
