"""Programs that nobody wrote: random schemas, rows, filters and arguments, right and wrong ones.

Each seed is one program. Left out is what differs on purpose (docs/differences.md): keys that need
escaping, vectors of a wrong length, NumPy numbers as limits. MVN_RANDOM_PROGRAMS=500 in the
environment makes it a search for what nobody knows yet.
"""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
from pymilvus import AnnSearchRequest, DataType, RRFRanker, WeightedRanker

from ..harness import LITE, Side, scenario
from .common import Field, create

PROGRAMS = int(os.environ.get("MVN_RANDOM_PROGRAMS", "6"))
STEPS = 40
DIM = 4

Make = Callable[[random.Random], Any]


class Name(str):
    """As programs make for their names."""


def _text(rng: random.Random) -> str:
    return "".join(rng.choices("abé\"' \\%\n", k=rng.randrange(6)))


def _number(bits: int) -> Make:
    def number(rng: random.Random) -> Any:
        top = 2 ** (bits - 1)
        value = rng.choice([0, -1, rng.randrange(-9, 9), top - 1, -top])
        return rng.choice([int, int, getattr(np, f"int{bits}")])(value)

    return number


def _real(rng: random.Random) -> Any:
    return rng.choice([float, np.float32, np.float64, round])(rng.uniform(-9, 9))


def _floats(rng: random.Random) -> Any:
    vector = [rng.uniform(-1, 1) for _ in range(DIM)]
    return rng.choice([list, list, tuple, lambda v: np.array(v, np.float32)])(vector)


def _sparse(rng: random.Random) -> dict[int, float]:
    return {rng.randrange(50): rng.uniform(0.1, 2) for _ in range(3)}


def _json(rng: random.Random) -> Any:
    return rng.choice([{}, {"a": 1}, {"b": [1, 2.5, None, "x"]}, {"c": {"d": True}}, [1], 5, True])


# Type, what a field of it is made with, right cells, wrong ones.
SCALARS: list[tuple[DataType, dict[str, Any], Make, list[Any]]] = [
    (DataType.BOOL, {}, lambda rng: rng.random() < 0.5, ["x", 1.5, [True], b"x"]),
    (DataType.INT8, {}, _number(8), ["x", 1.5, [1], {}, Decimal(1)]),
    (DataType.INT16, {}, _number(16), ["x", [1], object()]),
    (DataType.INT32, {}, _number(32), ["x", 1.5, 2**31, b"x"]),
    (DataType.INT64, {}, _number(64), ["x", 1.5, 2**63, {1}]),
    (DataType.FLOAT, {}, _real, ["x", [1.0], {}, b"x"]),
    (DataType.DOUBLE, {}, _real, ["x", object(), (1.0,)]),
    (DataType.VARCHAR, {"max_length": 64}, _text, [5, b"x", ["x"], 1.5]),
    (DataType.JSON, {}, _json, [object(), {1: 2}, {"a": {1}}, "no JSON"]),
    (
        DataType.ARRAY,
        {"element_type": DataType.INT64, "max_capacity": 4},
        lambda rng: [rng.randrange(9) for _ in range(rng.randrange(4))],
        [5, ["x"], [1.5], [None]],
    ),
]
DEFAULTS = {DataType.BOOL: True, DataType.VARCHAR: "none", DataType.FLOAT: 1.5}
FILTERS = [
    ("", {}),
    ("key != ''", {}),
    ("key in {keys}", {"keys": ["a", "b", "c"]}),
    ("f0 is null", {}),
    ("other > {n}", {"n": 3}),
    ("exists other", {}),
    ("nonsense", {}),
    ("key >", {}),
    (Name("key == 'a'"), {}),
    (5, {}),
    (["key == 'a'"], {}),
]
OUTPUT = [None, ["*"], ["key"], ["key", "f0"], ["vector"], ["nothing"], [], ["*", "other"]]
OUTPUT += [["key", "key"], ("key",), "key", ["$meta"], [5], [Name("key")], ["count(*)"]]
LIMITS = [0, 1, 3, -1, None, "5", 2.5, True, 16385, [1]]
OPTIONS: list[dict[str, Any]] = [
    *({"consistency_level": level} for level in ("Strong", "Bounded", 3, 9, "strong", 1.5, None)),
    *({"offset": offset} for offset in (0, 2, -1, "x", None)),
    *({"timeout": timeout} for timeout in (30, 30.0, None)),
    *({"partition_names": names} for names in ([], ["_default"], ["nowhere"], None)),
    {"guarantee_timestamp": 0},
    {"ignore_growing": True},
    {"unknown": 1},
]
PARAMS = [None, {}, {"metric_type": "L2"}, {"params": {"radius": 2.0}}, {"metric_type": "x"}]
PARAMS += [{"params": {"nprobe": 8}}, {"params": "x"}, {"offset": 1}, "x"]
QUERY_VECTORS = [5, None, [5], [None], ["x"], [range(DIM)], "text"]


class Program:
    """Makes the same calls each time it is run."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.dynamic = rng.random() < 0.5
        self.cells = {f"f{n}": rng.choice(SCALARS) for n in range(rng.randrange(1, 5))}
        self.options: dict[str, dict[str, Any]] = {}
        for name, (kind, _options, _make, _wrong) in self.cells.items():
            self.options[name] = {"nullable": True} if rng.random() < 0.4 else {}
            if kind in DEFAULTS and rng.random() < 0.4:
                self.options[name]["default_value"] = DEFAULTS[kind]
        self.vectors = {"vector": (DataType.FLOAT_VECTOR, {"dim": DIM}, _floats)}
        if rng.random() < 0.4:
            self.vectors["sparse"] = (DataType.SPARSE_FLOAT_VECTOR, {}, _sparse)

    def fields(self) -> list[Field]:
        key = ("key", DataType.VARCHAR, {"is_primary": True, "max_length": 64})
        scalars = [
            (name, kind, {**options, **self.options[name]})
            for name, (kind, options, _make, _wrong) in self.cells.items()
        ]
        vectors = [(name, kind, options) for name, (kind, options, _) in self.vectors.items()]
        return [key, *scalars, *vectors]

    def row(self) -> dict[str, Any]:
        rng = self.rng
        row: dict[str, Any] = {"key": rng.choice("abcdefgh")}
        for name, (_kind, _options, make, _wrong) in self.cells.items():
            if self.options[name] and rng.random() < 0.4:
                if rng.random() < 0.5:
                    row[name] = None
            else:
                row[name] = make(rng)
        row |= {name: make(rng) for name, (_kind, _options, make) in self.vectors.items()}
        if self.dynamic and rng.random() < 0.6:
            row["other"] = rng.choice([1, 7, "s", None, [1, "a"], {"k": 2.5}])
        return row

    def rows(self) -> Any:
        rng = self.rng
        drawn = {row["key"]: row for row in (self.row() for _ in range(rng.randrange(1, 5)))}
        rows = list(drawn.values())
        name = rng.choice(list(self.cells))
        match rng.randrange(16):
            case 0 | 1 | 2:
                rng.choice(rows)[name] = rng.choice(self.cells[name][3])
            case 3:
                rng.choice(rows).pop(rng.choice([name, "key", "vector"]), None)
            case 4:
                rng.choice(rows)["other"] = rng.choice([object(), {1: 2}, np.int64(1), {"a": {1}}])
            case 5:
                return rng.choice([rows[0], [], {}, None, tuple(rows), "x", [*rows, 5]])
        return rows

    def read(self) -> dict[str, Any]:
        rng = self.rng
        text, params = rng.choice(FILTERS)
        asked: dict[str, Any] = {"filter": text}
        if params:
            asked["filter_params"] = params
        if rng.random() < 0.7:
            asked["output_fields"] = rng.choice(OUTPUT)
        if rng.random() < 0.5:
            asked["limit"] = rng.choice(LIMITS)
        if rng.random() < 0.4:
            asked |= rng.choice(OPTIONS)
        return copy.deepcopy(asked)

    def search(self) -> dict[str, Any]:
        rng = self.rng
        name = rng.choice(list(self.vectors))
        data: Any = [self.vectors[name][2](rng) for _ in range(rng.randrange(1, 3))]
        if name == "vector":
            data = [list(map(float, vector)) for vector in data]
        if rng.random() < 0.1:  # with nothing else that is wrong: one of them is reported
            return {"data": rng.choice(QUERY_VECTORS), "anns_field": name}
        asked = {**self.read(), "data": data, "anns_field": name}
        if rng.random() < 0.3:
            asked["search_params"] = copy.deepcopy(rng.choice(PARAMS))
        return asked

    def hybrid(self) -> dict[str, Any]:
        rng = self.rng
        reqs = [
            AnnSearchRequest(
                [list(vector) if name == "vector" else vector],
                name,
                rng.choice([{}, {"metric_type": "L2" if name == "vector" else "IP"}]),
                rng.choice([3, 3, 0]),
                rng.choice(["", "key != 'a'", "nonsense"]),
            )
            for name, (_kind, _options, make) in self.vectors.items()
            for vector in [list(map(float, make(rng))) if name == "vector" else make(rng)]
        ]
        ranker = rng.choice([RRFRanker(), WeightedRanker(*[0.5] * len(reqs)), None, "x"])
        asked = {key: value for key, value in self.read().items() if not key.startswith("filter")}
        return {**asked, "reqs": reqs, "ranker": ranker}


def _register(seed: int) -> None:
    async def run(writer: Side, reader: Side) -> None:
        program = Program(seed)
        await create(writer, *program.fields(), dynamic=program.dynamic)
        for _ in range(STEPS):
            await _step(program, writer, reader)

    run.__name__ = f"at_random_{seed}"
    scenario(LITE)(run)


async def _step(program: Program, writer: Side, reader: Side) -> None:
    rng = program.rng
    name: Any = rng.choice([writer.name] * 20 + [Name(writer.name), "nowhere", "", None, 5])
    match rng.choices(range(7), [5, 2, 2, 4, 3, 5, 2])[0]:
        case 0:
            await writer.tries("insert", name, program.rows())
        case 1:
            partial = {"partial_update": True} if rng.random() < 0.2 else {}
            await writer.tries("upsert", name, data=program.rows(), **partial)
        case 2:
            keys = rng.sample("abcdefgh", rng.randrange(1, 3))
            how = rng.choice([{"ids": keys}, {"ids": keys[0]}, {"filter": "key == 'a'"}, {}])
            await writer.tries("delete", name, **how)
        case 3:
            await reader.tries("query", name, **program.read())
        case 4:
            keys = rng.choice([["a", "b"], ["zz"], "c", [], ["a", "a"]])
            asked = program.read()
            asked = {key: asked[key] for key in asked.keys() - {"filter", "filter_params", "limit"}}
            await reader.tries("get", name, keys, **asked)
        case 5:
            await reader.tries("search", name, **program.search())
        case _:
            await reader.tries("hybrid_search", name, **program.hybrid())


for _seed in range(PROGRAMS):
    _register(_seed)
