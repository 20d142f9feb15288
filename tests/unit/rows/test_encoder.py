"""RowEncoder: rows, and the request around them."""

from __future__ import annotations

import sys
from collections import OrderedDict, UserDict, defaultdict
from typing import Any

import numpy as np
import pytest
from pymilvus.exceptions import DataNotMatchException

from milvus_native._core import encode_rows

from .books import NOTE, PRICE, TITLE, Upsert, column, compiled, insert


class Shown(dict[str, Any]):
    """Stores other items than it shows."""

    def items(self) -> Any:
        return [("id", 7), ("title", "shown")]


class Key(str):
    """Equal to a plain str, by Python code."""

    def __eq__(self, other: object) -> bool:
        return str(self) == other

    def __hash__(self) -> int:
        return hash(str(self))


@pytest.mark.parametrize(
    "row",
    [
        {"id": 7, "title": "shown"},
        {"title": "shown", "id": 7},
        OrderedDict(title="shown", id=7),
        defaultdict(int, id=7, title="shown"),
        Shown(id=1, title="stored"),
        {Key("id"): 7, Key("title"): "shown"},
        {np.str_("id"): 7, "title": np.str_("shown")},
        {"i" + "d": 7, "".join(["ti", "tle"]): "shown"},
    ],
)
def test_any_dict_is_a_row(row: dict[str, Any]) -> None:
    for rows in ([row], [{"id": 1, "title": "a"}, row], [row, {"id": 1, "title": "a"}]):
        message = insert(compiled(TITLE), rows)
        position = rows.index(row)
        assert column(message, "id")[position] == 7
        assert column(message, "title")[position] == "shown"


def test_a_lone_dict_is_one_row() -> None:
    assert insert(compiled(TITLE), {"id": 7, "title": "x"}).num_rows == 1


def test_other_mappings_are_no_rows() -> None:
    with pytest.raises(DataNotMatchException, match="expected Dict, got 'UserDict'"):
        insert(compiled(TITLE), [UserDict(id=7, title="x")])


def test_rows_with_keys_in_changing_order_and_number() -> None:
    schema = compiled(TITLE, NOTE, PRICE, dynamic=True)
    rows: list[dict[str, Any]] = []
    for i in range(50):
        row = {"id": i, "title": str(i), "price": i / 2}
        if i % 3:
            row["note"] = None if i % 2 else f"note {i}"
        if i % 5 == 0:
            row["extra"] = i
        keys = list(row)
        rotated = keys[i % len(keys) :] + keys[: i % len(keys)]
        rows.append({k: row[k] for k in rotated})
    message = insert(schema, rows)
    assert column(message, "id") == list(range(50))
    assert column(message, "title") == [str(i) for i in range(50)]
    assert column(message, "note") == [f"note {i}" for i in range(50) if i % 3 and not i % 2]
    assert column(message, "$meta") == [
        b'{"extra":%d}' % i if i % 5 == 0 else b"{}" for i in range(50)
    ]


def test_text_keeps_nul_and_every_plane() -> None:
    texts = ["a\0b", "\0", "", "é\0", "漢字", "🙂🙂", "\u07ff\u0800\uffff\U00010000\U0010ffff"]
    message = insert(compiled(TITLE), [{"id": i, "title": t} for i, t in enumerate(texts)])
    assert column(message, "title") == texts


def test_text_is_not_cached_in_the_strings() -> None:
    text = "é漢" * 25
    before = sys.getsizeof(text)
    insert(compiled(TITLE), [{"id": 1, "title": text}])
    assert sys.getsizeof(text) == before


def test_no_rows() -> None:
    message = insert(compiled(TITLE, NOTE), [])
    assert message.num_rows == 0
    assert [f.field_name for f in message.fields_data] == ["id", "title", "note"]


def test_envelope() -> None:
    schema = compiled()
    rows = [{"id": 1}]
    message = insert(schema, rows, partition_name="p", namespace="n")
    assert (message.collection_name, message.partition_name, message.namespace) == (
        "books",
        "p",
        "n",
    )
    assert message.schema_timestamp == schema.update_timestamp
    assert not insert(schema, rows, partition_name=None).HasField("namespace")
    assert insert(schema, rows, namespace="").HasField("namespace")
    data = encode_rows(
        schema,
        rows,
        collection_name="books",
        upsert=True,
        namespace="n",
        field_ops=[("tags", 1), ("other", 0)],
    )
    upsert = Upsert.FromString(data)
    assert upsert.namespace == "n"
    assert upsert.partial_update is True
    assert [(o.field_name, o.op) for o in upsert.field_ops] == [("tags", 1), ("other", 0)]


@pytest.mark.parametrize(
    "kwargs",
    [
        {"collection_name": 3},
        {"collection_name": "c", "partition_name": 3},
        {"collection_name": "c", "namespace": 3},
        {"collection_name": "c", "field_ops": [("a", "b")]},
        {"collection_name": "c", "field_ops": ["ab"]},
        {"collection_name": "c", "field_ops": 3},
        {"collection_name": "c", "unknown": 3},
        {},
    ],
)
def test_wrong_arguments(kwargs: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        encode_rows(compiled(), [{"id": 1}], **kwargs)
