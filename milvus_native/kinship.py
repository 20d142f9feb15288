"""Lets isinstance(client, pymilvus.MilvusClient) and the like be true for our objects.

Ours cannot derive from pymilvus's classes, since that would import pymilvus. But isinstance looks
at an object's __class__, too, and there they name their counterpart once it has been imported.
"""

from __future__ import annotations

import copyreg
import sys
from typing import Any

# By class, the modules to look in: the second is pymilvus 2.6's.
_COUNTERPARTS = {
    "AggregationBucket": ("pymilvus.client.search_aggregation",),
    "AggregationHit": ("pymilvus.client.search_aggregation",),
    "AsyncMilvusClient": ("pymilvus.milvus_client.async_milvus_client",),
    "ExtraList": ("pymilvus.client.types",),
    "HybridExtraList": ("pymilvus.client.types",),
    "HybridHits": ("pymilvus.client.search_result",),
    "MilvusClient": ("pymilvus.milvus_client.milvus_client",),
    "OmitZeroDict": ("pymilvus.client.types",),
    "QueryIterator": ("pymilvus.client.iterator.query_iterator", "pymilvus.orm.iterator"),
    "SearchIterator": ("pymilvus.client.iterator.search_iterator", "pymilvus.orm.iterator"),
    "SearchIteratorV2": (
        "pymilvus.client.iterator.search_iterator",
        "pymilvus.client.search_iterator",
    ),
    "SearchPage": ("pymilvus.client.iterator.search_iterator", "pymilvus.orm.iterator"),
    "SearchResult": ("pymilvus.client.search_result",),
}


class Kin:
    """Base of classes that have a namesake in pymilvus. `_core.Hit` does the same in C."""

    __slots__ = ()

    @property
    def __class__(self) -> type:
        cls = type(self)
        if not cls.__module__.startswith("milvus_native."):
            return cls  # a program's own subclass
        for name in _COUNTERPARTS.get(cls.__name__, ()):
            if name in sys.modules:
                counterpart: type = getattr(sys.modules[name], cls.__name__, cls)
                return counterpart
        return cls

    @__class__.setter
    def __class__(self, cls: type) -> None:
        vars(object)["__class__"].__set__(self, cls)

    def __reduce_ex__(self, protocol: Any) -> Any:
        # pickle refuses copyreg.__newobj__ where its class is not the object's __class__. A
        # subclass may have a __reduce__ of its own, which is found here, too.
        parts: Any = object.__reduce_ex__(self, max(int(protocol), 2))
        if parts[0] is not copyreg.__newobj__:  # type: ignore[attr-defined]
            return parts
        return (new, *parts[1:])


def new(cls: Any, *arguments: Any) -> Any:
    """What unpickling calls: an instance without __init__."""
    return cls.__new__(cls, *arguments)
