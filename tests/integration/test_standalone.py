"""Every scenario that the real Milvus 2.3.5 can take, through both packages."""

from __future__ import annotations

import pytest

from tests.servers import Server

from . import scenarios
from .harness import PAIRINGS, SCENARIOS, Pairing, Scenario, check

assert scenarios.__all__


@pytest.mark.parametrize(
    "chosen", [s for s in SCENARIOS if "2.3.5" in s.servers], ids=lambda s: s.name
)
@pytest.mark.parametrize("pairing", PAIRINGS, ids=lambda p: p.id)
def test_standalone(chosen: Scenario, pairing: Pairing, milvus_server: Server) -> None:
    check(chosen, pairing, milvus_server)
