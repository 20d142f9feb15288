"""Encode and decode only: our C core beside what pymilvus does for the same bytes.

Every case is checked before it is timed: requests must parse to equal messages, results must be
equal objects.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pymilvus.client.abstract import CollectionSchema as Described
from pymilvus.client.prepare import Prepare
from pymilvus.client.search_result import SearchResult
from pymilvus.grpc_gen import milvus_pb2

import milvus_native.results  # noqa: F401  (registers the result types with the core)
from milvus_native import _core

from . import data
from .measure import compare, peak_bytes

Row = dict[str, Any]


def pymilvus_encode(rows: list[Row]) -> bytes:
    raw = Described(data.describe_reply()).dict()
    request = Prepare.row_insert_param(
        data.COLLECTION,
        rows,
        "",
        raw["fields"],
        struct_fields_info=raw["struct_array_fields"],
        schema_timestamp=raw["update_timestamp"],
        enable_dynamic=False,
    )
    return bytes(request.SerializeToString())


def encode(seconds: float) -> list[Row]:
    schema = _core.Schema.from_reply(data.describe_reply().SerializeToString())
    made = []
    for form in ("numpy", "list", "columns"):
        rows = data.rows_of(form)
        # pymilvus has no column form: its users hand it rows.
        theirs = data.rows_of("numpy") if form == "columns" else rows

        def native(rows: Any = rows) -> bytes:
            return _core.encode_rows(schema, rows, collection_name=data.COLLECTION)

        ours = milvus_pb2.InsertRequest.FromString(native())
        if ours != milvus_pb2.InsertRequest.FromString(pymilvus_encode(theirs)):
            raise AssertionError(f"encode {form}: requests differ")
        result = compare(
            {
                "milvus_native": native,
                "pymilvus": lambda rows=theirs: pymilvus_encode(rows),
            },
            seconds=seconds,
        )
        size = len(native())
        made.append(
            {
                "case": f"encode insert {data.ROWS} x {data.DIM}, {form}",
                "correct": True,
                "request_bytes": size,
                "peak_per_request": peak_bytes(native) / size,
                **result,
            }
        )
    made.append(floor(seconds))
    return made


def floor(seconds: float) -> Row:
    """What the bytes themselves cost: one memcpy of the vectors into a new bytes object."""
    array = data.vectors()
    return {
        "case": f"copy of {data.ROWS} x {data.DIM} float32",
        "correct": True,
        **compare({"memcpy": array.tobytes}, seconds=seconds),
    }


def plain(value: Any) -> Any:
    """A result as nested plain objects, so that two clients' can be compared."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) or type(value).__name__.startswith("Repeated"):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value


def pymilvus_decode_search(reply: bytes) -> Any:
    message = milvus_pb2.SearchResults.FromString(reply)
    result = SearchResult(message.results, None, message.status, message.session_ts)
    result.materialize()
    return result


def decode(seconds: float) -> list[Row]:
    made = []
    for nq, k, fields in data.SEARCHES:
        reply = data.search_reply(nq, k, fields).SerializeToString()
        if plain(_core.decode_search(reply)) != plain(pymilvus_decode_search(reply)):
            raise AssertionError(f"decode {nq} x {k}: results differ")
        result = compare(
            {
                "milvus_native": lambda reply=reply: _core.decode_search(reply),
                "pymilvus": lambda reply=reply: pymilvus_decode_search(reply),
            },
            seconds=seconds,
        )
        made.append(
            {
                "case": f"decode search nq={nq} k={k}, fields {fields or 'none'}",
                "correct": True,
                "reply_bytes": len(reply),
                **result,
            }
        )
    return made
