"""The search iterators' state machines: hits nearest first, each once."""

from __future__ import annotations

import json
import math
import random

import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from pymilvus.exceptions import MilvusException, ParamError, ServerVersionIncompatibleException

from milvus_native.search_page import SearchPage
from milvus_native.search_paging import SearchPlan
from tests.servers.paging import PagingCollection
from tests.unit.iterators.model import open_search, params_of

METRICS = ["L2", "IP", "COSINE", "BM25"]


def points(vectors, metric: str = "L2", keys=None, **options) -> PagingCollection:
    keys = range(len(vectors)) if keys is None else keys
    rows = [
        {"id": key, "tag": number % 3, "vec": list(vector)}
        for number, (key, vector) in enumerate(zip(keys, vectors, strict=True))
    ]
    return PagingCollection(rows, metric, **options)


def nearest(collection: PagingCollection, query=(0.5, 0.5)) -> list[float]:
    distances = [collection.distance(row, list(query)) for row in collection.rows]
    return sorted(distances, reverse=collection.metric in ("IP", "COSINE", "BM25"))


def drain(iterator) -> list:
    hits = []
    while page := iterator.next():
        hits += list(page)
    return hits


# Coordinates on a coarse grid, so that distances tie often, and some far away.
coordinates = st.one_of(
    st.integers(-3, 3).map(lambda n: n / 4), st.floats(-100, 100, width=32, allow_nan=False)
)
vectors = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=60)


class TestV1:
    """Range searches, for servers that do not page by themselves."""

    @given(vectors, st.integers(1, 9), st.sampled_from(METRICS), st.booleans())
    @settings(max_examples=150, deadline=None)
    def test_every_hit_comes_once_nearest_first(self, vectors, batch_size, metric, string_keys):
        keys = [f'k"{n}\\' for n in range(len(vectors))] if string_keys else None
        collection = points(vectors, metric, keys)
        iterator, _calls = open_search(collection, batch_size=batch_size)
        hits = drain(iterator)
        assert sorted(hit.id for hit in hits) == sorted(row["id"] for row in collection.rows)
        assert [hit.distance for hit in hits] == nearest(collection)

    @pytest.mark.parametrize("metric", ["L2", "IP"])
    @pytest.mark.parametrize("batch_size", [1, 3])
    def test_no_gap_is_too_wide(self, metric, batch_size):
        spread = [(10.0**n, 0.0) for n in range(-4, 9)]
        collection = points(spread, metric)
        iterator, _calls = open_search(
            collection, [(0.0, 0.0) if metric == "L2" else (1.0, 0.0)], batch_size=batch_size
        )
        assert len(drain(iterator)) == len(spread)

    @pytest.mark.parametrize("metric", ["L2", "IP"])
    @pytest.mark.parametrize("batch_size", [1, 7, 40])
    def test_distances_that_come_out_differently_lose_no_hit(self, metric, batch_size):
        generator = random.Random(8)
        grid = [(generator.randrange(6), generator.randrange(6)) for _ in range(200)]
        collection = points(grid, metric, noise=4e-7)
        iterator, _calls = open_search(collection, [(1.5, 2.5)], batch_size=batch_size)
        ids = [hit.id for hit in drain(iterator)]
        assert sorted(ids) == list(range(200))

    @pytest.mark.parametrize("batch_size", [1, 3, 20])
    def test_hits_nearer_to_each_other_than_the_overlap(self, batch_size, monkeypatch):
        monkeypatch.setattr("milvus_native.search_paging.OVERLAP_KEYS", 5)
        collection = points([(0.5, 10.5 + n * 1e-6) for n in range(100)])
        iterator, calls = open_search(collection, batch_size=batch_size)
        assert sorted(hit.id for hit in drain(iterator)) == list(range(100))
        longest = max(message.dsl.count(",") for message in calls.messages("Search"))
        assert longest < 5 + 4  # some tie besides: a float32 holds no more digits

    def test_rings_do_not_overlap_what_lies_before_the_callers_range(self):
        collection = points([(0.5, 0.5 + math.sqrt(4 + n * 1e-6)) for n in range(-5, 6)])
        params = {"metric_type": "L2", "params": {"radius": 26, "range_filter": 4}}
        iterator, calls = open_search(collection, batch_size=1, search_params=params)
        assert all(hit.distance >= 4 for hit in drain(iterator))
        inner = [json.loads(params_of(m)["params"]) for m in calls.messages("Search")[1:]]
        assert min(ring["range_filter"] for ring in inner) == 4

    @pytest.mark.parametrize("metric", ["L2", "IP"])
    @pytest.mark.parametrize("batch_size", [1, 3, 10])
    def test_servers_that_look_for_a_range_among_the_nearest_only(self, metric, batch_size):
        generator = random.Random(2)
        cloud = [(generator.random(), generator.randrange(4)) for _ in range(700)]
        collection = points(cloud, metric, lookahead=5)
        iterator, calls = open_search(collection, batch_size=batch_size, output_fields=["tag"])
        hits = drain(iterator)
        assert sorted(hit.id for hit in hits) == list(range(700))
        assert all("tag" in hit["entity"] for hit in hits)
        assert [hit.distance for hit in hits] == nearest(collection)
        # What is only looked for comes without fields.
        probes = [m for m in calls.messages("Search") if params_of(m)["topk"] == "16384"]
        assert [list(m.output_fields) for m in probes[:2]] == [[], ["tag"]]

    def test_rounded_distances_lose_no_hit(self):
        generator = random.Random(5)
        collection = points([(generator.random(), generator.random()) for _ in range(200)])
        iterator, calls = open_search(collection, batch_size=10, round_decimal=1)
        hits = drain(iterator)
        assert len({hit.id for hit in hits}) == len(hits) == 200
        assert [hit.distance for hit in hits] == [round(d, 1) for d in nearest(collection)]
        assert {params_of(m)["round_decimal"] for m in calls.messages("Search")} == {"-1"}

    def test_rings_exclude_the_keys_at_their_inner_edge(self):
        collection = points([(0.5, 0.5 + n // 2) for n in range(6)], keys=[*"ab\"'\\", "f\n"])
        iterator, calls = open_search(collection, batch_size=2, filter="tag < 7")
        drain(iterator)
        exprs = [message.dsl for message in calls.messages("Search")]
        assert exprs[2] == '(tag < 7) and id not in ["a","b"]'
        assert exprs[-1] == '(tag < 7) and id not in ["\\\\","f\\n"]'

    def test_the_smallest_key_is_excluded_by_an_expression(self):
        smallest = -(2**63)
        collection = points([(1, 1)] * 4, keys=[smallest, 1, 2, 3])
        iterator, calls = open_search(collection, batch_size=1)
        assert sorted(hit.id for hit in drain(iterator)) == [smallest, 1, 2, 3]
        exprs = [message.dsl for message in calls.messages("Search")]
        assert exprs[2] == "id != (-9223372036854775807 - 1)"
        assert exprs[-1] == "id not in [1,2,3] and id != (-9223372036854775807 - 1)"

    def test_rings_stay_within_the_callers_radius(self):
        collection = points([(0.5, 0.5 + n) for n in range(10)])
        params = {"metric_type": "L2", "params": {"radius": 26, "range_filter": 4}}
        for form in (params, {"metric_type": "L2", "radius": 26, "range_filter": 4}):
            iterator, calls = open_search(collection, batch_size=2, search_params=form)
            assert [hit.distance for hit in drain(iterator)] == [4, 9, 16, 25]
            radii = [json.loads(params_of(m)["params"])["radius"] for m in calls.messages("Search")]
            assert max(radii[1:]) == 26
        assert params == {"metric_type": "L2", "params": {"radius": 26, "range_filter": 4}}

    @pytest.mark.parametrize(("limit", "sizes"), [(-1, [4, 4, 2]), (None, [4, 4, 2]), (6, [4, 2])])
    def test_limit(self, limit, sizes):
        collection = points([(n, 0) for n in range(10)])
        iterator, _calls = open_search(collection, [(-1.0, 0.0)], batch_size=4, limit=limit)
        assert [len(page) for page in iterator] == sizes
        assert len(iterator.next()) == 0

    def test_pages_are_asked_for_at_the_first_timestamp(self):
        collection = points([(n, 0) for n in range(10)])
        iterator, calls = open_search(collection, batch_size=4)
        collection.session_ts = 1
        drain(iterator)
        probe, first, *rings = calls.messages("Search")
        assert probe.guarantee_timestamp == first.guarantee_timestamp == 0
        assert {m.guarantee_timestamp for m in rings} == {449_000_000_000_000_000}
        assert {params_of(m)["collection_id"] for m in (first, *rings)} == {"4711"}
        assert {params_of(m)["iterator"] for m in (first, *rings)} == {"True"}
        assert "search_iter_v2" not in params_of(first)

    @pytest.mark.parametrize("index_name", ["vec", "by_another_name"])
    def test_the_metric_comes_from_the_index_of_the_field(self, index_name):
        collection = points([(n, 0) for n in range(5)], "IP", index_name=index_name)
        iterator, calls = open_search(collection, batch_size=2)
        assert len(drain(iterator)) == 5
        assert params_of(calls.messages("Search")[1])["metric_type"] == "IP"
        given = {"metric_type": "IP"}
        iterator, calls = open_search(collection, batch_size=2, search_params=given)
        assert "DescribeIndex" not in calls.methods()
        assert given == {"metric_type": "IP"}

    def test_ef_bounds_a_search(self):
        collection = points([(n, 0) for n in range(30)])
        params = {"metric_type": "L2", "params": {"ef": 5}}
        iterator, calls = open_search(collection, batch_size=4, search_params=params)
        assert len(drain(iterator)) == 30
        limits = [params_of(m)["topk"] for m in calls.messages("Search")]
        assert (limits[1], set(limits[2:])) == ("4", {"5"})

    def test_nothing_in_range_is_an_empty_page(self):
        collection = points([(n, 0) for n in range(3)])
        params = {"metric_type": "L2", "params": {"radius": 99, "range_filter": 98}}
        iterator, _calls = open_search(collection, batch_size=4, search_params=params)
        assert len(iterator.next()) == 0
        assert list(iterator) == []

    def test_a_failed_search_loses_no_hit(self):
        generator = random.Random(3)
        collection = points([(generator.random(), generator.random()) for _ in range(80)])
        iterator, calls = open_search(collection, batch_size=7)

        def before(_method, _message):
            if generator.random() < 0.05:
                raise ConnectionError

        calls.before = before
        seen = []
        while len(seen) < 80:
            try:
                seen += iterator.next().ids()
            except ConnectionError:
                continue
        assert sorted(seen) == list(range(80))

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            (
                {"search_params": {"metric_type": "L2", "params": {"ef": 3}}},
                MilvusException,
                "When using hnsw index, provided ef must be larger than or equal to batch size",
            ),
            (
                {"search_params": {"metric_type": "CHEBYSHEV"}},
                MilvusException,
                "unsupported metrics type for search iteration: CHEBYSHEV",
            ),
            (
                {"search_params": {"metric_type": ""}},
                ParamError,
                "must specify metrics type for search iterator",
            ),
            (
                {
                    "search_params": {
                        "metric_type": "L2",
                        "params": {"radius": 1.0, "range_filter": 2.0},
                    }
                },
                MilvusException,
                "for metrics:L2, radius must be larger than range_filter",
            ),
            (
                {
                    "search_params": {
                        "metric_type": "IP",
                        "params": {"radius": 1.0, "range_filter": 1.0},
                    }
                },
                MilvusException,
                "for metrics:IP, radius must be smaller than range_filter",
            ),
            (
                {"anns_field": "other"},
                ParamError,
                "Cannot set up metrics type for anns_field:other",
            ),
        ],
    )
    def test_wrong_arguments(self, arguments, error, message):
        with pytest.raises(error) as caught:
            open_search(points([(n, 0) for n in range(3)]), batch_size=10, **arguments)
        assert message in caught.value.message

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            (("vec", "more"), "must specify anns_field when there are more than one vector field"),
            ((), "there should be at least one vector field in milvus collection"),
        ],
    )
    def test_the_vector_field_must_be_clear(self, fields, message):
        with pytest.raises(MilvusException) as caught:
            open_search(points([(1, 2)], vector_fields=fields))
        assert caught.value.message == message

    def test_too_many_ties_are_an_error(self, monkeypatch):
        monkeypatch.setattr("milvus_native.search_paging.MAX_TIED_IDS", 5)
        iterator, _calls = open_search(points([(1, 1)] * 9), batch_size=2)
        with pytest.raises(MilvusException, match="accumulated to more than 5"):
            drain(iterator)


class TestV2:
    """The server's own paging."""

    @given(
        st.sets(st.integers(-5000, 5000), min_size=1, max_size=60),
        st.integers(1, 9),
        st.sampled_from(METRICS),
    )
    @settings(max_examples=60, deadline=None)
    def test_every_hit_comes_once_nearest_first(self, numbers, batch_size, metric):
        collection = points([(n / 7, 9000.0) for n in numbers], metric, v2=True)
        query = [(-1000.0, 0.0)]
        iterator, _calls = open_search(collection, query, batch_size=batch_size)
        hits = drain(iterator)
        assert sorted(hit.id for hit in hits) == sorted(row["id"] for row in collection.rows)
        assert [hit.distance for hit in hits] == nearest(collection, query[0])

    def test_requests(self):
        collection = points([(n, 0) for n in range(5)], v2=True)
        iterator, calls = open_search(collection, [(-1.0, 0.0)], batch_size=2)
        collection.session_ts = 1
        drain(iterator)
        probe, first, second, *_ = calls.messages("Search")
        keys = ("topk", "search_iter_batch_size", "search_iter_last_bound", "search_iter_id")
        assert [[params_of(m).get(key) for key in keys] for m in (probe, first, second)] == [
            ["1", "1", None, None],
            ["2", "2", None, None],
            ["2", "2", "4.0", "t-1"],
        ]
        assert [m.guarantee_timestamp for m in (probe, first, second)] == [
            0,
            449_000_000_000_000_000,
            449_000_000_000_000_000,
        ]
        assert params_of(second)["iterator"] == params_of(second)["search_iter_v2"] == "True"
        assert params_of(second)["collection_id"] == "4711"

    def test_a_given_guarantee_timestamp_is_kept(self):
        collection = points([(n, 0) for n in range(5)], v2=True)
        iterator, calls = open_search(
            collection, [(-1.0, 0.0)], batch_size=2, options={"guarantee_timestamp": 77}
        )
        drain(iterator)
        assert {m.guarantee_timestamp for m in calls.messages("Search")} == {77}

    def test_rounded_distances_lose_no_hit(self):
        generator = random.Random(5)
        collection = points([(generator.random(), generator.random()) for _ in range(200)], v2=True)
        iterator, _calls = open_search(collection, batch_size=10, round_decimal=1)
        hits = drain(iterator)
        assert len({hit.id for hit in hits}) == len(hits) == 200
        assert [hit.distance for hit in hits] == [round(d, 1) for d in nearest(collection)]

    def test_the_limit_ends_with_none(self):
        collection = points([(n, 0) for n in range(10)], v2=True)
        iterator, _calls = open_search(collection, [(-1.0, 0.0)], batch_size=4, limit=6)
        assert [len(iterator.next()), len(iterator.next())] == [4, 2]
        assert iterator.next() is None

    def test_hits_that_drift_over_the_bound_come_once(self):
        collection = points([(n, 0) for n in range(12)], v2=True)
        iterator, _calls = open_search(collection, [(-1.0, 0.0)], batch_size=4)
        seen = iterator.next().ids()
        # Between two pages every distance grows a little, as when a segment is loaded anew.
        for row in collection.rows:
            row["vec"][0] += 0.01
        seen += [hit.id for hit in drain(iterator)]
        assert seen == list(range(12))

    def test_a_server_that_does_not_advance_ends_the_iteration(self):
        collection = points([(n, 0) for n in range(4)], v2=True)
        iterator, calls = open_search(collection, [(-1.0, 0.0)], batch_size=2)
        answer = collection.search

        def first_page_again(request):
            message = calls.messages("Search")[0].__class__.FromString(request)
            for pair in list(message.search_params):
                if pair.key == "search_iter_last_bound":
                    message.search_params.remove(pair)
            return answer(message.SerializeToString())

        collection.search = first_page_again
        assert [hit.id for hit in drain(iterator)] == [0, 1]

    def test_a_token_that_disappears_is_an_error(self):
        collection = points([(n, 0) for n in range(4)], v2=True)
        iterator, _calls = open_search(collection, batch_size=2)
        collection.v2 = False
        with pytest.raises(ServerVersionIncompatibleException) as caught:
            iterator.next()
        assert "Search Iterator V2" in caught.value.message

    def test_a_failed_search_can_be_repeated(self):
        collection = points([(n, 0) for n in range(20)], v2=True)
        iterator, calls = open_search(collection, [(-1.0, 0.0)], batch_size=3)
        turns = iter(range(1000))

        def before(_method, _message):
            if next(turns) % 2:
                raise ConnectionError

        calls.before = before
        seen = []
        while len(seen) < 20:
            try:
                seen += iterator.next().ids()
            except ConnectionError:
                continue
        assert seen == list(range(20))

    @pytest.mark.parametrize("data", [[], [(0.5, 0.5), (0.5, 0.5)]])
    @pytest.mark.parametrize("v2", [True, False])
    def test_one_vector_and_only_one(self, data, v2):
        calls = None
        with pytest.raises(ParamError, match=r"multiple vectors|cannot be empty"):
            _iterator, calls = open_search(points([(1, 2)], v2=v2), data)
        assert calls is None

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"batch_size": -1}, "batch size cannot be less than zero"),
            ({"batch_size": 16385}, "batch size cannot be larger than 16384"),
            ({"options": {"offset": 1}}, "Offset is not supported for search_iterator_v2"),
        ],
    )
    def test_wrong_arguments(self, arguments, message):
        with pytest.raises(ParamError) as caught:
            open_search(points([(1, 2)], v2=True), **arguments)
        assert caught.value.message == message


@pytest.mark.parametrize("v2", [True, False])
class TestExternalFilter:
    """external_filter_func, with either kind of server."""

    def open(self, v2, passes, **arguments):
        collection = points([(n, 0) for n in range(30)], v2=v2)
        return open_search(collection, [(-1.0, 0.0)], external_filter_func=passes, **arguments)

    def test_pages_are_filled_with_hits_that_pass(self, v2):
        iterator, _calls = self.open(
            v2, lambda hits: [hit for hit in hits if hit.id % 3 == 0], batch_size=4
        )
        pages = [page.ids() for page in iterator]
        assert pages == [[0, 3, 6, 9], [12, 15, 18, 21], [24, 27]]

    def test_limit_counts_hits_that_passed(self, v2):
        iterator, _calls = self.open(
            v2, lambda hits: [hit for hit in hits if hit.id % 3 == 0], batch_size=4, limit=6
        )
        assert [page.ids() for page in iterator] == [[0, 3, 6, 9], [12, 15]]

    def test_nothing_passes(self, v2):
        iterator, _calls = self.open(v2, lambda hits: [], batch_size=4)
        assert list(iterator) == []

    def test_a_filter_that_raises_is_asked_again(self, v2):
        calls = []

        def passes(hits):
            calls.append(len(hits))
            if len(calls) % 2:
                raise LookupError("try again")
            return hits

        iterator, _calls = self.open(v2, passes, batch_size=7)
        seen = []
        while len(seen) < 30:
            try:
                seen += iterator.next().ids()
            except LookupError:
                continue
        assert seen == list(range(30))

    def test_a_filter_that_closes_the_iterator_is_the_last(self, v2):
        def passes(hits):
            iterator.close()
            return hits[:1]

        iterator, calls = self.open(v2, passes, batch_size=7)
        sent = len(calls.log)
        assert iterator.next().ids() == [0]
        assert len(calls.log) <= sent + 1
        assert not iterator.next()


@pytest.mark.parametrize("v2", [True, False])
def test_closed_iterators_send_nothing(v2):
    iterator, calls = open_search(points([(n, 0) for n in range(9)], v2=v2), batch_size=2)
    iterator.next()
    iterator.close()
    sent = len(calls.log)
    assert len(iterator.next()) == 0
    iterator.close()
    assert len(calls.log) == sent


def test_the_callers_params_are_copied():
    inner = {"metric_type": "L2", "params": {"nprobe": 3}}
    collection = points([(n, 0) for n in range(9)], v2=True)
    iterator, calls = open_search(collection, batch_size=2, search_params=inner)
    inner["params"]["nprobe"] = 99
    drain(iterator)
    for message in calls.messages("Search"):
        assert json.loads(params_of(message)["params"])["nprobe"] == 3


def test_sparse_matrices_count_rows_by_their_shape():
    assert SearchPlan(data=scipy.sparse.csr_matrix([[1.0, 0.0]])).rows() == 1
    assert SearchPlan(data=[[1.0, 0.0], [0.0, 1.0]]).rows() == 2


class TestSearchPage:
    """The page type, in the forms in which pymilvus's is used."""

    class Hit(dict):
        id = property(lambda self: self["id"])
        distance = property(lambda self: self["distance"])

    def hits(self, *numbers):
        return [self.Hit(id=n, distance=n / 2) for n in numbers]

    def test_parts_read_as_one_sequence(self):
        page = SearchPage(self.hits(1, 2), 7)
        page.merge([self.hits(3), [], self.hits(4, 5)])
        page.merge(None)
        assert (len(page), page.get_session_ts(), len(page.get_res())) == (5, 7, 4)
        assert page.ids() == [1, 2, 3, 4, 5]
        assert page.distances() == [0.5, 1.0, 1.5, 2.0, 2.5]
        assert [hit.id for hit in page] == page.ids() == [page[i].id for i in range(5)]
        assert (page[-1].id, page[-5].id, page.get__item(2).id) == (5, 1, 3)
        assert [hit.id for hit in page[1:4]] == [2, 3, 4]
        assert [hit.id for hit in page[-2:]] == [4, 5]
        assert page[0:0] == []
        for index in (5, -6):
            with pytest.raises(IndexError):
                page[index]

    def test_iterations_are_independent(self):
        page = SearchPage(self.hits(1, 2))
        assert [(a.id, b.id) for a in page for b in page] == [(1, 1), (1, 2), (2, 1), (2, 2)]
        assert (next(page).id, next(page).id) == (1, 2)
        with pytest.raises(StopIteration):
            next(page)
        assert next(page).id == 1

    def test_empty(self):
        page = SearchPage(None)
        assert (len(page), page.get_res(), page.ids(), page.distances()) == (0, [], [], [])
        assert page.get__item(0) is None
        assert not page
        assert str(page) == "[]"

    def test_str_shows_ten_hits_as_pymilvus_does(self):
        from pymilvus.client.iterator import SearchPage as Theirs

        hits = self.hits(*range(12))
        assert str(SearchPage(hits)) == str(Theirs(hits))
