"""Both real servers, a collection on each, and batches of rows that no other test has."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator

import pymilvus
import pytest

from tests.servers import Server

from .load import ROWS, Batch, create

_numbers = itertools.count()


@pytest.fixture
def batches() -> Callable[[int], list[Batch]]:
    """So many, of which no row is there."""
    return lambda count: [Batch(ROWS * next(_numbers)) for _ in range(count)]


@pytest.fixture(scope="module", params=["lite", "2.3.5"])
def server(request: pytest.FixtureRequest) -> Server:
    fixtures = {"lite": "lite_server", "2.3.5": "milvus_server"}
    found: Server = request.getfixturevalue(fixtures[request.param])
    return found


@pytest.fixture(scope="module")
def collection(server: Server) -> Iterator[str]:
    name = f"faults_{uuid.uuid4().hex[:12]}"
    create(server.uri, name)
    yield name
    client = pymilvus.MilvusClient(server.uri)
    client.drop_collection(name)
    client.close()
