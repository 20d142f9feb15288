"""Valid messages for the fuzzers to start from, in build/fuzz/NAME.corpus: python -m tools.corpus.

`tools/fuzz.sh --merge` then picks the least of all inputs into csrc/tests/corpus.
"""

from __future__ import annotations

from pathlib import Path

from tests.faker import Faker
from tests.hardening import scenarios
from tests.oracle.results.faker import ReplyFaker

OUT = Path("build/fuzz")
SEEDS = 80


def write(target: str, name: str, data: bytes) -> None:
    folder = OUT / f"{target}.corpus"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def main() -> None:
    for seed in range(SEEDS):
        faker = ReplyFaker(seed)
        for number, kind in enumerate(("search", "query", "mutation")):
            data = getattr(faker, kind)().SerializeToString()
            write("fuzz_reply", f"{kind}-{seed}", bytes([number]) + data)
            write("fuzz_wire", f"{kind}-{seed}", bytes([0]) + data)
        write("fuzz_control", f"schema-{seed}", b"\0" + Faker(seed).schema().reply_bytes)
    write("fuzz_control", "indexes", bytes([1 << 5]) + scenarios.INDEXES)
    write("fuzz_control", "connect", bytes([2 << 5]) + scenarios.CONNECT)


if __name__ == "__main__":
    main()
