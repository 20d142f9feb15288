"""One piece of work for a peer, as one line of text that Python, Go, C and Node all read.

    op=search nq=10 k=100 fields=scalar dim=768 rows=0 form=- mode=async width=64 seconds=0.3

`op`: insert, search, query. `fields`: a key of data.OUTPUTS. `mode`: sync (one caller), threads
(`width` of them), async and uvloop (`width` calls in flight on one event loop).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from . import data


@dataclass(frozen=True)
class Work:
    op: str
    dim: int = data.DIM
    rows: int = 0
    form: str = "-"
    nq: int = 0
    k: int = 0
    fields: str = "-"
    mode: str = "sync"
    width: int = 1
    seconds: float = 0.3

    def __str__(self) -> str:
        return " ".join(f"{key}={value}" for key, value in asdict(self).items())

    @classmethod
    def parse(cls, line: str) -> Work:
        given: dict[str, Any] = dict(item.split("=", 1) for item in line.split())
        for key in ("dim", "rows", "nq", "k", "width"):
            given[key] = int(given[key])
        given["seconds"] = float(given["seconds"])
        return cls(**given)

    def lasting(self, seconds: float) -> Work:
        return replace(self, seconds=seconds)

    @property
    def output_fields(self) -> list[str]:
        return data.OUTPUTS[self.fields]

    @property
    def collection(self) -> str:
        if self.op == "insert":
            return data.collection_of(self.form, self.dim)
        return f"full_{self.dim}"

    @property
    def key(self) -> str:
        """Names the request: a file's name."""
        if self.op == "insert":
            return f"insert-{self.rows}-{self.dim}-{self.form}"
        return f"{self.op}-{self.nq}-{self.k}-{self.rows}-{self.fields}-{self.dim}"

    @property
    def title(self) -> str:
        if self.op == "insert":
            what = f"insert {self.rows} x {self.dim}, {data.FORMS[self.form]}"
        elif self.op == "search":
            fields = "" if self.fields == "ids" else f", {self.fields}"
            what = f"search nq={self.nq} k={self.k}{fields}"
        else:
            what = f"query {self.rows} rows, {self.fields}"
        how = {
            "sync": "",
            "threads": f", {self.width} threads",
            "async": f", asyncio, {self.width} in flight",
            "uvloop": f", uvloop, {self.width} in flight",
        }
        return what + how[self.mode]
