"""Two processes with two threads each change the same collections and work with them.

Whatever the others have changed, no call fails that a fresh client would have made succeed, and
what was inserted is found under the schema that the server has now.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.integration.schema_actor import Actor
from tests.servers import Server

NAMES = ("schema_a", "schema_b")
ALIASES = ("schema_x", "schema_y")
ACTORS = st.tuples(st.integers(0, 1), st.integers(0, 1))  # process and thread
SHAPES = st.tuples(st.sampled_from(["id", "key"]), st.sampled_from([4, 8]))


class Remote:
    """An Actor in another process."""

    def __init__(self, uri: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.schema_actor", uri],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, thread: int, action: str, arguments: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([thread, action, arguments]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(60) == 0


class Held:
    """A collection as it must be."""

    def __init__(self, shape: tuple[str, int]) -> None:
        self.pk, self.dim = shape
        self.keys: set[int] = set()


class Changes(RuleBasedStateMachine):
    processes: tuple[Any, Any]

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, Held] = {}
        self.aliases: dict[str, str] = {}
        self.last_key = 0

    def do(self, actor: tuple[int, int], action: str, **arguments: Any) -> Any:
        process, thread = actor
        result = self.processes[process].do(thread, action, arguments)
        failed = isinstance(result, list) and result[:1] == ["failed"]
        assert not failed, (actor, action, arguments, result)
        return result

    def control(self, actor: tuple[int, int], method: str, *args: Any) -> None:
        self.do(actor, "control", method=method, args=list(args))

    def teardown(self) -> None:
        for alias in list(self.aliases):
            self.drop_alias_of(alias)
        for name in self.held:
            self.control((0, 0), "drop_collection", name)

    def drop_alias_of(self, alias: str, actor: tuple[int, int] = (0, 0)) -> None:
        self.control(actor, "drop_alias", alias)
        del self.aliases[alias]

    def names(self) -> list[str]:
        return [*self.held, *self.aliases]

    def of(self, name: str) -> Held:
        return self.held[self.aliases.get(name, name)]

    # Changes

    @rule(actor=ACTORS, other=ACTORS, name=st.sampled_from(NAMES), shape=SHAPES)
    def create(
        self, actor: tuple[int, int], other: tuple[int, int], name: str, shape: tuple[str, int]
    ) -> None:
        """Again, if there is one, with its aliases pointing to the new one."""
        aliases = [alias for alias, target in self.aliases.items() if target == name]
        if name in self.held:
            for alias in aliases:
                self.drop_alias_of(alias, actor)
            self.control(actor, "drop_collection", name)
        self.do(other, "create", name=name, pk=shape[0], dim=shape[1])
        self.held[name] = Held(shape)
        for alias in aliases:
            self.control(other, "create_alias", name, alias)
            self.aliases[alias] = name

    @precondition(lambda self: len(self.held) == 1)
    @rule(actor=ACTORS)
    def rename(self, actor: tuple[int, int]) -> None:
        [old] = self.held
        [new] = set(NAMES) - {old}
        for alias in list(self.aliases):
            self.drop_alias_of(alias)
        self.control(actor, "rename_collection", old, new)
        self.control(actor, "load_collection", new)  # milvus-lite releases what it renames
        self.held[new] = self.held.pop(old)

    @precondition(lambda self: self.held)
    @rule(actor=ACTORS, alias=st.sampled_from(ALIASES), data=st.data())
    def point(self, actor: tuple[int, int], alias: str, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.held)))
        method = "alter_alias" if alias in self.aliases else "create_alias"
        self.control(actor, method, name, alias)
        self.aliases[alias] = name

    # Work

    @precondition(lambda self: self.held)
    @rule(actor=ACTORS, reader=ACTORS, data=st.data())
    def insert(self, actor: tuple[int, int], reader: tuple[int, int], data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.names()))
        held = self.of(name)
        self.last_key += 1
        key = self.last_key
        assert self.do(actor, "insert", name=name, pk=held.pk, key=key, dim=held.dim) == 1
        held.keys.add(key)
        assert self.do(reader, "get", name=name, keys=[key]) == [{held.pk: key}]

    @precondition(lambda self: self.held)
    @rule(actor=ACTORS, reader=ACTORS, data=st.data())
    def delete(self, actor: tuple[int, int], reader: tuple[int, int], data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.names()))
        held = self.of(name)
        gone = sorted(held.keys)[:1] or [12345]
        self.do(actor, "delete", name=name, keys=gone)
        held.keys -= set(gone)
        assert self.do(reader, "get", name=name, keys=gone) == []

    @precondition(lambda self: self.held)
    @rule(actor=ACTORS, raw=st.booleans(), data=st.data())
    def search(self, actor: tuple[int, int], raw: bool, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.names()))
        held = self.of(name)
        found = self.do(actor, "search", name=name, key=1, dim=held.dim, raw=raw)
        assert found == sorted(held.keys)

    @precondition(lambda self: self.held)
    @rule(actor=ACTORS, data=st.data())
    def walk(self, actor: tuple[int, int], data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.names()))
        held = self.of(name)
        self.do(actor, "walk", name=name, pk=held.pk)


def run(server: Server, examples: int, steps: int) -> None:
    with closing(Actor(server.uri)) as here, closing(Remote(server.uri)) as there:

        class Machine(Changes):
            processes = (here, there)

        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                phases=[Phase.explicit, Phase.generate],  # to shrink takes too long on a server
                suppress_health_check=list(HealthCheck),
                derandomize=False,
                database=None,
            ),
        )


def test_lite(lite_server: Server) -> None:
    run(lite_server, examples=6, steps=30)


def test_milvus(milvus_server: Server) -> None:
    run(milvus_server, examples=2, steps=15)
