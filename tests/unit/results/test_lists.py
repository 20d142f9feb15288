"""The list types of results: what they show, hold and survive."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
from pymilvus.client import search_result, types
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import _core, results
from tests.oracle.results import reference


def search_reply(rows: int, queries: int = 1) -> milvus_pb2.SearchResults:
    reply = milvus_pb2.SearchResults(session_ts=5)
    data = reply.results
    data.num_queries = queries
    data.topks.extend([rows] * queries)
    data.ids.int_id.data.extend(range(100, 100 + rows * queries))
    data.scores.extend(i / 4 for i in range(rows * queries))
    column = data.fields_data.add(type=21, field_name="text")
    column.scalars.string_data.data.extend(f"t{i}" for i in range(rows * queries))
    meta = data.fields_data.add(type=23, field_name="$meta", is_dynamic=True)
    meta.scalars.json_data.data.extend(b'{"n":%d}' % i for i in range(rows * queries))
    return reply


def query_reply(rows: int) -> milvus_pb2.QueryResults:
    reply = milvus_pb2.QueryResults(session_ts=5)
    reply.fields_data.add(type=5, field_name="id").scalars.long_data.data.extend(range(rows))
    vectors = reply.fields_data.add(type=101, field_name="vector").vectors
    vectors.dim = 2
    vectors.float_vector.data.extend(float(i) for i in range(rows * 2))
    return reply


@pytest.mark.parametrize("extra", [{}, {"report_value": "3"}, {"scanned_total_bytes": "0"}])
@pytest.mark.parametrize(("rows", "queries"), [(0, 0), (0, 1), (3, 2), (11, 1), (1, 12), (10, 10)])
def test_search_result_shows_what_pymilvus_shows(
    rows: int, queries: int, extra: dict[str, str]
) -> None:
    reply = search_reply(rows, queries)
    reply.status.extra_info.update(extra)
    reply.results.recalls.extend([0.5] * queries)
    ours, theirs = _core.decode_search(reply.SerializeToString()), reference.search(reply)
    assert str(ours) == str(theirs)
    assert repr(ours) == repr(theirs)
    assert [str(hits) for hits in ours] == [str(hits) for hits in theirs]


@pytest.mark.parametrize("rows", [0, 1, 10, 11])
def test_query_result_shows_what_pymilvus_shows(rows: int) -> None:
    reply = query_reply(rows)
    ours, theirs = _core.decode_query(reply.SerializeToString()), reference.query(reply)
    assert str(ours) == str(theirs)
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(
    "items", [{}, {"cost": 0, "a": 1}, {"cost": 0, "scanned_total_bytes": 0}, {"a": None}]
)
def test_omit_zero_dict_and_extra_list(items: dict[str, Any]) -> None:
    ours, theirs = results.OmitZeroDict(items), types.OmitZeroDict(items)
    assert (str(ours), repr(ours), ours.omit_zero_len()) == (
        str(theirs),
        repr(theirs),
        theirs.omit_zero_len(),
    )
    mine, other = results.ExtraList(range(12), extra=items), types.ExtraList(range(12), extra=items)
    assert (str(mine), repr(mine), mine.extra) == (str(other), repr(other), other.extra)


def test_hits_have_pymilvus_attributes() -> None:
    reply = search_reply(3, 2)
    ours, theirs = _core.decode_search(reply.SerializeToString()), reference.search(reply)
    for mine, other in zip(ours, theirs, strict=True):
        assert isinstance(other, search_result.HybridHits)
        assert mine.has_materialized is other.has_materialized is True
        assert mine.lazy_field_data == []
        assert mine.get_raw_item(1) == other.get_raw_item(1)
        assert type(mine[0:2]) is type(other[0:2]) is list
        assert mine.materialize() is None
        assert list(mine.ids) == list(other.ids)
    assert ours.materialize() is None


def test_attributes_belong_to_one_result() -> None:
    data = search_reply(2, 2).SerializeToString()
    first, second = _core.decode_search(data), _core.decode_search(data)
    first[0].dynamic_fields.add("x")
    first[0].ids.clear()
    first.extra["x"] = 1
    first.agg_buckets.append([])
    assert first[1].dynamic_fields == second[0].dynamic_fields == set()
    assert second[0].ids == [100, 101]
    assert second.extra == {}
    assert second.agg_buckets == []


def test_order_may_change() -> None:
    """pymilvus attaches other rows' fields after these, because it decodes by position."""
    hits = _core.decode_search(search_reply(3).SerializeToString())[0]
    hits.reverse()
    assert [(hit["text"], hit["n"]) for hit in hits] == [("t2", 2), ("t1", 1), ("t0", 0)]
    hits.sort(key=lambda hit: hit.id)
    del hits[0]
    hits.extend(hits[:1])
    assert [(hit["text"], hit["n"]) for hit in hits] == [("t1", 1), ("t2", 2), ("t1", 1)]
    rows = _core.decode_query(query_reply(3).SerializeToString())
    rows.reverse()
    assert [row["vector"] for row in rows] == [[4.0, 5.0], [2.0, 3.0], [0.0, 1.0]]
    assert rows.materialize() is rows
    assert [row["id"] for row in reversed(rows + rows[:1])] == [2, 0, 1, 2]


def test_round_decimal() -> None:
    reply = search_reply(1)
    reply.results.scores[0] = 1.2345678
    data = reply.SerializeToString()
    for decimals in (None, -1, 0, 1, 2, 5, 22, 400, 10**30, -(10**30), True, "2"):
        ours = _core.decode_search(data, round_decimal=decimals)  # type: ignore[arg-type]
        assert ours[0].distances == reference.search(reply, decimals)[0].distances  # type: ignore[arg-type]
    assert _core.decode_search(data, 2)[0][0].distance == 1.23


@pytest.mark.parametrize("topks", [[], [1], [2, 2], [3, 2], [9, 9]])
@pytest.mark.parametrize("queries", [0, 1, 2, 2**40])
def test_aggregation_is_dealt_out(
    topks: list[int], queries: int, caplog: pytest.LogCaptureFixture
) -> None:
    reply = milvus_pb2.SearchResults()
    reply.results.num_queries = queries
    reply.results.agg_topks.extend(topks)
    for i in range(4):
        reply.results.agg_buckets.add(count=i)
    with caplog.at_level(logging.WARNING, "milvus_native.results"):
        ours = _core.decode_search(reply.SerializeToString()).agg_buckets
    assert bool(caplog.records) == (sum(topks) != 4 and (bool(topks) or queries > 1))
    if queries > 2 and not topks:
        assert ours == [[] for _ in range(16384)]
        return
    theirs = reference.search(reply).agg_buckets
    assert [[b.count for b in group] for group in ours] == [
        [b.count for b in group] for group in theirs
    ]


def test_decoding_imports_nothing_heavy() -> None:
    script = """
import sys
from milvus_native import _core, results
assert _core.decode_search(bytes.fromhex(sys.argv[1]))[0][0]["text"] == "t0"
assert _core.decode_query(bytes.fromhex(sys.argv[2]))[0]["vector"] == [0.0, 1.0]
heavy = {"numpy", "pymilvus", "grpc", "google.protobuf", "pandas"} & set(sys.modules)
assert not heavy, heavy
"""
    arguments = [m.SerializeToString().hex() for m in (search_reply(1), query_reply(1))]
    subprocess.run([sys.executable, "-c", script, *arguments], check=True)


def test_types_must_be_registered() -> None:
    script = "from milvus_native import _core; _core.decode_search(b'')"
    run = subprocess.run([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    assert "RuntimeError: set_result_types() was not called yet" in run.stderr


def test_types_are_registered_once() -> None:
    with pytest.raises(RuntimeError, match="registered"):
        _core.set_result_types(*results.TYPES)
    with pytest.raises(TypeError, match="7 types"):
        _core.set_result_types(list)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="subclass of list"):
        _core.set_result_types(int, *[object] * 6)  # type: ignore[arg-type]
