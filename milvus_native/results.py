"""The Python side of results: list types with pymilvus's attributes, filled by milvus_native._core.

Everything in them is made when the reply is decoded. So they are ordinary lists: they can be
sorted, reversed, cut, pickled and copied. Their names and methods are those of pymilvus.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _core
from .kinship import Kin

if TYPE_CHECKING:
    from milvus_native._core import Hit

__all__ = [
    "AggregationBucket",
    "AggregationHit",
    "ExtraList",
    "HybridExtraList",
    "HybridHits",
    "OmitZeroDict",
    "SearchIteratorV2Results",
    "SearchResult",
]

logger = logging.getLogger(__name__)

_SHOWN = 10  # rows that str() shows
_MAX_QUERIES = 16384  # Milvus's own limit; a reply that claims more is not believed
_SHOWN_WHEN_ZERO = frozenset({"scanned_remote_bytes", "scanned_total_bytes", "cache_hit_ratio"})


class OmitZeroDict(dict[str, Any], Kin):
    """A dict that hides falsy values from str(), but not from repr()."""

    def _shown(self) -> dict[str, Any]:
        return {k: v for k, v in self.items() if v or k in _SHOWN_WHEN_ZERO}

    def omit_zero_len(self) -> int:
        """How many items str() shows."""
        return len(self._shown())

    def __str__(self) -> str:
        return str(self._shown())

    def __repr__(self) -> str:
        return str(dict(self))


class SearchIteratorV2Results(NamedTuple):
    """What a search iterator needs for its next call."""

    token: str = ""
    last_bound: float = 0.0


class AggregationHit(Kin):
    """One row inside an AggregationBucket."""

    _pk: int | str | None
    _score: float
    _fields: dict[str, Any]
    _field_ids: dict[str, int]

    def __init__(self, proto: Any) -> None:
        """`proto` is pymilvus's message AggHit."""
        bucket = _message("AggBucket")(hits=[proto])
        (hit,) = AggregationBucket(bucket).hits
        vars(self).update(vars(hit))

    @classmethod
    def _of(
        cls,
        pk: int | str | None,
        score: float,
        fields: dict[str, Any],
        field_ids: dict[str, int],
    ) -> AggregationHit:
        """What the core makes hits with."""
        self = cls.__new__(cls)
        self._pk = pk
        self._score = score
        self._fields = fields
        self._field_ids = field_ids
        return self

    @property
    def pk(self) -> int | str | None:
        return self._pk

    @property
    def score(self) -> float:
        return self._score

    @property
    def fields(self) -> dict[str, Any]:
        """Values by field name, a copy."""
        return dict(self._fields)

    def field_ids(self) -> dict[str, int]:
        """Field ids by field name, a copy."""
        return dict(self._field_ids)

    def __repr__(self) -> str:
        return f"AggregationHit(pk={self._pk!r}, score={self._score}, fields={self._fields!r})"


class AggregationBucket(Kin):
    """The rows that share a grouping key, with their metrics and the groups inside them."""

    _key: list[dict[str, Any]]
    _count: int
    _metrics: dict[str, Any]
    _hits: list[AggregationHit]
    _sub_groups: list[AggregationBucket]

    def __init__(self, proto: Any) -> None:
        """`proto` is pymilvus's message AggBucket."""
        ((bucket,),) = SearchResult(_message("SearchResultData")(agg_buckets=[proto])).agg_buckets
        vars(self).update(vars(bucket))

    @classmethod
    def _of(
        cls,
        key: list[dict[str, Any]],
        count: int,
        metrics: dict[str, Any],
        hits: list[AggregationHit],
        sub_groups: list[AggregationBucket],
    ) -> AggregationBucket:
        """What the core makes buckets with."""
        self = cls.__new__(cls)
        self._key = key
        self._count = count
        self._metrics = metrics
        self._hits = hits
        self._sub_groups = sub_groups
        return self

    @property
    def key(self) -> list[dict[str, Any]]:
        """The grouping key as {field_name, field_id, value}, a copy."""
        return [dict(part) for part in self._key]

    @property
    def count(self) -> int:
        return self._count

    @property
    def metrics(self) -> dict[str, Any]:
        """Metric values by alias, a copy."""
        return dict(self._metrics)

    @property
    def hits(self) -> list[AggregationHit]:
        return list(self._hits)

    @property
    def sub_groups(self) -> list[AggregationBucket]:
        return list(self._sub_groups)

    def __repr__(self) -> str:
        return (
            f"AggregationBucket(key={self._key!r}, count={self._count}, "
            f"metrics={self._metrics!r}, hits={len(self._hits)}, "
            f"sub_groups={len(self._sub_groups)})"
        )


class HybridHits(list["Hit"], Kin):
    """The hits of one query vector, best first.

    Attributes:
        ids: primary keys, in the order of the hits.
        distances: their distances, in the same order.
        start: index of the first hit among those of all query vectors.
        dynamic_fields: names of the dynamic fields that were asked for; empty means all.
        has_materialized: always True.
        lazy_field_data: always empty.
    """

    ids: list[int] | list[str]
    distances: list[float]
    start: int
    dynamic_fields: set[str]
    has_materialized = True

    @property
    def lazy_field_data(self) -> list[Any]:
        return []

    def get_raw_item(self, idx: int) -> _core.Hit:
        """The hit at `idx`."""
        return self[idx]

    def materialize(self) -> None:
        """Does nothing: the hits are complete."""

    def __str__(self) -> str:
        rest = f" ... and {len(self) - _SHOWN} entities remaining" if len(self) > _SHOWN else ""
        return f"{self[:_SHOWN]}{rest}"

    __repr__ = __str__


class SearchResult(list[HybridHits], Kin):
    """The results of a search, one HybridHits for each query vector.

    Attributes:
        recalls: recall of each query vector, or None.
        extra: what the call cost and scanned, as far as the server says so.
        agg_buckets: for each query vector its AggregationBuckets; empty without an aggregation.
    """

    recalls: list[float] | None = None
    extra: dict[str, Any]
    agg_buckets: list[list[AggregationBucket]]
    _session_ts: int = 0
    _search_iterator_v2_results = SearchIteratorV2Results()

    def __init__(
        self,
        res: Any = (),
        round_decimal: int | None = None,
        status: Any = None,
        session_ts: int | None = 0,
    ) -> None:
        """`res` is pymilvus's message SearchResultData, `status` its Status; or `res` is the list.

        The core does not come here.
        """
        if not hasattr(res, "SerializeToString"):
            super().__init__(res)
            return
        from pymilvus.grpc_gen import milvus_pb2

        reply = milvus_pb2.SearchResults(results=res, session_ts=session_ts or 0)
        if status is not None:
            reply.status.extra_info.update(status.extra_info)
        result = _core.decode_search(reply.SerializeToString(), round_decimal=round_decimal)
        super().__init__(result)
        vars(self).update(vars(result))

    def get_session_ts(self) -> int:
        """Timestamp of the snapshot that was searched."""
        return self._session_ts

    def get_search_iterator_v2_results_info(self) -> SearchIteratorV2Results:
        """Token and last bound, empty and 0.0 outside an iterator."""
        return self._search_iterator_v2_results

    def materialize(self) -> None:
        """Does nothing: the hits are complete."""

    def _set_agg_buckets(
        self, buckets: list[AggregationBucket], topks: list[int], num_queries: int
    ) -> None:
        """Deals the buckets of all query vectors out: topks[i] of them belong to the i-th."""
        if not topks:
            if num_queries > 1:
                logger.warning(
                    "the server did not say which of %d aggregation buckets belong to which of "
                    "%d query vectors: they are dropped",
                    len(buckets),
                    num_queries,
                )
                self.agg_buckets = [[] for _ in range(min(num_queries, _MAX_QUERIES))]
            else:
                self.agg_buckets = [buckets]
            return
        self.agg_buckets = []
        start = 0
        for topk in topks:
            self.agg_buckets.append(buckets[start : start + topk])
            start += topk
        if start != len(buckets):
            logger.warning(
                "the server announced %d aggregation buckets and sent %d", start, len(buckets)
            )
            self.agg_buckets[-1].extend(buckets[start:])

    def __str__(self) -> str:
        recalls = f",recalls: {self.recalls[:_SHOWN]}" if self.recalls else ""
        rest = f" ... and {len(self) - _SHOWN} results remaining" if len(self) > _SHOWN else ""
        extra = f",{self.extra}" if self.extra else ""
        return f"data: {self[:_SHOWN]}{recalls}{rest}{extra}"

    __repr__ = __str__


class HybridExtraList(list[dict[str, Any]], Kin):
    """The rows of a query.

    Attributes:
        extra: the cost of the call, what it scanned, and iterator_session_ts, the timestamp of
            the snapshot that was read.
    """

    extra: OmitZeroDict

    def materialize(self) -> HybridExtraList:
        """The list itself: the rows are complete."""
        return self

    def __str__(self) -> str:
        more = " ..." if len(self) > _SHOWN else ""
        return f"data: {[str(row) for row in self[:_SHOWN]]}{more}, extra_info: {self.extra}"

    __repr__ = __str__


class ExtraList(list[Any], Kin):
    """A list with extra information about the call that gave it."""

    def __init__(self, *args: Any, extra: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.extra = OmitZeroDict(extra or {})

    def __str__(self) -> str:
        more = " ..." if len(self) > _SHOWN else ""
        shown = f"data: {[str(row) for row in self[:_SHOWN]]}{more}"
        if self.extra.omit_zero_len() != 0:
            return f"{shown}, extra_info: {self.extra}"
        return shown

    __repr__ = __str__


def _message(name: str) -> Any:
    """A class of pymilvus's messages of results."""
    from pymilvus.grpc_gen import schema_pb2

    return getattr(schema_pb2, name)


# In the order of _core.set_result_types.
TYPES = (
    SearchResult,
    HybridHits,
    HybridExtraList,
    OmitZeroDict,
    SearchIteratorV2Results,
    AggregationBucket,
    AggregationHit,
)
_core.set_result_types(*TYPES)
