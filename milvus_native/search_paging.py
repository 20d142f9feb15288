"""How search iterators page through the neighbours of one vector, without any I/O.

`SearchPagerV2` leaves the paging to the server (Milvus 2.5.2 and later). `SearchPagerV1` does it
itself with range searches, ring after ring outwards. `open_search` finds out which one the server
can serve. All are state machines in the manner of query_paging.py: generators that yield
operations, and whose state changes only once nothing can fail any more.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from .errors import milvus_error
from .query_paging import (
    INT64_MIN,
    MAX_BATCH_SIZE,
    UNLIMITED,
    SchemaFacts,
    Steps,
    check_batch_size,
    check_filter,
    client_side_timestamp,
    limit_left,
    literal,
)
from .scope import plain
from .search_page import Hit, Hits, SearchPage

log = logging.getLogger(__name__)

HitsFilter = Callable[[Any], "list[Hit]"]

# Metrics by the direction in which their distances grow: away from the query, or towards it.
OUTWARD = frozenset({"L2", "JACCARD", "HAMMING", "TANIMOTO"})
INWARD = frozenset({"IP", "COSINE", "BM25"})
# Range searches ask for this many pages' worth of rows.
EXTENSION_RATE = 10
# Rings probed in vain before the open-ended one.
MAX_TRIES = 20
MAX_TIED_IDS = 100_000
# By how much a distance may differ between two computations, relative to the largest one, and how
# large that is at least taken to be.
DRIFT = 1e-5
MIN_SCALE = 0.1
# As many keys are excluded at most where rings overlap, but for those that are tied.
OVERLAP_KEYS = 1024
# Of a page whose distances are all equal: a ring cannot be empty.
MIN_WIDTH = 0.05
FLOAT32_MAX = 3.4028234663852886e38
# No distance is as far out. Of those that are bits counted: one that a server's int can hold.
FARTHEST = {"HAMMING": 1e6}


class SearchSchemaFacts(SchemaFacts, Protocol):
    @property
    def field_names(self) -> tuple[str, ...]: ...
    def field_type(self, name: str, /) -> int | None: ...


class SearchCalls(Protocol):
    """Makes the operations a search pager yields."""

    def describe(self) -> Any:
        """Operation that returns the collection's SearchSchemaFacts, freshly described."""

    def indexes(self) -> Any:
        """Operation that returns (index_name, field_name, params) tuples."""

    def search(
        self,
        plan: SearchPlan,
        *,
        expr: Any,
        anns_field: str,
        search_params: Mapping[str, Any],
        limit: int,
        round_decimal: Any,
        options: Mapping[str, Any],
    ) -> Any:
        """Operation that returns a SearchResult; data, fields and partitions are the plan's."""


@dataclass(frozen=True)
class SearchPlan:
    """The arguments of search_iterator; `options` are its remaining keyword arguments."""

    data: Any
    batch_size: int = 1000
    filter: Any = None
    limit: int | None = UNLIMITED
    output_fields: list[str] | None = None
    search_params: Mapping[str, Any] | None = None
    partition_names: list[str] | None = None
    anns_field: str | None = None
    round_decimal: Any = -1
    external_filter_func: HitsFilter | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def rows(self) -> int:
        """The number of query vectors."""
        shape = getattr(self.data, "shape", None)  # scipy's sparse matrices have no length
        return int(shape[0]) if shape else len(self.data)


def own_params(search_params: Any) -> dict[str, Any]:
    """A copy. ParamError unless it is a dict, or what can be made one."""
    try:
        return copy.deepcopy(dict(search_params or {}))
    except (TypeError, ValueError):
        raise milvus_error(
            "ParamError", f"`search_params` value {search_params} is illegal"
        ) from None


def open_search(calls: SearchCalls, plan: SearchPlan) -> Steps[SearchPagerV2 | SearchPagerV1]:
    """Returns an opened pager over the neighbours of the query vector."""
    check_batch_size(plan.batch_size)
    if plan.options.get("offset", 0) != 0:
        raise milvus_error("ParamError", "Offset is not supported for search_iterator_v2")
    rows = plan.rows()
    if rows > 1:
        raise milvus_error(
            "ParamError",
            "search_iterator_v2 does not support processing multiple vectors simultaneously",
        )
    if rows == 0:
        raise milvus_error("ParamError", "The vector data for search cannot be empty")
    schema = yield calls.describe()
    newer = SearchPagerV2(calls, plan, schema)
    if (yield from newer.probe()):
        return newer
    log.warning(
        "the server does not page searches by itself (Milvus before 2.5.2); "
        "search_iterator uses range searches instead"
    )
    check_filter(plan.filter)
    older = SearchPagerV1(calls, plan, schema)
    yield from older.open()
    return older


class _Rounding:
    """Rounds distances when they are handed out.

    The server is asked for unrounded ones: its own place is kept by the distance of the last row,
    and a rounded one skips rows or repeats them.
    """

    def __init__(self, round_decimal: Any) -> None:
        usable = isinstance(round_decimal, int) and 0 <= round_decimal <= 6
        self._digits: int | None = round_decimal if usable else None
        # What is not usable is sent as it is, to be refused as in any search.
        self.sent: Any = -1 if usable else round_decimal

    def apply(self, hits: Hits) -> Hits:
        digits = self._digits
        if digits is not None:
            for hit in hits:
                hit["distance"] = round(hit.distance, digits)
            if hasattr(hits, "distances"):
                hits.distances = [hit.distance for hit in hits]
        return hits


@dataclass(frozen=True)
class _Place:
    """How far the server has paged."""

    bound: float | None = None
    token: str | None = None
    timestamp: int = 0
    # What identifies the hits of the page before: a distance that drifts brings them again.
    seen: frozenset[tuple[Any, Any]] = frozenset()


class SearchPagerV2:
    """Pages by the server's own iterator: it is told the last bound and finds what lies behind."""

    def __init__(self, calls: SearchCalls, plan: SearchPlan, schema: SearchSchemaFacts) -> None:
        self._calls = calls
        self._plan = plan
        self._param = own_params(plan.search_params)
        self._rounding = _Rounding(plan.round_decimal)
        self._options: dict[str, Any] = {
            "iterator": True,
            "search_iter_v2": True,
            "search_iter_batch_size": plan.batch_size,
            "guarantee_timestamp": 0,
            **plan.options,
            "collection_id": schema.collection_id,
        }
        self._place = _Place(timestamp=self._options["guarantee_timestamp"])
        self._left = limit_left(plan.limit)
        self._stock: list[Hit] = []  # passed by the filter, not handed out yet
        self._unfiltered: Hits | None = None
        self._closed = False

    def probe(self) -> Steps[bool]:
        """Searches for one hit. False if the server does not know this kind of iterator."""
        options = {**self._options, "search_iter_batch_size": 1}
        result = yield self._search(1, options)
        if not result.get_search_iterator_v2_results_info().token:
            return False
        if self._place.timestamp <= 0:
            self._place = replace(self._place, timestamp=_session_timestamp(result))
        return True

    def fetch(self) -> Steps[SearchPage | None]:
        """The next page: empty when there are no more hits, None when the limit was reached."""
        if self._closed:
            return SearchPage(None)
        if self._left is not None and self._left <= 0:
            return None
        if self._plan.external_filter_func is None:
            return self._page((yield from self._advance()))
        target = self._plan.batch_size
        if self._left is not None:
            target = min(target, self._left)
        while True:
            if self._unfiltered is None:
                self._unfiltered = yield from self._advance()
            if not self._unfiltered:
                self._unfiltered = None
                break
            # Kept until the filter has returned: if it raises, the next fetch tries it again.
            kept = self._plan.external_filter_func(self._unfiltered)
            self._stock.extend(kept)
            self._unfiltered = None
            if self._closed or len(self._stock) >= target:  # the filter may have closed it
                break
        hits = self._stock[:target]
        del self._stock[:target]
        return self._page(hits)

    def close(self) -> None:
        self._closed = True
        self._stock = []
        self._unfiltered = None

    release = close

    def _page(self, hits: Hits) -> SearchPage:
        if not hits:
            return SearchPage(None)
        if self._left is not None:
            count = len(hits)
            if count > self._left:
                hits = hits[: self._left]
            self._left -= count
        return SearchPage(hits)

    def _advance(self) -> Steps[Hits]:
        """The server's next page, without the hits it repeats from the page before."""
        place = self._place
        while True:
            options = {**self._options, "guarantee_timestamp": place.timestamp}
            if place.bound is not None:
                options["search_iter_last_bound"] = place.bound
            if place.token is not None:
                options.setdefault("search_iter_id", place.token)
            result = yield self._search(self._plan.batch_size, options)
            info = result.get_search_iterator_v2_results_info()
            if not info.token:
                from pymilvus.exceptions import ExceptionsMessage

                raise milvus_error(
                    "ServerVersionIncompatibleException",
                    ExceptionsMessage.SearchIteratorV2FallbackWarning,
                )
            page: Hits = result[0] if len(result) else []
            keys = [(hit.id, dict.get(hit, "offset")) for hit in page]
            fresh: Hits = page
            if not place.seen.isdisjoint(keys):
                fresh = [hit for hit, key in zip(page, keys, strict=True) if key not in place.seen]
            stuck = info.last_bound == place.bound
            place = _Place(
                bound=info.last_bound,
                token=place.token or info.token,
                timestamp=place.timestamp,
                seen=frozenset(keys) if keys else place.seen,
            )
            if fresh or not page or stuck:
                self._place = place
                return self._rounding.apply(fresh)

    def _search(self, limit: int, options: Mapping[str, Any]) -> Any:
        return self._calls.search(
            self._plan,
            expr=self._plan.filter,
            anns_field=self._plan.anns_field or "",
            search_params=self._param,
            limit=limit,
            round_decimal=self._rounding.sent,
            options=options,
        )


class SearchPagerV1:
    """Pages by range searches: each asks for the ring outside the last distance returned.

    A server may compute the same distance a little differently each time. So rings overlap a
    little, and the keys already found in the overlap are excluded by name. Distances are kept
    with the sign that makes the nearer the smaller.
    """

    def __init__(self, calls: SearchCalls, plan: SearchPlan, schema: SearchSchemaFacts) -> None:
        self._calls = calls
        self._plan = plan
        self._schema = schema
        self._rounding = _Rounding(plan.round_decimal)
        self._options: dict[str, Any] = {**plan.options, "iterator": "True"}
        self._param: dict[str, Any] = {}
        self._params: dict[str, Any] = {}  # what is sent as _param["params"]
        self._metric = ""
        self._anns_field = ""
        self._left = limit_left(plan.limit)
        self._cache: list[Hit] = []  # found, not handed out yet
        self._stock: list[Hit] = []  # handed out to the filter and passed by it
        self._sign = 1
        self._tail = -math.inf  # the farthest distance found
        self._edge = -math.inf  # where the next ring begins, a little before the tail
        self._overlap: list[tuple[float, int | str]] = []  # what was found from the edge on
        self._scale = MIN_SCALE  # the largest distance found, whatever its sign
        self._width = 0.0
        self._started = False

    def open(self) -> Steps[None]:
        """Settles field and metric, and searches for the first page."""
        plan = self._plan
        self._anns_field = plan.anns_field or self._only_vector_field()
        yield from self._settle_params()
        if not self._metric:
            raise milvus_error("ParamError", "must specify metrics type for search iterator")
        if "ef" in self._params and self._params["ef"] < plan.batch_size:
            raise milvus_error(
                "MilvusException",
                "When using hnsw index, provided ef must be larger than or equal to batch size",
            )
        if self._metric not in OUTWARD and self._metric not in INWARD:
            raise milvus_error(
                "MilvusException",
                f"unsupported metrics type for search iteration: {self._metric}",
            )
        self._sign = 1 if self._metric in OUTWARD else -1
        self._options["collection_id"] = self._schema.collection_id
        self._check_range()
        if not self._schema.primary_field:
            raise milvus_error("ParamError", "schema must contain pk field, broke")
        result = yield self._search(plan, self._params, plan.filter, self._batch(1))
        self._options["guarantee_timestamp"] = _session_timestamp(result)
        page = list(result[0]) if len(result) else []
        if not page:
            log.error("no row matches the first search of search_iterator: check radius and filter")
            return
        self._found(page)
        self._set_width(page)
        self._started = True

    def fetch(self) -> Steps[SearchPage]:
        """The next page; empty when there are no more hits or the limit was reached."""
        want = self._plan.batch_size
        if self._left is not None:
            want = min(want, self._left)
        if not self._started or (self._left is not None and self._left <= 0):
            return SearchPage(None)
        if self._plan.external_filter_func is None:
            hits = yield from self._take(want)
        else:
            hits = yield from self._take_filtered(self._plan.external_filter_func, want)
        if self._left is not None:
            self._left -= len(hits)
        return SearchPage(hits)

    def close(self) -> None:
        self._started = False
        self._cache = []
        self._stock = []

    release = close

    def _take_filtered(self, passes: HitsFilter, want: int) -> Steps[list[Hit]]:
        while len(self._stock) < want:
            hits = yield from self._take(self._plan.batch_size)
            if not hits:
                break
            try:
                kept = passes(hits)
            except BaseException:
                self._cache[:0] = hits
                raise
            self._stock.extend(kept)
            if not self._started:  # the filter has closed it
                break
        taken = self._stock[:want]
        del self._stock[:want]
        return taken

    def _take(self, want: int) -> Steps[list[Hit]]:
        filled = opened = False
        if len(self._cache) < want:
            opened = yield from self._fill()
            filled = True
        hits = self._cache[:want]
        del self._cache[:want]
        if filled and not opened and len(hits) == self._plan.batch_size:
            self._set_width(hits)
        self._rounding.apply(hits)
        return hits

    def _fill(self) -> Steps[bool]:
        """Searches ring after ring until a page's worth is found. True if it had to look beyond."""
        count = tries = 0
        radius = 0.0
        while count < self._plan.batch_size and tries <= MAX_TRIES:
            tries += 1
            # Each try reaches further out, so that an empty ring is crossed.
            radius = self._radius(self._width * tries)
            hits = yield from self._ring(self._plan, radius, self._batch(EXTENSION_RATE))
            self._found(hits)
            count += len(hits)
        outermost = self._radius(None)
        if count or self._cache or radius == outermost:
            return False
        yield from self._look_beyond(outermost)
        return True

    def _look_beyond(self, outermost: float) -> Steps[None]:
        """Finds what lies behind a gap that the rings have not crossed.

        Also what a server hides that looks for the range among a limit's nearest rows only (as
        milvus-lite does): so the greatest limit is asked for, first for keys alone.
        """
        most, tail = self._batch(MAX_BATCH_SIZE), self._tail
        keys_only = replace(self._plan, output_fields=[])
        beyond = yield from self._ring(keys_only, outermost, most)
        if not beyond:
            return
        radius = outermost
        wanted = self._batch(EXTENSION_RATE)
        if len(beyond) > wanted:
            last = self._sign * beyond[wanted - 1].distance
            radius = self._radius(last - tail + DRIFT * max(self._scale, abs(last)))
        hits = yield from self._ring(self._plan, radius, most)
        self._found(hits)
        self._width = max(self._width, self._sign * beyond[0].distance - tail)

    def _ring(self, plan: SearchPlan, radius: float, limit: int) -> Steps[list[Hit]]:
        params = {**self._params, "radius": radius, "range_filter": self._sign * self._edge}
        result = yield self._search(plan, params, self._without_overlap(), limit)
        return list(result[0]) if len(result) else []

    def _radius(self, reach: float | None) -> float:
        """The outer edge, `reach` away from the tail (None: as far as there is)."""
        if reach is None:
            edge = self._sign * FARTHEST.get(self._metric, FLOAT32_MAX)
        else:
            edge = self._sign * (self._tail + reach)
        bound: float | None = self._params.get("radius")
        return bound if bound is not None and self._sign * (edge - bound) > 0 else edge

    def _search(
        self, plan: SearchPlan, params: Mapping[str, Any], expr: str | None, limit: int
    ) -> Any:
        return self._calls.search(
            plan,
            expr=expr,
            anns_field=self._anns_field,
            search_params={**self._param, "params": dict(params)},
            limit=limit,
            round_decimal=self._rounding.sent,
            options=self._options,
        )

    def _batch(self, rate: int) -> int:
        limit = min(MAX_BATCH_SIZE, self._plan.batch_size * rate)
        return min(limit, self._params["ef"]) if "ef" in self._params else limit

    def _found(self, hits: list[Hit]) -> None:
        """Stores what a search found, and where the next ring begins."""
        if not hits:
            return
        found = [(self._sign * hit.distance, hit.id) for hit in hits]
        tail = max(self._tail, found[-1][0])
        scale = max(self._scale, abs(found[0][0]), abs(found[-1][0]))
        edge = max(self._edge, tail - DRIFT * scale)
        if "range_filter" in self._params:
            edge = max(edge, self._sign * self._params["range_filter"])
        overlap = sorted(hit for hit in self._overlap + found if hit[0] >= edge)
        if len(overlap) > OVERLAP_KEYS:
            edge = overlap[-OVERLAP_KEYS][0]
            overlap = [hit for hit in overlap if hit[0] >= edge]
        if len(overlap) > MAX_TIED_IDS:
            raise milvus_error(
                "MilvusException",
                f"filtered ids length has accumulated to more than {MAX_TIED_IDS}, "
                "there is a danger of overly memory consumption",
            )
        self._tail, self._edge, self._scale = tail, edge, scale
        self._overlap = overlap
        self._cache.extend(hits)

    def _set_width(self, hits: list[Hit]) -> None:
        width = self._sign * (hits[-1].distance - hits[0].distance)
        self._width = width if width != 0.0 else MIN_WIDTH

    def _without_overlap(self) -> str | None:
        given = self._plan.filter
        expr: str | None = given if given is None else plain(given)
        ids = [key for _distance, key in self._overlap]
        if not ids:
            return expr
        name = self._schema.primary_field
        # A list takes no operands but literals.
        keys = ",".join(literal(key) for key in ids if key != INT64_MIN)
        excluded = f"{name} not in [{keys}]" if keys else ""
        if INT64_MIN in ids:
            excluded += f"{' and ' if keys else ''}{name} != {literal(INT64_MIN)}"
        return f"({expr}) and {excluded}" if expr else excluded

    def _only_vector_field(self) -> str:
        schema = self._schema
        names = [name for name in schema.field_names if schema.field_type(name) in range(100, 106)]
        if not names:
            raise milvus_error(
                "MilvusException", "there should be at least one vector field in milvus collection"
            )
        if len(names) > 1:
            raise milvus_error(
                "MilvusException",
                "must specify anns_field when there are more than one vector field",
            )
        return str(names[0])

    def _settle_params(self) -> Steps[None]:
        given = own_params(self._plan.search_params)
        if "metric_type" not in given:
            given["metric_type"] = yield from self._metric_of_index()
        params = dict(given.get("params", {}))
        for key, value in given.items():
            if key == "params":
                continue
            if params.setdefault(key, value) != value:
                raise milvus_error(
                    "ParamError",
                    f"ambiguous parameter: {key}, in search_param: {value}, "
                    f"in search_param.params: {params[key]}",
                )
        # The rings replace these, so they may stand in one place only.
        self._param = {k: v for k, v in given.items() if k not in ("radius", "range_filter")}
        self._params = params
        self._metric = given["metric_type"]

    def _metric_of_index(self) -> Steps[str]:
        indexes = yield self._calls.indexes()
        metric = None
        # An index is named after its field unless the user said otherwise.
        for place in (1, 0):
            for index in indexes:
                if index[place] == self._anns_field and "metric_type" in index[2]:
                    metric = index[2]["metric_type"]
        if metric is None:
            raise milvus_error(
                "ParamError", f"Cannot set up metrics type for anns_field:{self._anns_field}"
            )
        return str(metric)

    def _check_range(self) -> None:
        if "radius" not in self._params or "range_filter" not in self._params:
            return
        if self._sign * (self._params["radius"] - self._params["range_filter"]) > 0:
            return
        relation = "larger" if self._sign > 0 else "smaller"
        raise milvus_error(
            "MilvusException",
            f"for metrics:{self._metric}, radius must be {relation} than range_filter, "
            "please adjust your parameter",
        )


def _session_timestamp(result: Any) -> int:
    timestamp: int = result.get_session_ts()
    if timestamp <= 0:
        log.warning("the server gave no timestamp to iterate at: the local clock is used")
        return client_side_timestamp()
    return timestamp
