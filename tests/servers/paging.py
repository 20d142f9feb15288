"""A collection that really pages: it answers Query and Search over rows held in memory.

Its handlers go into a RecordingServer (`replies()`), so that pymilvus's iterators and ours walk
the same rows, and every request of either can be looked at. What it understands of the protocol
is what iterators use: filters (evaluated as Python expressions, whose comparisons, `and`, `in`
and string escapes are the same), limit, offset, range searches, round_decimal, and the server's
side of search_iterator v2, which keeps its place by a strict bound of the distance.
"""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pymilvus.grpc_gen import common_pb2, milvus_pb2, schema_pb2

from tests.servers.recording import Call, Failure

Row = dict[str, Any]
INWARD = ("IP", "COSINE", "BM25")
SCALARS = {
    int: (schema_pb2.DataType.Int64, "long_data"),
    str: (schema_pb2.DataType.VarChar, "string_data"),
}


REPLIES = {"Query": milvus_pb2.QueryResults, "Search": milvus_pb2.SearchResults}


class Refused(Exception):
    """What the server answers with an error status."""


def f32(value: float) -> float:
    return struct.unpack("<f", struct.pack("<f", value))[0]


@dataclass
class PagingCollection:
    """`rows` are dicts of int and str fields plus "vec", a list of floats.

    With `v2` the server knows search_iterator v2. `session_ts` of 0 means that it tells no
    timestamp. `longer` makes a query return up to that many pages' rows at once. With `noise` a
    distance comes out up to that much larger or smaller each time it is computed. With
    `lookahead` a range search sees only that many times its limit of the nearest rows.
    """

    rows: list[Row]
    metric: str = "L2"
    pk: str = "id"
    v2: bool = False
    session_ts: int = 449_000_000_000_000_000
    collection_id: int = 4711
    longer: int = 1
    noise: float = 0.0
    lookahead: int | None = None
    index_name: str = "vec"
    vector_fields: tuple[str, ...] = ("vec",)
    generator: random.Random = field(default_factory=lambda: random.Random(0))
    fail: Callable[[Call], bytes | Failure | None] = field(default=lambda call: None)

    def replies(self) -> dict[str, Callable[[Call], bytes | Failure]]:
        answers = {
            "DescribeCollection": self.describe,
            "DescribeIndex": self.describe_index,
            "Query": self.query,
            "Search": self.search,
        }

        def answer(call: Call) -> bytes | Failure:
            failure = self.fail(call)
            if failure is not None:
                return failure
            try:
                return answers[call.method](call.request).SerializeToString()
            except Refused as error:
                status = common_pb2.Status(code=1100, error_code=1, reason=str(error))
                return REPLIES[call.method](status=status).SerializeToString()

        return dict.fromkeys(answers, answer)

    def describe(self, request: bytes) -> milvus_pb2.DescribeCollectionResponse:
        name = milvus_pb2.DescribeCollectionRequest.FromString(request).collection_name
        columns = [key for key in self.rows[0] if key != "vec"] if self.rows else [self.pk]
        fields = [
            schema_pb2.FieldSchema(
                fieldID=100 + number,
                name=key,
                is_primary_key=key == self.pk,
                data_type=SCALARS[type(self.rows[0][key]) if self.rows else int][0],
                type_params=[common_pb2.KeyValuePair(key="max_length", value="100")],
            )
            for number, key in enumerate(columns)
        ]
        dim = len(self.rows[0]["vec"]) if self.rows else 2
        fields += [
            schema_pb2.FieldSchema(
                fieldID=200 + number,
                name=key,
                data_type=schema_pb2.DataType.FloatVector,
                type_params=[common_pb2.KeyValuePair(key="dim", value=str(dim))],
            )
            for number, key in enumerate(self.vector_fields)
        ]
        return milvus_pb2.DescribeCollectionResponse(
            status=common_pb2.Status(),
            schema=schema_pb2.CollectionSchema(name=name, fields=fields),
            collectionID=self.collection_id,
            collection_name=name,
            update_timestamp=1,
        )

    def describe_index(self, request: bytes) -> milvus_pb2.DescribeIndexResponse:
        return milvus_pb2.DescribeIndexResponse(
            status=common_pb2.Status(),
            index_descriptions=[
                milvus_pb2.IndexDescription(
                    index_name=self.index_name,
                    field_name="vec",
                    params=[common_pb2.KeyValuePair(key="metric_type", value=self.metric)],
                )
            ],
        )

    def matching(self, expr: str) -> list[Row]:
        if not expr:
            return list(self.rows)
        try:
            code = compile(expr, "<filter>", "eval")
        except (SyntaxError, ValueError) as error:
            raise Refused(f"cannot parse expression: {expr}") from error
        return [row for row in self.rows if eval(code, {"__builtins__": {}}, row)]

    def query(self, request: bytes) -> milvus_pb2.QueryResults:
        message = milvus_pb2.QueryRequest.FromString(request)
        params = {pair.key: pair.value for pair in message.query_params}
        begin = int(params.get("offset", 0))
        end = begin + int(params["limit"]) * self.longer
        rows = sorted(self.matching(message.expr), key=lambda row: row[self.pk])[begin:end]
        return milvus_pb2.QueryResults(
            status=common_pb2.Status(),
            fields_data=self.columns(rows, [self.pk, *message.output_fields]),
            session_ts=self.session_ts,
            primary_field_name=self.pk,
        )

    def columns(self, rows: list[Row], names: list[str]) -> list[schema_pb2.FieldData]:
        result = []
        for name in dict.fromkeys(names):
            kind, member = SCALARS[type(self.rows[0][name]) if self.rows else int]
            scalars = schema_pb2.ScalarField()
            getattr(scalars, member).data.extend(row[name] for row in rows)
            result.append(schema_pb2.FieldData(type=kind, field_name=name, scalars=scalars))
        return result

    def distance(self, row: Row, query: list[float]) -> float:
        pairs = list(zip(row["vec"], query, strict=True))
        if self.metric in INWARD:
            exact = sum(f32(a) * f32(b) for a, b in pairs)
        else:
            exact = sum((f32(a) - f32(b)) ** 2 for a, b in pairs)
        return f32(exact + self.noise * self.generator.uniform(-1, 1))

    def search(self, request: bytes) -> milvus_pb2.SearchResults:
        message = milvus_pb2.SearchRequest.FromString(request)
        params = {pair.key: pair.value for pair in message.search_params}
        inner = json.loads(params["params"])
        group = common_pb2.PlaceholderGroup.FromString(message.placeholder_group)
        raw = group.placeholders[0].values[0]
        query = list(struct.unpack(f"<{len(raw) // 4}f", raw))
        sign = -1 if self.metric in INWARD else 1
        hits = [(sign * self.distance(row, query), row) for row in self.matching(message.dsl)]
        if self.lookahead is not None and "radius" in inner:
            nearest = sorted(hits, key=lambda hit: hit[0])
            hits = nearest[: int(params["topk"]) * self.lookahead]
        # Bounds and distances are compared with the sign that makes smaller the nearer.
        if "radius" in inner:
            hits = [hit for hit in hits if hit[0] < sign * inner["radius"]]
        if "range_filter" in inner:
            hits = [hit for hit in hits if hit[0] >= sign * inner["range_filter"]]
        paging = self.v2 and params.get("search_iter_v2") == "True"
        if paging and "search_iter_last_bound" in params:
            hits = [hit for hit in hits if hit[0] > sign * float(params["search_iter_last_bound"])]
        hits.sort(key=lambda hit: (hit[0], hit[1][self.pk]))
        hits = hits[: int(params["topk"])]
        scores = [sign * distance for distance, _row in hits]
        digits = int(params["round_decimal"])
        if digits >= 0:
            scale = 10.0**digits
            scores = [f32(math.floor(score * scale + 0.5) / scale) for score in scores]
        rows = [row for _distance, row in hits]
        results = schema_pb2.SearchResultData(
            num_queries=1,
            top_k=len(rows),
            scores=scores,
            topks=[len(rows)],
            fields_data=self.columns(rows, list(message.output_fields)),
            output_fields=message.output_fields,
            primary_field_name=self.pk,
        )
        if rows and isinstance(rows[0][self.pk], str):
            results.ids.str_id.data.extend(row[self.pk] for row in rows)
        else:
            results.ids.int_id.data.extend(row[self.pk] for row in rows)
        if paging:
            results.search_iterator_v2_results.token = "t-1"
            last = float(params.get("search_iter_last_bound", 0.0))
            results.search_iterator_v2_results.last_bound = scores[-1] if scores else last
        return milvus_pb2.SearchResults(
            status=common_pb2.Status(), results=results, session_ts=self.session_ts
        )
