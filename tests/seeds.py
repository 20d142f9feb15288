"""The seed of a run of the tests: new in every run, unless MVN_TEST_SEED says it.

The text of a failed test has what to set MVN_TEST_SEED to.
"""

from __future__ import annotations

import os
import random

RUN_SEED = os.environ.setdefault("MVN_TEST_SEED", str(random.SystemRandom().randrange(10**9)))


def random_source() -> random.Random:
    """A source of randomness for the test that runs."""
    print(f"MVN_TEST_SEED={RUN_SEED}")
    return random.Random(f"{RUN_SEED} {os.environ['PYTEST_CURRENT_TEST']}")
