"""Objects whose own code does what it likes while they are being encoded: a number that raises, a
list that is emptied by its items, an array that is resized, a dict that grows, a call back into the
same encoder. The encoder may refuse them or send what it was given. It may not crash (the
sanitizers watch), raise SystemError, or make a message whose columns do not fit together.
"""

from __future__ import annotations

import array
import contextlib
import gc
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymilvus import DataType
from pymilvus.grpc_gen import milvus_pb2

from milvus_native import MilvusClient, _core
from tests.faker import FakeField, Faker
from tests.servers.recording import RecordingServer
from tests.unit.clients import replies

DIM = 4
FIELDS = [
    FakeField("id", DataType.INT64, primary=True),
    FakeField("flag", DataType.BOOL, nullable=True),
    FakeField("small", DataType.INT8, nullable=True),
    FakeField("real", DataType.DOUBLE, nullable=True),
    FakeField("text", DataType.VARCHAR, nullable=True),
    FakeField("json", DataType.JSON, nullable=True),
    FakeField("array", DataType.ARRAY, element_type=DataType.INT32, nullable=True),
    FakeField("texts", DataType.ARRAY, element_type=DataType.VARCHAR, nullable=True),
    FakeField("vector", DataType.FLOAT_VECTOR, dim=DIM),
    FakeField("bytes", DataType.INT8_VECTOR, dim=DIM, nullable=True),
    FakeField("half", DataType.FLOAT16_VECTOR, dim=DIM, nullable=True),
    FakeField("sparse", DataType.SPARSE_FLOAT_VECTOR, nullable=True),
]
SCHEMA = _core.Schema.from_reply(Faker(1).describe(FIELDS, dynamic=True).reply_bytes)
ERRORS = (ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError, RuntimeError)
# Of doing harm to what is empty, exported, or of another kind.
CONSEQUENCES = (ValueError, BufferError, TypeError, LookupError, StopIteration)


class World:
    """What one test's objects share: their random choices, and what they can do harm to."""

    def __init__(self, chooser: random.Random, back: Callable[[], Any]) -> None:
        self.random = chooser
        self.back = back  # calls the encoder again
        self.targets: list[Any] = []
        self.depth = 0

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def act(self) -> None:
        """Something or nothing, in the middle of an encoder's work."""
        choice = self.random.randrange(12)
        if choice == 0:
            raise self.random.choice(ERRORS)("hostile")
        if choice == 1:
            gc.collect(0)
        elif choice == 2 and self.depth == 0:
            self.depth += 1
            with contextlib.suppress(Exception):
                self.back()
            self.depth -= 1
        elif choice < 7 and self.targets:
            with contextlib.suppress(*CONSEQUENCES):
                self.harm(self.random.choice(self.targets))

    def harm(self, target: Any) -> None:
        choice = self.random.randrange(3)
        if isinstance(target, dict):
            if choice == 0:
                target.clear()
            elif choice == 1:
                target[self.random.randrange(10**6)] = 0.5
            else:
                target.pop(next(iter(target)), None)
        elif isinstance(target, np.ndarray):
            target.resize(self.random.randrange(9), refcheck=False)
        elif isinstance(target, memoryview):
            target.release()
        elif choice == 0:
            del target[:]
        elif choice == 1:
            target.extend(target)
        else:
            target.pop()


class Number:
    """Has every way to be asked for a number, and a mind of its own in each."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _value(self, kind: Callable[[Any], Any]) -> Any:
        self._world.act()
        if self._world.chance(0.1):
            return self._world.random.choice((None, "text", b"", [], object(), 10**400))
        number = self._world.random.choice((0, 1, -1, 3, 127, 128, 2**31, 2**63, 2**64))
        return kind(number)

    def __float__(self) -> float:
        return self._value(float)

    def __index__(self) -> int:
        return self._value(int)

    def __int__(self) -> int:
        return self._value(int)

    def __bool__(self) -> bool:
        return self._value(bool)

    def __hash__(self) -> int:
        self._world.act()
        return 7

    def __eq__(self, other: object) -> bool:
        self._world.act()
        return self._world.chance(0.3)

    def __str__(self) -> str:
        self._world.act()
        return "number"

    __repr__ = __str__


class Sequence:
    """Says one length, has another, and may change both."""

    def __init__(self, world: World, items: list[Any]) -> None:
        self._world = world
        self._items = items

    def __len__(self) -> int:
        self._world.act()
        return self._world.random.choice((len(self._items), DIM, 0, 1, -1, 2**40, len(self._items)))

    def __getitem__(self, index: Any) -> Any:
        self._world.act()
        return self._items[index]

    def __iter__(self) -> Iterator[Any]:
        self._world.act()
        for item in list(self._items):
            self._world.act()
            yield item


class Arraylike(Sequence):
    @property
    def dtype(self) -> Any:
        self._world.act()
        return self._world.random.choice((np.dtype("f4"), "f4", None, object()))

    @property
    def shape(self) -> Any:
        self._world.act()
        return self._world.random.choice(((DIM,), (2, 2), (-1,), None))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        self._world.act()
        return self._world.random.choice(
            (np.zeros(DIM, "f4"), np.zeros(3), np.zeros((2, 2)), "none", np.array(["a"] * DIM))
        )


class Dict(dict):  # type: ignore[type-arg]
    """A dict that lies about its items."""

    world: World

    def items(self) -> Any:
        self.world.act()
        return self.world.random.choice((super().items(), [(1,)], [1, 2], iter(())))

    def __len__(self) -> int:
        self.world.act()
        return self.world.random.choice((super().__len__(), 99))

    def __getitem__(self, key: Any) -> Any:
        self.world.act()
        return super().__getitem__(key)


class Maker:
    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random

    def number(self) -> Any:
        if self.world.chance(0.35):
            return Number(self.world)
        return self.random.choice(
            (0, 1, -1, 0.5, True, np.float32(2), np.int8(3), None, "1", 2**70)
        )

    def plain_numbers(self) -> list[Any]:
        return [self.random.choice((0, 1, 0.5, 3)) for _ in range(DIM)]

    def sequence(self) -> Any:
        items = self.plain_numbers()
        if self.world.chance(0.6):
            items[self.random.randrange(DIM)] = self.number()
        if self.world.chance(0.1):
            items.append(1)
        form = self.random.randrange(10)
        made: Any = items
        if form == 0:
            made = tuple(items)
        elif form == 1:
            made = deque(items)
        elif form == 2:
            made = Sequence(self.world, items)
        elif form == 3:
            made = Arraylike(self.world, items)
        elif form == 4:
            made = np.arange(DIM, dtype=self.random.choice(("f2", "f4", "f8", "i1", ">f4", "i8")))
        elif form == 5:
            made = array.array(self.random.choice("fdbi"), [1] * DIM)
        elif form == 6:
            made = bytearray(self.random.choice((DIM, 2 * DIM, 4 * DIM)))
        elif form == 7:
            made = memoryview(bytearray(4 * DIM))
        if isinstance(made, list | deque | np.ndarray | array.array | bytearray | memoryview):
            self.world.targets.append(made)
        return made

    def mapping(self) -> Any:
        pairs = [(self.random.randrange(100), 0.5) for _ in range(3)]
        if self.world.chance(0.6):
            pairs[1] = (self.number() if self.world.chance(0.3) else 7, self.number())
        form = self.random.randrange(5)
        made: Any = pairs
        with contextlib.suppress(*ERRORS):
            if form == 0:
                made = dict(pairs)
            elif form == 1:
                # Of plain keys: CPython's own repr of it crashes when a key's hash empties it.
                made = OrderedDict((7 if isinstance(k, Number) else k, v) for k, v in pairs)
            elif form == 2:
                made = Dict(pairs)
                made.world = self.world
            elif form == 3:
                made = Sequence(self.world, pairs)
        if isinstance(made, list | dict):
            self.world.targets.append(made)
        return made

    def any_value(self) -> Any:
        return self.random.choice((self.number, self.sequence, self.mapping))()

    def row(self, key: int) -> dict[Any, Any]:
        row: dict[Any, Any] = {"id": key, "vector": self.plain_numbers()}
        for item in FIELDS[1:]:
            if self.world.chance(0.3):
                row[item.name] = self.good(item)
        for _ in range(self.random.randrange(1, 4)):
            item = self.random.choice(FIELDS)
            row[item.name] = self.bad(item)
        if self.world.chance(0.2):
            row["dynamic"] = self.any_value()
        if self.world.chance(0.05):
            with contextlib.suppress(*ERRORS):
                row[Number(self.world)] = 1
        self.world.targets.append(row)
        return row

    def good(self, item: FakeField) -> Any:
        return Faker(self.random.randrange(1000)).value(item)

    def bad(self, item: FakeField) -> Any:
        if item.type == DataType.SPARSE_FLOAT_VECTOR or item.type == DataType.JSON:
            return self.mapping()
        if item.dim or item.type == DataType.ARRAY:
            return self.sequence()
        return self.any_value()


def check(data: bytes) -> None:
    """The message parses, and all its columns are of the same number of rows."""
    request = milvus_pb2.InsertRequest.FromString(data)
    for column in request.fields_data:
        valid = sum(column.valid_data) if column.valid_data else request.num_rows
        if column.field_name == "vector":
            assert len(column.vectors.float_vector.data) == DIM * request.num_rows
        elif column.field_name == "bytes":
            assert len(column.vectors.int8_vector) in (DIM * valid, DIM * request.num_rows)
        elif column.field_name == "half":
            # Lists go as floats, which the server converts.
            size = len(column.vectors.float16_vector) // 2 + len(column.vectors.float_vector.data)
            assert size in (DIM * valid, DIM * request.num_rows)
        elif column.field_name == "sparse":
            rows = column.vectors.sparse_float_vector.contents
            assert len(rows) in (valid, request.num_rows)
            assert all(len(row) % 8 == 0 for row in rows)
        elif column.field_name == "id":
            assert len(column.scalars.long_data.data) == request.num_rows
        if column.valid_data:
            assert len(column.valid_data) == request.num_rows


def attempt(make: Callable[[], Any]) -> Any:
    """What `make` returns, or None if it raises; but a SystemError is never right."""
    try:
        return make()
    except SystemError:
        raise
    except Exception:
        return None


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_rows(chooser: random.Random) -> None:
    rows: list[Any] = []

    def back() -> None:
        check(_core.encode_rows(SCHEMA, rows, collection_name="c"))

    world = World(chooser, back)
    maker = Maker(world)
    rows += [maker.row(i) for i in range(chooser.randrange(1, 4))]
    world.targets.append(rows)
    upsert = world.chance(0.3)
    data = attempt(lambda: _core.encode_rows(SCHEMA, rows, collection_name="c", upsert=upsert))
    if data is not None:
        check(data)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_slices(chooser: random.Random) -> None:
    """The same in slices, with the rows changed between them."""
    rows: list[Any] = []
    world = World(chooser, lambda: encoder.step(10))
    maker = Maker(world)
    rows += [maker.row(i) for i in range(3)]
    world.targets.append(rows)
    encoder: Any = None

    def encode() -> bytes:
        nonlocal encoder
        encoder = _core.RowEncoder(SCHEMA, rows, collection_name="c")
        while not encoder.step(chooser.randrange(1, 200)):
            world.act()
        return encoder.finish()

    data = attempt(encode)
    if data is not None:
        check(data)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_columns(chooser: random.Random) -> None:
    columns: dict[Any, Any] = {}
    world = World(chooser, lambda: _core.encode_rows(SCHEMA, columns, collection_name="c"))
    maker = Maker(world)
    columns["id"] = chooser.choice((list(range(DIM)), np.arange(DIM)))
    columns["vector"] = chooser.choice(
        (np.zeros((DIM, DIM), "f4"), [maker.sequence() for _ in range(DIM)])
    )
    for item in chooser.sample(FIELDS, 3):
        columns[item.name] = chooser.choice(
            (maker.sequence, lambda item=item: [maker.bad(item) for _ in range(DIM)])
        )()
    world.targets += [columns, columns["id"], columns["vector"]]
    data = attempt(lambda: _core.encode_rows(SCHEMA, columns, collection_name="c"))
    if data is not None:
        check(data)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_searches_templates_and_keys(chooser: random.Random) -> None:
    world = World(chooser, lambda: _core.encode_search(collection_name="c", data=data, params=[]))
    maker = Maker(world)
    data = [chooser.choice((maker.sequence, maker.mapping))() for _ in range(2)]
    templates = {"x": maker.any_value(), "y": [maker.any_value(), 1]}
    world.targets += [data, templates, templates["y"]]
    actions: list[Callable[[], bytes | str]] = [
        lambda: _core.encode_search(collection_name="c", data=data, params=[]),
        lambda: _core.encode_search(collection_name="c", data=maker.sequence(), params=[]),
        lambda: _core.encode_query(
            collection_name="c", expr="x", output_fields=None, params=[], templates=templates
        ),
        lambda: _core.primary_key_expression("id", maker.sequence(), chooser.choice((0, 5, 21))),
        lambda: _core.encode_search(
            collection_name="c",
            data=[[1.0]],
            params=maker.mapping(),
            output_fields=maker.sequence(),
        ),
    ]
    for action in actions:
        attempt(action)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(chooser=st.randoms(use_true_random=False))
def test_calls_back_into_the_client(client: MilvusClient, chooser: random.Random) -> None:
    world = World(chooser, lambda: client.search("things", [[0.0] * DIM]))
    maker = Maker(world)

    def use() -> None:
        client.insert("things", [{"id": maker.number(), "vector": maker.sequence()}])
        client.search("things", [maker.sequence()])

    for _ in range(3):
        attempt(use)
    assert client.query("things", filter="id > 1") == [{"id": 1}]


@pytest.fixture(scope="module")
def client() -> Iterator[MilvusClient]:
    with RecordingServer(replies.defaults()) as server, MilvusClient(server.uri) as client:
        yield client
