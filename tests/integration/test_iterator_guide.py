"""The examples of docs/guide-iterators.md, run one after the other in a process of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = [
    "on shelf 3: 143",
    "pages of [400, 400, 200]",
    "nearest: [0, 1, 2, 3, 4] of 250",
    "odd: [19, 39]",
    "both: 1250",
    "stopped after 599 and went on with 600",
    "left: 100",
]


def test_guide(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "guide-iterators.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    script = tmp_path / "guide.py"
    script.write_text("\n".join(blocks))
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stdout.splitlines() if line in EXPECTED] == EXPECTED
