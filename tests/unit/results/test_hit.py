"""Hit, held against pymilvus's class of the same name."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import sys
import weakref
from typing import Any

import orjson
import pytest
from pymilvus.client.search_result import Hit as Reference

from milvus_native._core import Hit

ROW = {"pk": 7, "distance": 0.5, "entity": {"text": "t", "pk": 8, "n": None}}


def make(cls: Any, row: Any = ROW, pk_name: str = "pk") -> Any:
    return cls(copy.deepcopy(row), pk_name=pk_name)


def outcome(action: Any, hit: Any) -> Any:
    """What the action gives, or the class of what it raises."""
    try:
        return action(hit)
    except Exception as error:
        return type(error)


READS = {
    "item": lambda hit: hit["pk"],
    "entity's item": lambda hit: hit["text"],
    "no item": lambda hit: hit["nope"],
    "null": lambda hit: hit["n"],
    "unhashable key": lambda hit: hit[[]],
    "get": lambda hit: hit.get("text"),
    "get missing": lambda hit: hit.get("nope"),
    "get default": lambda hit: hit.get("nope", 3),
    "get default by name": lambda hit: hit.get(key="nope", default=3),
    "get unhashable": lambda hit: hit.get([]),
    "get without key": lambda hit: hit.get(),
    "id": lambda hit: hit.id,
    "key": lambda hit: hit.pk,
    "distance": lambda hit: hit.distance,
    "score": lambda hit: hit.score,
    "fields": lambda hit: hit.fields,
    "highlight": lambda hit: hit.highlight,
    "entity": lambda hit: hit.entity is hit,
    "entity.get": lambda hit: hit.entity.get("text"),
    "attribute": lambda hit: hit.text,
    "no attribute": lambda hit: hit.nope,
    "hasattr": lambda hit: (hasattr(hit, "text"), hasattr(hit, "nope")),
    "getattr by hand": lambda hit: hit.__getattr__("text"),
    "entity by hand": lambda hit: hit.__getattr__("entity") is hit,
    "attribute that is no str": lambda hit: getattr(hit, 1),
    "to_dict": lambda hit: hit.to_dict() is hit,
    "name of the key": lambda hit: hit._pk_name,
    "repr": repr,
    "str": str,
    "list": list,
    "len": len,
    "in": lambda hit: ("pk" in hit, "text" in hit),
    "items": lambda hit: list(hit.items()),
    "equal": lambda hit: hit == ROW,
    "merged": lambda hit: hit | {"a": 1},
    "type of a copy": lambda hit: type(hit.copy()),
    "json": json.dumps,
    "orjson": orjson.dumps,
    "hash": hash,
}


@pytest.mark.parametrize("row", [ROW, {}, {"pk": 1}, {"entity": None}, {"entity": [1]}], ids=repr)
@pytest.mark.parametrize("name", READS)
def test_reads_like_pymilvus(name: str, row: Any) -> None:
    assert outcome(READS[name], make(Hit, row)) == outcome(READS[name], make(Reference, row))


def set_item(hit: Any) -> Any:
    hit["text"] = 1
    return dict(hit)


def set_attribute(hit: Any) -> Any:
    hit.mark = 3
    return hit.mark, dict(hit)


def set_pk_name(hit: Any) -> Any:
    hit._pk_name = "distance"
    return hit.id


def delete_attribute(hit: Any) -> Any:
    hit.mark = 3
    del hit.mark
    return hasattr(hit, "mark")


def pop(hit: Any) -> Any:
    return hit.pop("distance"), hit.distance


def set_property(hit: Any) -> Any:
    hit.id = 3


@pytest.mark.parametrize(
    "action", [set_item, set_attribute, set_pk_name, delete_attribute, pop, set_property]
)
def test_changes_like_pymilvus(action: Any) -> None:
    assert outcome(action, make(Hit)) == outcome(action, make(Reference))


@pytest.mark.parametrize(
    "arguments",
    [
        ((), {}),
        ((ROW,), {}),
        (([("a", 1)],), {"b": 2, "pk_name": "b"}),
        ((1,), {}),
        ((ROW, ROW), {}),
        ((), {"pk_name": None}),
    ],
    ids=repr,
)
def test_constructs_like_pymilvus(arguments: Any) -> None:
    args, kwargs = arguments

    def build(cls: Any) -> Any:
        hit = cls(*args, **kwargs)
        return dict(hit), hit._pk_name, hit.id

    assert outcome(build, Hit) == outcome(build, Reference)


def test_missing_names_are_named() -> None:
    with pytest.raises(AttributeError, match="'nope'"):
        _ = make(Hit).nope
    with pytest.raises(KeyError, match="nope"):
        _ = make(Hit)["nope"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(protocol: int) -> None:
    hit = make(Hit)
    hit.mark = [1]
    made = pickle.loads(pickle.dumps(hit, protocol))
    assert type(made) is Hit
    assert (made, made.id, made.mark) == (ROW, 7, [1])
    assert list(made) == list(ROW)


@pytest.mark.parametrize("make_copy", [copy.copy, copy.deepcopy])
def test_copies(make_copy: Any) -> None:
    hit = make(Hit)
    hit.mark = [1]
    made = make_copy(hit)
    assert type(made) is Hit
    assert (made, made.id, made.mark) == (ROW, 7, [1])
    assert (made["entity"] is hit["entity"]) == (make_copy is copy.copy)
    made["distance"] = 9
    made.extra_mark = 1
    assert hit.distance == 0.5
    assert not hasattr(hit, "extra_mark")


class Child(Hit):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.made = True

    def __getattr__(self, name: str) -> Any:
        return "own" if name == "special" else super().__getattr__(name)


class Grandchild(Child):
    __slots__ = ("slot",)

    def __getitem__(self, key: str) -> Any:
        return "hooked" if key == "hook" else super().__getitem__(key)


@pytest.mark.parametrize("cls", [Child, Grandchild])
def test_subclasses(cls: type[Child]) -> None:
    hit = cls(ROW, pk_name="pk")
    assert (hit.special, hit.text, hit.id, hit.distance) == ("own", "t", 7, 0.5)
    made = pickle.loads(pickle.dumps(hit))
    assert type(made) is cls
    assert made.made
    assert made == ROW


def test_hooks_of_a_subclass_are_used() -> None:
    hit = Grandchild(ROW, pk_name="hook")
    assert hit.id == hit.get("hook") == hit.hook == "hooked"


def test_cycles_are_collected() -> None:
    hit = make(Hit)
    hit["self"] = hit
    hit.me = hit
    gone = weakref.ref(hit)
    del hit
    gc.collect()
    assert gone() is None


def test_deep_chains_die_quietly() -> None:
    chain: Any = None
    for _ in range(200_000):
        chain = Hit({"entity": chain})
    del chain


def test_leaves_no_references() -> None:
    def use() -> None:
        hit = make(Hit)
        for read in READS.values():
            outcome(read, hit)
        pickle.loads(pickle.dumps(hit))
        hit.__init__({"a": 1}, pk_name="a")  # type: ignore[misc]

    use()
    before = [sys.getrefcount(Hit), sys.getrefcount("distance"), sys.getrefcount(None)]
    for _ in range(200):
        use()
    gc.collect()
    after = [sys.getrefcount(Hit), sys.getrefcount("distance"), sys.getrefcount(None)]
    assert all(new - old < 50 for new, old in zip(after, before, strict=True)), (before, after)
