"""What the source tests share: where the files are, and how to read C a little."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
GENERATED = {CSRC / "proto" / "control.pb-c.c", CSRC / "proto" / "control.pb-c.h"}


def c_files(*folders: str) -> list[Path]:
    """Hand-written C files in folders of csrc, their sub-folders too; all when none is named."""
    roots = [CSRC / folder for folder in folders] or [CSRC]
    found = {path for root in roots for path in root.rglob("*.[ch]")} - GENERATED
    return sorted(found)


def without_comments(text: str) -> str:
    """C without its comments; line numbers stay. String literals are kept as they are."""
    pattern = re.compile(
        r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.DOTALL
    )

    def blank(match: re.Match[str]) -> str:
        token = match.group()
        return "\n" * token.count("\n") if token.startswith("/") else token

    return pattern.sub(blank, text)


def includes(path: Path) -> list[str]:
    """The names in the file's #include lines, quoted and angled."""
    text = without_comments(path.read_text())
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.MULTILINE)


def included_files(path: Path) -> list[Path]:
    """The files of csrc that it includes directly."""
    inside = [(path.parent / name).resolve() for name in includes(path)]
    return [file for file in inside if file.exists() and CSRC in file.parents]
