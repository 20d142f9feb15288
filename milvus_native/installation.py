"""install() and uninstall(): our two clients in the place of pymilvus's, for a whole program."""

from __future__ import annotations

from typing import Any

from .submodules import HOLDERS, THEIRS


def install() -> None:
    """Puts MilvusClient and AsyncMilvusClient of this package into pymilvus.

    Whatever imports them from pymilvus afterwards gets ours; modules that have imported them
    already keep what they have, so call it first. It can be called again at no cost. pymilvus's
    ORM (Collection, connections) stays as it is. Imports pymilvus.
    """
    for name, theirs, ours in _pairs():
        _exchange(name, theirs, ours)


def uninstall() -> None:
    """Puts pymilvus's own classes back. Clients that exist stay usable."""
    for name, theirs, ours in _pairs():
        _exchange(name, ours, theirs)


def _pairs() -> list[tuple[str, Any, Any]]:
    """(name, pymilvus's class, ours)."""
    from .async_client import AsyncMilvusClient
    from .delegates import original
    from .sync_client import MilvusClient

    return [
        (ours.__name__, original(ours.__name__), ours) for ours in (MilvusClient, AsyncMilvusClient)
    ]


def _exchange(name: str, present: Any, wanted: Any) -> None:
    from importlib import import_module

    for module_name in (THEIRS, *HOLDERS):
        module = import_module(module_name)
        # Only our own exchange is made and undone: what others have put there, a mock, stays.
        if getattr(module, name, None) is present:
            setattr(module, name, wanted)
