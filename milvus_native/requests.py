"""From the keyword arguments of a call to the bytes of its request. No I/O.

Each function takes what pymilvus's method of the same name hands to its gRPC handler, makes the
same checks with the same exceptions, and returns the message pymilvus would send. Anything else
that goes wrong while a request is made is a MilvusException, as with pymilvus.

The ``*_KEYWORDS`` sets name the keyword arguments that are understood here beyond the parameters
of the signatures; a call with any other is not for these functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import _core
from .arguments import (
    Scope,
    check_collection_name,
    check_read,
    consistency,
    consistency_level,
    id_list,
    illegal,
    is_a,
    param_error,
    raise_as_pymilvus,
)
from .calls import CALL_KEYWORDS
from .parameters import ANN_PARAMETERS, ann_pairs, query_pairs, rank_pairs

# Read by whoever sends the request; none of them changes it.
_CALL_KEYWORDS = CALL_KEYWORDS | {"timeout"}
_READ_KEYWORDS = _CALL_KEYWORDS | {
    "cluster_id",
    "collection_id",
    "consistency_level",
    "guarantee_timestamp",
    "group_by_fields",
    "ignore_growing",
    "iterator",
    "namespace",
    "offset",
    "order_by_fields",
    "schema",
    "time_fields",
    "timezone",
}
_ANN_KEYWORDS = (
    _READ_KEYWORDS
    | ANN_PARAMETERS
    | {
        "highlighter",
        "is_embedding_list",
        "round_decimal",
        "search_aggregation",
    }
)
SEARCH_KEYWORDS = _ANN_KEYWORDS | {"filter_params"}
HYBRID_KEYWORDS = _ANN_KEYWORDS | {"function_chains", "rank_group_scorer"}
QUERY_KEYWORDS = _READ_KEYWORDS | {
    "filter_params",
    "limit",
    "order_by",
    "query_iter_last_element_offset",
    "query_iter_last_pk",
    "reduce_stop_for_best",
    "strict_float32",
}
DELETE_KEYWORDS = _CALL_KEYWORDS | {"consistency_level", "filter_params", "namespace", "pks"}

_ARRAY_OF_VECTOR = 106
_BYTES = (bytes, bytearray, memoryview)
_NO_NUMBERS = (*_BYTES, str)
_STRUCT_FIELD = re.compile(r"^(.+)\[(.+)\]$")


def search_needs_schema(data: Any) -> bool:
    """Whether the type of the query vectors can only be told by the field that is searched."""
    return isinstance(data, (list, tuple)) and len(data) > 0 and isinstance(data[0], _BYTES)


def hybrid_needs_schema(reqs: Any) -> bool:
    """The same for the requests of a hybrid search; an iterator is not looked into."""
    if not isinstance(reqs, (list, tuple)):
        return isinstance(reqs, Iterable)
    return any(search_needs_schema(getattr(req, "data", None)) for req in reqs)


def search(
    scope: Scope,
    schema: _core.Schema | None,
    /,
    collection_name: str,
    data: Any = None,
    *,
    filter: str = "",  # noqa: A002
    limit: int = 10,
    output_fields: list[str] | None = None,
    search_params: dict[str, Any] | None = None,
    partition_names: list[str] | None = None,
    anns_field: str | None = None,
    ranker: Any = None,
    function_chains: Any = None,
    highlighter: Any = None,
    ids: Any = None,
    search_aggregation: Any = None,
    timeout: float | None = None,
    round_decimal: int = -1,
    **kwargs: Any,
) -> bytes:
    """A SearchRequest. `schema` may be None unless search_needs_schema(data)."""
    if type(collection_name) is not str:
        check_collection_name(collection_name)
    flat = _flat_embeddings(data)
    if flat is not None:
        data = flat
        kwargs["is_embedding_list"] = True
    try:
        schema = kwargs.get("schema") or schema
        if ids is None:
            if data is None:
                raise param_error("Either ids or data must be provided")
        elif data is not None:
            raise param_error("Either ids or data must be provided, not both")
        else:
            ids = id_list(ids)
        limit, round_decimal = check_read(
            limit, round_decimal, partition_names, output_fields, timeout, kwargs
        )
        field = anns_field or ""
        if not isinstance(field, str):
            raise illegal("anns_field", field)
        use_default, level, timestamp = consistency(scope, collection_name, kwargs)
        pairs = ann_pairs(
            scope, search_params or {}, limit, round_decimal, field, search_aggregation, kwargs
        )
        extra = b""
        if not (ranker is function_chains is highlighter is search_aggregation is None):
            extra = _search_extra(ranker, function_chains, highlighter, search_aggregation)
        return _core.encode_search(
            collection_name=collection_name,
            partition_names=partition_names,
            dsl=filter,
            data=data,
            ids=ids,
            bytes_type=0 if schema is None else _bytes_type(schema, field),
            embedding_list=kwargs.get("is_embedding_list", False),
            output_fields=output_fields,
            params=pairs,
            guarantee_timestamp=timestamp,
            consistency_level=level,
            use_default_consistency=use_default,
            templates=kwargs.get("filter_params"),
            namespace=kwargs.get("namespace"),
            extra=extra,
        )
    except Exception as error:
        raise_as_pymilvus(error)


def hybrid_search(
    scope: Scope,
    schema: _core.Schema | None,
    /,
    collection_name: str,
    reqs: Iterable[Any],
    ranker: Any,
    *,
    limit: int = 10,
    output_fields: list[str] | None = None,
    partition_names: list[str] | None = None,
    timeout: float | None = None,
    round_decimal: int = -1,
    function_chains: Any = None,
    highlighter: Any = None,
    search_aggregation: Any = None,
    **kwargs: Any,
) -> bytes:
    """A HybridSearchRequest. Each of `reqs` has the attributes of pymilvus's AnnSearchRequest.

    `schema` may be None unless hybrid_needs_schema(reqs).
    """
    if type(collection_name) is not str:
        check_collection_name(collection_name)
    try:
        if function_chains is not None:
            raise param_error("function_chains is not supported for hybrid_search yet")
        limit, round_decimal = check_read(
            limit, round_decimal, partition_names, output_fields, timeout, kwargs
        )
        if kwargs.get("iterator") is not None and not (reqs := list(reqs)):
            # Nobody has come upon the level, which an iterator leaves unchecked, before these.
            rank_pairs(scope, ranker, limit, round_decimal, search_aggregation, kwargs)
        use_default, level, timestamp = consistency(scope, collection_name, kwargs)
        namespace = kwargs.get("namespace")
        extra = b"" if highlighter is None else _search_extra(None, None, highlighter, None)
        requests = []
        for req in reqs:
            data = req.data
            flat = _flat_embeddings(data)
            field = req.anns_field
            pairs = ann_pairs(
                scope, req.param, req.limit, round_decimal, field, search_aggregation, kwargs
            )
            requests.append(
                _core.encode_search(
                    collection_name=collection_name,
                    partition_names=partition_names,
                    dsl=req.expr,
                    data=_number_rows(data) if flat is None else flat,
                    bytes_type=_bytes_type(kwargs.get("schema") or schema, field),
                    embedding_list=flat is not None or kwargs.get("is_embedding_list", False),
                    params=pairs,
                    guarantee_timestamp=timestamp,
                    consistency_level=level,
                    use_default_consistency=use_default,
                    templates=req.expr_params,
                    namespace=namespace,
                    extra=extra,
                )
            )
        return _core.encode_hybrid_search(
            collection_name=collection_name,
            requests=requests,
            params=rank_pairs(scope, ranker, limit, round_decimal, search_aggregation, kwargs),
            partition_names=partition_names,
            output_fields=output_fields,
            guarantee_timestamp=timestamp,
            consistency_level=level,
            use_default_consistency=use_default,
            namespace=namespace,
            extra=_hybrid_extra(ranker),
        )
    except Exception as error:
        raise_as_pymilvus(error)


def query(
    scope: Scope,
    collection_name: str,
    expr: str | None,
    *,
    output_fields: list[str] | None = None,
    partition_names: list[str] | None = None,
    **kwargs: Any,
) -> bytes:
    """A QueryRequest. `output_fields` is sent as it is: that [] and None mean ["*"] is a rule of
    the client's methods `query` and `get`, not of its iterators."""
    try:
        if output_fields is not None and not isinstance(output_fields, list):
            raise param_error("Invalid query format. 'output_fields' must be a list")
        use_default, level, timestamp = consistency(scope, collection_name, kwargs)
        return _core.encode_query(
            collection_name=collection_name,
            expr=expr,
            output_fields=output_fields,
            partition_names=partition_names,
            params=query_pairs(scope, kwargs),
            guarantee_timestamp=timestamp,
            consistency_level=level,
            use_default_consistency=use_default,
            templates=kwargs.get("filter_params"),
            namespace=kwargs.get("namespace"),
        )
    except Exception as error:
        raise_as_pymilvus(error)


def delete(
    scope: Scope,
    collection_name: str,
    expr: str,
    *,
    partition_name: str | None = None,
    timeout: float | None = None,
    **kwargs: Any,
) -> bytes:
    """A DeleteRequest."""
    try:
        if not (collection_name and isinstance(collection_name, str)):
            raise illegal("collection_name", collection_name)
        if timeout is not None and not isinstance(timeout, (int, float)):
            raise illegal("timeout", timeout)
        if not (expr and isinstance(expr, str)):
            bad = {"filter": expr}
            raise param_error(f"Illegal str variables: {bad}, expect non-empty str")
        if partition_name is not None and not (partition_name and isinstance(partition_name, str)):
            bad = {"partition_name": partition_name}
            raise param_error(
                f"Illegal nullable str variables: {bad}, expect None or non-empty str"
            )
        level = kwargs.get("consistency_level")
        return _core.encode_delete(
            collection_name=collection_name,
            expr=expr,
            partition_name=partition_name or "",
            consistency_level=0 if level is None else consistency_level(level),
            templates=kwargs.get("filter_params"),
            namespace=kwargs.get("namespace"),
        )
    except Exception as error:
        raise_as_pymilvus(error)


def _number_rows(data: Any) -> Any:
    """The data of a request of a hybrid search, with sequences of numbers as lists.

    pymilvus checks that data less than the data of a search: a row may be any sequence of numbers.
    """
    if not isinstance(data, Sequence) or isinstance(data, _NO_NUMBERS) or not data:
        return data
    first = data[0]
    if type(first) in (list, str, bytes):
        return data if isinstance(data, list) else list(data)
    if not isinstance(first, Sequence) or isinstance(first, _NO_NUMBERS) or not first:
        return data
    if isinstance(first[0], (list, tuple)):
        return data  # pairs: a sparse row
    return [list(row) if isinstance(row, Sequence) else row for row in data]


def _flat_embeddings(data: Any) -> list[Any] | None:
    """The flat arrays of a list of pymilvus's EmbeddingList; None for any other data."""
    if not isinstance(data, list) or not data:
        return None
    first = data[0]
    if isinstance(first, (list, bytes, str)):
        return None
    if not is_a(first, "pymilvus.client.embedding_list", "EmbeddingList"):
        return None
    return [embeddings.to_flat_array() for embeddings in data]


def _bytes_type(schema: Any, anns_field: Any) -> int:
    """DataType of the field that is searched; 0 when it is not known."""
    if not schema or not anns_field:
        return 0
    if isinstance(schema, Mapping):
        return _described_type(schema, anns_field)
    return schema.field_type(anns_field) or 0


def _described_type(schema: Mapping[str, Any], anns_field: str) -> int:
    """The same from a dict of pymilvus's describe_collection."""
    fields: Iterable[Mapping[str, Any]] = schema.get("fields", ())
    nested = _STRUCT_FIELD.match(anns_field)
    if nested is not None:
        for struct in schema.get("struct_array_fields", ()):
            if struct.get("name") == nested[1]:
                fields, anns_field = struct.get("fields", ()), nested[2]
                break
        else:
            return 0
    for field in fields:
        if field.get("name") == anns_field:
            kind = field.get("type") or 0
            if nested is not None and kind == _ARRAY_OF_VECTOR:
                kind = field.get("element_type") or 0
            return int(kind)
    return 0


def _search_extra(
    ranker: Any, function_chains: Any, highlighter: Any, search_aggregation: Any
) -> bytes:
    """The fields of SearchRequest for these arguments."""
    from pymilvus.client.prepare import Prepare
    from pymilvus.grpc_gen import milvus_pb2

    request = milvus_pb2.SearchRequest()
    if search_aggregation is not None:
        request.search_aggregation.CopyFrom(search_aggregation.to_proto())
    if function_chains is not None:
        request.function_chains.extend(Prepare.function_chains_schema(function_chains, ranker))
    if is_a(ranker, "pymilvus.orm.schema", "Function"):
        request.function_score.CopyFrom(Prepare.ranker_to_function_score(ranker))
    elif is_a(ranker, "pymilvus.orm.schema", "FunctionScore"):
        request.function_score.CopyFrom(Prepare.function_score_schema(ranker))
    elif ranker is not None:
        raise param_error("The search ranker must be a Function or FunctionScore.")
    if highlighter is not None:
        request.highlighter.CopyFrom(Prepare.highlighter_schema(highlighter))
    serialized: bytes = request.SerializeToString()
    return serialized


def _hybrid_extra(ranker: Any) -> bytes:
    """The field of HybridSearchRequest for a Function; other rankers are parameters."""
    if not is_a(ranker, "pymilvus.orm.schema", "Function"):
        return b""
    from pymilvus.client.prepare import Prepare
    from pymilvus.grpc_gen import milvus_pb2

    request = milvus_pb2.HybridSearchRequest()
    request.function_score.CopyFrom(Prepare.ranker_to_function_score(ranker))
    serialized: bytes = request.SerializeToString()
    return serialized
