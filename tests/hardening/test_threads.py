"""Many threads on what may be shared: schemas, the cache, a client; and on what may not."""

from __future__ import annotations

from typing import Any

from milvus_native import MilvusClient, _core
from tests.servers.recording import RecordingServer
from tests.together import THREADS, together
from tests.unit.clients import replies
from tests.unit.clients.calls import ALL_CALLS

from . import scenarios


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
