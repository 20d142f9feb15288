"""Random calls, as hypothesis strategies: what a program may pass, valid or nearly so."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from pymilvus import (
    AnnSearchRequest,
    DataType,
    Function,
    FunctionScore,
    FunctionType,
    LexicalHighlighter,
    RRFRanker,
    WeightedRanker,
)
from pymilvus.client.embedding_list import EmbeddingList
from pymilvus.orm.schema import SemanticHighlighter

from tests.oldest import has

INT64 = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(width=32, allow_nan=False)
# Whatever UTF-8 can say: control characters, NUL, quotes, other planes.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.one_of(st.sampled_from(["books", "b", "my_collection", ""]), TEXT)
FIELDS = st.one_of(st.sampled_from(["id", "title", "$meta", "*", "chunks[half]"]), TEXT)
# A field of structs whose type tells what bytes that are searched with are: from 3.0 on.
NESTED = ["chunks[half]"] if has("pymilvus:MilvusClient.session") else []
SCALARS = st.one_of(st.booleans(), INT64, st.floats(), TEXT, st.none())
FILTERS = st.one_of(st.sampled_from(["", "id > 1", "title in {titles}", "a == 'b'"]), TEXT)


def optional(values: dict[str, st.SearchStrategy], most: int = 4) -> st.SearchStrategy[dict]:
    """A dict with at most `most` of these keys, so that each comes often alone and often not."""
    keys = st.lists(st.sampled_from(sorted(values)), max_size=most, unique=True)
    return keys.flatmap(lambda chosen: st.fixed_dictionaries({k: values[k] for k in chosen}))


def vectors(elements: st.SearchStrategy = FLOATS, low: int = 1) -> st.SearchStrategy[list]:
    return st.lists(elements, min_size=low, max_size=9)


@st.composite
def data(draw) -> tuple[object, str | None]:
    """Search data, and the field it must be searched in (None for any)."""
    form = draw(st.sampled_from(["lists", "arrays", "matrix", "bytes", "texts", "sparse"]))
    count = draw(st.integers(1, 3))
    dim = draw(st.integers(1, 9))

    def array(dtype: str) -> np.ndarray:
        values = draw(st.lists(st.integers(-100, 100), min_size=dim, max_size=dim))
        return (np.array(values) / (1 if dtype == "int8" else 8)).astype(dtype)

    if form == "lists":
        return [draw(vectors()) for _ in range(count)], None
    if form == "arrays":
        dtype = draw(st.sampled_from(["float32", "float64", "float16", "int8"]))
        return [array(dtype) for _ in range(count)], None
    if form == "matrix":
        return np.stack([array("float32") for _ in range(count)]), None
    if form == "bytes":
        field = draw(st.sampled_from(["binary", "half", "brain", "int8", *NESTED, "x", ""]))
        return [draw(st.binary(min_size=1, max_size=16)) for _ in range(count)], field
    if form == "texts":
        return [draw(TEXT) for _ in range(count)], None
    row = st.dictionaries(st.integers(0, 2**32 - 2), FLOATS, min_size=1, max_size=5)
    return [draw(row) for _ in range(count)], None


@st.composite
def embedding_lists(draw) -> list[EmbeddingList]:
    dtype = draw(st.sampled_from(["float32", "float16", "int8", "uint8"]))
    one = st.lists(st.integers(0, 100), min_size=4, max_size=4).map(
        lambda values: np.array(values).astype(dtype)
    )
    lists = st.lists(one, min_size=1, max_size=3).map(EmbeddingList)
    return draw(st.lists(lists, min_size=1, max_size=3))


SEARCH_PARAMS = optional(
    {
        "metric_type": st.sampled_from(["L2", "COSINE", "IP", "BM25", 7]),
        "params": optional(
            {
                "nprobe": INT64,
                "ef": st.integers(1, 500),
                "radius": st.floats(allow_nan=False),
                "range_filter": FLOATS,
                "metric_type": st.sampled_from(["L2", "COSINE"]),
                "nested": st.dictionaries(TEXT, st.lists(SCALARS, max_size=3), max_size=3),
                "page_retain_order": st.booleans(),
                "params": st.just({}),
            }
        ),
        "ef": st.integers(1, 500),
        "radius": FLOATS,
        "level": st.lists(SCALARS, max_size=3),
        "offset": st.one_of(st.integers(0, 100), st.just("1"), st.none()),
        "ignore_growing": st.sampled_from([True, False, "true", 0, None]),
        "page_retain_order": st.one_of(st.booleans(), st.none()),
        "hints": st.sampled_from(["iterative_filter", "disable", None, {"a": 1}]),
        "analyzer_name": TEXT,
        "": SCALARS,
    }
)

LEVELS = st.sampled_from(
    ["Strong", "Session", "Bounded", "Eventually", "Customized", 0, 1, 2, 3, 4, None, "strong", 5]
)
TIMESTAMPS = st.one_of(st.integers(0, 2**64 - 1), st.none())

READ_KEYWORDS: dict[str, st.SearchStrategy] = {
    "consistency_level": LEVELS,
    "guarantee_timestamp": TIMESTAMPS,
    "ignore_growing": st.sampled_from([True, False, 1, None]),
    "namespace": st.one_of(TEXT, st.none()),
    "cluster_id": st.one_of(TEXT, st.none()),
    "collection_id": st.one_of(INT64, st.none()),
    "iterator": st.sampled_from(["True", "False", None]),
    "timezone": TEXT,
    "time_fields": st.sampled_from(["year,month", ""]),
    "retry_times": st.integers(1, 3),
    "client_request_id": st.just("request"),
}
if not has("pymilvus:MilvusClient.session"):  # what 3.0 has brought
    del READ_KEYWORDS["cluster_id"]
ORDER = st.dictionaries(
    st.sampled_from(["field", "order"]), st.sampled_from(["price", "desc", ""]), max_size=2
)
ANN_KEYWORDS = READ_KEYWORDS | {
    "round_decimal": st.integers(-2, 7),
    "offset": st.one_of(st.integers(0, 100), st.none(), st.just(1.5)),
    "page_retain_order": st.sampled_from([True, False, None, 1]),
    "search_iter_v2": st.sampled_from([True, "True", None]),
    "search_iter_batch_size": st.integers(1, 16384),
    "search_iter_last_bound": FLOATS,
    "search_iter_id": TEXT,
    "group_by_field": st.one_of(TEXT, st.none()),
    "group_by_fields": st.one_of(st.lists(TEXT, max_size=3), st.just("a"), st.none()),
    "group_size": st.integers(1, 10),
    "strict_group_size": st.booleans(),
    "order_by_fields": st.one_of(st.lists(ORDER, max_size=3), TEXT, st.just(["a"]), st.none()),
    "json_path": TEXT,
    "json_type": st.sampled_from([DataType.INT8, DataType.BOOL, 21, DataType.FLOAT, "int8", None]),
    "strict_cast": st.booleans(),
}
if not has("pymilvus:MilvusClient.session"):
    del ANN_KEYWORDS["group_by_fields"]

FUNCTIONS = st.builds(
    Function,
    name=TEXT,
    function_type=st.just(FunctionType.RERANK),
    input_field_names=st.lists(st.sampled_from(["a", "b"]), unique=True, max_size=2),
    description=TEXT,
    params=st.dictionaries(
        TEXT, st.one_of(SCALARS, st.lists(INT64, max_size=2), st.just({"a": [1]})), max_size=3
    ),
)
SCORES = st.builds(
    FunctionScore,
    functions=st.lists(FUNCTIONS, max_size=2),
    params=st.one_of(st.none(), st.just({"boost_mode": "sum", "x": [1]})),
)
NEWER_KEYWORDS: dict[str, st.SearchStrategy] = {}  # that pymilvus 2.6 does not know
if has("pymilvus:FunctionChain"):
    from pymilvus.function_chain import FunctionChain, FunctionChainStage, col, fn

    NEWER_KEYWORDS["function_chains"] = st.sampled_from(
        [
            FunctionChain(FunctionChainStage.L2_RERANK, name="chain")
            .map("$score", fn.round_decimal(col("$score"), decimal=3))
            .limit(5),
            [FunctionChain(FunctionChainStage.L0_RERANK).sort(col("price"))],
            [],
            FunctionChain(FunctionChainStage.UNSPECIFIED),
            "chain",
        ]
    )
if has("pymilvus:SearchAggregation"):
    from pymilvus import SearchAggregation, TopHits

    NEWER_KEYWORDS["search_aggregation"] = st.one_of(
        st.builds(
            SearchAggregation,
            fields=st.just(["brand"]),
            size=st.integers(1, 9),
            metrics=st.just({"mean": {"avg": "price"}}),
            order=st.just([{"_count": "desc"}]),
            top_hits=st.one_of(st.none(), st.builds(TopHits, size=st.integers(1, 3))),
        ),
        st.just("brand"),
    )
HIGHLIGHTERS = st.one_of(
    st.builds(
        LexicalHighlighter,
        highlight_search_text=st.booleans(),
        pre_tags=st.just(["<b>"]),
        fragment_size=st.integers(1, 100),
    ),
    st.builds(SemanticHighlighter, queries=st.just(["q"]), input_fields=st.just(["title"])),
)
SEARCH_KEYWORDS = ANN_KEYWORDS | {
    "filter": FILTERS,
    "limit": st.one_of(st.integers(-1, 2**40), st.booleans(), st.just("3")),
    "output_fields": st.one_of(st.lists(FIELDS, max_size=3), st.just(("id",)), st.none()),
    "search_params": st.one_of(SEARCH_PARAMS, SEARCH_PARAMS, st.none()),
    "partition_names": st.one_of(st.lists(NAMES, max_size=3), st.none(), st.just("p")),
    "anns_field": st.one_of(FIELDS, st.none()),
    "timeout": st.sampled_from([None, 30, 30.5]),
    "ranker": st.one_of(FUNCTIONS, SCORES, st.just("rrf")),
    "highlighter": HIGHLIGHTERS,
    **NEWER_KEYWORDS,
}

# --- filter templates: only what pymilvus gets right ----------------------------------------------

TEMPLATE_VALUE = "pymilvus.grpc_gen.schema_pb2:TemplateValue"
TEMPLATE_SCALARS = st.one_of(
    st.booleans(),
    INT64,
    st.floats(allow_nan=False),
    TEXT,
    *([st.binary(max_size=5)] if has(f"{TEMPLATE_VALUE}/bytes_val") else []),
    st.sampled_from([np.int8(-3), np.int16(7), np.int32(8), np.int64(2**40)]),
    st.sampled_from([np.float16(0.1), np.float32(0.1), np.float64(0.1), np.longdouble(0.5)]),
)
TYPED_LISTS = st.one_of(
    st.lists(st.booleans(), max_size=4),
    st.lists(INT64, max_size=4),
    st.lists(st.floats(allow_nan=False), max_size=4),
    st.lists(TEXT, max_size=4),
    st.lists(st.integers(-128, 127).map(np.int8), max_size=4),
    st.lists(FLOATS.map(np.float32), max_size=4),
)
# Of more than one class, and without str: pymilvus takes a str here for JSON text.
MIXED_LISTS = st.lists(
    st.one_of(
        st.booleans(),
        INT64,
        st.floats(allow_nan=False, allow_infinity=False),
        st.none(),
        st.just(np.int64(3)),
        st.just(np.float64(0.25)),
        st.just({"a": [1, None, np.float32(0.1)]}),
        st.just([1, "x", np.int8(2)]),
    ),
    min_size=2,
    max_size=5,
).filter(lambda items: not all(isinstance(item, type(items[0])) for item in items))
TEMPLATE_LISTS = st.recursive(
    st.one_of(TYPED_LISTS, MIXED_LISTS), lambda inner: st.lists(inner, max_size=3), max_leaves=6
)
TEMPLATES = st.dictionaries(TEXT, st.one_of(TEMPLATE_SCALARS, TEMPLATE_LISTS), max_size=4)


@st.composite
def search_calls(draw) -> dict[str, object]:
    call = draw(optional(SEARCH_KEYWORDS, most=6))
    given, field = draw(data())
    if draw(st.integers(0, 9)) == 0:
        given, field = draw(embedding_lists()), None
    call["data"] = given
    if field is not None:
        call["anns_field"] = field
    if draw(st.integers(0, 3)) == 0:
        call["filter_params"] = draw(TEMPLATES)
    return call


class ShownRequest(AnnSearchRequest):
    def __repr__(self) -> str:
        return f"{type(self).__name__}({vars(self)})"


@st.composite
def ann_requests(draw) -> AnnSearchRequest:
    given, field = draw(data())
    if draw(st.integers(0, 9)) == 0:
        given, field = draw(embedding_lists()), None
    return ShownRequest(
        data=given,
        anns_field=draw(FIELDS) if field is None else field,
        param=draw(SEARCH_PARAMS),
        limit=draw(st.integers(-1, 100)),
        expr=draw(st.one_of(st.none(), FILTERS)),
        expr_params=draw(st.one_of(st.none(), TEMPLATES)),
    )


RANKERS = st.one_of(
    st.builds(RRFRanker, k=st.integers(0, 100)),
    st.builds(
        lambda weights, norm: WeightedRanker(*weights, norm_score=norm),
        st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3),
        st.booleans(),
    ),
    FUNCTIONS,
    st.none(),
    SCORES,
)


@st.composite
def hybrid_calls(draw) -> dict[str, object]:
    keywords = ANN_KEYWORDS | {
        "limit": st.integers(0, 2**31),
        "output_fields": st.one_of(st.lists(FIELDS, max_size=3), st.none()),
        "partition_names": st.one_of(st.lists(NAMES, max_size=3), st.none()),
        "rank_group_scorer": st.sampled_from(["max", "avg", 1]),
        "timeout": st.sampled_from([None, 30]),
        "highlighter": HIGHLIGHTERS,
        **NEWER_KEYWORDS,
    }
    call = draw(optional(keywords, most=5))
    call["reqs"] = draw(st.lists(ann_requests(), max_size=3))
    call["ranker"] = draw(RANKERS)
    return call


QUERY_KEYWORDS = READ_KEYWORDS | {
    "limit": st.one_of(st.integers(-1, 100), st.none()),
    "offset": st.one_of(st.integers(0, 100), st.none()),
    "reduce_stop_for_best": st.sampled_from([True, "True", False]),
    "query_iter_last_pk": st.one_of(INT64, TEXT),
    "query_iter_last_element_offset": st.integers(0, 9),
    "order_by_fields": st.one_of(st.lists(st.one_of(TEXT, ORDER), max_size=3), TEXT, st.none()),
    "order_by": st.one_of(st.lists(st.one_of(TEXT, ORDER), max_size=3), TEXT, st.none()),
    "group_by_fields": st.one_of(st.lists(TEXT, max_size=3), st.just("a")),
    "strict_float32": st.booleans(),
    "filter": FILTERS,
    "filter_params": TEMPLATES,
    "output_fields": st.one_of(st.lists(FIELDS, max_size=3), st.none(), st.just(("id",))),
    "partition_names": st.one_of(st.lists(NAMES, max_size=3), st.none()),
    "timeout": st.sampled_from([None, 30]),
}
if not has("pymilvus:MilvusClient.session"):
    for name in ("query_iter_last_pk", "query_iter_last_element_offset", "order_by"):
        del QUERY_KEYWORDS[name]
    for name in ("order_by_fields", "group_by_fields"):  # are not checked
        del QUERY_KEYWORDS[name]
QUERY_CALLS = optional(QUERY_KEYWORDS, most=6)

# Keys whose literal needs no escape: pymilvus writes none.
PLAIN_KEYS = st.one_of(
    st.lists(INT64, min_size=1, max_size=4),
    st.lists(st.integers(0, 2**62).map(str), min_size=1, max_size=4),
    INT64,
)
DELETE_CALLS = optional(
    {
        "filter": FILTERS,
        "filter_params": TEMPLATES,
        "partition_name": st.one_of(NAMES, st.none()),
        "consistency_level": LEVELS.filter(lambda level: level is not None),
        "timeout": st.sampled_from([None, 30]),
        "ids": PLAIN_KEYS,
        "pks": PLAIN_KEYS,
    },
    most=4,
)
