"""Runs one program through several client classes on one server, and compares what they saw.

A scenario is an async function of two sides, a writer and a reader. A side wraps a client of
either package, sync or async, behind one awaitable face, and notes the result of each call. The
scenario asserts what the calls must have done; the harness then holds the notes of each pairing
equal to those of pymilvus's own client alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import inspect
import itertools
import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pymilvus
import pytest

import milvus_native
from tests.servers import Server

BOTH = ("lite", "2.3.5")
LITE = ("lite",)
STANDALONE = ("2.3.5",)


@dataclass(frozen=True)
class Pairing:
    """Which client writes and which one reads; each is (package, mode)."""

    writer: tuple[str, str]
    reader: tuple[str, str]

    @property
    def id(self) -> str:
        if self.writer == self.reader:
            return "-".join(self.writer)
        return f"{'-'.join(self.writer)}-to-{'-'.join(self.reader)}"


ORACLE = Pairing(("pymilvus", "sync"), ("pymilvus", "sync"))
PAIRINGS = [
    Pairing(("native", "sync"), ("native", "sync")),
    Pairing(("native", "async"), ("native", "async")),
    Pairing(("native", "sync"), ("pymilvus", "async")),
    Pairing(("pymilvus", "sync"), ("native", "async")),
]


@dataclass(frozen=True)
class Scenario:
    """`run(writer, reader)`, for the servers that have what it uses.

    `oracle` is False where pymilvus cannot do it or does it wrong, on purpose differently here:
    then only the scenario's own assertions hold, and the native client is on the writer's side.
    `alone` is for what a server does not bear in parallel.
    """

    name: str
    run: Callable[[Side, Side], Awaitable[None]]
    servers: tuple[str, ...]
    oracle: bool
    alone: bool

    def pairings(self) -> list[Pairing]:
        """Those to compare with the oracle."""
        return [p for p in PAIRINGS if self.oracle or p.writer[0] == "native"]


SCENARIOS: list[Scenario] = []


def scenario(
    servers: tuple[str, ...] = BOTH, *, oracle: bool = True, alone: bool = False
) -> Callable[[Callable[[Side, Side], Awaitable[None]]], None]:
    """Registers the decorated function under its own name."""

    def register(run: Callable[[Side, Side], Awaitable[None]]) -> None:
        SCENARIOS.append(Scenario(run.__name__, run, servers, oracle, alone))

    return register


# --- notes ---

# What differs between two runs whatever the client does.
VOLATILE_KEYS = frozenset(
    {
        "collection_id",
        "created_timestamp",
        "created_time",
        "update_timestamp",
        "iterator_session_ts",
        "partition_id",
        "schema_timestamp",
        "timestamp",
    }
)


@dataclass
class Trace:
    """The notes of one run. `hide` gives volatile values (generated ids, names) a stable label."""

    notes: list[tuple[str, Any]] = field(default_factory=list)
    labels: dict[Any, str] = field(default_factory=dict)

    def hide(self, values: Iterable[Any], label: str) -> None:
        for value in values:
            self.labels.setdefault(value, f"<{label} {len(self.labels)}>")

    def note(self, what: str, value: Any) -> None:
        self.notes.append((what, self.plain(value)))

    def plain(self, value: Any) -> Any:
        """`value` as nested tuples that carry the exact types: 1, 1.0 and True stay apart."""
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value in self.labels:
            return self.labels[value]
        if isinstance(value, str):
            for hidden, label in self.labels.items():
                if isinstance(hidden, str):
                    value = value.replace(hidden, label)
            return value
        if isinstance(value, float):
            return ("float", "nan" if math.isnan(value) else value)
        if value is None or isinstance(value, (bool, int, bytes)):
            return (type(value).__name__, value)
        if isinstance(value, dict):
            return (
                "dict",
                tuple(
                    (self.plain(key), self.plain(item))
                    for key, item in sorted(value.items(), key=lambda pair: str(pair[0]))
                    if key not in VOLATILE_KEYS
                ),
            )
        if isinstance(value, (set, frozenset)):
            return ("set", tuple(sorted(map(repr, map(self.plain, value)))))
        if hasattr(value, "tolist"):
            return (type(value).__name__, str(value.dtype), self.plain(value.tolist()))
        if isinstance(value, Iterable):
            kind = "tuple" if isinstance(value, tuple) else "list"
            parts: tuple[Any, ...] = tuple(self.plain(item) for item in value)
            for name in ("ids", "distances", "recalls"):  # of one query's hits, of a whole result
                if hasattr(value, name) and getattr(value, name) is not None:
                    parts += ((name, self.plain(list(getattr(value, name)))),)
            return (kind, parts)
        return (type(value).__name__, str(value))


# --- sides ---

PLAIN_HELPERS = frozenset(
    {"create_schema", "create_field_schema", "create_struct_field_schema", "prepare_index_params"}
)
ALIAS_WRITERS = frozenset(
    {"alter_alias", "create_alias", "drop_alias", "drop_collection", "rename_collection"}
)


class Side:
    """A client behind an awaitable face. `name` is this run's collection name."""

    def __init__(
        self, which: tuple[str, str], trace: Trace, server: Server, name: str, **options: Any
    ) -> None:
        package, mode = which
        module = pymilvus if package == "pymilvus" else milvus_native
        cls = module.MilvusClient if mode == "sync" else module.AsyncMilvusClient
        if module is pymilvus:
            # Its shared connections outlive the event loop they belong to.
            options = {"dedicated": True, **options}
        self.which = which
        self.options = options
        self.client = cls(uri=server.uri, **{**server.options, **options})
        self.trace = trace
        self.server = server
        self.name = name

    def __getattr__(self, method: str) -> Any:
        if method in PLAIN_HELPERS:
            return getattr(self.client, method)

        async def call(*args: Any, **kwargs: Any) -> Any:
            result = await self.quietly(method, *args, **kwargs)
            self.trace.note(method, result)
            return result

        return call

    async def quietly(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """The call's result, unnoted: for what differs between runs or between versions."""
        with self._turn(method):
            result = getattr(self.client, method)(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

    @contextlib.contextmanager
    def _turn(self, method: str) -> Iterator[None]:
        """milvus-lite fails when two calls write its file of aliases at the same time, so that they
        take turns: in all threads and processes that share the server."""
        if self.server.version != "lite" or method not in ALIAS_WRITERS:
            yield
            return
        with open(self.server.folder / "aliases.lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    async def rows(self, method: str, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:
        """The rows of `query` or `get`, noted and returned in the order of their text, since the
        server promises none."""
        result = await self.quietly(method, *args, **kwargs)
        assert isinstance(result, list)
        ordered = sorted(result, key=lambda row: [str(row.get(self.key)), str(row)])
        self.trace.note(method, ordered)
        return ordered

    key = "id"

    async def fails(self, method: str, *args: Any, **kwargs: Any) -> Exception:
        """The exception that the call must raise; its class and code are noted."""
        try:
            result = await self.quietly(method, *args, **kwargs)
        except Exception as error:
            code = getattr(error, "code", None)
            self.trace.note(f"{method} raises", [type(error).__name__, str(code)])
            return error
        raise AssertionError(f"{method}{args}{kwargs} did not fail but returned {result!r}")

    async def refuses(self, method: str, *args: Any, **kwargs: Any) -> Exception:
        """Like `fails`, but unnoted: for an error that is ours on purpose."""
        try:
            result = await self.quietly(method, *args, **kwargs)
        except pymilvus.MilvusException as error:
            return error
        raise AssertionError(f"{method}{args}{kwargs} did not fail but returned {result!r}")

    async def tries(self, method: str, *args: Any, **kwargs: Any) -> None:
        """Notes the result or the exception: for what servers differ in, but clients must not."""
        try:
            self.trace.note(method, await self.quietly(method, *args, **kwargs))
        except Exception as error:
            code = getattr(error, "code", None)
            self.trace.note(f"{method} raises", [type(error).__name__, str(code)])

    @contextlib.asynccontextmanager
    async def connected(self, mode: str | None = None, **options: Any) -> AsyncIterator[Side]:
        """A further client of the same package on the same server, in the same mode unless one
        is given."""
        which = (self.which[0], mode or self.which[1])
        options = {**self.options, **options}
        side = Side(which, self.trace, self.server, self.name, **options)
        try:
            yield side
        finally:
            await side.close()

    @contextlib.asynccontextmanager
    async def maker(self) -> AsyncIterator[Side]:
        """A side that can make collections: milvus-lite has no AllocTimestamp, which pymilvus's
        async client calls for each index, so a sync client does it there."""
        if self.server.version == "lite" and self.which[1] == "async":
            async with self.connected("sync") as side:
                yield side
        else:
            yield self

    async def gather(self, method: str, calls: list[tuple[Any, ...]]) -> list[Any]:
        """All calls at once: tasks of an async client, threads with a sync one."""
        function = getattr(self.client, method)
        if inspect.iscoroutinefunction(function):
            return await asyncio.gather(*(function(*args) for args in calls))
        with ThreadPoolExecutor(8) as threads:
            return list(threads.map(lambda args: function(*args), calls))

    async def close(self) -> None:
        await self.quietly("close")


# --- running ---

_numbers = itertools.count()


async def _run(chosen: Scenario, pairing: Pairing, server: Server) -> Trace:
    name = f"{chosen.name}_{os.getpid()}_{next(_numbers)}"
    trace = Trace()
    trace.hide([name], "name")
    writer = Side(pairing.writer, trace, server, name)
    reader = writer
    if pairing.reader != pairing.writer:
        reader = Side(pairing.reader, trace, server, name)
    try:
        await chosen.run(writer, reader)
    finally:
        with contextlib.suppress(Exception):
            await writer.quietly("drop_collection", name)
        for side in {id(writer): writer, id(reader): reader}.values():
            await side.close()
    return trace


_outcomes: dict[tuple[str, str], dict[Pairing, Trace | Exception]] = {}


def _all_outcomes(chosen: Scenario, server: Server) -> dict[Pairing, Trace | Exception]:
    """Every pairing's run, all at once: the server's own waits take most of the time."""
    key = (chosen.name, server.name)
    if key not in _outcomes:

        def outcome(pairing: Pairing) -> Trace | Exception:
            try:
                return asyncio.run(_run(chosen, pairing, server))
            except Exception as error:
                return error

        pairings = [*chosen.pairings(), *([ORACLE] if chosen.oracle else [])]
        with ThreadPoolExecutor(1 if chosen.alone else len(pairings)) as threads:
            _outcomes[key] = dict(zip(pairings, threads.map(outcome, pairings), strict=True))
    return _outcomes[key]


def cases(version: str) -> list[Any]:
    """The parameters of a test: every scenario that the server has, with each of its pairings."""
    return [
        pytest.param(chosen, pairing, id=f"{chosen.name}-{pairing.id}")
        for chosen in SCENARIOS
        if version in chosen.servers
        for pairing in chosen.pairings()
    ]


def check(chosen: Scenario, pairing: Pairing, server: Server) -> None:
    """Raises what the scenario raised; otherwise holds its notes equal to the oracle's."""
    outcomes = _all_outcomes(chosen, server)
    got = outcomes[pairing]
    if isinstance(got, Exception):
        raise got
    assert got.notes, "the scenario noted nothing"
    if not chosen.oracle:
        return
    want = outcomes[ORACLE]
    if isinstance(want, Exception):
        raise AssertionError(f"{chosen.name} fails with pymilvus alone") from want
    for index, (ours, theirs) in enumerate(zip(got.notes, want.notes, strict=False)):
        assert ours == theirs, f"note {index} of {chosen.name}, {pairing.id}"
    assert len(got.notes) == len(want.notes)
