"""Both real servers, a collection on each, and batches of rows that no other test has."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable

import pytest

from tests.servers import Server

from .load import ROWS, Batch, create

_numbers = itertools.count()


@pytest.fixture
def batches() -> Callable[[int], list[Batch]]:
    """So many, of which no row is there."""
    return lambda count: [Batch(ROWS * next(_numbers)) for _ in range(count)]


SERVERS = {"lite": "lite_server", "2.3.5": "milvus_server", "2.3.5 TLS": "milvus_tls_server"}


@pytest.fixture(params=["lite", "2.3.5"])
def server(request: pytest.FixtureRequest) -> Server:
    """One of SERVERS."""
    found: Server = request.getfixturevalue(SERVERS[request.param])
    return found


@pytest.fixture(scope="session")
def _collections() -> dict[str, str]:
    """By the server's URI. They go with the servers."""
    return {}


@pytest.fixture
def collection(server: Server, _collections: dict[str, str]) -> str:
    """One for all tests of this process."""
    if server.uri not in _collections:
        name = f"faults_{uuid.uuid4().hex[:12]}"
        create(server.uri, name, **server.options)
        _collections[server.uri] = name
    return _collections[server.uri]
