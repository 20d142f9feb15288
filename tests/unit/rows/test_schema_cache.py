"""SchemaCache: who enters, who leaves, and when."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest

from milvus_native._core import Schema, SchemaCache
from tests.faker import DataType, FakeField, Faker
from tests.together import together


def schema(name: str = "books", aliases: tuple[str, ...] = ()) -> Schema:
    fields = [FakeField("id", DataType.INT64, primary=True)]
    reply = Faker(name).describe(fields).reply
    reply.schema.name = name
    reply.aliases.extend(aliases)
    return Schema.from_reply(reply.SerializeToString())


def key(name: str) -> tuple[str, str, str]:
    return ("http://localhost:19530", "default", name)


def store(cache: SchemaCache, *names: str) -> list[Schema]:
    schemas = [schema(name) for name in names]
    for name, item in zip(names, schemas, strict=True):
        assert cache.put(key(name), item, cache.generation())
    return schemas


def test_a_stored_schema_is_found_again() -> None:
    cache = SchemaCache()
    assert cache.get(key("books")) is None
    (books,) = store(cache, "books")
    assert cache.get(key("books")) is books
    assert cache.get(("http://localhost:19530", "default", "books")) is books
    assert len(cache) == 1


def test_keys_may_hold_numbers_and_none() -> None:
    cache = SchemaCache()
    assert cache.put(("a", 1, None), schema(), 0)
    assert cache.get(("a", 1, None)) is not None
    assert cache.get(("a", 2, None)) is None


class Text(str):
    pass


@pytest.mark.parametrize("bad", ["books", ["books"], (1.5,), (Text("a"),), (("a",),), None])
def test_other_keys_are_refused(bad: Any) -> None:
    cache = SchemaCache()
    for call in (cache.get, cache.invalidate, lambda k: cache.put(k, schema(), 0)):
        with pytest.raises(TypeError):
            call(bad)


def test_only_schemas_enter() -> None:
    cache = SchemaCache()
    with pytest.raises(TypeError):
        cache.put(key("a"), "schema", 0)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        cache.put(key("a"), schema(), "0")  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        cache.put(key("a"), schema(), -1)


def test_the_least_recently_used_leaves_first() -> None:
    cache = SchemaCache(capacity=3)
    store(cache, "a", "b", "c")
    cache.get(key("a"))
    store(cache, "d")
    assert [cache.get(key(n)) is not None for n in "abcd"] == [True, False, True, True]
    assert cache.stats()["evictions"] == 1


def test_putting_again_counts_as_use() -> None:
    cache = SchemaCache(capacity=2)
    store(cache, "a", "b", "a", "c")
    assert [cache.get(key(n)) is not None for n in "abc"] == [True, False, True]


def test_nothing_is_kept_with_capacity_zero() -> None:
    cache = SchemaCache(capacity=0)
    early = cache.generation()
    assert cache.put(key("a"), schema(), early) is True
    assert len(cache) == 0
    assert cache.get(key("a")) is None
    cache.invalidate(key("a"))
    assert cache.put(key("a"), schema(), early) is False


def test_age() -> None:
    cache = SchemaCache(max_age=0)
    store(cache, "a")
    assert cache.get(key("a")) is None
    assert cache.stats()["expirations"] == 1
    cache.configure(max_age=1000)
    store(cache, "a")
    assert cache.get(key("a")) is not None
    cache.configure(max_age=0.001)
    time.sleep(0.01)
    assert cache.get(key("a")) is None
    cache.configure(max_age=None)
    store(cache, "a")
    time.sleep(0.01)
    assert cache.get(key("a")) is not None


def test_configure_changes_only_what_is_given() -> None:
    cache = SchemaCache(capacity=10, max_age=5)
    cache.configure(capacity=7)
    assert (cache.stats()["capacity"], cache.stats()["max_age"]) == (7, 5.0)
    cache.configure(max_age=None)
    assert (cache.stats()["capacity"], cache.stats()["max_age"]) == (7, None)
    store(cache, *"abcdefg")
    cache.configure(capacity=2)
    assert len(cache) == 2
    assert cache.get(key("g")) is not None


def test_configure_leaves_what_was_configured_meanwhile() -> None:
    cache = SchemaCache(capacity=10)

    class Age:
        def __float__(self) -> float:
            cache.configure(capacity=3)
            return 5.0

    cache.configure(max_age=Age())  # type: ignore[arg-type]
    assert (cache.stats()["capacity"], cache.stats()["max_age"]) == (3, 5.0)


@pytest.mark.parametrize("bad", [{"capacity": -1}, {"max_age": -1}, {"max_age": float("nan")}])
def test_bad_settings_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        SchemaCache(**bad)
    with pytest.raises(ValueError, match="must"):
        SchemaCache().configure(**bad)


def test_a_fetch_from_before_an_invalidation_never_enters() -> None:
    cache = SchemaCache()
    before = cache.generation()
    assert cache.invalidate(key("a")) is False
    assert cache.put(key("a"), schema("a"), before) is False
    assert cache.put(key("b"), schema("b"), before) is True
    after = cache.generation()
    assert cache.put(key("a"), schema("a"), after) is True
    assert cache.put(key("a"), schema("a"), before) is False
    assert cache.get(key("a")) is not None
    assert cache.stats()["refused"] == 2


def test_a_later_fetch_is_not_replaced_by_an_earlier_one() -> None:
    cache = SchemaCache()
    early = cache.generation()
    cache.invalidate(key("other"))
    late = cache.generation()
    newer = schema("newer")
    assert cache.put(key("a"), newer, late)
    assert cache.put(key("a"), schema("older"), early) is False
    assert cache.get(key("a")) is newer


def test_invalidate_drops_one() -> None:
    cache = SchemaCache()
    store(cache, "a", "b")
    assert cache.invalidate(key("a")) is True
    assert cache.invalidate(key("a")) is False
    assert [cache.get(key(n)) is not None for n in "ab"] == [False, True]
    assert cache.stats()["invalidations"] == 1


def test_invalidate_if_drops_what_the_predicate_says() -> None:
    cache = SchemaCache()
    store(cache, "a", "b")
    cache.put(key("alias"), schema("a", aliases=("alias",)), cache.generation())
    under_way = cache.generation()
    assert cache.invalidate_if(lambda k, s: s.collection_name == "a") == 2
    assert [cache.get(key(n)) is not None for n in ("a", "b", "alias")] == [False, True, False]
    assert cache.put(key("anything"), schema(), under_way) is False
    assert cache.put(key("anything"), schema(), cache.generation()) is True


def test_a_predicate_may_fail_and_may_use_the_cache() -> None:
    cache = SchemaCache()
    store(cache, "a", "b")
    with pytest.raises(ZeroDivisionError):
        cache.invalidate_if(lambda k, s: 1 / 0)
    assert len(cache) == 2

    def meddle(k: Any, s: Schema) -> bool:
        cache.clear()
        return True

    assert cache.invalidate_if(meddle) == 0
    assert len(cache) == 0


def test_clear_drops_all_and_refuses_what_is_under_way() -> None:
    cache = SchemaCache()
    store(cache, "a", "b")
    under_way = cache.generation()
    cache.clear()
    assert len(cache) == 0
    assert cache.put(key("c"), schema(), under_way) is False


def test_many_invalidated_keys_are_not_forgotten() -> None:
    cache = SchemaCache()
    under_way = cache.generation()
    for i in range(5000):
        cache.invalidate(key(str(i)))
    assert cache.put(key("0"), schema(), under_way) is False
    assert cache.put(key("4999"), schema(), under_way) is False
    assert cache.put(key("0"), schema(), cache.generation()) is True


def test_stats() -> None:
    cache = SchemaCache(capacity=5, max_age=60)
    (books,) = store(cache, "books")
    cache.get(key("books"))
    cache.get(key("none"))
    assert cache.stats() == {
        "hits": 1,
        "misses": 1,
        "evictions": 0,
        "expirations": 0,
        "invalidations": 0,
        "refused": 0,
        "entries": 1,
        "capacity": 5,
        "max_age": 60.0,
        "generation": 0,
        "bytes": books.nbytes,
    }


def test_many_threads_share_a_cache() -> None:
    cache = SchemaCache(capacity=8)
    schemas = [schema(str(i)) for i in range(16)]

    def work(seed: int) -> None:
        fake = Faker(seed)
        for _ in range(3000):
            i = fake.random.randrange(16)
            action = fake.random.random()
            if action < 0.7:
                found = cache.get(key(str(i)))
                assert found is None or found is schemas[i]
            elif action < 0.95:
                cache.put(key(str(i)), schemas[i], cache.generation())
            elif action < 0.98:
                cache.invalidate(key(str(i)))
            elif action < 0.99:
                cache.invalidate_if(lambda k, s, item=schemas[i]: s is item)
            else:
                cache.clear()
            assert len(cache) <= 8

    assert together(work, 4) == []


def test_what_leaves_is_released() -> None:
    cache = SchemaCache(capacity=2)
    items = [schema(str(i)) for i in range(5)]
    before = [sys.getrefcount(item) for item in items]
    for i, item in enumerate(items):  # the first three are evicted
        cache.put(key(str(i)), item, cache.generation())
        cache.put(key(str(i)), item, cache.generation())
    assert [sys.getrefcount(item) for item in items][:3] == before[:3]
    del item
    cache.invalidate(key("3"))
    cache.clear()
    assert [sys.getrefcount(item) for item in items] == before
