"""The examples of the guides, each guide's run one after the other in a process of their own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .scripts import run

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = {
    "guide-iterators": [
        "on shelf 3: 143",
        "pages of [400, 400, 200]",
        "nearest: [0, 1, 2, 3, 4] of 250",
        "odd: [19, 39]",
        "both: 1250",
        "stopped after 599 and went on with 600",
        "left: 100",
    ],
    "guide-schema-cache": [
        "entries: 1",
        "fields: ('id', 'vector')",
        "capacity: 100",
        "entries: 0",
    ],
}


@pytest.mark.parametrize("guide", EXPECTED)
def test_guide(guide: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / f"{guide}.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    script = tmp_path / "guide.py"
    script.write_text("\n".join(blocks))
    printed = run(script, cwd=tmp_path).splitlines()
    assert [line for line in printed if line in EXPECTED[guide]] == EXPECTED[guide]
