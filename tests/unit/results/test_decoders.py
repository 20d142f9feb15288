"""Replies that the oracle cannot make or will not take: both places of validity, broken servers."""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from pymilvus.exceptions import MilvusException, ParamError
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import _core
from tests.faker import DENSE
from tests.oracle.results.faker import COLUMN_TYPES, DataType, ReplyFaker
from tests.oracle.results.reference import assert_same, query, search
from tests.wire import delimited, tag

DECODERS = [_core.decode_search, _core.decode_query, _core.decode_mutation]


def search_reply(rows: int = 2) -> milvus_pb2.SearchResults:
    reply = milvus_pb2.SearchResults()
    reply.results.topks.append(rows)
    reply.results.ids.int_id.data.extend(range(rows))
    reply.results.scores.extend([0.5] * rows)
    return reply


def move_validity(columns: Any) -> None:
    """Puts FieldData.valid_data where newer servers have it, as a field unknown to pymilvus."""
    for column in columns:
        if column.HasField("struct_arrays"):
            move_validity(column.struct_arrays.fields)
        elif column.valid_data:
            number = 17 if column.HasField("scalars") else 9
            payload = column.scalars if number == 17 else column.vectors
            payload.MergeFromString(
                tag(number, 2) + delimited(bytes(bool(valid) for valid in column.valid_data))
            )
            # The old place says the opposite and must not be believed.
            column.valid_data[:] = [not valid for valid in column.valid_data]


@pytest.mark.parametrize("kind", COLUMN_TYPES, ids=lambda kind: kind.name)
def test_newer_place_of_validity(kind: DataType) -> None:
    moved = 0
    for seed in range(60):
        faker = ReplyFaker(seed)
        reply = search_reply(6)
        faker.column(reply.results.fields_data.add(), "f", kind, 6)
        theirs = search(reply)
        before = reply.SerializeToString()
        move_validity(reply.results.fields_data)
        moved += reply.SerializeToString() != before
        assert_same(_core.decode_search(reply.SerializeToString()), theirs)
    for seed in range(60):
        if kind == DataType.STRING:
            break
        faker = ReplyFaker(seed)
        answer = milvus_pb2.QueryResults()
        faker.column(answer.fields_data.add(), "f", kind, 6)
        rows = query(answer)
        move_validity(answer.fields_data)
        assert_same(_core.decode_query(answer.SerializeToString()), rows)
    assert moved


def array_reply(element: DataType, values: Any, valid: bytes) -> bytes:
    reply = search_reply(1)
    column = reply.results.fields_data.add(type=22, field_name="a")
    column.scalars.array_data.element_type = int(element)
    row = column.scalars.array_data.data.add()
    member = {5: row.long_data, 21: row.string_data, 1: row.bool_data, 11: row.double_data}
    member[int(element)].data.extend(values)
    row.MergeFromString(tag(17, 2) + delimited(valid))
    return reply.SerializeToString()


@pytest.mark.parametrize(
    ("element", "values"),
    [
        (DataType.INT64, [1, 2, 3]),
        (DataType.VARCHAR, ["a", "b", "c"]),
        (DataType.BOOL, [True, False, True]),
        (DataType.DOUBLE, [1.0, 2.0, 3.0]),
    ],
)
def test_nulls_inside_arrays(element: DataType, values: list[Any]) -> None:
    hit = _core.decode_search(array_reply(element, values, b"\1\0\1"))[0][0]
    assert hit["a"] == [values[0], None, values[2]]
    with pytest.raises(_core.DecodeError, match="validity"):
        _core.decode_search(array_reply(element, values, b"\1\0"))


@pytest.mark.parametrize("stored", [2, 3])
def test_nulls_inside_vector_arrays(stored: int) -> None:
    """Null vectors may be left out, as in plain columns, or have a placeholder."""
    reply = search_reply(1)
    column = reply.results.fields_data.add(type=106, field_name="v")
    column.vectors.vector_array.element_type = 101
    row = column.vectors.vector_array.data.add(dim=1)
    row.float_vector.data.extend([1.0, 3.0] if stored == 2 else [1.0, 2.0, 3.0])
    row.MergeFromString(tag(9, 2) + delimited(b"\1\0\1"))
    assert _core.decode_search(reply.SerializeToString())[0][0]["v"] == [[1.0], None, [3.0]]


def test_numpy_scalars_become_plain_numbers() -> None:
    reply = search_reply(1)
    column = reply.results.fields_data.add(type=200, field_name="s")
    for kind, member in ((102, "float16_vector"), (103, "bfloat16_vector"), (105, "int8_vector")):
        sub = column.struct_arrays.fields.add(type=106, field_name=f"s[{member}]")
        sub.vectors.vector_array.element_type = kind
        row = sub.vectors.vector_array.data.add(dim=2)
        setattr(row, member, b"\x00\x3c\x01\x80"[: 2 if kind == 105 else 4])
    ours = _core.decode_search(reply.SerializeToString())[0][0]["s"]
    assert ours == [
        {
            "float16_vector": [1.0, -(2.0**-24)],
            "bfloat16_vector": [15360, 32769],
            "int8_vector": [0, 60],
        }
    ]
    assert_same(ours, search(reply)[0][0]["s"])


def break_topks(reply: milvus_pb2.SearchResults) -> None:
    reply.results.topks[0] = 3


def break_topks_twice(reply: milvus_pb2.SearchResults) -> None:
    reply.results.topks[:] = [1, 2**62, 2**62, 2**62, 2**62]


def break_sign(reply: milvus_pb2.SearchResults) -> None:
    reply.results.topks[:] = [2, -1]


def break_scores(reply: milvus_pb2.SearchResults) -> None:
    del reply.results.scores[0]


def break_offsets(reply: milvus_pb2.SearchResults) -> None:
    reply.results.element_indices.data.append(1)


def break_highlights(reply: milvus_pb2.SearchResults) -> None:
    reply.results.highlight_results.add(field_name="h").datas.add()


def break_json(reply: milvus_pb2.SearchResults) -> None:
    column = reply.results.fields_data.add(type=23, field_name="j")
    column.scalars.json_data.data.extend([b"1", b"{"])


def break_meta(reply: milvus_pb2.SearchResults) -> None:
    column = reply.results.fields_data.add(type=23, field_name="$meta", is_dynamic=True)
    column.scalars.json_data.data.extend([b"{}", b"[1]"])


def break_validity(reply: milvus_pb2.SearchResults) -> None:
    column = reply.results.fields_data.add(type=104, field_name="v", valid_data=[True])
    column.vectors.sparse_float_vector.contents.append(b"")


@pytest.mark.parametrize(
    "damage",
    [
        break_topks,
        break_topks_twice,
        break_sign,
        break_scores,
        break_offsets,
        break_highlights,
        break_json,
        break_meta,
        break_validity,
    ],
)
def test_search_reply_that_contradicts_itself(damage: Any) -> None:
    reply = search_reply()
    _core.decode_search(reply.SerializeToString())
    damage(reply)
    with pytest.raises(_core.DecodeError):
        _core.decode_search(reply.SerializeToString())


def text_column(data: bytes) -> bytes:
    """FieldData of one VARCHAR value that need not be UTF-8."""
    array = delimited(tag(1, 2) + delimited(data))
    scalars = delimited(tag(6, 2) + array)
    column = tag(1, 0) + b"\x15" + tag(2, 2) + delimited(b"t") + tag(3, 2) + scalars
    return tag(3, 2) + delimited(column)


def test_text_must_be_utf8() -> None:
    base = search_reply(1).SerializeToString()
    good = _core.decode_search(base + tag(2, 2) + delimited(text_column("é\0".encode())))
    assert good[0][0]["t"] == "é\0"
    for bad in (b"\xff", b"a\xc3", b"\xed\xa0\x80"):
        data = base + tag(2, 2) + delimited(text_column(bad))
        with pytest.raises(DecodeError, match="UTF-8"):
            milvus_pb2.SearchResults.FromString(data)
        with pytest.raises(_core.DecodeError, match="UTF-8"):
            _core.decode_search(data)


@pytest.mark.parametrize("kind", DENSE, ids=lambda kind: kind.name)
@pytest.mark.parametrize("dim", [0, -1, -(2**63), 2**63 - 1, 4])
def test_absurd_dimensions(kind: DataType, dim: int) -> None:
    """They are refused, or there are no such vectors; what memory there is stays bounded."""
    reply = search_reply(1)
    column = reply.results.fields_data.add(type=int(kind), field_name="v")
    ReplyFaker(0).dense(column.vectors, kind, 1, 8)
    column.vectors.dim = dim
    bits = kind == DataType.BINARY_VECTOR and dim % 8 != 0
    if bits or dim < 0 or (dim == 0 and kind != DataType.FLOAT_VECTOR):
        with pytest.raises(ParamError, match="dimension"):
            _core.decode_search(reply.SerializeToString())
    else:
        expected = {0: 0, 4: 8 if "16" in kind.name else 4}.get(dim)
        value = _core.decode_search(reply.SerializeToString())[0][0]["v"]
        assert (value if expected is None else len(value)) == expected
    answer = milvus_pb2.QueryResults(fields_data=[column]).SerializeToString()
    if dim <= 0:
        with pytest.raises(MilvusException, match="Invalid vector length"):
            _core.decode_query(answer)
    elif dim == 4 and kind != DataType.BINARY_VECTOR:
        assert len(_core.decode_query(answer)) == 2


def test_types_that_are_no_results() -> None:
    reply = search_reply()
    reply.results.fields_data.add(type=777, field_name="f")
    with pytest.raises(MilvusException, match="Unsupported field type: 777"):
        _core.decode_search(reply.SerializeToString())
    del reply.results.topks[:]
    assert _core.decode_search(reply.SerializeToString()) == []


def test_struct_sub_fields_are_arrays() -> None:
    reply = search_reply(1)
    column = reply.results.fields_data.add(type=200, field_name="s")
    sub = column.struct_arrays.fields.add(type=22, field_name="a")
    sub.scalars.array_data.data.add().long_data.data.append(1)
    column.struct_arrays.fields.add(type=5, field_name="b").scalars.long_data.data.append(1)
    with pytest.raises(ParamError, match="'b'"):
        _core.decode_search(reply.SerializeToString())


@pytest.mark.parametrize("decode", DECODERS)
def test_status_is_raised(decode: Any) -> None:
    reply = milvus_pb2.MutationResult()
    reply.status.code = 1100
    reply.status.error_code = 65535
    reply.status.reason = "no é"
    reply.status.retriable = True
    reply.status.extra_info["is_input_error"] = "true"
    with pytest.raises(_core.StatusError) as raised:
        decode(reply.SerializeToString())
    error = raised.value
    assert (error.code, error.error_code, error.reason) == (1100, 65535, "no é")
    assert error.retriable is True
    assert error.extra_info == {"is_input_error": "true"}


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        (("text",), {}),
        ((1,), {}),
        ((b"", None, None), {}),
        ((b"",), {"nope": 1}),
        ((b"",), {"reply": b""}),
    ],
)
def test_wrong_arguments(decode: Any, args: Any, kwargs: Any) -> None:
    with pytest.raises(TypeError):
        decode(*args, **kwargs)


def test_any_buffer_is_a_reply() -> None:
    data = search_reply().SerializeToString()
    expected = _core.decode_search(data)
    for form in (bytearray(data), memoryview(data), np.frombuffer(data, "u1")):
        assert _core.decode_search(form) == expected
        assert _core.decode_search(reply=form, round_decimal=1) == expected


def test_strict_float32_rows_are_views_of_one_array() -> None:
    reply = milvus_pb2.QueryResults()
    vectors = reply.fields_data.add(type=101, field_name="v").vectors
    vectors.dim = 3
    vectors.float_vector.data.extend(range(6))
    rows = _core.decode_query(reply.SerializeToString(), strict_float32=True)
    assert rows[0]["v"].dtype == np.float32
    assert rows[0]["v"].base is rows[1]["v"].base
    assert rows[1]["v"].tolist() == [3.0, 4.0, 5.0]
    rows[1]["v"][0] = 9
    assert rows[0]["v"].tolist() == [0.0, 1.0, 2.0]


def test_collector_is_left_as_it_was() -> None:
    data = search_reply().SerializeToString()
    bad = data + b"\x12\x02\x1a\x00"
    try:
        for state in (gc.disable, gc.enable):
            state()
            _core.decode_search(data)
            with pytest.raises(MilvusException):
                _core.decode_search(bad)
            assert gc.isenabled() == (state is gc.enable)
    finally:
        gc.enable()


def test_leaves_no_references(caplog: pytest.LogCaptureFixture) -> None:
    """Good, refused and damaged replies leave the interpreter as they found it."""
    caplog.set_level(logging.CRITICAL)  # pytest would keep each record
    replies = []
    for seed in range(40):
        faker = ReplyFaker(seed)
        replies.append((_core.decode_search, faker.search().SerializeToString()))
        replies.append((_core.decode_query, faker.query().SerializeToString()))
        replies.append((_core.decode_mutation, faker.mutation().SerializeToString()))
    replies += [(decode, data[: len(data) * 2 // 3]) for decode, data in replies]

    def use() -> None:
        for decode, data in replies:
            with contextlib.suppress(ValueError, MilvusException):
                decode(data)

    def blocks() -> int:
        gc.collect()
        return sys.getallocatedblocks()

    for _ in range(40):  # until the interpreter's free lists are full
        use()
    before = blocks()
    for _ in range(10):
        use()
    assert blocks() - before < 200
