"""Half a minute of a mixed load under faults; tools/soak_faults.py makes half an hour by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.sanitizers import SANITIZED, environment_of_frugality

SOAK = Path(__file__).parents[2] / "tools" / "soak_faults.py"


def test_soak() -> None:
    """Every reply is right, no row is lost or there twice, memory and open files stay."""
    # AddressSanitizer's allocator fills its regions for some twenty seconds; then memory is flat.
    minutes = "1" if SANITIZED else "0.3"
    options = ["--server", "lite", "--minutes", minutes, "--rate", "80"]
    options += ["--stop-every", "5", "--kill-every", "7"]
    done = subprocess.run(
        [sys.executable, str(SOAK), *options],
        env=environment_of_frugality(),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
