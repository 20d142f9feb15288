"""The page type of search iterators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .kinship import Kin

Hit = Any  # a dict with attributes id and distance
Hits = Sequence[Hit]


class SearchPage(Kin):
    """One page of a search iterator: hits, nearest first.

    A sequence of Hit (`len`, indices, slices, iteration), with pymilvus's methods. It holds the
    hits in the parts that arrived; `get_res()` shows them.
    """

    def __init__(self, res: Hits | None, session_ts: int = 0) -> None:
        self._session_ts = session_ts
        self._results: list[Hits] = [] if res is None else [res]
        self._next = 0

    def get_session_ts(self) -> int:
        return self._session_ts

    def get_res(self) -> list[Hits]:
        return self._results

    def merge(self, others: Sequence[Hits] | None) -> None:
        """Appends parts, as `get_res()` of another page returns them."""
        if others is not None:
            self._results.extend(others)

    def ids(self) -> list[int | str]:
        return [hit.id for hit in self]

    def distances(self) -> list[float]:
        return [hit.distance for hit in self]

    def get__item(self, idx: int) -> Hit:
        return None if not self._results else self[idx]

    def __len__(self) -> int:
        return sum(len(part) for part in self._results)

    def __getitem__(self, item: int | slice) -> Any:
        if isinstance(item, slice):
            return list(self)[item]
        index = item + len(self) if item < 0 else item
        if index >= 0:
            for part in self._results:
                if index < len(part):
                    return part[index]
                index -= len(part)
        raise IndexError("Index out of range")

    def __iter__(self) -> Iterator[Hit]:
        for part in self._results:
            yield from part

    def __next__(self) -> Hit:
        if self._next >= len(self):
            self._next = 0
            raise StopIteration
        self._next += 1
        return self[self._next - 1]

    def __str__(self) -> str:
        return str([str(hit) for hit in self[:10]])
