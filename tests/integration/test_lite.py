"""Every scenario that milvus-lite can take, through both packages."""

from __future__ import annotations

import pytest

from tests.servers import Server

from . import scenarios
from .harness import Pairing, Scenario, cases, check

assert scenarios.__all__  # importing them registers them


@pytest.mark.parametrize(("chosen", "pairing"), cases("lite"))
def test_lite(chosen: Scenario, pairing: Pairing, lite_server: Server) -> None:
    check(chosen, pairing, lite_server)
