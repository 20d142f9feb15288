"""Definitions that are changed past our clients: by pymilvus's ORM, or on a handler of pymilvus.

Every client of pymilvus, its ORM too, changes collections by the methods of its two handler
classes. Once `watch` was called, those forget the schemas they make doubtful.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from ..scope import Scope
from .table import Forget, database, named, renamed, restored

_NAMED = named("collection_name")

# Methods of the handlers, and what each makes doubtful.
METHODS: dict[str, Forget] = {
    "create_collection": _NAMED,
    "drop_collection": _NAMED,
    "truncate_collection": _NAMED,
    "rename_collection": renamed,  # of the async handler
    "rename_collections": renamed,  # of the sync one
    "alter_collection_properties": _NAMED,
    "drop_collection_properties": _NAMED,
    "alter_collection_field": _NAMED,
    "alter_collection_field_properties": _NAMED,
    "refresh_external_collection": _NAMED,
    "alter_collection_schema": _NAMED,
    "_alter_collection_schema_drop": _NAMED,
    "add_collection_field": _NAMED,
    "add_collection_struct_field": _NAMED,
    "drop_collection_field": _NAMED,
    "add_collection_function": _NAMED,
    "alter_collection_function": _NAMED,
    "drop_collection_function": _NAMED,
    "create_alias": named("collection_name", "alias"),
    "drop_alias": named("alias"),
    "alter_alias": named("collection_name", "alias"),
    "create_database": database,
    "drop_database": database,
    "alter_database": database,
    "drop_database_properties": database,
    "restore_snapshot": restored,
}


def watch() -> None:
    """Watches pymilvus's handler classes, once they are imported. Does not import them."""
    for module_name, class_name in (
        ("pymilvus.client.grpc_handler", "GrpcHandler"),
        ("pymilvus.client.async_grpc_handler", "AsyncGrpcHandler"),
    ):
        handler = getattr(sys.modules.get(module_name), class_name, None)
        if handler is None:
            continue
        for name, forget in METHODS.items():
            method = handler.__dict__.get(name)
            if method is not None and not hasattr(method, "_milvus_native_watch"):
                setattr(handler, name, _watched(method, forget))


def _watched(method: Callable[..., Any], forget: Forget) -> Callable[..., Any]:
    import inspect  # slow to import, and not needed by who only searches

    signature = inspect.signature(method)

    def ended(handler: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Called well or not: the change may have been made all the same."""
        try:
            arguments = signature.bind(handler, *args, **kwargs).arguments
        except TypeError:
            return  # the call has failed for this very reason
        arguments.update(arguments.pop("kwargs", {}))
        context = arguments.get("context")
        db_name = context.get_db_name() if context is not None else ""
        forget(Scope(handler.server_address, "", db_name), arguments)

    watched: Callable[..., Any]
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return await method(self, *args, **kwargs)
            finally:
                ended(self, args, kwargs)

    else:

        @functools.wraps(method)
        def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return method(self, *args, **kwargs)
            finally:
                ended(self, args, kwargs)

    watched._milvus_native_watch = True  # type: ignore[attr-defined]
    return watched
