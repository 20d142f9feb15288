"""pymilvus's MilvusClient and AsyncMilvusClient on a C core.

Every name that pymilvus exports is here too: the two clients and the classes of their results are
ours, all others are pymilvus's own objects, imported when first used. `import milvus_native`
itself imports next to nothing.
"""

from __future__ import annotations

from .submodules import find_pymilvus
from .version import __version__

find_pymilvus()

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pymilvus import (
        AnnSearchRequest,
        BloomFilterBuilder,
        BulkInsertState,
        Collection,
        CollectionSchema,
        CompactionTaskState,
        CompactionType,
        Connections,
        DataType,
        DefaultConfig,
        ExceptionsMessage,
        FieldOp,
        FieldOpType,
        FieldSchema,
        Function,
        FunctionChain,
        FunctionChainStage,
        FunctionScore,
        FunctionType,
        Group,
        Hits,
        Index,
        IndexType,
        LexicalHighlighter,
        MilvusException,
        MilvusUnavailableException,
        MutationFuture,
        Partition,
        Prepare,
        PyMilvusDeprecationWarning,
        Replica,
        ResourceGroupInfo,
        RoaringBitmapBuilder,
        Role,
        RRFRanker,
        SearchAggregation,
        SearchFuture,
        SegmentState,
        SemanticHighlighter,
        Shard,
        Status,
        StructFieldSchema,
        TopHits,
        WeightedRanker,
        build_bloom_filter,
        build_roaring_bitmap,
        connections,
        create_resource_group,
        create_user,
        db,
        delete_user,
        describe_resource_group,
        drop_collection,
        drop_resource_group,
        has_collection,
        has_partition,
        hybridts_to_datetime,
        hybridts_to_unixtime,
        index_building_progress,
        list_collections,
        list_resource_groups,
        list_usernames,
        loading_progress,
        mkts_from_datetime,
        mkts_from_hybridts,
        mkts_from_unixtime,
        reset_password,
        transfer_node,
        transfer_replica,
        update_password,
        update_resource_groups,
        utility,
        wait_for_index_building_complete,
        wait_for_loading_complete,
    )

    from . import exceptions as exceptions
    from . import iterators as iterators
    from . import schema_cache
    from ._core import Hit
    from .async_client import AsyncMilvusClient
    from .installation import install, uninstall
    from .observing import CallEvent
    from .results import AggregationBucket, AggregationHit, SearchResult
    from .sync_client import MilvusClient

__all__ = [
    "AggregationBucket",
    "AggregationHit",
    "AnnSearchRequest",
    "AsyncMilvusClient",
    "BloomFilterBuilder",
    "BulkInsertState",
    "CallEvent",
    "Collection",
    "CollectionSchema",
    "CompactionTaskState",
    "CompactionType",
    "Connections",
    "DataType",
    "DefaultConfig",
    "ExceptionsMessage",
    "FieldOp",
    "FieldOpType",
    "FieldSchema",
    "Function",
    "FunctionChain",
    "FunctionChainStage",
    "FunctionScore",
    "FunctionType",
    "Group",
    "Hit",
    "Hits",
    "Index",
    "IndexType",
    "LexicalHighlighter",
    "MilvusClient",
    "MilvusException",
    "MilvusUnavailableException",
    "MutationFuture",
    "Partition",
    "Prepare",
    "PyMilvusDeprecationWarning",
    "RRFRanker",
    "Replica",
    "ResourceGroupInfo",
    "RoaringBitmapBuilder",
    "Role",
    "SearchAggregation",
    "SearchFuture",
    "SearchResult",
    "SegmentState",
    "SemanticHighlighter",
    "Shard",
    "Status",
    "StructFieldSchema",
    "TopHits",
    "WeightedRanker",
    "__version__",
    "build_bloom_filter",
    "build_roaring_bitmap",
    "connections",
    "create_resource_group",
    "create_user",
    "db",
    "delete_user",
    "describe_resource_group",
    "drop_collection",
    "drop_resource_group",
    "exceptions",
    "has_collection",
    "has_partition",
    "hybridts_to_datetime",
    "hybridts_to_unixtime",
    "index_building_progress",
    "install",
    "list_collections",
    "list_resource_groups",
    "list_usernames",
    "loading_progress",
    "mkts_from_datetime",
    "mkts_from_hybridts",
    "mkts_from_unixtime",
    "reset_password",
    "schema_cache",
    "transfer_node",
    "transfer_replica",
    "uninstall",
    "update_password",
    "update_resource_groups",
    "utility",
    "wait_for_index_building_complete",
    "wait_for_loading_complete",
]

# `import *` gets it from __getattr__: an older pymilvus lacks some of the names.
_NAMES = frozenset(__all__)
del __all__

# Ours, by the module that has them.
_NATIVE = {
    "AggregationBucket": "results",
    "AggregationHit": "results",
    "AsyncMilvusClient": "async_client",
    "CallEvent": "observing",
    "Hit": "_core",
    "MilvusClient": "sync_client",
    "SearchResult": "results",
    "install": "installation",
    "uninstall": "installation",
}
_MODULES = frozenset({"iterators", "schema_cache"})


def __getattr__(name: str) -> Any:
    from importlib import import_module

    value: Any
    if name == "__all__":
        import pymilvus

        ours = _NATIVE.keys() | _MODULES | globals().keys()
        value = sorted(n for n in _NAMES if n in ours or hasattr(pymilvus, n))
    elif name in _NATIVE or name in _MODULES:
        module = import_module(f".{_NATIVE.get(name, name)}", __name__)
        if name in _MODULES:
            return module
        value = getattr(module, name)
    elif _is_foreign(name):
        from sys import modules

        import pymilvus

        from .control.watching import watch

        watch()  # the ORM, too, changes what our clients have cached
        value = getattr(pymilvus, name)
        if modules.get(f"pymilvus.{name}") is value:
            value = import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _is_foreign(name: str) -> bool:
    if name in _NAMES:
        return True
    from importlib.machinery import PathFinder

    # The import system asks for our own submodules here before it looks for them.
    if name.startswith("__") or PathFinder.find_spec(f"{__name__}.{name}", __path__):
        return False
    import pymilvus

    return hasattr(pymilvus, name)  # what a later pymilvus adds


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
