"""The key-value parameters of requests, in pymilvus's order."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from .arguments import Scope, integer, is_a, param_error

Pair = tuple[str, str]
Pairs = list[Pair]

# By DataType: BOOL, INT8 to INT64, STRING, VARCHAR.
_JSON_TYPES = {
    1: "Bool",
    2: "Int8",
    3: "Int16",
    4: "Int32",
    5: "Int64",
    20: "VarChar",
    21: "VarChar",
}
_NO_PARAMS: dict[str, Any] = {}
# The keyword arguments that ann_pairs reads; the others of a search go elsewhere.
ANN_PARAMETERS = frozenset(
    {
        "cluster_id",
        "collection_id",
        "group_by_field",
        "group_by_fields",
        "group_size",
        "ignore_growing",
        "iterator",
        "json_path",
        "json_type",
        "offset",
        "order_by_fields",
        "page_retain_order",
        "search_iter_batch_size",
        "search_iter_id",
        "search_iter_last_bound",
        "search_iter_v2",
        "strict_cast",
        "strict_group_size",
        "time_fields",
        "timezone",
    }
)


def ann_pairs(
    scope: Scope,
    given: Any,
    limit: Any,
    round_decimal: int,
    anns_field: Any,
    search_aggregation: Any,
    kwargs: dict[str, Any],
) -> Pairs:
    """SearchRequest.search_params, in pymilvus's order. `given` is the call's search_params."""
    if kwargs and kwargs.keys().isdisjoint(ANN_PARAMETERS):
        kwargs = _NO_PARAMS
    if given == _NO_PARAMS and not (kwargs or search_aggregation or scope.cluster_id):
        return list(_plain_ann_pairs(limit, round_decimal, anns_field))
    param = dict(given)
    params = param.get("params", _NO_PARAMS)
    if not isinstance(params, dict):
        raise param_error(f"Search params must be a dict, got {type(params)}")
    param["params"] = params = dict(params)
    ignore_growing = param.get("ignore_growing", False) or kwargs.get("ignore_growing", False)
    retain_order = _either("page_retain_order", param, kwargs)
    if retain_order is not None:
        if not isinstance(retain_order, bool):
            raise param_error(
                f"wrong type for page_retain_order, expect bool, got {type(retain_order)}"
            )
        params["page_retain_order"] = retain_order
    pairs: Pairs = [
        ("topk", _text(limit)),
        ("round_decimal", str(round_decimal)),
        ("ignore_growing", _text(ignore_growing)),
    ]
    offset = _either("offset", param, kwargs)
    if offset is not None:
        if not isinstance(offset, int) and integer(offset) is None:
            raise param_error(f"wrong type for offset, expect int, got {type(offset)}")
        pairs.append(("offset", str(offset)))
    if kwargs or search_aggregation is not None or scope.cluster_id:
        _add_ann_keywords(pairs, scope, search_aggregation, kwargs)
    _add(pairs, "metric_type", param.get("metric_type"))
    if anns_field:
        pairs.append(("anns_field", _text(anns_field)))
    _add(pairs, "hints", param.get("hints"))
    _add(pairs, "analyzer_name", param.get("analyzer_name"))
    if kwargs:
        _add(pairs, "timezone", kwargs.get("timezone"))
        _add(pairs, "time_fields", kwargs.get("time_fields"))
    pairs.append(("params", _json(_merged_params(param))))
    return pairs


@lru_cache(64, typed=True)  # True and 1 are not the same text
def _plain_ann_pairs(limit: Any, round_decimal: int, anns_field: str) -> tuple[Pair, ...]:
    """What ann_pairs makes of a call without parameters."""
    pairs: Pairs = [
        ("topk", _text(limit)),
        ("round_decimal", str(round_decimal)),
        ("ignore_growing", _text(False)),
    ]
    if anns_field:
        pairs.append(("anns_field", anns_field))
    pairs.append(("params", _json({})))
    return tuple(pairs)


def _either(key: str, param: dict[str, Any], kwargs: dict[str, Any]) -> Any:
    """An argument that is taken from the keywords or from search_params, but not from both."""
    if key in kwargs:
        if key in param:
            raise param_error(f"Provide {key} both in kwargs and param, expect just one")
        return kwargs[key] or None
    return param.get(key)


def _merged_params(param: dict[str, Any]) -> dict[str, Any]:
    """The "params" of search_params together with what stands beside them."""
    params = dict(param["params"])
    for key, value in param.items():
        if key in params:
            if params[key] != value:
                raise param_error(
                    f"ambiguous parameter: {key}, in search_param: {value}, "
                    f"in search_param.params: {params[key]}"
                )
        elif key != "params":
            params[key] = value
    return params


def _add_ann_keywords(
    pairs: Pairs, scope: Scope, search_aggregation: Any, kwargs: dict[str, Any]
) -> None:
    _add(pairs, "iterator", kwargs.get("iterator"))
    _add(pairs, "collection_id", kwargs.get("collection_id"))
    _add(pairs, "cluster_id", _cluster_id(scope, kwargs))
    for key in ("v2", "batch_size", "last_bound", "id"):
        _add(pairs, "search_iter_" + key, kwargs.get("search_iter_" + key))
    if search_aggregation is not None and not is_a(
        search_aggregation, "pymilvus.client.search_aggregation", "SearchAggregation"
    ):
        raise param_error(
            "search_aggregation must be a SearchAggregation instance, "
            f"got {type(search_aggregation).__name__}"
        )
    field = kwargs.get("group_by_field")
    if field is not None:
        if search_aggregation is not None:
            raise param_error("search_aggregation and group_by_field are mutually exclusive")
        pairs.append(("group_by_field", _text(field)))
    fields = kwargs.get("group_by_fields")
    if fields is not None:
        if not isinstance(fields, list):
            raise param_error("group_by_fields must be a list")
        if fields:
            if search_aggregation is not None:
                raise param_error("search_aggregation and group_by_fields are mutually exclusive")
            pairs.append(("group_by_fields", ",".join(fields)))
    _add(pairs, "group_size", kwargs.get("group_size"))
    _add(pairs, "strict_group_size", kwargs.get("strict_group_size"))
    _add(pairs, "order_by_fields", _ann_order(kwargs.get("order_by_fields")))
    _add(pairs, "json_path", kwargs.get("json_path"))
    json_type = kwargs.get("json_type")
    if json_type is not None:
        name = _JSON_TYPES.get(json_type)
        if name is None:
            raise param_error(f"Unsupported json cast type: {json_type}")
        pairs.append(("json_type", name))
    _add(pairs, "strict_cast", kwargs.get("strict_cast"))


def _ann_order(fields: Any) -> Any:
    if not isinstance(fields, list):
        return fields
    formatted = []
    for item in fields:
        if not isinstance(item, dict):
            raise param_error(
                "Invalid order_by_fields item format, expect dict with 'field' and 'order' keys, "
                f"got {type(item)}"
            )
        name = item.get("field")
        if not name:
            raise param_error(
                "Invalid order_by_fields item: 'field' key is required and cannot be empty"
            )
        formatted.append(f"{name}:{item.get('order', 'asc')}")
    return ",".join(formatted)


def rank_pairs(
    scope: Scope,
    ranker: Any,
    limit: int,
    round_decimal: int,
    search_aggregation: Any,
    kwargs: dict[str, Any],
) -> Pairs:
    """HybridSearchRequest.rank_params, in pymilvus's order."""
    params: dict[str, Any] = {}
    if is_a(ranker, "pymilvus.client.abstract", "BaseRanker"):
        params = dict(ranker.dict())
    elif ranker is not None and not is_a(ranker, "pymilvus.orm.schema", "Function"):
        raise param_error("The hybrid search rerank must be a Function or a Ranker.")
    if search_aggregation is not None:
        raise param_error("search_aggregation is not supported in hybrid_search")
    params["limit"] = limit
    params["round_decimal"] = round_decimal
    params["offset"] = kwargs.get("offset", 0)
    pairs: Pairs = [(str(key), _text(value)) for key, value in params.items()]
    scorer = kwargs.get("rank_group_scorer")
    if scorer is not None:
        pairs.append(("rank_group_scorer", scorer))
    for key in ("group_by_field", "group_size", "strict_group_size"):
        _add(pairs, key, kwargs.get(key))
    _add(pairs, "cluster_id", _cluster_id(scope, kwargs))
    return pairs


def query_pairs(scope: Scope, kwargs: dict[str, Any]) -> Pairs:
    """QueryRequest.query_params, in pymilvus's order."""
    pairs: Pairs = []
    _add(pairs, "collection_id", kwargs.get("collection_id"))
    _add(pairs, "cluster_id", _cluster_id(scope, kwargs))
    if not kwargs:
        return [*pairs, ("ignore_growing", "False"), ("reduce_stop_for_best", "False")]
    _add(pairs, "limit", kwargs.get("limit"))
    _add(pairs, "offset", kwargs.get("offset"))
    for key in ("timezone", "time_fields"):
        if kwargs.get(key) is not None:
            pairs.append((key, kwargs[key]))  # nothing but str, which the encoder checks
    for key in ("iterator", "query_iter_last_pk", "query_iter_last_element_offset"):
        _add(pairs, key, kwargs.get(key))
    for key in ("ignore_growing", "reduce_stop_for_best"):
        pairs.append((key, _text(kwargs.get(key, False))))
    _add(pairs, "order_by_fields", _query_order(kwargs))
    fields = kwargs.get("group_by_fields")
    if fields is not None:
        if not isinstance(fields, list):
            raise TypeError("group_by_fields must be a list")
        if fields:
            pairs.append(("group_by_fields", ",".join(fields)))
    return pairs


def _query_order(kwargs: dict[str, Any]) -> Any:
    fields = kwargs.get("order_by_fields") or kwargs.get("order_by")
    if not isinstance(fields, list):
        return fields
    formatted = []
    for item in fields:
        if isinstance(item, str):
            formatted.append(item)
        elif isinstance(item, dict):
            formatted.append(f"{item.get('field', '')}:{item.get('order', 'asc')}")
        else:
            raise param_error(f"Invalid order_by_fields item, expect str or dict, got {type(item)}")
    return ",".join(formatted)


def _cluster_id(scope: Scope, kwargs: dict[str, Any]) -> Any:
    if "cluster_id" in kwargs:
        return kwargs["cluster_id"]
    return scope.cluster_id or None


def _add(pairs: Pairs, key: str, value: Any) -> None:
    if value is not None:
        pairs.append((key, _text(value)))


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return _json(value)
    return str(value)


_dumps: Callable[..., bytes] | None = None  # orjson's: importing it takes as long as all the rest


def _json(value: dict[str, Any]) -> str:
    if not value:
        return "{}"
    global _dumps
    if _dumps is None:
        import orjson

        _dumps = orjson.dumps
    try:
        return _dumps(value).decode()
    except TypeError:
        if "numpy" not in sys.modules:
            raise
    import orjson

    return orjson.dumps(value, default=_plain_number, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _plain_number(value: Any) -> Any:
    """What orjson cannot do of NumPy: strided arrays, long doubles."""
    numpy: Any = sys.modules["numpy"]
    if isinstance(value, numpy.ndarray):
        return value.tolist()
    if isinstance(value, numpy.floating):
        return float(value)
    raise TypeError(f"Type is not JSON serializable: {type(value).__name__}")
