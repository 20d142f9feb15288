"""The process's cache of compiled schemas, shared by all clients, threads and event loops.

An entry is found by (endpoint, principal, database, name that the caller used). Any number of
callers that miss the same entry make one DescribeCollection.
"""

from __future__ import annotations

from types import EllipsisType
from typing import TYPE_CHECKING, Any

from . import forking
from ._core import Schema, SchemaCache, StatusError, describe_request
from .effects import NeedSchema, Operation, Rpc, Wait
from .errors import ConnectFailed, GaveUp, SchemaUnavailable, again
from .flights import Flights
from .scope import Scope
from .transport.base import CANCELLED, DEADLINE_EXCEEDED, RpcError

if TYPE_CHECKING:
    from .base import BaseClient

CACHE = SchemaCache()
_FLIGHTS = Flights()

# A fetch is repeated when its entry was invalidated meanwhile; after so many times in a row its
# answer is used for this call and not kept.
_FETCHES = 8

_counts = {"fetches": 0, "waits": 0}
_refreshes = {"mismatch": 0, "error": 0, "input": 0, "iterator": 0}


def _count(what: str, counts: dict[str, int] = _counts) -> None:
    with forking.counting:
        counts[what] += 1


def stats() -> dict[str, Any]:
    """Counters since the process began, and the present state of the cache.

    Look-ups: hits, misses. Fetches, each one DescribeCollection: fetches, and waits (callers that
    waited for the fetch of another). refreshes, a dict: fetches although a schema was cached,
    because the server said so ("mismatch"), failed a call ("error"), the rows or keys did not fit
    ("input"), or an iterator was opened ("iterator"). Schemas that left: evictions (no room),
    expirations (too old), invalidations; refused never entered, being out of date when they came.
    Now: entries, bytes (of the schemas), capacity, max_age, generation.
    """
    with forking.counting:
        return {**CACHE.stats(), **_counts, "refreshes": dict(_refreshes)}


def clear() -> None:
    """Forgets all schemas."""
    CACHE.clear()


def peek(client: BaseClient, collection_name: str) -> Schema | None:
    """The schema that a call of `client` would use, None if it would have to ask the server.

    The name may be an alias. Nothing is counted, and nothing kept longer for being looked at.
    """
    return known(client._mvn_scope(), collection_name)


def known(scope: Scope, collection_name: Any) -> Schema | None:
    """The schema that is cached, not counted as a look-up."""
    return (
        CACHE.peek(scope.schema_key(collection_name)) if isinstance(collection_name, str) else None
    )


def configure(*, capacity: int | None = None, max_age: float | EllipsisType | None = ...) -> None:
    """Bounds the cache: its number of schemas, and their age in seconds (None: no bound)."""
    if max_age is ...:
        CACHE.configure(capacity=capacity)
    else:
        CACHE.configure(capacity=capacity, max_age=max_age)


def lookup(scope: Scope, need: NeedSchema) -> Operation[Schema]:
    """The schema that `need` asks for, when the cache did not have it or is not to be asked."""
    key = scope.schema_key(need.collection_name)
    stale = need.stale
    if need.refresh:
        known = CACHE.peek(key)
        if stale is None or known is stale:
            CACHE.invalidate(key)
            _count(need.refresh, _refreshes)
        elif known is not None:
            return known  # somebody else has met the same mismatch
    need.fetched = True
    failures = 0
    own, flight = _FLIGHTS.new(key), None
    try:
        while True:
            flight = _FLIGHTS.join(own, after=flight)
            if flight is own:
                # Another flight may have landed between the miss and the join.
                generation = CACHE.generation()
                schema = CACHE.peek(key)
                if schema is None:
                    schema, generation = yield from _fetch(scope, need)
                own.land((schema, generation))
                return schema
            _count("waits")
            if not (yield Wait(flight)):
                # Its leader cannot go on before this call does: fetch besides it.
                schema, _ = yield from _fetch(scope, need)
                return schema
            if flight.result is not None:
                landed: tuple[Schema, int] = flight.result
                # It may have been invalidated after it was fetched and before this call joined.
                if landed[0] is not stale and CACHE.is_current(key, landed[1]):
                    return landed[0]
            if flight.error is not None:
                failures += 1
                if failures == 2:  # the second answer was asked for after this call began
                    raise again(flight.error)
    except Exception as error:
        own.land(error=None if _is_own(error) else again(error))
        raise
    finally:
        own.land()


def _is_own(error: Exception) -> bool:
    """Whether a fetch failed for a reason that does not concern those who wait for it."""
    if isinstance(error, GaveUp):
        return bool(error.args[2])
    if isinstance(error, RpcError):
        return error.code in (CANCELLED, DEADLINE_EXCEEDED)
    return not isinstance(error, (SchemaUnavailable, ConnectFailed))


def _fetch(scope: Scope, need: NeedSchema) -> Operation[tuple[Schema, int]]:
    """The schema, and the generation in which it was asked for."""
    request = describe_request(need.collection_name)
    for _ in range(_FETCHES):
        generation = CACHE.generation()
        _count("fetches")
        try:
            schema: Schema = yield Rpc("DescribeCollection", request, decode=Schema.from_reply)
        except StatusError as error:
            raise SchemaUnavailable(error) from error
        if CACHE.put(scope.schema_key(need.collection_name), schema, generation):
            break
    return schema, generation


def forget_collection(endpoint: str, db_name: str, name: str) -> None:
    """Drops what is cached of the collection `name`, under its own name and its aliases."""
    database = db_name or "default"

    def concerned(key: Any, schema: Schema) -> bool:
        if key[0] != endpoint or key[2] != database:
            return False
        return name in (key[3], schema.collection_name) or name in schema.aliases

    CACHE.invalidate_if(concerned)


def forget_database(endpoint: str, db_name: str) -> None:
    """Drops what is cached of the collections of a database."""
    database = db_name or "default"
    CACHE.invalidate_if(lambda key, schema: key[0] == endpoint and key[2] == database)
