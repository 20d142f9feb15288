"""Every scenario that milvus-lite can take, through both packages."""

from __future__ import annotations

import pytest

from tests.servers import Server

from . import scenarios
from .harness import PAIRINGS, SCENARIOS, Pairing, Scenario, check

assert scenarios.__all__


@pytest.mark.parametrize(
    "chosen", [s for s in SCENARIOS if "lite" in s.servers], ids=lambda s: s.name
)
@pytest.mark.parametrize("pairing", PAIRINGS, ids=lambda p: p.id)
def test_lite(chosen: Scenario, pairing: Pairing, lite_server: Server) -> None:
    check(chosen, pairing, lite_server)
