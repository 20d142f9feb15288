"""What a call has used goes with the call: nothing of it is left for the collector to find.

The collector counts objects, not bytes: requests and replies of megabytes would pile up before it
came.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import grpc
import pytest

from milvus_native import AsyncMilvusClient, MilvusClient
from tests.servers.recording import Failure, RecordingServer, Reply

from . import replies
from .calls import ALL_CALLS, DataCall

KINDS = ["sync-native", "async-native", "sync-grpc", "async-grpc"]

UNAVAILABLE = Failure(grpc.StatusCode.UNAVAILABLE)
DENIED = Failure(grpc.StatusCode.PERMISSION_DENIED)

INSERT, SEARCH = ALL_CALLS["insert"], ALL_CALLS["search-floats"]
BAD_ROW = INSERT._replace(arguments={"data": [{"id": "one", "vector": [0.0] * 4}]})
SHORT_VECTOR = SEARCH._replace(arguments={"data": [[0.0] * 3], "anns_field": "vector"})


def refused(call: DataCall) -> bytes:
    return call.reply(replies.failed(1100))


# A call, its options, and the replies to methods.
Case = tuple[DataCall, dict[str, Any], dict[str, list[Reply]]]

CASES: dict[str, Case] = {
    **{name: (call, {}, {}) for name, call in ALL_CALLS.items()},
    "wrong row": (BAD_ROW, {}, {}),
    "wrong length": (SHORT_VECTOR, {}, {"Search": [refused(SEARCH)]}),
    "refused": (INSERT, {}, {"Insert": [refused(INSERT)]}),
    "denied": (SEARCH, {}, {"Search": [DENIED]}),
    "no time": (SEARCH, {"timeout": 0}, {}),
    "not sent again": (INSERT, {}, {"Insert": [UNAVAILABLE]}),
    "sent again": (SEARCH, {"timeout": 60}, {"Search": [UNAVAILABLE, SEARCH.reply()]}),
    "gave up": (SEARCH, {"retry_times": 1}, {"Search": [UNAVAILABLE]}),
    "out of time": (SEARCH, {"timeout": 0.2}, {"Search": [UNAVAILABLE]}),
    "too busy": (
        SEARCH,
        {"timeout": 60},
        {"Search": [SEARCH.reply(replies.RATE_LIMIT), SEARCH.reply()]},
    ),
    "old schema": (
        INSERT,
        {},
        {"Insert": [INSERT.reply(replies.MISMATCH), INSERT.reply(), refused(INSERT)]},
    ),
    "no schema": (INSERT, {}, {"DescribeCollection": [replies.not_described()]}),
    "schema denied": (INSERT, {}, {"DescribeCollection": [DENIED]}),
    "no session": (SEARCH, {}, {"Connect": [Failure(grpc.StatusCode.UNIMPLEMENTED)]}),
}


@pytest.mark.parametrize("knows_schema", [False, True])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left(
    server: RecordingServer, kind: str, case: Case, knows_schema: bool
) -> None:
    call, options, answers = case
    side, _, transport = kind.partition("-")

    async def asynchronously() -> list[Any]:
        async with AsyncMilvusClient(server.uri, transport=transport) as client:
            if knows_schema:
                await INSERT.on(client)
            for method, answer in answers.items():
                server.set(method, *answer)
            client._mvn_connection.renew()
            with collecting() as left, suppress(Exception):
                await call.on(client, **options)
            return left()

    def synchronously() -> list[Any]:
        with MilvusClient(server.uri, transport=transport) as client:
            if knows_schema:
                INSERT.on(client)
            for method, answer in answers.items():
                server.set(method, *answer)
            client._mvn_connection.renew()
            with collecting() as left, suppress(Exception):
                call.on(client, **options)
            return left()

    assert (asyncio.run(asynchronously()) if side == "async" else synchronously()) == []


class collecting:
    """Keeps the collector away, and tells what of ours it would have found since."""

    def __enter__(self) -> Callable[[], list[Any]]:
        gc.disable()
        gc.freeze()  # what there is already, which would take long to look through
        return self._left

    def __exit__(self, *_: object) -> None:
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        gc.set_debug(0)
        gc.unfreeze()
        gc.enable()
        self._found = [repr(item) for item in gc.garbage if is_ours(item)]
        gc.garbage.clear()

    def _left(self) -> list[Any]:
        return self._found


def is_ours(item: object) -> bool:
    """Whether it is a frame of this package, or holds a message. The server's are others'."""
    if isinstance(item, FrameType):
        return str(item.f_globals.get("__name__")).startswith("milvus_native")
    return isinstance(item, asyncio.Future) and item.done()
