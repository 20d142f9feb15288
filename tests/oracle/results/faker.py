"""Random replies of a server, as pymilvus's protobuf messages, from a seed."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Iterator
from typing import Any

from pymilvus.client.types import DataType
from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from tests.faker import DENSE
from tests.oldest import has
from tests.seeds import RUN_SEED

BATCH = 50

WORDS = ["", "a", "né", "日本語", "x" * 40, "nul\0inside", "\U0001f600", "$meta", "entity"]
NEWER_TYPES = (DataType.TEXT,) if has("pymilvus:DataType.TEXT") else ()
ELEMENT_TYPES = (
    DataType.BOOL,
    DataType.INT8,
    DataType.INT16,
    DataType.INT32,
    DataType.INT64,
    DataType.FLOAT,
    DataType.DOUBLE,
    DataType.STRING,
    DataType.VARCHAR,
)
COLUMN_TYPES = (
    *ELEMENT_TYPES,
    *NEWER_TYPES,
    DataType.TIMESTAMPTZ,
    DataType.GEOMETRY,
    DataType.JSON,
    DataType.ARRAY,
    *DENSE,
    DataType.SPARSE_FLOAT_VECTOR,
    DataType._ARRAY_OF_VECTOR,
    DataType._ARRAY_OF_STRUCT,
)
INT_BITS = {DataType.INT8: 8, DataType.INT16: 16, DataType.INT32: 32, DataType.INT64: 64}
FLOATS = (0.0, -0.0, 1.5, -2.25, 1e-40, 3.4e38, float("inf"), float("-inf"), float("nan"))


def fakers(batch: int) -> Iterator[ReplyFaker]:
    """BATCH fakers, each with the next seed, which is printed: a failed test shows the last."""
    first = int(RUN_SEED) + batch * BATCH
    for seed in range(first, first + BATCH):
        print(f"MVN_TEST_SEED={seed} makes this case the first one of batch 0")
        yield ReplyFaker(seed)


class ReplyFaker:
    """Makes replies; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def text(self) -> str:
        return self.random.choice(WORDS) + str(self.random.randrange(100))

    def integer(self, bits: int) -> int:
        limit = 1 << (bits - 1)
        near = self.random.choice((0, -1, 1, 200, -limit, limit - 1))
        return near if self.chance(0.5) else self.random.randrange(-limit, limit)

    def number(self) -> float:
        value = self.random.choice(FLOATS) if self.chance(0.2) else self.random.uniform(-9, 9)
        return float(struct.unpack("f", struct.pack("f", value))[0])

    def document(self, depth: int = 2) -> Any:
        makers: list[Callable[[], Any]] = [
            self.text,
            lambda: self.integer(54),
            lambda: self.random.uniform(-1, 1),
            lambda: None,
            lambda: True,
        ]
        if depth:
            makers += [
                lambda: [self.document(depth - 1) for _ in range(self.random.randrange(3))],
                lambda: self.object(depth - 1),
            ]
        return self.random.choice(makers)()

    def object(self, depth: int = 2) -> dict[str, Any]:
        names = [f"d{i}" for i in range(4)] + ["f0", "f1", "id", "offset", "$meta"]
        keys = self.random.sample(names, self.random.randrange(5))
        return {key: self.document(depth) for key in keys}

    def nulls(self, rows: int) -> list[bool]:
        """Validity of the rows, empty for a column that is not nullable."""
        kind = self.random.randrange(4)
        if kind == 0:
            return [self.chance(0.6) for _ in range(rows)]
        return [[], [], [True] * rows, [False] * rows][kind] if self.chance(0.5) else []

    def scalars(self, out: schema_pb2.ScalarField, kind: DataType, count: int) -> None:
        """`count` values of a scalar type."""
        if kind == DataType.BOOL:
            out.bool_data.data.extend(self.chance(0.5) for _ in range(count))
            out.bool_data.SetInParent()
        elif kind in INT_BITS:
            values = [self.integer(INT_BITS[kind]) for _ in range(count)]
            array = out.long_data if kind == DataType.INT64 else out.int_data
            array.data.extend(values)
            array.SetInParent()
        elif kind == DataType.FLOAT:
            out.float_data.data.extend(self.number() for _ in range(count))
            out.float_data.SetInParent()
        elif kind == DataType.DOUBLE:
            out.double_data.data.extend(self.random.uniform(-1e9, 1e9) for _ in range(count))
            out.double_data.SetInParent()
        elif kind == DataType.GEOMETRY:
            out.geometry_wkt_data.data.extend(f"POINT ({i} 2)" for i in range(count))
            out.geometry_wkt_data.SetInParent()
        else:
            out.string_data.data.extend(self.text() for _ in range(count))
            out.string_data.SetInParent()

    def dense(self, out: schema_pb2.VectorField, kind: DataType, count: int, dim: int) -> None:
        """`count` dense vectors."""
        out.dim = dim
        if kind == DataType.FLOAT_VECTOR:
            out.float_vector.data.extend(self.number() for _ in range(count * dim))
            out.float_vector.SetInParent()
        elif kind == DataType.BINARY_VECTOR:
            out.binary_vector = self.random.randbytes(count * dim // 8)
        elif kind == DataType.INT8_VECTOR:
            out.int8_vector = self.random.randbytes(count * dim)
        elif kind == DataType.FLOAT16_VECTOR:
            out.float16_vector = self.random.randbytes(count * dim * 2)
        else:
            out.bfloat16_vector = self.random.randbytes(count * dim * 2)

    def dim(self) -> int:
        return 8 * self.random.randrange(1, 4)

    def sparse_row(self) -> bytes:
        indices = sorted(self.random.sample(range(2**32), self.random.randrange(5)))
        return b"".join(struct.pack("<If", index, self.number()) for index in indices)

    def array(self, out: schema_pb2.ScalarField, rows: int, kind: DataType | None = None) -> None:
        """An ARRAY column, or a sub-field of a struct array."""
        element = kind or self.random.choice(ELEMENT_TYPES)
        out.array_data.element_type = int(element)
        for _ in range(rows):
            self.scalars(out.array_data.data.add(), element, self.random.randrange(4))

    def vector_array(
        self, out: schema_pb2.VectorField, rows: int, counts: list[int] | None = None
    ) -> None:
        element = self.random.choice(DENSE)
        out.dim = self.dim()
        out.vector_array.dim = out.dim
        if not self.chance(0.1):
            out.vector_array.element_type = int(element)
        for row in range(rows):
            count = self.random.randrange(4) if counts is None else counts[row]
            self.dense(out.vector_array.data.add(), element, count, out.dim)

    def struct_array(self, field: schema_pb2.FieldData, rows: int) -> None:
        """Sub-fields that agree on how many structs a row has."""
        counts = [self.random.randrange(4) for _ in range(rows)]
        nulls = self.nulls(rows)
        for i in range(self.random.randrange(1, 4)):
            sub = field.struct_arrays.fields.add()
            sub.field_name = self.random.choice([f"s{i}", f"{field.field_name}[s{i}]"])
            sub.valid_data.extend(nulls)
            if self.chance(0.5):
                sub.type = int(DataType.ARRAY)
                element = self.random.choice(ELEMENT_TYPES)
                sub.scalars.array_data.element_type = int(element)
                for count in counts:
                    self.scalars(sub.scalars.array_data.data.add(), element, count)
            else:
                sub.type = int(DataType._ARRAY_OF_VECTOR)
                self.vector_array(sub.vectors, rows, counts)

    def json_rows(self, field: schema_pb2.FieldData, rows: int) -> None:
        for row in range(rows):
            if field.valid_data and not field.valid_data[row]:
                data = b""
            elif field.is_dynamic:
                data = b"null" if self.chance(0.05) else json.dumps(self.object()).encode()
            else:
                data = json.dumps(self.document()).encode()
            field.scalars.json_data.data.append(data)
        field.scalars.json_data.SetInParent()

    def column(
        self, out: schema_pb2.FieldData, name: str, kind: DataType, rows: int, dynamic: bool = False
    ) -> None:
        """Fills a column: nulls have a placeholder among scalars and nothing among vectors."""
        out.type = int(kind)
        out.field_name = name
        out.is_dynamic = dynamic
        if kind == DataType._ARRAY_OF_STRUCT:
            self.struct_array(out, rows)
            return
        out.valid_data.extend(self.nulls(rows))
        stored = sum(out.valid_data) if out.valid_data else rows
        if kind == DataType.JSON:
            self.json_rows(out, rows)
        elif kind == DataType.ARRAY:
            self.array(out.scalars, rows)
            out.scalars.array_data.SetInParent()
        elif kind in DENSE:
            self.dense(out.vectors, kind, stored, self.dim())
        elif kind == DataType.SPARSE_FLOAT_VECTOR:
            out.vectors.sparse_float_vector.contents.extend(
                self.sparse_row() for _ in range(stored)
            )
            out.vectors.sparse_float_vector.dim = 2**32 - 1
        elif kind == DataType._ARRAY_OF_VECTOR:
            self.vector_array(out.vectors, rows)
        else:
            self.scalars(out.scalars, kind, rows)

    def columns(self, out: Any, rows: int, most: int, without: tuple[DataType, ...] = ()) -> None:
        """Some columns, one of them dynamic at times, in any order."""
        kinds = [kind for kind in COLUMN_TYPES if kind not in without]
        names = [f"f{i}" for i in range(self.random.randrange(most))]
        dynamic = self.random.randrange(len(names) + 1) if self.chance(0.5) else -1
        for i in range(len(names) + 1):
            if i == dynamic:
                meta = self.random.choice(["$meta", "$meta", "more"])
                self.column(out.add(), meta, DataType.JSON, rows, dynamic=True)
            if i < len(names):
                self.column(out.add(), names[i], self.random.choice(kinds), rows)

    def output_fields(self, columns: Any) -> list[str]:
        names = [column.field_name for column in columns]
        wanted = self.random.sample(names, self.random.randrange(len(names) + 1))
        if self.chance(0.5):
            wanted += self.random.sample(["d0", "d1", "d2", "id"], self.random.randrange(4))
        self.random.shuffle(wanted)
        return wanted

    def status(self, out: common_pb2.Status) -> None:
        numbers = ("report_value", "scanned_remote_bytes", "scanned_total_bytes")
        for name in numbers:
            if self.chance(0.3):
                out.extra_info[name] = str(self.random.choice((0, 7, 10**12)))
        if self.chance(0.3):
            out.extra_info["cache_hit_ratio"] = self.random.choice(("0", "0.25", "1e-3"))
        if self.chance(0.2):
            out.extra_info["other"] = self.text()

    def ids(self, out: schema_pb2.IDs, count: int) -> None:
        if self.chance(0.5):
            out.int_id.data.extend(self.integer(64) for _ in range(count))
            out.int_id.SetInParent()
        else:
            out.str_id.data.extend(self.text() for _ in range(count))
            out.str_id.SetInParent()

    def highlights(self, out: Any, rows: int) -> None:
        for i in range(self.random.randrange(1, 3)):
            result = out.add()
            result.field_name = f"h{i}"
            for _ in range(rows):
                data = result.datas.add()
                count = self.random.randrange(3)
                data.fragments.extend(self.text() for _ in range(count))
                data.scores.extend(self.number() for _ in range(count))

    def value(self, out: Any, members: tuple[str, ...]) -> None:
        """Sets one member of a oneof, or none."""
        member = self.random.choice((*members, ""))
        makers: dict[str, Callable[[], Any]] = {
            "int": lambda: self.integer(64),
            "double": lambda: self.random.uniform(-1, 1),
            "float": self.number,
            "string": self.text,
            "bytes": lambda: self.random.randbytes(3),
            "bool": lambda: self.chance(0.5),
        }
        if member:
            setattr(out, f"{member}_val", makers[member]())

    def bucket(self, out: schema_pb2.AggBucket, depth: int) -> None:
        out.count = self.random.randrange(9)
        for _ in range(self.random.randrange(3)):
            name = self.random.choice(WORDS)
            key = out.key.add(field_id=self.random.randrange(9), field_name=name)
            self.value(key, ("int", "string", "bool"))
        for i in range(self.random.randrange(3)):
            self.value(out.metrics[f"m{i}"], ("int", "double", "string", "bool"))
        for _ in range(self.random.randrange(3)):
            hit = out.hits.add(score=self.number())
            if self.chance(0.8):
                hit.int_pk = self.integer(64)
            if self.chance(0.4):
                hit.str_pk = self.text()
            for i in range(self.random.randrange(3)):
                field = hit.fields.add(field_id=i, field_name=self.random.choice(("", f"n{i}")))
                self.value(field, ("int", "bool", "float", "double", "string", "bytes"))
        for _ in range(self.random.randrange(3) if depth else 0):
            self.bucket(out.sub_groups.add(), depth - 1)

    def aggregation(self, data: schema_pb2.SearchResultData) -> None:
        data.num_queries = self.random.randrange(1, 4)
        buckets = self.random.randrange(1, 5)
        for _ in range(buckets):
            self.bucket(data.agg_buckets.add(), 2)
        if self.chance(0.8):
            left = buckets
            for _ in range(data.num_queries):
                topk = self.random.randrange(left + 1)
                data.agg_topks.append(topk)
                left -= topk

    def search(self) -> milvus_pb2.SearchResults:
        """A SearchResults message for 0 to 4 query vectors."""
        reply = milvus_pb2.SearchResults(session_ts=self.random.randrange(2**64))
        data = reply.results
        topks = [self.random.randrange(7) for _ in range(self.random.randrange(5))]
        rows = sum(topks)
        data.num_queries = len(topks)
        data.top_k = max(topks, default=0)
        data.topks.extend(topks)
        self.ids(data.ids, rows + self.random.choice((0, 0, 2)))
        data.scores.extend(self.number() for _ in range(rows))
        data.primary_field_name = self.random.choice(("", "id", "pk", "distance"))
        self.columns(data.fields_data, rows, 6)
        data.output_fields.extend(self.output_fields(data.fields_data))
        self.status(reply.status)
        if self.chance(0.2):
            data.recalls.extend(self.number() for _ in topks)
        if self.chance(0.2):
            data.search_iterator_v2_results.token = self.text()
            data.search_iterator_v2_results.last_bound = self.number()
        if has("pymilvus.client.iterator:") and self.chance(0.2):  # 2.6 wants them of real rows
            data.element_indices.data.extend(self.integer(32) for _ in range(rows))
        if self.chance(0.2):
            self.highlights(data.highlight_results, rows)
        if self.chance(0.2):
            grouping = data.group_by_field_value
            self.column(grouping, "group", DataType.INT64, rows)
        if has("pymilvus:SearchAggregation") and self.chance(0.15):
            self.aggregation(data)
        if self.chance(0.1):
            self.shorten(data.fields_data)
        return reply

    def shorten(self, columns: Any) -> None:
        """Takes values off the end of a plain column, as broken servers do."""
        for column in columns:
            if column.type == int(DataType.INT64) and not column.valid_data:
                del column.scalars.long_data.data[-1:]

    def query(self) -> milvus_pb2.QueryResults:
        """A QueryResults message of 0 to 8 entities."""
        reply = milvus_pb2.QueryResults(session_ts=self.random.randrange(2**64))
        rows = self.random.randrange(9)
        key = self.random.choice((DataType.INT64, DataType.VARCHAR))
        self.column(reply.fields_data.add(), "id", key, rows)
        self.columns(reply.fields_data, rows, 6, without=(DataType.STRING,))
        reply.output_fields.extend(self.output_fields(reply.fields_data))
        self.status(reply.status)
        if (
            rows
            and has("pymilvus.grpc_gen.milvus_pb2:QueryResults/element_indices")
            and self.chance(0.2)
        ):
            for _ in range(rows):
                offsets = [self.integer(32) for _ in range(self.random.randrange(3))]
                reply.element_indices.add().indices.data.extend(offsets)
        return reply

    def mutation(self) -> milvus_pb2.MutationResult:
        reply = milvus_pb2.MutationResult(
            insert_cnt=self.integer(64),
            delete_cnt=self.integer(64),
            upsert_cnt=self.integer(64),
            timestamp=self.random.randrange(2**64),
        )
        if self.chance(0.8):
            self.ids(reply.IDs, self.random.randrange(6))
        reply.succ_index.extend(range(3))
        if self.chance(0.7):
            reply.status.extra_info["report_value"] = str(self.integer(40))
        return reply


class PlainFaker(ReplyFaker):
    """Without JSON: nobody's code but ours reads these."""

    def columns(self, out: Any, rows: int, most: int, without: tuple[DataType, ...] = ()) -> None:
        kinds = [k for k in COLUMN_TYPES if k not in (*without, DataType.JSON)]
        for i in range(4):
            self.column(out.add(), f"f{i}", self.random.choice(kinds), rows)
