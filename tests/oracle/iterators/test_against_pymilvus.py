"""Our iterators against pymilvus's on the same server: every request, every page, every error."""

from __future__ import annotations

import random
from copy import deepcopy

import numpy as np
import pymilvus
import pytest

import milvus_native
from tests.oracle.iterators.walk import Walk, both, outermost, same_request
from tests.servers.paging import PagingCollection
from tests.servers.recording import RecordingServer

SEED = 20_250_807


def rows(count: int, string_keys: bool = False) -> list[dict]:
    generator = random.Random(count)
    made = [
        {
            "id": f"k{number:05}" if string_keys else number * 3 - 20,
            "tag": number % 4,
            "name": f"row {number}",
            "vec": [generator.random(), generator.random()],
        }
        for number in range(count)
    ]
    generator.shuffle(made)
    return made


def assert_equal(theirs: Walk, ours: Walk) -> None:
    assert theirs.error is None
    assert ours.error is None
    assert ours.delegated == {}
    assert ours.kind == theirs.kind
    assert ours.pages == theirs.pages
    sent = [message for message in ours.requests if not outermost(message)]
    assert len(sent) == len(theirs.requests)
    for mine, other in zip(sent, theirs.requests, strict=True):
        assert same_request(mine, deepcopy(other)), f"{mine}\n{other}"


QUERIES = [
    {},
    {"batch_size": 7},
    {"batch_size": 7, "limit": 0},
    {"batch_size": 7, "limit": 20},
    {"batch_size": 7, "limit": 21},
    {"batch_size": 7, "filter": "tag != 2", "output_fields": ["tag", "name"]},
    {"batch_size": 7, "filter": "tag == 1 or tag == 2", "output_fields": ["id"]},
    {"batch_size": 7, "filter": "tag == 9"},
    {"batch_size": 7, "offset": 1},
    {"batch_size": 7, "offset": 13, "limit": 11},
    {"batch_size": 7, "offset": 1000},
    {"batch_size": 7, "reduce_stop_for_best": False},
    {"batch_size": 7, "partition_names": ["p"]},
    {"batch_size": 7, "consistency_level": "Strong"},
    {"batch_size": 7, "consistency_level": 3, "ignore_growing": True},
    {"batch_size": 7, "guarantee_timestamp": 5},
    {"batch_size": 7, "timezone": "UTC", "time_fields": "year"},
    {"batch_size": 7, "cluster_id": "blue", "namespace": "n"},
    {"batch_size": 7, "order_by_fields": ["tag"]},
    {"batch_size": 7, "timeout": 30},
]


@pytest.mark.parametrize("arguments", QUERIES, ids=str)
@pytest.mark.parametrize("string_keys", [False, True])
async def test_query(arguments, string_keys):
    collection = PagingCollection(rows(40, string_keys))
    if arguments.get("limit") == 0:
        collection.longer = 3
    theirs, ours, ours_async = await both(collection, "query_iterator", arguments)
    assert_equal(theirs, ours)
    assert_equal(theirs, ours_async)


async def test_keywords_that_nobody_knows():
    """pymilvus takes any; its async client has no iterator that could take them."""
    collection = PagingCollection(rows(20))
    for method, data in (("query_iterator", {}), ("search_iterator", {"data": [[0.3, 0.4]]})):
        arguments = {**data, "batch_size": 7, "some_keyword_nobody_knows": 1}
        theirs, ours, ours_async = await both(collection, method, arguments)
        assert ours.delegated == {method: 1}
        assert ours.pages == theirs.pages
        assert isinstance(ours_async.error, TypeError)


async def test_query_with_surplus_rows():
    collection = PagingCollection(rows(60), longer=4)
    theirs, ours, ours_async = await both(collection, "query_iterator", {"batch_size": 5})
    assert_equal(theirs, ours)
    assert_equal(theirs, ours_async)


async def test_query_of_an_empty_collection():
    theirs, ours, ours_async = await both(PagingCollection([]), "query_iterator", {})
    assert_equal(theirs, ours)
    assert_equal(theirs, ours_async)


async def test_checkpoint_files_are_the_same(tmp_path):
    """Each client resumes what the other began."""
    collection = PagingCollection(rows(20, string_keys=True))
    path = str(tmp_path / "place")
    with RecordingServer(collection.replies()) as server:
        clients = [
            pymilvus.MilvusClient(server.uri, dedicated=True),
            milvus_native.MilvusClient(server.uri),
        ]
        seen, contents = [], []
        for turn in range(4):
            iterator = clients[turn % 2].query_iterator("c", batch_size=5, iterator_cp_file=path)
            seen += [row["id"] for row in iterator.next()]
            contents.append((tmp_path / "place").read_text().splitlines())
        clients[1].close()
    assert seen == sorted(row["id"] for row in collection.rows)
    assert [len(lines) for lines in contents] == [2, 3, 4, 5]


def searches(metric: str) -> list[dict]:
    far = 0.4 if metric == "L2" else 0.2
    near = 0.01 if metric == "L2" else 0.9
    return [
        {},
        {"batch_size": 7},
        {"batch_size": 1, "limit": 4},
        {"batch_size": 7, "limit": 20},
        {"batch_size": 7, "limit": 21, "output_fields": ["tag", "name"]},
        {"batch_size": 7, "filter": "tag != 2"},
        {"batch_size": 7, "filter": "tag == 9"},
        {"batch_size": 7, "search_params": {"metric_type": metric}},
        {"batch_size": 7, "search_params": {"metric_type": metric, "params": {"nprobe": 3}}},
        {"batch_size": 7, "search_params": {"metric_type": metric, "nprobe": 3}},
        {"batch_size": 7, "search_params": {"metric_type": metric, "params": {"ef": 9}}},
        {"batch_size": 7, "search_params": {"metric_type": metric, "params": {"radius": far}}},
        {
            "batch_size": 7,
            "search_params": {
                "metric_type": metric,
                "params": {"radius": far, "range_filter": near},
            },
        },
        {"batch_size": 7, "anns_field": "vec", "partition_names": ["p"]},
        {"batch_size": 7, "consistency_level": "Session", "ignore_growing": True},
        {"batch_size": 7, "guarantee_timestamp": 5},
        {"batch_size": 7, "cluster_id": "blue", "namespace": "n", "timezone": "UTC"},
        {"batch_size": 7, "round_decimal": -1, "timeout": 30},
    ]


@pytest.mark.parametrize("number", range(len(searches("L2"))))
@pytest.mark.parametrize("metric", ["L2", "IP"])
@pytest.mark.parametrize("v2", [True, False])
@pytest.mark.parametrize("string_keys", [True, False])
async def test_search(number, metric, v2, string_keys):
    collection = PagingCollection(rows(40, string_keys), metric, v2=v2)
    arguments = {"data": [[0.3, 0.4]], **searches(metric)[number]}
    theirs, ours, ours_async = await both(collection, "search_iterator", arguments)
    assert_equal(theirs, ours)
    assert_equal(theirs, ours_async)


@pytest.mark.parametrize("limit", [-1, 9])
async def test_external_filter(limit):
    collection = PagingCollection(rows(40), v2=True)
    arguments = {
        "data": [[0.3, 0.4]],
        "batch_size": 6,
        "limit": limit,
        "external_filter_func": lambda hits: [hit for hit in hits if hit.id % 2],
    }
    theirs, ours, ours_async = await both(collection, "search_iterator", arguments)
    assert_equal(theirs, ours)
    assert_equal(theirs, ours_async)


@pytest.mark.parametrize("v2", [True, False])
async def test_search_with_a_ranker_and_a_highlighter(v2):
    collection = PagingCollection(rows(20), v2=v2)
    ranker = pymilvus.Function(
        "decay", pymilvus.FunctionType.RERANK, ["tag"], params={"reranker": "decay"}
    )
    for further in (
        {"ranker": ranker},
        {"ranker": pymilvus.FunctionScore([ranker])},
        {"highlighter": pymilvus.LexicalHighlighter(pre_tags=["<b>"], post_tags=["</b>"])},
        {"ignore_growing": True, "group_by_field": "tag", "timezone": "UTC"},
    ):
        arguments = {"data": [[0.3, 0.4]], "batch_size": 7, **further}
        theirs, ours, ours_async = await both(collection, "search_iterator", arguments)
        assert_equal(theirs, ours)
        assert_equal(theirs, ours_async)


@pytest.mark.parametrize("v2", [True, False])
async def test_search_with_other_forms_of_vectors(v2):
    collection = PagingCollection(rows(20), v2=v2)
    vector = np.array([[0.3, 0.4]], np.float32)
    for data in (vector, list(vector), [vector[0].tobytes()]):
        arguments = {"data": data, "batch_size": 7, "anns_field": "vec"}
        theirs, ours, ours_async = await both(collection, "search_iterator", arguments)
        assert_equal(theirs, ours)
        assert_equal(theirs, ours_async)


async def test_random_walks():
    generator = random.Random(SEED)
    print(f"seed {SEED}")
    for _ in range(60):
        count = generator.randrange(1, 80)
        metric = generator.choice(["L2", "IP", "COSINE"])
        v2 = generator.random() < 0.4
        collection = PagingCollection(
            rows(count, generator.random() < 0.5),
            metric,
            v2=v2,
            longer=generator.choice([1, 1, 2, 3]),
            session_ts=449_000_000_000_000_000 + generator.randrange(1000),
        )
        common = {
            "batch_size": generator.randrange(1, 30),
            "limit": generator.choice([-1, -1, generator.randrange(1, 90)]),
            "filter": generator.choice(["", "tag < 3", "tag == 1 or tag == 3"]),
            "output_fields": generator.choice([None, [], ["tag"], ["name", "tag"]]),
        }
        walks = await both(collection, "query_iterator", common)
        assert_equal(walks[0], walks[1])
        assert_equal(walks[0], walks[2])
        query = [generator.random(), generator.random()]
        walks = await both(collection, "search_iterator", {"data": [query], **common})
        assert_equal(walks[0], walks[1])
        assert_equal(walks[0], walks[2])


MISTAKES = [
    ("query_iterator", {"batch_size": -1}),
    ("query_iterator", {"batch_size": 16385}),
    ("query_iterator", {"filter": 7}),
    ("query_iterator", {"output_fields": "tag"}),
    ("query_iterator", {"batch_size": "many"}),
    ("query_iterator", {"batch_size": None}),
    ("query_iterator", {"offset": "some"}),
    ("query_iterator", {"consistency_level": "Certain"}),
    ("query_iterator", {"iterator_cp_file": "/nonexistent/folder/file"}),
    ("search_iterator", {"data": []}),
    ("search_iterator", {"data": [[1.0, 2.0], [1.0, 2.0]]}),
    ("search_iterator", {"data": [1.0, 2.0]}),
    ("search_iterator", {"batch_size": -1}),
    ("search_iterator", {"batch_size": 0}),
    ("search_iterator", {"batch_size": 16385}),
    ("search_iterator", {"offset": 3}),
    ("search_iterator", {"round_decimal": 7}),
    ("search_iterator", {"output_fields": "tag"}),
    ("search_iterator", {"partition_names": "p"}),
    ("search_iterator", {"guarantee_timestamp": -1}),
    ("search_iterator", {"search_params": {"metric_type": "L2", "params": {"metric_type": "IP"}}}),
]
V1_MISTAKES = [
    {"search_params": {"metric_type": "L2", "params": {"ef": 3}}},
    {"search_params": {"metric_type": "CHEBYSHEV"}},
    {"search_params": {"metric_type": ""}},
    {"search_params": {"metric_type": "L2", "params": {"radius": 1, "range_filter": 2}}},
    {"search_params": {"metric_type": "IP", "params": {"radius": 2, "range_filter": 1}}},
]


def assert_same_error(theirs: Walk, ours: Walk) -> None:
    assert theirs.error is not None
    assert type(ours.error) is type(theirs.error)
    for name in ("code", "message", "compatible_code"):
        if hasattr(theirs.error, name):
            assert getattr(ours.error, name) == getattr(theirs.error, name)


@pytest.mark.parametrize(("method", "arguments"), MISTAKES, ids=str)
async def test_mistakes(method, arguments):
    collection = PagingCollection(rows(20), v2=True)
    if method == "search_iterator":
        arguments = {"data": [[0.3, 0.4]], **arguments}
    theirs, ours, ours_async = await both(collection, method, arguments)
    assert_same_error(theirs, ours)
    assert_same_error(theirs, ours_async)


@pytest.mark.parametrize("arguments", V1_MISTAKES, ids=str)
async def test_mistakes_on_older_servers(arguments):
    theirs, ours, ours_async = await both(
        PagingCollection(rows(20)), "search_iterator", {"data": [[0.3, 0.4]], **arguments}
    )
    assert_same_error(theirs, ours)
    assert_same_error(theirs, ours_async)


@pytest.mark.parametrize("vector_fields", [("vec", "more"), ()])
async def test_unclear_vector_fields(vector_fields):
    collection = PagingCollection(rows(20), vector_fields=vector_fields)
    theirs, ours, ours_async = await both(collection, "search_iterator", {"data": [[0.3, 0.4]]})
    assert_same_error(theirs, ours)
    assert_same_error(theirs, ours_async)
