"""pymilvus.exceptions under our name: the classes are pymilvus's own, imported at first use."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pymilvus import exceptions

    return getattr(exceptions, name)


def __dir__() -> list[str]:
    from pymilvus import exceptions

    return dir(exceptions)
