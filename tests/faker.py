"""Random schemas and rows over all data types, for every test that compares with pymilvus.

    fake = Faker(seed)                    # the seed belongs into the failure's text
    schema = fake.schema()                # a FakeSchema: the server's reply and pymilvus's dict
    rows = fake.rows(schema, 20)          # what a user may give to insert

Values are valid (both clients accept them) and lean to the edges: empty, extreme, null, non-ASCII.

Tests build their seeds from seeds.RUN_SEED.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from pymilvus import DataType
from pymilvus.client.abstract import CollectionSchema
from pymilvus.grpc_gen import milvus_pb2, schema_pb2

from tests.oldest import has

ELEMENTS = (
    DataType.BOOL,
    DataType.INT8,
    DataType.INT16,
    DataType.INT32,
    DataType.INT64,
    DataType.FLOAT,
    DataType.DOUBLE,
    DataType.VARCHAR,
)
SCALARS = (
    *ELEMENTS,
    *([DataType.TEXT] if has("pymilvus:DataType.TEXT") else []),
    DataType.JSON,
    DataType.GEOMETRY,
    DataType.TIMESTAMPTZ,
)
DENSE = (
    DataType.FLOAT_VECTOR,
    DataType.FLOAT16_VECTOR,
    DataType.BFLOAT16_VECTOR,
    DataType.INT8_VECTOR,
    DataType.BINARY_VECTOR,
)
VECTORS = (*DENSE, DataType.SPARSE_FLOAT_VECTOR)
NULLABLE_STRUCTS = has("pymilvus.grpc_gen.schema_pb2:StructArrayFieldSchema/nullable")
ALL_TYPES = (*SCALARS, DataType.ARRAY, *VECTORS, DataType._ARRAY_OF_STRUCT)
#: Vectors that a struct array may hold.
STRUCT_VECTORS = DENSE

RANGES = {
    DataType.INT8: (-(2**7), 2**7 - 1),
    DataType.INT16: (-(2**15), 2**15 - 1),
    DataType.INT32: (-(2**31), 2**31 - 1),
    DataType.INT64: (-(2**63), 2**63 - 1),
}
MAX_LENGTH = 200  # bytes, of VARCHAR
ALPHABET = string.ascii_letters + "0123456789 '\"\\%_{}[]\n\t\0éß€漢字🙂\u202e\uffff"


@dataclass(frozen=True)
class FakeField:
    name: str
    type: DataType
    dim: int = 0
    element_type: DataType = DataType.NONE
    nullable: bool = False
    has_default: bool = False
    primary: bool = False
    auto_id: bool = False
    function_output: bool = False
    sub_fields: tuple[FakeField, ...] = ()

    @property
    def optional(self) -> bool:
        """Whether a row may leave it out, or give None."""
        return self.nullable or self.has_default


@dataclass(frozen=True)
class FakeSchema:
    reply: milvus_pb2.DescribeCollectionResponse = field(repr=False)
    fields: tuple[FakeField, ...]
    dynamic: bool
    seed: int | str

    @cached_property
    def reply_bytes(self) -> bytes:
        return self.reply.SerializeToString()

    @cached_property
    def dict(self) -> dict[str, Any]:
        """What pymilvus makes of the reply, and hands to Prepare."""
        return CollectionSchema(self.reply).dict()

    @property
    def primary(self) -> FakeField:
        return next(f for f in self.fields if f.primary)

    def inputs(self, *, upsert: bool = False) -> list[FakeField]:
        """Fields that rows give: no function outputs, and no generated key on insert."""
        return [f for f in self.fields if not f.function_output and (upsert or not f.auto_id)]


class Faker:
    """All randomness comes from `seed`: the same seed gives the same schemas and rows."""

    def __init__(self, seed: int | str) -> None:
        self.seed = seed
        self.random = random.Random(seed)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def name(self) -> str:
        first = self.random.choice(string.ascii_letters + "_")
        rest = "".join(self.random.choices(string.ascii_letters + "0123456789_", k=7))
        return first + rest

    # --- schemas ---

    def field(self, kind: DataType, name: str | None = None) -> FakeField:
        """A field of `kind` that is neither primary nor filled by a function."""
        name = name or self.name()
        if kind == DataType._ARRAY_OF_STRUCT:
            count = self.random.randint(1, 3)
            subs = [self._sub_field(f"{self.name()}_{i}") for i in range(count)]
            nullable = NULLABLE_STRUCTS and self.chance(0.2)
            return FakeField(name, kind, nullable=nullable, sub_fields=tuple(subs))
        is_vector = kind in VECTORS
        return FakeField(
            name,
            kind,
            dim=self._dim(kind),
            element_type=self.random.choice(ELEMENTS) if kind == DataType.ARRAY else DataType.NONE,
            nullable=self.chance(0.3),
            has_default=not is_vector and kind != DataType.ARRAY and self.chance(0.15),
        )

    def _dim(self, kind: DataType) -> int:
        if kind not in DENSE:
            return 0
        if kind == DataType.BINARY_VECTOR:
            return 8 * self.random.randint(1, 5)
        return self.random.choice((1, 2, 3, 8, 17, 64))

    def _sub_field(self, name: str) -> FakeField:
        if self.chance(0.5):
            element = self.random.choice(STRUCT_VECTORS)
            return FakeField(
                name, DataType._ARRAY_OF_VECTOR, dim=self._dim(element), element_type=element
            )
        return FakeField(name, DataType.ARRAY, element_type=self.random.choice(ELEMENTS))

    def schema(
        self,
        kinds: Iterable[DataType] = ALL_TYPES,
        *,
        dynamic: bool | None = None,
        auto_id: bool | None = None,
        max_fields: int = 8,
    ) -> FakeSchema:
        """A collection of a primary key and up to `max_fields` other fields of `kinds`."""
        kinds = tuple(kinds)
        auto = self.chance(0.3) if auto_id is None else auto_id
        key = FakeField(
            "id" if self.chance(0.5) else self.name(),
            self.random.choice((DataType.INT64, DataType.VARCHAR)),
            primary=True,
            auto_id=auto,
        )
        fields = [
            self.field(self.random.choice(kinds)) for _ in range(self.random.randint(1, max_fields))
        ]
        plain = [f for f in fields if f.type != DataType._ARRAY_OF_STRUCT]
        plain.insert(self.random.randint(0, len(plain)), key)
        fields = plain + [f for f in fields if f.type == DataType._ARRAY_OF_STRUCT]
        if DataType.SPARSE_FLOAT_VECTOR in kinds and self.chance(0.2):
            output = FakeField(self.name(), DataType.SPARSE_FLOAT_VECTOR, function_output=True)
            fields.insert(self.random.randint(0, len(plain)), output)
        has_dynamic = self.chance(0.5) if dynamic is None else dynamic
        return self.describe(fields, dynamic=has_dynamic)

    def describe(self, fields: Sequence[FakeField], *, dynamic: bool = False) -> FakeSchema:
        """The server's reply for a collection of these fields, struct arrays last."""
        reply = milvus_pb2.DescribeCollectionResponse(
            collectionID=self.random.randint(1, 2**62),
            collection_name="c_" + self.name(),
            db_name="default",
            created_timestamp=self.random.randint(1, 2**60),
            update_timestamp=self.random.choice((0, self.random.randint(1, 2**63))),
            shards_num=self.random.randint(1, 4),
            num_partitions=1,
            consistency_level=self.random.randint(0, 4),
        )
        reply.schema.name = reply.collection_name
        reply.schema.enable_dynamic_field = dynamic
        for number, item in enumerate(fields, start=100):
            if item.type == DataType._ARRAY_OF_STRUCT:
                self._describe_struct(reply.schema.struct_array_fields.add(), item, number)
            else:
                self._describe_field(reply.schema.fields.add(), item, number)
        self._describe_functions(reply.schema, fields)
        return FakeSchema(reply, tuple(fields), dynamic, self.seed)

    def _describe_field(self, raw: schema_pb2.FieldSchema, item: FakeField, number: int) -> None:
        raw.fieldID = number
        raw.name = item.name
        raw.data_type = item.type
        raw.element_type = item.element_type
        raw.is_primary_key = item.primary
        raw.autoID = item.auto_id
        raw.nullable = item.nullable
        raw.description = "the field " + item.name if self.chance(0.2) else ""
        if item.dim:
            raw.type_params.add(key="dim", value=str(item.dim))
        if DataType.VARCHAR in (item.type, item.element_type):
            raw.type_params.add(key="max_length", value=str(MAX_LENGTH))
        if item.type == DataType.ARRAY:
            raw.type_params.add(key="max_capacity", value="1000")
        if self.chance(0.1):
            raw.type_params.add(key="mmap.enabled", value=self.random.choice(("true", "false")))
        if item.has_default:
            self._set_default(raw.default_value, item.type)

    def _describe_struct(
        self, raw: schema_pb2.StructArrayFieldSchema, item: FakeField, number: int
    ) -> None:
        raw.fieldID = number
        raw.name = item.name
        if NULLABLE_STRUCTS:
            raw.nullable = item.nullable
        raw.type_params.add(key="max_capacity", value="100")
        prefixed = self.chance(0.5)  # servers name sub-fields either way
        for offset, sub in enumerate(item.sub_fields):
            sub_raw = raw.fields.add()
            self._describe_field(sub_raw, sub, 1000 * number + offset)
            sub_raw.nullable = item.nullable
            if prefixed:
                sub_raw.name = f"{item.name}[{sub.name}]"

    def _describe_functions(
        self, raw: schema_pb2.CollectionSchema, fields: Sequence[FakeField]
    ) -> None:
        for item in fields:
            if not item.function_output:
                continue
            function = raw.functions.add(name="make_" + item.name, type=1, id=7)
            function.input_field_names.append("somewhere")
            function.input_field_ids.append(100)
            function.output_field_names.append(item.name)
            function.output_field_ids.append(101)
            function.params.add(key="a", value="b")
            if self.chance(0.5):  # some servers mark the field too
                next(f for f in raw.fields if f.name == item.name).is_function_output = True

    def _set_default(self, raw: schema_pb2.ValueField, kind: DataType) -> None:
        if kind == DataType.BOOL:
            raw.bool_data = True
        elif kind in (DataType.INT8, DataType.INT16, DataType.INT32):
            raw.int_data = 3
        elif kind == DataType.INT64:
            raw.long_data = 2**40
        elif kind == DataType.FLOAT:
            raw.float_data = 1.5
        elif kind == DataType.DOUBLE:
            raw.double_data = 2.5
        elif kind == DataType.JSON:
            raw.bytes_data = b"{}"
        else:
            raw.string_data = "default"

    # --- values ---

    def text(self, max_bytes: int = MAX_LENGTH) -> str:
        if self.chance(0.1):
            return ""
        ascii_only = self.chance(0.5)
        alphabet = string.ascii_lowercase if ascii_only else ALPHABET
        chars = self.random.choices(alphabet, k=self.random.choice((1, 5, 20, max_bytes)))
        encoded = "".join(chars).encode()[:max_bytes]
        return encoded.decode(errors="ignore")

    def integer(self, kind: DataType) -> Any:
        low, high = RANGES[kind]
        value = self.random.choice(
            (0, 1, -1, low, high, self.random.randint(low, high), self.random.randint(-300, 300))
        )
        value = min(max(value, low), high)
        if self.chance(0.2):
            return np.int64(value)
        return value

    def float(self) -> Any:
        value = self.random.choice(
            (
                0.0,
                -0.0,
                1.5,
                -2.25,
                1e-45,
                1e39,
                float("inf"),
                float("-inf"),
                self.random.uniform(-1, 1),
                self.random.gauss(0, 1e6),
            )
        )
        as_type: Callable[[Any], Any] = self.random.choice((float, float, np.float64, np.float32))
        if as_type is np.float32 and abs(value) > 1e38:
            return value
        return as_type(value)

    def json(self, depth: int = 0) -> Any:
        """A document without NaN, which no two parsers treat alike."""
        leaf: list[Callable[[], Any]] = [
            lambda: self.random.randint(-(2**53), 2**53),
            lambda: self.random.uniform(-1e6, 1e6),
            lambda: self.text(30).replace("\0", ""),
            lambda: self.chance(0.5),
            lambda: None,
            lambda: np.float32(self.random.uniform(-1, 1)),
            lambda: np.int16(self.random.randint(-100, 100)),
            lambda: np.bool_(True),
            lambda: np.arange(self.random.randint(0, 3)),
        ]
        choice = self.random.random()
        if depth > 3 or choice < 0.4:
            return self.random.choice(leaf)()
        if choice < 0.6:
            return [self.json(depth + 1) for _ in range(self.random.randint(0, 3))]
        return {self.text(10): self.json(depth + 1) for _ in range(self.random.randint(0, 4))}

    def json_cell(self) -> Any:
        """A value of a JSON field: never None, and text only if it is JSON."""
        if self.chance(0.15):
            return json.dumps({"a": [1, 2.5, "é"], "b": None}, ensure_ascii=self.chance(0.5))
        value = None
        while value is None or isinstance(value, str):
            value = self.json()
        return value

    def array(self, element: DataType) -> Any:
        items = [self.scalar(element) for _ in range(self.random.choice((0, 1, 3, 40)))]
        form = self.random.random()
        if form < 0.2:
            return tuple(items)
        if form < 0.4 and element in RANGES:
            dtype = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64}[
                RANGES[element][1].bit_length() // 8 + 1
            ]
            return np.array([int(x) for x in items], dtype=dtype)
        if form < 0.4 and element in (DataType.FLOAT, DataType.DOUBLE):
            dtype = self.random.choice((np.float32, np.float64))
            with np.errstate(over="ignore"):
                return np.array([float(x) for x in items], dtype=np.float64).astype(dtype)
        if form < 0.4 and element == DataType.BOOL:
            return np.array([bool(x) for x in items], dtype=bool)
        return items

    def scalar(self, kind: DataType) -> Any:
        if kind == DataType.BOOL:
            return self.random.choice((True, False, 0, 1, np.bool_(True)))
        if kind in RANGES:
            return self.integer(kind)
        if kind in (DataType.FLOAT, DataType.DOUBLE):
            return self.random.choice((self.float(), self.random.randint(-1000, 1000)))
        if kind == DataType.JSON:
            return self.json_cell()
        if kind == DataType.GEOMETRY:
            return f"POINT ({self.random.randint(-90, 90)} {self.random.randint(-90, 90)})"
        if kind == DataType.TIMESTAMPTZ:
            return f"2025-0{self.random.randint(1, 9)}-01T00:00:00Z"
        if kind == getattr(DataType, "TEXT", None):
            return self.text(1000)
        return np.str_(self.text()) if self.chance(0.1) else self.text()

    def dense(self, kind: DataType, dim: int) -> Any:
        """A vector in a form that both clients send in the same way."""
        floats = [self.random.uniform(-1, 1) for _ in range(dim)]
        if kind == DataType.FLOAT_VECTOR:
            form = self.random.randint(0, 4)
            if form == 0:
                return np.array(floats, dtype=np.float32)
            if form == 1:
                return np.array(floats, dtype=np.float64)
            if form == 2:
                return tuple(floats)
            if form == 3:
                return [np.float32(x) for x in floats]
            return floats
        if kind == DataType.FLOAT16_VECTOR:
            array = np.array(floats, dtype=np.float16)
            return array if self.chance(0.5) else array.tobytes()
        if kind == DataType.BFLOAT16_VECTOR:
            import ml_dtypes

            array = np.array(floats, dtype=ml_dtypes.bfloat16)
            return array if self.chance(0.5) else array.tobytes()
        if kind == DataType.INT8_VECTOR:
            array = np.array([self.random.randint(-128, 127) for _ in range(dim)], dtype=np.int8)
            return array if self.chance(0.5) else array.tobytes()
        assert kind == DataType.BINARY_VECTOR
        data = self.random.randbytes(dim // 8)
        return self.random.choice((data, bytearray(data), np.frombuffer(data, dtype=np.uint8)))

    def sparse(self) -> Any:
        count = self.random.choice((0, 1, 5, 30))
        indices = self.random.sample(range(2**32 - 2), count)
        pairs = [(i, self.random.uniform(-1, 1)) for i in indices]
        return dict(pairs) if self.chance(0.6) or not pairs else pairs

    def struct(self, item: FakeField) -> list[dict[str, Any]]:
        return [
            {
                sub.name: self.scalar(sub.element_type)
                if sub.type == DataType.ARRAY
                else self.dense(sub.element_type, sub.dim)
                for sub in item.sub_fields
            }
            for _ in range(self.random.choice((0, 1, 3)))
        ]

    def value(self, item: FakeField) -> Any:
        """A cell of a field; None only where the field allows it."""
        if item.optional and self.chance(0.25):
            return None
        if item.type == DataType._ARRAY_OF_STRUCT:
            return self.struct(item)
        if item.type == DataType.ARRAY:
            return self.array(item.element_type)
        if item.type == DataType.SPARSE_FLOAT_VECTOR:
            return self.sparse()
        if item.type in DENSE:
            return self.dense(item.type, item.dim)
        return self.scalar(item.type)

    def row(self, schema: FakeSchema, *, upsert: bool = False, key: bool = False) -> dict[str, Any]:
        """One row, its keys in random order; `key` gives a generated primary key all the same."""
        items = schema.inputs(upsert=upsert)
        if key and not upsert and schema.primary.auto_id:
            items.append(schema.primary)
        row = {f.name: self.value(f) for f in items if not (f.optional and self.chance(0.1))}
        if schema.dynamic:
            for i in range(self.random.choice((0, 0, 1, 3))):
                row[f"extra {i}é"] = self.json()
        keys = list(row)
        if self.chance(0.3):
            self.random.shuffle(keys)
        return {k: row[k] for k in keys}

    def rows(
        self, schema: FakeSchema, count: int, *, upsert: bool = False, key: bool = False
    ) -> list[dict[str, Any]]:
        return [self.row(schema, upsert=upsert, key=key) for _ in range(count)]
