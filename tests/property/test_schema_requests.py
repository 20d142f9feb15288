"""How often the schema cache asks: exactly as often as its rules say, whatever happens.

The server is a fake that holds collections, counts DescribeCollection, and refuses what was made
with a schema it no longer has. Changes come from our clients, which invalidate, and from outside.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from pymilvus import MilvusException
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import MilvusClient, schema_cache
from tests.servers.recording import Call, RecordingServer
from tests.unit.clients import replies

COLLECTIONS = st.sampled_from(["a", "b"])
ALIASES = st.sampled_from(["x", "y"])
NAMES = st.one_of(COLLECTIONS, ALIASES)
KEYS = st.sampled_from(["id", "key"])
PRINCIPALS = st.sampled_from(["", "root:Milvus"])
NOT_FOUND = replies.failed(100, "collection not found", error_code=4)


class Collection(NamedTuple):
    number: int
    pk: str
    version: int


class Known(NamedTuple):
    """What the cache has under a name."""

    collection: Collection
    name: str  # of the collection
    aliases: frozenset[str]


class Requests(RuleBasedStateMachine):
    """`collections` and `aliases` are the server's; `cached` is what the cache must have."""

    def __init__(self) -> None:
        super().__init__()
        schema_cache.clear()
        self.collections: dict[str, Collection] = {}
        self.aliases: dict[str, str] = {}
        self.cached: dict[tuple[str, str], Known] = {}
        self.numbers = 0
        self.expected = 0
        changes = ("CreateCollection", "DropCollection", "RenameCollection", "AlterAlias")
        self.server = RecordingServer(
            {
                **replies.defaults(),
                "DescribeCollection": self.describe,
                "Insert": self.insert,
                "Query": self.query,
                **dict.fromkeys((*changes, "CreateAlias", "DropAlias"), replies.status()),
            }
        )
        self.clients = {
            token: MilvusClient(self.server.uri, token=token) for token in ("", "root:Milvus")
        }

    def teardown(self) -> None:
        for client in self.clients.values():
            client.close()
        self.server.close()

    # The server.

    def target(self, name: str) -> str | None:
        found = self.aliases.get(name, name)
        return found if found in self.collections else None

    def aliases_of(self, name: str) -> frozenset[str]:
        return frozenset(alias for alias, target in self.aliases.items() if target == name)

    def describe(self, call: Call) -> bytes:
        name = self.target(
            milvus_pb2.DescribeCollectionRequest.FromString(call.request).collection_name
        )
        if name is None:
            return replies.not_described()
        number, pk, version = self.collections[name]
        aliases = tuple(self.aliases_of(name))
        return replies.describe(name, pk=pk, version=version, collection_id=number, aliases=aliases)

    def insert(self, call: Call) -> bytes:
        request = milvus_pb2.InsertRequest.FromString(call.request)
        name = self.target(request.collection_name)
        if name is None:
            return replies.mutation(status=NOT_FOUND)
        collection = self.collections[name]
        if request.schema_timestamp != collection.version:
            return replies.mutation(status=replies.MISMATCH)
        assert [field.field_name for field in request.fields_data] == [collection.pk, "vector"]
        return replies.mutation(1, insert_cnt=1)

    def query(self, call: Call) -> bytes:
        request = milvus_pb2.QueryRequest.FromString(call.request)
        name = self.target(request.collection_name)
        if name is None:
            return replies.query(status=NOT_FOUND)
        if not request.expr.startswith(f"{self.collections[name].pk} in"):
            return replies.query(status=replies.failed(1100, "field not exist"))
        return replies.query(1, pk=self.collections[name].pk)

    # Changes. `outside` ones are made by another process: nobody is told.

    def new(self, pk: str) -> Collection:
        self.numbers += 1
        return Collection(self.numbers, pk, self.numbers)

    def forget(self, *names: str) -> None:
        self.cached = {
            key: known
            for key, known in self.cached.items()
            if not {key[1], known.name, *known.aliases}.intersection(names)
        }

    @rule(name=COLLECTIONS, pk=KEYS, outside=st.booleans())
    def create(self, name: str, pk: str, outside: bool) -> None:
        """Anew, if there was one."""
        if not outside:
            self.clients[""].drop_collection(name)
            self.forget(name)
        self.collections[name] = self.new(pk)

    @rule(name=COLLECTIONS, outside=st.booleans())
    def drop(self, name: str, outside: bool) -> None:
        self.collections.pop(name, None)
        if not outside:
            self.clients["root:Milvus"].drop_collection(name)
            self.forget(name)

    @rule(pk=KEYS, name=COLLECTIONS)
    def alter_outside(self, name: str, pk: str) -> None:
        if name in self.collections:
            self.numbers += 1
            number = self.collections[name].number
            self.collections[name] = Collection(number, pk, self.numbers)

    @rule(old=COLLECTIONS, new=COLLECTIONS, outside=st.booleans())
    def rename(self, old: str, new: str, outside: bool) -> None:
        if old not in self.collections or new in self.collections:
            return
        self.collections[new] = self.collections.pop(old)
        self.aliases = {a: new if t == old else t for a, t in self.aliases.items()}
        if not outside:
            self.clients[""].rename_collection(old, new)
            self.forget(old, new)

    @rule(alias=ALIASES, name=COLLECTIONS, outside=st.booleans())
    def point(self, alias: str, name: str, outside: bool) -> None:
        self.aliases[alias] = name
        if not outside:
            self.clients[""].alter_alias(name, alias)
            self.forget(name, alias)

    @rule(alias=ALIASES, outside=st.booleans())
    def drop_alias(self, alias: str, outside: bool) -> None:
        self.aliases.pop(alias, None)
        if not outside:
            self.clients[""].drop_alias(alias)
            self.forget(alias)

    @rule()
    def clear(self) -> None:
        schema_cache.clear()
        self.cached = {}

    # Calls, and what they must ask.

    @rule(principal=PRINCIPALS, name=NAMES)
    def call_insert(self, principal: str, name: str) -> None:
        current = self.predict(principal, name, lambda known, now: known.version == now.version)
        row = {"id" if current is None else current.pk: 1, "vector": [0.0] * 4}
        self.call(current, lambda: self.clients[principal].insert(name, row))

    @rule(principal=PRINCIPALS, name=NAMES)
    def call_get(self, principal: str, name: str) -> None:
        current = self.predict(principal, name, lambda known, now: known.pk == now.pk)
        self.call(current, lambda: self.clients[principal].get(name, [1]))

    def call(self, current: Collection | None, work: Any) -> None:
        if current is not None:
            work()  # it must not fail
            return
        with pytest.raises(MilvusException):
            work()

    def predict(self, principal: str, name: str, is_served: Any) -> Collection | None:
        key = (principal, name)
        known, target = self.cached.get(key), self.target(name)
        if target is None:
            self.expected += 1
            self.cached.pop(key, None)
            return None
        current = self.collections[target]
        if known is None or not is_served(known.collection, current):
            self.expected += 1
            self.cached[key] = Known(current, target, self.aliases_of(target))
        return current

    @invariant()
    def as_many_as_predicted(self) -> None:
        assert self.server.count("DescribeCollection") == self.expected
        assert schema_cache.stats()["entries"] == len(self.cached)
        for (principal, name), known in self.cached.items():
            schema = schema_cache.peek(self.clients[principal], name)
            assert schema is not None
            assert schema.update_timestamp == known.collection.version


def test_requests() -> None:
    run_state_machine_as_test(
        Requests,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
