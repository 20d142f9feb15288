"""Every scenario that the real Milvus 2.3.5 can take, through both packages."""

from __future__ import annotations

import pytest

from tests.servers import Server

from . import scenarios
from .harness import Pairing, Scenario, cases, check

assert scenarios.__all__  # importing them registers them


@pytest.mark.parametrize(("chosen", "pairing"), cases("2.3.5"))
def test_standalone(chosen: Scenario, pairing: Pairing, milvus_server: Server) -> None:
    check(chosen, pairing, milvus_server)
