from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.oracle.requests.twins import Theirs, pymilvus_twin


@pytest.fixture(scope="session")
def theirs() -> Iterator[Theirs]:
    with pymilvus_twin() as twin:
        yield twin
