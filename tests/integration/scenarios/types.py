"""Every scalar type that a server here has, in and out, with its extreme values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pymilvus import DataType

from ..harness import LITE, Side, scenario
from .common import ID, VECTOR, create, vector

SCALARS = (
    ("yes", DataType.BOOL, {}),
    ("tiny", DataType.INT8, {}),
    ("small", DataType.INT16, {}),
    ("medium", DataType.INT32, {}),
    ("large", DataType.INT64, {}),
    ("single", DataType.FLOAT, {}),
    ("double", DataType.DOUBLE, {}),
    ("words", DataType.VARCHAR, {"max_length": 1000}),
)


def scalar_rows() -> list[dict[str, Any]]:
    extremes = [
        (True, 0, 0, 0, 0, 0.0, 0.0, ""),
        (False, 127, 2**15 - 1, 2**31 - 1, 2**63 - 1, 1.5, 1e300, "ordinary"),
        (True, -128, -(2**15), -(2**31), -(2**63), -1.5, -1e-300, "ünï¢ødé 🙂 日本"),
        (False, 1, 1, 1, 2**53 + 1, 2.0**-126, math.pi, "line\nbreak\ttab 'single' \"double\" \\"),
        (True, -1, -1, -1, -1, 3.0e38, -0.0, "x" * 1000),
    ]
    names = [name for name, _, _ in SCALARS]
    return [
        {"id": i, "vector": vector(i), **dict(zip(names, values, strict=True))}
        for i, values in enumerate(extremes)
    ]


@scenario()
async def all_scalars(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, *SCALARS)
    data = scalar_rows()
    await w.insert(w.name, data)
    got = await r.rows("query", r.name, filter="id >= 0", output_fields=["*"])
    for row, want in zip(got, data, strict=True):
        assert row["single"] == np.float32(want["single"])
        assert {**row, "single": None} == {**want, "single": None}
    found = await r.search(r.name, [vector(2)], limit=1, output_fields=["*"])
    entity = found[0][0]["entity"]
    assert (entity["large"], entity["words"]) == (-(2**63), data[2]["words"])


@scenario()
async def numpy_scalars(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, *SCALARS)
    row = {
        "id": np.int64(7),
        "vector": np.asarray(vector(7), dtype=np.float32),
        "yes": True,
        "tiny": np.int8(-7),
        "small": np.int16(700),
        "medium": np.int32(70_000),
        "large": np.int64(7_000_000_000),
        "single": np.float32(0.75),
        "double": np.float64(0.1),
        "words": np.str_("numpy"),
    }
    await w.insert(w.name, [row])
    (got,) = await r.rows("get", r.name, ids=7)
    assert (got["tiny"], got["large"], got["double"], got["words"]) == (
        -7,
        7_000_000_000,
        0.1,
        "numpy",
    )


@scenario()
async def default_values(w: Side, r: Side) -> None:
    defaults = (
        ("flag", DataType.BOOL, {"default_value": True}),
        # Milvus 2.3.5 refuses the schema when a narrower type has a default value.
        (
            "medium",
            DataType.INT32 if w.server.version == "lite" else DataType.INT64,
            {"default_value": -70000},
        ),
        ("large", DataType.INT64, {"default_value": 2**40}),
        ("single", DataType.FLOAT, {"default_value": np.float32(0.5)}),
        ("double", DataType.DOUBLE, {"default_value": 0.25}),
        ("words", DataType.VARCHAR, {"max_length": 50, "default_value": "none given"}),
    )
    await create(w, ID, VECTOR, *defaults)
    given = {
        "flag": False, "medium": 2, "large": 3, "single": 4.0, "double": 5.0, "words": "6",
    }  # fmt: skip
    await w.insert(w.name, [{"id": 0, "vector": vector(0), **given}])
    await w.insert(w.name, [{"id": 1, "vector": vector(1)}])
    await w.insert(w.name, [{"id": 2, "vector": vector(2), **dict.fromkeys(given)}])
    got = await r.rows("query", r.name, filter="id >= 0", output_fields=["*"])
    assert {key: got[0][key] for key in given} == given
    for missing in got[1:]:
        assert missing["words"] == "none given"
        assert missing["large"] == 2**40
        assert missing["flag"] is True
    if w.server.version == "lite":  # older servers want all rows of a batch alike
        partly = [{"id": 3, "vector": vector(3), "medium": 9}, {**got[0], "id": 4}]
        await w.insert(w.name, partly)
        third, fourth = await r.rows("get", r.name, ids=[3, 4])
        assert (third["medium"], third["words"], fourth["medium"]) == (9, "none given", 2)


@scenario(LITE)
async def nullable_scalars(w: Side, r: Side) -> None:
    nullable = [(name, kind, {**extra, "nullable": True}) for name, kind, extra in SCALARS]
    nullable += [
        ("notes", DataType.JSON, {"nullable": True}),
        (
            "list",
            DataType.ARRAY,
            {"element_type": DataType.INT64, "max_capacity": 8, "nullable": True},
        ),
        ("both", DataType.INT64, {"nullable": True, "default_value": 11}),
    ]
    await create(w, ID, VECTOR, *nullable)
    names = [name for name, _, _ in nullable]
    full = {**scalar_rows()[1], "notes": {"a": 1}, "list": [1, 2], "both": 3}
    data = [
        {**full, "id": 0},
        {"id": 1, "vector": vector(1)},
        {"id": 2, "vector": vector(2), **dict.fromkeys(names)},
        {**full, "id": 3, "words": None, "list": None},
        {"id": 4, "vector": vector(4), "words": "only words"},
    ]
    await w.insert(w.name, data)
    got = await r.rows("query", r.name, filter="id >= 0", output_fields=["*"])
    assert got[0]["words"] == "ordinary"
    for empty in got[1:3]:
        assert [name for name in names if name != "both" and empty[name] is not None] == []
        assert empty["both"] == 11
    assert (got[3]["words"], got[3]["list"], got[3]["large"]) == (None, None, 2**63 - 1)
    assert (got[4]["words"], got[4]["large"]) == ("only words", None)
    await r.rows("query", r.name, filter="words is null", output_fields=["id"])
    found = await r.search(r.name, [vector(1)], limit=5, output_fields=["words", "large", "list"])
    assert {hit["id"]: hit["entity"]["words"] for hit in found[0]} == {
        row["id"]: row.get("words") for row in data
    }


DOCUMENTS = [
    {"a": 1, "b": [1, 2, {"c": None}], "deep": {"er": {"est": True}}},
    {},
    {"text": "quote ' and \" and \\ and \n", "unicode": "ünï 🙂"},
    {"a": 2, "float": 0.1, "big": 2**62, "negative": -(2**62)},
    {"a": 3, "list": [[], [[]], {}]},
]


@scenario()
async def json_documents(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, ("doc", DataType.JSON, {}))
    data = [{"id": i, "vector": vector(i), "doc": doc} for i, doc in enumerate(DOCUMENTS)]
    await w.insert(w.name, data)
    got = await r.rows("query", r.name, filter="id >= 0", output_fields=["doc"])
    assert [row["doc"] for row in got] == DOCUMENTS
    matching = await r.rows("query", r.name, filter='doc["a"] > 1', output_fields=["doc"])
    assert [row["id"] for row in matching] == [3, 4]
    found = await r.search(r.name, [vector(0)], limit=1, output_fields=["doc"])
    assert found[0][0]["entity"]["doc"] == DOCUMENTS[0]


@scenario()
async def json_forms(w: Side, r: Side) -> None:
    """Lists, plain values, numpy and text that is JSON already."""
    await create(w, ID, VECTOR, ("doc", DataType.JSON, {}))
    forms = [{"n": np.float32(1.5), "m": np.int64(2)}, {"t": (1, 2)}, '{"s": 1}']
    want = [{"n": 1.5, "m": 2}, {"t": [1, 2]}, {"s": 1}]
    if w.server.version == "lite":  # Milvus 2.3.5 takes objects alone
        forms += [[1, "two", None], "[1.5]"]
        want += [[1, "two", None], [1.5]]
    await w.insert(
        w.name, [{"id": i, "vector": vector(i), "doc": form} for i, form in enumerate(forms)]
    )
    got = await r.rows("query", r.name, filter="id >= 0", output_fields=["doc"])
    assert [row["doc"] for row in got] == want


@scenario()
async def dynamic_fields(w: Side, r: Side) -> None:
    await create(w, ID, VECTOR, dynamic=True)
    data = [
        {"id": 0, "vector": vector(0)},
        {"id": 1, "vector": vector(1), "color": "red", "size": 3},
        {"id": 2, "vector": vector(2), "color": "blue", "nested": {"list": [1, {"x": None}]}},
        {"id": 3, "vector": vector(3), "size": 4.5, "with space": True, "ünï": "🙂"},
    ]
    await w.insert(w.name, data)
    got = await r.rows("query", r.name, filter="id >= 0", output_fields=["*"])
    assert got == data
    some = await r.rows("query", r.name, filter='color == "red"', output_fields=["color", "size"])
    assert some == [{"id": 1, "color": "red", "size": 3}]
    assert len(await r.rows("query", r.name, filter="size > 2", output_fields=["size"])) == 2
    found = await r.search(r.name, [vector(2)], limit=1, output_fields=["nested", "vector"])
    assert found[0][0]["entity"]["nested"] == {"list": [1, {"x": None}]}
    await w.upsert(w.name, {"id": 1, "vector": vector(1), "color": "green"})
    (changed,) = await r.rows("get", r.name, ids=1)
    assert changed["color"] == "green"  # milvus-lite keeps the old row's other dynamic fields


ELEMENTS: tuple[tuple[str, DataType, dict[str, Any], list[Any]], ...] = (
    ("booleans", DataType.BOOL, {}, [[True, False], [], [False]]),
    ("int8s", DataType.INT8, {}, [[-128, 127], [], [0]]),
    ("int16s", DataType.INT16, {}, [[-(2**15), 2**15 - 1], [], [1]]),
    ("int32s", DataType.INT32, {}, [[-(2**31), 2**31 - 1], [], [2]]),
    ("int64s", DataType.INT64, {}, [[-(2**63), 2**63 - 1, 0], [], [3]]),
    ("floats", DataType.FLOAT, {}, [[0.5, -1.25], [], [2.0**-100]]),
    ("doubles", DataType.DOUBLE, {}, [[0.1, 1e300], [], [-0.0]]),
    ("strings", DataType.VARCHAR, {"max_length": 60}, [["a", "", "ünï 🙂"], [], ["'\"\\"]]),
)


@scenario()
async def arrays(w: Side, r: Side) -> None:
    fields = [
        (name, DataType.ARRAY, {"element_type": element, "max_capacity": 10, **extra})
        for name, element, extra, _ in ELEMENTS
    ]
    await create(w, ID, VECTOR, *fields)
    data = [
        {"id": i, "vector": vector(i), **{name: values[i] for name, _, _, values in ELEMENTS}}
        for i in range(3)
    ]
    await w.insert(w.name, data)
    got = await r.rows("query", r.name, filter="id >= 0", output_fields=["*"])
    assert got == data
    holding = await r.rows(
        "query", r.name, filter="array_contains(int64s, 3)", output_fields=["strings"]
    )
    assert [row["id"] for row in holding] == [2]
    found = await r.search(r.name, [vector(0)], limit=1, output_fields=["strings", "doubles"])
    assert found[0][0]["entity"]["strings"] == data[0]["strings"]


@scenario(LITE)
async def geometry_and_time(w: Side, r: Side) -> None:
    await create(
        w, ID, VECTOR, ("place", DataType.GEOMETRY, {}), ("moment", DataType.TIMESTAMPTZ, {})
    )
    data = [
        {"id": 0, "vector": vector(0), "place": "POINT (1 2)", "moment": "2025-01-02T03:04:05Z"},
        {
            "id": 1,
            "vector": vector(1),
            "place": "POLYGON ((0 0, 1 0, 1 1, 0 0))",
            "moment": "2025-06-07T08:09:10+02:00",
        },
    ]
    await w.insert(w.name, data)
    got = await r.rows("query", r.name, filter="id >= 0", output_fields=["place", "moment"])
    assert len(got) == 2
    assert "POINT" in got[0]["place"]
    found = await r.search(r.name, [vector(1)], limit=1, output_fields=["place", "moment"])
    assert "POLYGON" in found[0][0]["entity"]["place"]
