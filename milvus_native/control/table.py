"""Every control-plane method: who does it, and which cached schemas it makes doubtful.

A row without `operation` is done by pymilvus's client. To do it natively, give it one: nothing
else changes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .. import operations, schema_cache
from ..effects import Operation
from ..scope import Scope

Arguments = Mapping[str, Any]
# Called with the arguments of a method.
Forget = Callable[[Scope, Arguments], None]


class Row(NamedTuple):
    """`forget` is called with the method's arguments after it has ended, well or not."""

    forget: Forget | None = None
    operation: Callable[..., Operation[Any]] | None = None


def named(*names: str) -> Forget:
    """Forgets the collections that the arguments of these names are names of."""

    def forget(scope: Scope, arguments: Arguments) -> None:
        for name in names:
            forget_collection(scope, arguments.get(name))

    return forget


def renamed(scope: Scope, arguments: Arguments) -> None:
    target = arguments.get("target_db") or arguments.get("new_db_name")
    for db_name in {scope.db_name, target or scope.db_name}:
        for name in ("old_name", "new_name"):
            forget_collection(scope, arguments.get(name), db_name)


def restored(scope: Scope, arguments: Arguments) -> None:
    db_name = arguments.get("target_db_name") or scope.db_name
    forget_collection(scope, arguments.get("target_collection_name"), db_name)


def database(scope: Scope, arguments: Arguments) -> None:
    forget_database(scope, arguments.get("db_name"))


def forget_collection(scope: Scope, name: Any, db_name: str | None = None) -> None:
    """Drops the schemas of a collection and of its aliases, for every principal."""
    if not isinstance(name, str):
        return
    database = scope.db_name if db_name is None else db_name
    schema_cache.forget_collection(scope.endpoint, database, name)
    _forget_in_pymilvus("invalidate", scope.endpoint, database, name)


def forget_database(scope: Scope, db_name: Any) -> None:
    """Drops the schemas of all collections of a database, for every principal."""
    if isinstance(db_name, str):
        schema_cache.forget_database(scope.endpoint, db_name)
        _forget_in_pymilvus("invalidate_db", scope.endpoint, db_name)


def _forget_in_pymilvus(method: str, *key: str) -> None:
    """Does the same in the cache of pymilvus's clients, which miss most of these occasions."""
    module = sys.modules.get("pymilvus.client.cache")
    cache = getattr(getattr(module, "GlobalCache", None), "schema", None)
    invalidate = getattr(cache, method, None)
    if invalidate is not None:
        invalidate(*key)


_NAMED = Row(named("collection_name"))
_PLAIN = Row()

TABLE: dict[str, Row] = {
    # collections
    "create_collection": _NAMED,
    "drop_collection": _NAMED,
    "truncate_collection": _NAMED,
    "rename_collection": Row(renamed),
    "describe_collection": _PLAIN,
    "has_collection": Row(operation=operations.has_collection),
    "list_collections": _PLAIN,
    "get_collection_stats": _PLAIN,
    "alter_collection_properties": _NAMED,
    "drop_collection_properties": _NAMED,
    "refresh_external_collection": _NAMED,
    "get_refresh_external_collection_progress": _PLAIN,
    "list_refresh_external_collection_jobs": _PLAIN,
    # fields and functions
    "alter_collection_field": _NAMED,
    "add_collection_field": _NAMED,
    "add_collection_struct_field": _NAMED,
    "drop_collection_field": _NAMED,
    "add_function_field": _NAMED,
    "drop_function_field": _NAMED,
    "add_collection_function": _NAMED,
    "alter_collection_function": _NAMED,
    "drop_collection_function": _NAMED,
    # memory and storage
    "load_collection": _PLAIN,
    "release_collection": _PLAIN,
    "refresh_load": _PLAIN,
    "get_load_state": _PLAIN,
    "flush": _PLAIN,
    "flush_all": _PLAIN,
    "get_flush_all_state": _PLAIN,
    "compact": _PLAIN,
    "get_compaction_state": _PLAIN,
    "get_compaction_plans": _PLAIN,
    "list_compaction_tasks": _PLAIN,
    "optimize": _PLAIN,
    "list_loaded_segments": _PLAIN,
    "list_persistent_segments": _PLAIN,
    "list_segments": _PLAIN,
    # partitions
    "create_partition": _PLAIN,
    "drop_partition": _PLAIN,
    "has_partition": _PLAIN,
    "list_partitions": _PLAIN,
    "load_partitions": _PLAIN,
    "release_partitions": _PLAIN,
    "get_partition_stats": _PLAIN,
    # indexes
    "create_index": _PLAIN,
    "drop_index": _PLAIN,
    "describe_index": _PLAIN,
    "list_indexes": _PLAIN,
    "alter_index_properties": _PLAIN,
    "drop_index_properties": _PLAIN,
    # aliases
    "create_alias": Row(named("collection_name", "alias")),
    "drop_alias": Row(named("alias")),
    "alter_alias": Row(named("collection_name", "alias")),
    "describe_alias": _PLAIN,
    "list_aliases": _PLAIN,
    # databases
    "create_database": Row(database),
    "drop_database": Row(database),
    "list_databases": _PLAIN,
    "describe_database": _PLAIN,
    "alter_database_properties": Row(database),
    "drop_database_properties": Row(database),
    "use_database": _PLAIN,
    "using_database": _PLAIN,
    # users, roles and privileges
    "create_user": _PLAIN,
    "drop_user": _PLAIN,
    "update_user": _PLAIN,
    "update_password": _PLAIN,
    "list_users": _PLAIN,
    "describe_user": _PLAIN,
    "grant_role": _PLAIN,
    "revoke_role": _PLAIN,
    "create_role": _PLAIN,
    "alter_role": _PLAIN,
    "drop_role": _PLAIN,
    "describe_role": _PLAIN,
    "list_roles": _PLAIN,
    "grant_privilege": _PLAIN,
    "revoke_privilege": _PLAIN,
    "grant_privilege_v2": _PLAIN,
    "revoke_privilege_v2": _PLAIN,
    "create_privilege_group": _PLAIN,
    "drop_privilege_group": _PLAIN,
    "list_privilege_groups": _PLAIN,
    "add_privileges_to_group": _PLAIN,
    "remove_privileges_from_group": _PLAIN,
    # resources and replicas
    "create_resource_group": _PLAIN,
    "update_resource_groups": _PLAIN,
    "drop_resource_group": _PLAIN,
    "describe_resource_group": _PLAIN,
    "list_resource_groups": _PLAIN,
    "describe_replica": _PLAIN,
    "transfer_replica": _PLAIN,
    "add_file_resource": _PLAIN,
    "remove_file_resource": _PLAIN,
    "list_file_resources": _PLAIN,
    # snapshots
    "create_snapshot": _PLAIN,
    "drop_snapshot": _PLAIN,
    "list_snapshots": _PLAIN,
    "describe_snapshot": _PLAIN,
    "restore_snapshot": Row(restored),
    "get_restore_snapshot_state": _PLAIN,
    "list_restore_snapshot_jobs": _PLAIN,
    "pin_snapshot_data": _PLAIN,
    "unpin_snapshot_data": _PLAIN,
    # replication, and the rest
    "update_replicate_configuration": _PLAIN,
    "get_replicate_configuration": _PLAIN,
    "get_replicate_info": _PLAIN,
    "dump_messages": _PLAIN,
    "get_server_version": _PLAIN,
    "run_analyzer": _PLAIN,
}
