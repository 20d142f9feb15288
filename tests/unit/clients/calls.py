"""Every data-plane call, by name, for tests that make all of them in both clients."""

from __future__ import annotations

from typing import Any, NamedTuple

from pymilvus import AnnSearchRequest, RRFRanker

from . import replies

VECTOR = [0.0, 0.0, 0.0, 0.0]
RAW_VECTOR = bytes(16)


class DataCall(NamedTuple):
    """`rpc` is the method of the server that it ends in; `inner` is pymilvus's name for it."""

    rpc: str
    inner: str
    method: str
    arguments: dict[str, Any]

    def on(self, client: Any, **more: Any) -> Any:
        return getattr(client, self.method)("things", **self.arguments, **more)

    def reply(self, status: Any = None) -> bytes:
        if self.rpc in ("Search", "HybridSearch"):
            return replies.search(status)
        if self.rpc == "Query":
            return replies.query(1, status=status)
        return replies.mutation(status=status)


def hybrid_requests(vector: Any) -> list[AnnSearchRequest]:
    return [AnnSearchRequest([vector], "vector", {}, limit=1)]


# Those that use a schema, ...
SCHEMA_CALLS = {
    "insert": DataCall("Insert", "insert_rows", "insert", {"data": replies.ROW}),
    "upsert": DataCall("Upsert", "upsert_rows", "upsert", {"data": [replies.ROW]}),
    "delete": DataCall("Delete", "delete", "delete", {"ids": [1, 2]}),
    "get": DataCall("Query", "query", "get", {"ids": [1, 2]}),
    "query": DataCall("Query", "query", "query", {"ids": [1, 2]}),
    "search": DataCall(
        "Search", "search", "search", {"data": [RAW_VECTOR], "anns_field": "vector"}
    ),
    "hybrid_search": DataCall(
        "HybridSearch",
        "hybrid_search",
        "hybrid_search",
        {"reqs": hybrid_requests(RAW_VECTOR), "ranker": RRFRanker()},
    ),
}

# ... and those that need none.
PLAIN_CALLS = {
    "delete-filter": DataCall("Delete", "delete", "delete", {"filter": "id > 1"}),
    "query-filter": DataCall("Query", "query", "query", {"filter": "id > 1"}),
    "search-floats": DataCall("Search", "search", "search", {"data": [VECTOR]}),
    "hybrid-floats": DataCall(
        "HybridSearch",
        "hybrid_search",
        "hybrid_search",
        {"reqs": hybrid_requests(VECTOR), "ranker": RRFRanker()},
    ),
}

ALL_CALLS = {**SCHEMA_CALLS, **PLAIN_CALLS}
