"""Walks the same rows with pymilvus's iterators and with ours, and keeps what each did."""

from __future__ import annotations

import ast
import json
import re
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pymilvus
from pymilvus.client.cache import GlobalCache
from pymilvus.grpc_gen import milvus_pb2

import milvus_native
from tests.servers.paging import PagingCollection
from tests.servers.recording import Call, RecordingServer

MESSAGES = {
    "Query": milvus_pb2.QueryRequest,
    "Search": milvus_pb2.SearchRequest,
    "DescribeIndex": milvus_pb2.DescribeIndexRequest,
}
# Where a range search of ours looks when pymilvus gives up.
OUTERMOST = 3.4e38
ENDLESS = 200  # pages; no test has as many
EXCLUSION = re.compile(r"(?P<expr>\(.*\) and )?id not in (?P<keys>\[.*\])")


@dataclass
class Walk:
    """What an iteration sent, returned and raised."""

    kind: str = ""
    pages: list[Any] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    error: BaseException | None = None
    delegated: dict[str, int] = field(default_factory=dict)  # ours: what went to pymilvus whole

    def rows(self) -> list[Any]:
        return [row for page in self.pages for row in page]


def plain(page: Any) -> Any:
    """A page as something that can be compared across the two packages."""
    if page is None or isinstance(page, list):
        return page
    hits = [dict(hit.to_dict()) for hit in page]
    assert page.ids() == [hit.id for hit in page]
    assert page.distances() == [hit["distance"] for hit in hits]
    return hits


def requests_of(calls: list[Call]) -> list[Any]:
    """Every request but DescribeCollection: how often a schema is asked for is not the point."""
    return [
        MESSAGES[call.method].FromString(call.request) for call in calls if call.method in MESSAGES
    ]


def outermost(message: Any) -> bool:
    """Whether this is the look beyond all rings that only our range searches end with."""
    if not isinstance(message, milvus_pb2.SearchRequest):
        return False
    params = next(pair.value for pair in message.search_params if pair.key == "params")
    return abs(json.loads(params).get("radius", 0)) > OUTERMOST


def same_request(ours: Any, theirs: Any) -> bool:
    """Whether two requests are equal, but for the overlap of our range searches.

    Our rings begin a little before pymilvus's and exclude the keys found there, too.
    """
    if ours == theirs:
        return True
    if not isinstance(ours, milvus_pb2.SearchRequest) or type(theirs) is not type(ours):
        return False
    params = []
    for message in (ours, theirs):
        pair = next(pair for pair in message.search_params if pair.key == "params")
        params.append(json.loads(pair.value))
        pair.value = ""
    edges = [inner.pop("range_filter", 0.0) for inner in params]
    excluded = [EXCLUSION.fullmatch(message.dsl) for message in (ours, theirs)]
    ours.dsl = theirs.dsl = ""
    return (
        ours == theirs
        and params[0] == params[1]
        and abs(edges[0] - edges[1]) <= 3e-5  # no distance here is greater than 3
        and all(excluded)
        and excluded[0]["expr"] == excluded[1]["expr"]
        and set(ast.literal_eval(excluded[0]["keys"])) >= set(ast.literal_eval(excluded[1]["keys"]))
    )


def finished(walk: Walk, page: Any) -> bool:
    walk.pages.append(plain(page))
    if len(walk.pages) > ENDLESS:
        raise RecursionError("the iteration does not end")
    return not page


def walk_sync(client: Any, method: str, arguments: dict[str, Any]) -> Walk:
    walk = Walk()
    try:
        iterator = getattr(client, method)("c", **arguments)
        walk.kind = type(iterator).__name__
        while not finished(walk, iterator.next()):
            pass
        finished(walk, iterator.next())
        iterator.close()
    except Exception as error:
        walk.error = error
    return walk


async def walk_async(client: Any, method: str, arguments: dict[str, Any]) -> Walk:
    walk = Walk()
    try:
        iterator = await getattr(client, method)("c", **arguments)
        walk.kind = type(iterator).__name__.removeprefix("Async")
        while not finished(walk, await iterator.next()):
            pass
        finished(walk, await iterator.next())
        await iterator.close()
    except Exception as error:
        walk.error = error
    return walk


async def both(
    collection: PagingCollection, method: str, arguments: dict[str, Any]
) -> tuple[Walk, Walk, Walk]:
    """pymilvus's walk, ours, and ours on an event loop. Each gets a copy of the arguments."""
    # It is kept by address, and the last test's server may have had the same one.
    GlobalCache.schema.clear()
    with RecordingServer(collection.replies()) as server:
        client = pymilvus.MilvusClient(server.uri, dedicated=True)
        theirs = walk_sync(client, method, deepcopy(arguments))
        theirs.requests = requests_of(server.take())
        client.close()
        with milvus_native.MilvusClient(server.uri) as native:
            ours = walk_sync(native, method, deepcopy(arguments))
            ours.delegated = native.stats()["delegated"]
        ours.requests = requests_of(server.take())
        async with milvus_native.AsyncMilvusClient(server.uri) as native_async:
            ours_async = await walk_async(native_async, method, deepcopy(arguments))
            ours_async.delegated = native_async.stats()["delegated"]
        ours_async.requests = requests_of(server.take())
    return theirs, ours, ours_async
