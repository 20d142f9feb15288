"""Encode and decode only: our C core beside what pymilvus does for the same bytes.

Every case is checked before it is timed: requests must parse to equal messages, results must be
equal objects.
"""

from __future__ import annotations

import ctypes
import subprocess
import sysconfig
from functools import partial
from pathlib import Path
from typing import Any

import milvus_native.results  # noqa: F401  (registers the result types with the core)
from milvus_native import _core

from . import calls, data
from .measure import compare, peak_bytes
from .peers.python_worker import digest, read_hits
from .server import HERE, OUT, FakeMilvus
from .work import Work

SERVICE = "/milvus.proto.milvus.MilvusService/"
Row = dict[str, Any]


def pymilvus_encode(raw: dict[str, Any], name: str, rows: list[Row]) -> bytes:
    from pymilvus.client.prepare import Prepare

    request = Prepare.row_insert_param(
        name,
        rows,
        "",
        raw["fields"],
        struct_fields_info=raw["struct_array_fields"],
        schema_timestamp=raw["update_timestamp"],
        enable_dynamic=False,
    )
    return bytes(request.SerializeToString())


def encode_row(work: Work, rounds: int, seconds: float) -> Row:
    from pymilvus.client.abstract import CollectionSchema
    from pymilvus.grpc_gen import milvus_pb2

    name = work.collection
    described = data.describe_reply(name)
    schema = _core.Schema.from_reply(described.SerializeToString())
    raw = CollectionSchema(described).dict()
    rows = data.rows_of(work.form, work.rows, work.dim)
    # pymilvus has no column form: its users hand it rows.
    theirs = data.rows_of("numpy", work.rows, work.dim) if work.form == "columns" else rows
    native = partial(_core.encode_rows, schema, rows, collection_name=name)
    request = native()
    parse = milvus_pb2.InsertRequest.FromString
    correct = parse(request) == parse(pymilvus_encode(raw, name, theirs))
    works = {"native": native, "pymilvus": lambda: pymilvus_encode(raw, name, theirs)}
    if work.form in ("numpy", "columns"):
        works["memcpy"] = data.vectors(work.rows, work.dim).tobytes
    return {
        "case": work.title.replace("insert", "encode"),
        "work": str(work),
        "correct": correct,
        "request_bytes": len(request),
        "peak_per_request": peak_bytes(native) / len(request),
        **compare(works, rounds=rounds, seconds=seconds),
    }


def encode(works: list[Work], rounds: int, seconds: float) -> list[Row]:
    return [encode_row(work, rounds, seconds) for work in works if work.op == "insert"]


def pymilvus_decode(reply: bytes) -> Any:
    from pymilvus.client.search_result import SearchResult
    from pymilvus.grpc_gen import milvus_pb2

    message = milvus_pb2.SearchResults.FromString(reply)
    return SearchResult(message.results, None, message.status, message.session_ts)


def decode_row(server: FakeMilvus, work: Work, request: bytes, rounds: int, seconds: float) -> Row:
    reply = server.channel.unary_unary(SERVICE + "Search")(request)
    ours, theirs = _core.decode_search, pymilvus_decode
    result = compare(
        {
            "native": lambda: ours(reply),
            "native, read": lambda: read_hits(ours(reply), work),
            "pymilvus, read": lambda: read_hits(theirs(reply), work),
        },
        rounds=rounds,
        seconds=seconds,
    )
    return {
        "case": work.title.replace("search", "decode"),
        "work": str(work),
        "correct": digest(work, ours(reply)) == digest(work, theirs(reply)),
        "reply_bytes": len(reply),
        **result,
    }


def decode(
    server: FakeMilvus, works: list[Work], folder: Path, rounds: int, seconds: float
) -> list[Row]:
    searches = [work for work in works if work.op == "search" and work.mode == "sync"]
    return [
        decode_row(server, work, (folder / work.key).read_bytes(), rounds, seconds)
        for work in dict.fromkeys(searches)
    ]


def grid(whole: bool) -> list[Work]:
    """All forms at one size, and the sizes of three forms; searches of all outputs."""
    if whole:
        return [work for work in calls.full() if work.mode == "sync"]
    works = [Work("insert", rows=1000, form=form) for form in data.FORMS]
    works += [
        Work("insert", rows=rows, dim=dim, form=form)
        for form in ("numpy", "list", "columns")
        for rows, dim in ((10, 768), (100, 768), (5000, 768), (1000, 128), (1000, 1536))
    ]
    works += [
        Work("search", nq=nq, k=k, fields=fields)
        for nq, k in ((1, 10), (1, 100), (1, 1000), (10, 100), (10, 1000), (100, 1000))
        for fields in ("ids", "scalars", "json")
    ]
    works += [Work("search", nq=10, k=100, fields="scalar"),
              Work("search", nq=1, k=100, fields="vectors"),
              Work("search", nq=1, k=1000, fields="vectors")]  # fmt: skip
    return works


def list_walk(rounds: int, seconds: float) -> Row:
    """Encoding 1000 x 768 list rows beside a bare C walk of the same float objects."""
    OUT.mkdir(exist_ok=True)
    library = OUT / "walk.so"
    include = sysconfig.get_path("include")
    subprocess.run(
        ["cc", "-O2", "-shared", "-fPIC", f"-I{include}", "-o", library, HERE / "walk.c"],
        check=True,
    )
    walk = ctypes.PyDLL(str(library)).walk_rows
    walk.argtypes, walk.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_size_t
    work = Work("insert", rows=1000, form="list")
    rows = data.rows_of("list", 1000, data.DIM)
    vectors = [row["vector"] for row in rows]
    out = ctypes.create_string_buffer(4 * 1000 * data.DIM)
    if walk(vectors, out) != 1000 * data.DIM or out.raw != data.vectors(1000, data.DIM).tobytes():
        raise AssertionError("the walk gives other bytes")
    schema = _core.Schema.from_reply(data.describe_reply(work.collection).SerializeToString())
    native = partial(_core.encode_rows, schema, rows, collection_name=work.collection)
    return {
        "case": "encode 1000 x 768, rows of lists, beside a bare walk",
        "correct": True,
        **compare({"native": native, "walk": lambda: walk(vectors, out)},
                  rounds=rounds, seconds=seconds),
    }  # fmt: skip
