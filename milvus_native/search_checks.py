"""What a known schema tells of a search that must fail, or has failed. Costs no request.

The metric of another kind of vector is refused by every server, so it is refused before anything
is sent. The wrong number of dimensions is not: servers search an empty collection with vectors of
any length. There it explains the error, when one comes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ._core import Schema

BINARY_VECTOR = 100
# Bytes of a dimension, by the DataType of the field.
_WIDTHS = {101: 4, 102: 2, 103: 2, 105: 1}
_VECTORS = frozenset({BINARY_VECTOR, 104, *_WIDTHS})

_NAMES = {100: "BINARY_VECTOR", 101: "FLOAT_VECTOR", 102: "FLOAT16_VECTOR"}
_NAMES |= {103: "BFLOAT16_VECTOR", 105: "INT8_VECTOR"}

_OF_NUMBERS = frozenset({"L2", "IP", "COSINE"})
_OF_BITS = frozenset({"HAMMING", "JACCARD"})
_MISTAKEN = dict.fromkeys(_WIDTHS, _OF_BITS) | {BINARY_VECTOR: _OF_NUMBERS}


class Target(NamedTuple):
    """One search: the field, its parameters, the vectors."""

    anns_field: Any
    params: Any
    data: Any


def names_metric(targets: Iterable[Target]) -> bool:
    """Whether a search names a metric at all; most leave it to the index."""
    return any(target.params and _metric(target.params) for target in targets)


def wrong_metric(schema: Schema, targets: Iterable[Target]) -> str:
    """Why the metric of a search fits no index of its field; "" if it may."""
    for target in targets:
        metric = _metric(target.params)
        if metric not in _OF_NUMBERS and metric not in _OF_BITS:
            continue
        name = _field(schema, target.anns_field)
        kind = schema.field_type(name) or 0
        mistaken = _MISTAKEN.get(kind, frozenset())
        if metric in mistaken:
            others = " or ".join(sorted(_OF_BITS if mistaken is _OF_NUMBERS else _OF_NUMBERS))
            # Milvus's words come first: programs, and their tests, look for them.
            place = f'metric {metric} is not for "{name}", a {_NAMES[kind]}'
            return f"metric type not match: {place}: {others} may be"
    return ""


def wrong_dim(schema: Schema, targets: Iterable[Target]) -> str:
    """Which vector has not the length of its field; "" if none was found."""
    for target in targets:
        if not isinstance(target.data, (list, tuple)) and not _is_matrix(target.data):
            continue
        name = _field(schema, target.anns_field)
        kind, dim = schema.field_type(name) or 0, schema.field_dim(name)
        if dim is None or (kind != BINARY_VECTOR and kind not in _WIDTHS):
            continue
        for index in range(len(target.data)):
            found = _dim(target.data[index], kind)
            if found is not None and found != dim:
                return f'data[{index}] has {found} dimensions, the field "{name}" has {dim}'
    return ""


def _is_matrix(data: Any) -> bool:
    numpy: Any = sys.modules.get("numpy")
    return numpy is not None and isinstance(data, numpy.ndarray) and data.ndim == 2


def _metric(params: Any) -> str:
    if not isinstance(params, Mapping):
        return ""
    metric = params.get("metric_type")
    if metric is None and isinstance(params.get("params"), Mapping):
        metric = params["params"].get("metric_type")
    return metric.upper() if isinstance(metric, str) else ""


def _field(schema: Schema, anns_field: Any) -> str:
    """The field that is searched, "" when that is not certain."""
    if anns_field:
        return anns_field if isinstance(anns_field, str) and "[" not in anns_field else ""
    vectors = [name for name in schema.field_names if schema.field_type(name) in _VECTORS]
    return vectors[0] if len(vectors) == 1 else ""


def _dim(vector: Any, kind: int) -> int | None:
    """None for what is no single vector of numbers."""
    if isinstance(vector, (bytes, bytearray)):
        return len(vector) * 8 if kind == BINARY_VECTOR else len(vector) // _WIDTHS[kind]
    shape = getattr(vector, "shape", None)
    if isinstance(vector, (list, tuple)):
        if vector and not isinstance(vector[0], (int, float)):
            return None
        shape = (len(vector),)
    if not isinstance(shape, tuple) or len(shape) != 1:
        return None
    return int(shape[0]) * (8 if kind == BINARY_VECTOR else 1)
