"""Each data-plane call, written once: generators of effects that the sync and the async driver run.

An operation gets its scope first. It does no I/O and checks no argument that needs no schema: that
is done by the clients and by requests.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, TypeVar

from . import errors, requests, schema_cache, search_checks
from ._core import (
    Mutation,
    RowEncoder,
    Schema,
    StatusError,
    decode_mutation,
    decode_query,
    decode_search,
    describe_request,
    index_request,
    parse_indexes,
    primary_key_expression,
)
from .arguments import illegal, param_error, raise_as_pymilvus
from .effects import Encode, NeedSchema, Operation, Rpc
from .results import HybridExtraList, OmitZeroDict, SearchResult
from .scope import Scope
from .search_checks import Target

T = TypeVar("T")

EMPTY_COLLECTION = 26  # Status.code and Status.error_code
COLLECTION_NOT_FOUND = 100  # Status.code
LEGACY_COLLECTION_NOT_EXISTS = 4  # Status.error_code

FIELD_OPS = {"replace": 0, "array_append": 1, "array_remove": 2}


def insert(
    scope: Scope,
    collection_name: str,
    data: Any,
    *,
    partition_name: str | None = "",
    **kwargs: Any,
) -> Operation[dict[str, Any]]:
    """What insert() returns. kwargs: namespace; others are the driver's or nobody's."""
    return _write(
        scope,
        "Insert",
        collection_name,
        data,
        _inserted,
        partition_name=partition_name or "",
        namespace=kwargs.get("namespace"),
    )


def upsert(
    scope: Scope,
    collection_name: str,
    data: Any,
    *,
    partition_name: str | None = "",
    **kwargs: Any,
) -> Operation[dict[str, Any]]:
    """What upsert() returns. kwargs: namespace, partial_update, field_ops; others are the driver's
    or nobody's."""
    try:
        field_ops = field_operators(kwargs.get("field_ops"))
    except Exception as error:
        raise_as_pymilvus(error)
    return _write(
        scope,
        "Upsert",
        collection_name,
        data,
        _upserted,
        partition_name=partition_name or "",
        namespace=kwargs.get("namespace"),
        upsert=True,
        partial_update=bool(kwargs.get("partial_update", False) or field_ops),
        field_ops=field_ops or None,
    )


def _inserted(done: Mutation) -> dict[str, Any]:
    return OmitZeroDict(insert_count=done.insert_count, ids=done.ids, cost=done.cost)


def _upserted(done: Mutation) -> dict[str, Any]:
    return OmitZeroDict(upsert_count=done.upsert_count, cost=done.cost, ids=done.ids)


def _write(
    scope: Scope,
    method: str,
    collection_name: str,
    data: Any,
    answer: Callable[[Mutation], dict[str, Any]],
    **options: Any,
) -> Operation[dict[str, Any]]:
    # Appending to an array twice, for one, is more than doing it once.
    idempotent = method != "Insert" and not options.get("field_ops")

    def send(schema: Schema) -> Operation[Mutation]:
        encoder = RowEncoder(schema, data, collection_name=collection_name, **options)
        request: bytes = yield Encode(encoder)
        mutation: Mutation = yield Rpc(
            method, request, idempotent=idempotent, decode=decode_mutation
        )
        return mutation

    mutation = yield from with_schema(collection_name, send)
    scope.record_write(collection_name, mutation.timestamp)
    return answer(mutation)


def delete(
    scope: Scope,
    collection_name: str,
    keys: list[Any],
    filter: Any,  # noqa: A002
    *,
    partition_name: str | None = None,
    **kwargs: Any,
) -> Operation[Any]:
    """What delete() returns. By `keys`, or by `filter` when there are none. kwargs: those of
    requests.delete."""

    def send(expr: Any) -> Operation[Mutation]:
        request = requests.delete(
            scope, collection_name, expr, partition_name=partition_name, **kwargs
        )
        mutation: Mutation = yield Rpc("Delete", request, decode=decode_mutation)
        return mutation

    if keys:
        mutation = yield from with_schema(collection_name, _by_keys(keys, send))
    else:
        mutation = yield from send(filter)
    scope.record_write(collection_name, mutation.timestamp)
    if mutation.ids:
        return mutation.ids
    return OmitZeroDict(delete_count=mutation.delete_count, cost=mutation.cost)


def query(
    scope: Scope,
    collection_name: str,
    keys: list[Any] | None,
    filter: Any,  # noqa: A002
    **kwargs: Any,
) -> Operation[HybridExtraList]:
    """By `keys`, or by `filter` when they are None. kwargs: those of requests.query."""
    strict = kwargs.get("strict_float32", False)
    decode = partial(decode_query, strict_float32=True) if strict else decode_query

    def send(expr: Any) -> Operation[HybridExtraList]:
        request = requests.query(scope, collection_name, expr, **kwargs)
        try:
            rows: HybridExtraList = yield Rpc("Query", request, decode=decode)
        except StatusError as error:
            if EMPTY_COLLECTION in (error.code, error.error_code):
                return _no_rows()
            raise
        return rows

    if keys is None:
        return (yield from send(filter))
    return (yield from with_schema(collection_name, _by_keys(keys, send)))


def search(
    scope: Scope, collection_name: str, data: Any, arguments: dict[str, Any]
) -> Operation[SearchResult]:
    """arguments: keywords of requests.search."""
    decode = _search_decoder(arguments.get("round_decimal", -1))
    params = arguments.get("search_params")
    if params and data is not None:
        target = Target(arguments.get("anns_field"), params, data)
        yield from _check_metric(scope, collection_name, [target])
    try:
        if requests.search_needs_schema(data) and not arguments.get("schema"):

            def send(schema: Schema) -> Operation[SearchResult]:
                request = requests.search(scope, schema, collection_name, data, **arguments)
                found: SearchResult = yield Rpc("Search", request, decode=decode)
                return found

            return (yield from with_schema(collection_name, send))
        request = requests.search(scope, None, collection_name, data, **arguments)
        result: SearchResult = yield Rpc("Search", request, decode=decode)
        return result
    except StatusError as error:
        target = Target(arguments.get("anns_field"), params, data)
        raise (yield from _explained(scope, collection_name, [target], error)) from None


def hybrid_search(
    scope: Scope,
    collection_name: str,
    reqs: Any,
    ranker: Any,
    *,
    round_decimal: int = -1,
    **kwargs: Any,
) -> Operation[SearchResult]:
    """kwargs: those of requests.hybrid_search."""

    def send(schema: Schema | None) -> Operation[SearchResult]:
        request = requests.hybrid_search(
            scope, schema, collection_name, reqs, ranker, round_decimal=round_decimal, **kwargs
        )
        result: SearchResult = yield Rpc(
            "HybridSearch", request, decode=_search_decoder(round_decimal)
        )
        return result

    targets = []
    if isinstance(reqs, (list, tuple)):
        names = ("anns_field", "param", "data")
        targets = [Target(*(getattr(req, name, None) for name in names)) for req in reqs]
    yield from _check_metric(scope, collection_name, targets)
    try:
        if kwargs.get("schema") or not requests.hybrid_needs_schema(reqs):
            return (yield from send(None))
        return (yield from with_schema(collection_name, send))
    except StatusError as error:
        raise (yield from _explained(scope, collection_name, targets, error)) from None


def _check_metric(scope: Scope, collection_name: str, targets: list[Target]) -> Operation[None]:
    """ParamError for a metric that no index of the field can have, if the schema is known."""
    if not search_checks.names_metric(targets):
        return
    schema = schema_cache.known(scope, collection_name)
    if schema is None or not search_checks.wrong_metric(schema, targets):
        return
    newer: Schema = yield NeedSchema(collection_name, refresh="input", stale=schema)
    complaint = search_checks.wrong_metric(newer, targets)
    if complaint:
        raise param_error(complaint)


def _explained(
    scope: Scope, collection_name: str, targets: list[Target], error: StatusError
) -> Operation[StatusError]:
    """`error`, with the vector in its text whose length is wrong, if the schema is known."""
    schema = schema_cache.known(scope, collection_name)
    if schema is None or not errors.may_be_stale(error):
        return error  # a limit, a missing right
    if not search_checks.wrong_dim(schema, targets):
        return error
    try:
        newer: Schema = yield NeedSchema(collection_name, refresh="input", stale=schema)
    except Exception:
        return error
    complaint = search_checks.wrong_dim(newer, targets)
    if not complaint:
        return error
    code, error_code, reason, *more = error.args
    return StatusError(code, error_code, f"{complaint}: {reason}", *more)


def describe(collection_name: str) -> Operation[Schema]:
    """The collection's schema, asked of the server now."""
    check_name(collection_name)
    schema: Schema = yield NeedSchema(collection_name, refresh="iterator")
    return schema


def has_collection(
    scope: Scope, collection_name: str, timeout: Any = None, **_: Any
) -> Operation[bool]:
    """Whether the server knows the collection; its schema is cached on the way."""
    check_name(collection_name)
    if timeout is not None and not isinstance(timeout, (int, float)):
        raise illegal("timeout", timeout)
    generation = schema_cache.CACHE.generation()
    try:
        schema: Schema = yield Rpc(
            "DescribeCollection", describe_request(collection_name), decode=Schema.from_reply
        )
    except StatusError as error:
        if _is_not_found(error):
            return False
        raise
    schema_cache.CACHE.put(scope.schema_key(collection_name), schema, generation)
    return True


def _is_not_found(error: StatusError) -> bool:
    if error.code == COLLECTION_NOT_FOUND or error.error_code == LEGACY_COLLECTION_NOT_EXISTS:
        return True
    # Milvus before 2.3.2 says it in words only.
    return error.error_code == 1 and "can't find collection" in error.reason


def list_indexes(collection_name: str) -> Operation[list[tuple[str, str, dict[str, str]]]]:
    """(index_name, field_name, parameters) of each index."""
    request = index_request(collection_name)
    indexes: list[tuple[str, str, dict[str, str]]] = yield Rpc(
        "DescribeIndex", request, decode=parse_indexes
    )
    return indexes


def with_schema(collection_name: str, send: Callable[[Schema], Operation[T]]) -> Operation[T]:
    """`send` with the collection's schema; once more with a newer one if the first was at fault.

    A call that fails with a cached schema asks the server for the schema. If that is a different
    one the request is built again and sent again, once; otherwise the failure stands.
    """
    check_name(collection_name)
    need = NeedSchema(collection_name)
    schema: Schema = yield need
    try:
        return (yield from send(schema))
    except Exception as error:
        mismatch = isinstance(error, StatusError) and error.error_code == errors.SCHEMA_MISMATCH
        if not mismatch and (need.fetched or not errors.may_be_stale(error)):
            raise
        failure = error
    answered = isinstance(failure, StatusError)
    cause: Literal["mismatch", "error", "input"] = "error" if answered else "input"
    if mismatch:
        cause = "mismatch"
    try:
        try:
            newer: Schema = yield NeedSchema(collection_name, refresh=cause, stale=schema)
        except Exception:
            if answered:
                raise failure from None
            raise
        if not mismatch and _same(schema, newer):
            raise failure
    finally:
        del failure  # as its traceback has this frame, which has the rows
    return (yield from send(newer))


def _same(one: Schema, other: Schema) -> bool:
    """Whether requests made with either are the same."""
    if one is other:
        return True
    if one.collection_id != other.collection_id:
        return False
    if one.update_timestamp or other.update_timestamp:
        return one.update_timestamp == other.update_timestamp
    return one.to_dict() == other.to_dict()  # servers before 2.6 give no version


def check_name(collection_name: Any) -> None:
    """ParamError unless it is a non-empty str: the check of DescribeCollection."""
    if not (isinstance(collection_name, str) and collection_name):
        raise illegal("collection_name", collection_name)


def field_operators(field_ops: Mapping[str, Any] | None) -> list[tuple[str, int]]:
    """(field name, FieldPartialUpdateOp.OpType) of those that do more than replace.

    An operator is one of FIELD_OPS (in any case), its number, or pymilvus's message.
    """
    operators = []
    for name, given in (field_ops or {}).items():
        operator = _operator(name, given)
        if operator:
            operators.append((name, operator))
    return operators


def _operator(name: str, given: Any) -> int:
    if given is None:
        return 0
    if isinstance(given, str):
        if given.lower() not in FIELD_OPS:
            raise param_error(f"unknown field_op alias {given!r} for field {name!r}")
        return FIELD_OPS[given.lower()]
    if isinstance(given, int) and not isinstance(given, bool):
        if given not in FIELD_OPS.values():
            raise param_error(f"invalid field_op enum value {given} for field {name!r}")
        return int(given)
    messages = sys.modules.get("pymilvus.grpc_gen.schema_pb2")
    if messages is not None and isinstance(given, messages.FieldPartialUpdateOp):
        return int(given.op)
    raise param_error(f"unsupported field_op type {type(given).__name__} for field {name!r}")


def _no_rows() -> HybridExtraList:
    rows = HybridExtraList()
    rows.extra = OmitZeroDict()
    return rows


def _by_keys(
    keys: list[Any], send: Callable[[str], Operation[T]]
) -> Callable[[Schema], Operation[T]]:
    def send_keys(schema: Schema) -> Operation[T]:
        return send(primary_key_expression(schema.primary_field, keys, schema.primary_type))

    return send_keys


def _search_decoder(round_decimal: int) -> Callable[[bytes], SearchResult]:
    if round_decimal == -1:
        return decode_search
    return partial(decode_search, round_decimal=round_decimal)
