"""Half a minute of a mixed load under faults; tools/soak_faults.py makes half an hour by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.sanitizers import environment_without_quarantine

SOAK = Path(__file__).parents[2] / "tools" / "soak_faults.py"


def test_soak() -> None:
    """Every reply is right, no row is lost or there twice, memory and open files stay."""
    options = ["--server", "lite", "--minutes", "0.3", "--rate", "80"]
    options += ["--stop-every", "5", "--kill-every", "7"]
    done = subprocess.run(
        [sys.executable, str(SOAK), *options],
        env=environment_without_quarantine(),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
