"""What was in memory before makes no difference: every operation comes to the same when glibc fills
each block, Python's own too, with other bytes as it is handed out and as it is freed.

Blocks of a new process are mostly zero, which hides whatever relies on that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import pytest

from . import scenarios

SCRIPT = """
import logging
from tests.hardening import scenarios

logging.disable()
for name, action in scenarios.SCENARIOS.items():
    print(ascii((name, action())))
"""


@cache
def outcomes(fill: int) -> list[str]:
    """What each scenario comes to in a process whose memory is full of `fill`; 0: as it comes."""
    setting = {"MALLOC_PERTURB_": str(fill), "PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, **setting},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("fill", [0x5A, 0xFE])
def test_memory_may_be_dirty(fill: int) -> None:
    assert len(outcomes(0)) == len(scenarios.SCENARIOS)
    assert outcomes(fill) == outcomes(0)
