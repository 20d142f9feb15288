"""Both real servers, and a collection on them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pymilvus
import pytest

from tests.servers import Server

from .load import create


@pytest.fixture(params=["lite", "2.3.5"])
def server(request: pytest.FixtureRequest) -> Server:
    fixtures = {"lite": "lite_server", "2.3.5": "milvus_server"}
    found: Server = request.getfixturevalue(fixtures[request.param])
    return found


@pytest.fixture
def collection(server: Server) -> Iterator[str]:
    name = f"faults_{uuid.uuid4().hex[:12]}"
    create(server.uri, name)
    yield name
    client = pymilvus.MilvusClient(server.uri)
    client.drop_collection(name)
    client.close()
