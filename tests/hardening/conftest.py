"""Quiet: replies made at random make the decoders warn, and pytest would keep each warning."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logger = logging.getLogger("milvus_native.results")
    logger.disabled = True
    yield
    logger.disabled = False
