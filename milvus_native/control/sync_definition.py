"""Partitions, indexes, aliases and databases, flushing and compaction: the sync methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


class Definition:
    """What is in collections and around them; each method is a row of control.table."""

    if TYPE_CHECKING:

        def _mvn_control(self, method: str, /, **arguments: Any) -> Any: ...
        def _mvn_set_database(self, db_name: str) -> None: ...

    def create_partition(
        self, collection_name: str, partition_name: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Creates a partition."""
        self._mvn_control(
            "create_partition",
            collection_name=collection_name,
            partition_name=partition_name,
            timeout=timeout,
            **kwargs,
        )

    def drop_partition(
        self, collection_name: str, partition_name: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Deletes a partition with its rows."""
        self._mvn_control(
            "drop_partition",
            collection_name=collection_name,
            partition_name=partition_name,
            timeout=timeout,
            **kwargs,
        )

    def has_partition(
        self, collection_name: str, partition_name: str, timeout: float | None = None, **kwargs: Any
    ) -> bool:
        """Whether the collection has a partition of this name."""
        result: bool = self._mvn_control(
            "has_partition",
            collection_name=collection_name,
            partition_name=partition_name,
            timeout=timeout,
            **kwargs,
        )
        return result

    def list_partitions(
        self, collection_name: str, timeout: float | None = None, **kwargs: Any
    ) -> list[str]:
        """Names of the collection's partitions."""
        result: list[str] = self._mvn_control(
            "list_partitions", collection_name=collection_name, timeout=timeout, **kwargs
        )
        return result

    def load_partitions(
        self,
        collection_name: str,
        partition_names: str | list[str],
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Loads partitions into memory and waits until that is done."""
        self._mvn_control(
            "load_partitions",
            collection_name=collection_name,
            partition_names=partition_names,
            timeout=timeout,
            **kwargs,
        )

    def release_partitions(
        self,
        collection_name: str,
        partition_names: str | list[str],
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Frees the memory of loaded partitions."""
        self._mvn_control(
            "release_partitions",
            collection_name=collection_name,
            partition_names=partition_names,
            timeout=timeout,
            **kwargs,
        )

    def get_partition_stats(
        self, collection_name: str, partition_name: str, timeout: float | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Statistics of a partition, such as {"row_count": int}."""
        result: dict[str, Any] = self._mvn_control(
            "get_partition_stats",
            collection_name=collection_name,
            partition_name=partition_name,
            timeout=timeout,
            **kwargs,
        )
        return result

    def create_index(
        self, collection_name: str, index_params: Any, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Creates the indexes of `index_params` and waits until they are built."""
        self._mvn_control(
            "create_index",
            collection_name=collection_name,
            index_params=index_params,
            timeout=timeout,
            **kwargs,
        )

    def drop_index(
        self, collection_name: str, index_name: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Removes an index."""
        self._mvn_control(
            "drop_index",
            collection_name=collection_name,
            index_name=index_name,
            timeout=timeout,
            **kwargs,
        )

    def describe_index(
        self, collection_name: str, index_name: str, timeout: float | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Parameters and build state of an index."""
        result: dict[str, Any] = self._mvn_control(
            "describe_index",
            collection_name=collection_name,
            index_name=index_name,
            timeout=timeout,
            **kwargs,
        )
        return result

    def list_indexes(
        self, collection_name: str, field_name: str | None = "", **kwargs: Any
    ) -> list[str]:
        """Names of the indexes of a collection, or of one of its fields."""
        result: list[str] = self._mvn_control(
            "list_indexes", collection_name=collection_name, field_name=field_name, **kwargs
        )
        return result

    def alter_index_properties(
        self,
        collection_name: str,
        index_name: str,
        properties: dict[str, Any],
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Sets properties of an index."""
        self._mvn_control(
            "alter_index_properties",
            collection_name=collection_name,
            index_name=index_name,
            properties=properties,
            timeout=timeout,
            **kwargs,
        )

    def drop_index_properties(
        self,
        collection_name: str,
        index_name: str,
        property_keys: list[str],
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Removes properties of an index."""
        self._mvn_control(
            "drop_index_properties",
            collection_name=collection_name,
            index_name=index_name,
            property_keys=property_keys,
            timeout=timeout,
            **kwargs,
        )

    def create_alias(
        self, collection_name: str, alias: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Gives a collection another name."""
        self._mvn_control(
            "create_alias", collection_name=collection_name, alias=alias, timeout=timeout, **kwargs
        )

    def drop_alias(self, alias: str, timeout: float | None = None, **kwargs: Any) -> None:
        """Removes an alias."""
        self._mvn_control("drop_alias", alias=alias, timeout=timeout, **kwargs)

    def alter_alias(
        self, collection_name: str, alias: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Makes an alias point at another collection."""
        self._mvn_control(
            "alter_alias", collection_name=collection_name, alias=alias, timeout=timeout, **kwargs
        )

    def describe_alias(
        self, alias: str, timeout: float | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """{"collection_name": ..., "alias": ..., "db_name": ...} of an alias."""
        result: dict[str, Any] = self._mvn_control(
            "describe_alias", alias=alias, timeout=timeout, **kwargs
        )
        return result

    def list_aliases(
        self, collection_name: str = "", timeout: float | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Aliases of a collection, or of all collections of the database."""
        result: dict[str, Any] = self._mvn_control(
            "list_aliases", collection_name=collection_name, timeout=timeout, **kwargs
        )
        return result

    def create_database(
        self,
        db_name: str,
        properties: dict[str, Any] | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Creates a database."""
        self._mvn_control(
            "create_database", db_name=db_name, properties=properties, timeout=timeout, **kwargs
        )

    def drop_database(self, db_name: str, **kwargs: Any) -> None:
        """Deletes a database, which must be empty."""
        self._mvn_control("drop_database", db_name=db_name, **kwargs)

    def list_databases(self, timeout: float | None = None, **kwargs: Any) -> list[str]:
        """Names of all databases."""
        result: list[str] = self._mvn_control("list_databases", timeout=timeout, **kwargs)
        return result

    def describe_database(self, db_name: str, **kwargs: Any) -> dict[str, Any]:
        """Name and properties of a database."""
        result: dict[str, Any] = self._mvn_control("describe_database", db_name=db_name, **kwargs)
        return result

    def alter_database_properties(
        self, db_name: str, properties: dict[str, Any], **kwargs: Any
    ) -> None:
        """Sets properties of a database."""
        self._mvn_control(
            "alter_database_properties", db_name=db_name, properties=properties, **kwargs
        )

    def drop_database_properties(
        self, db_name: str, property_keys: list[str], **kwargs: Any
    ) -> None:
        """Removes properties of a database."""
        self._mvn_control(
            "drop_database_properties", db_name=db_name, property_keys=property_keys, **kwargs
        )

    def flush(self, collection_name: str, timeout: float | None = None, **kwargs: Any) -> None:
        """Seals the collection's growing segments and waits until they are stored."""
        self._mvn_control("flush", collection_name=collection_name, timeout=timeout, **kwargs)

    def flush_all(self, timeout: float | None = None, **kwargs: Any) -> None:
        """Seals and stores the growing segments of all collections."""
        self._mvn_control("flush_all", timeout=timeout, **kwargs)

    def get_flush_all_state(self, timeout: float | None = None, **kwargs: Any) -> bool:
        """Whether the flush_all that was started last is done."""
        result: bool = self._mvn_control("get_flush_all_state", timeout=timeout, **kwargs)
        return result

    def compact(
        self,
        collection_name: str,
        is_clustering: bool | None = False,
        is_l0: bool | None = False,
        target_size: int | None = None,
        target_size_unit: str = "mb",
        timeout: float | None = None,
        **kwargs: Any,
    ) -> int:
        """Starts merging small segments; the job's id.

        `target_size` is in `target_size_unit`s (b, kb, mb, gb or tb).
        """
        result: int = self._mvn_control(
            "compact",
            collection_name=collection_name,
            is_clustering=is_clustering,
            is_l0=is_l0,
            target_size=target_size,
            target_size_unit=target_size_unit,
            timeout=timeout,
            **kwargs,
        )
        return result

    def get_compaction_state(self, job_id: int, timeout: float | None = None, **kwargs: Any) -> str:
        """State of a compaction job."""
        result: str = self._mvn_control(
            "get_compaction_state", job_id=job_id, timeout=timeout, **kwargs
        )
        return result

    def get_compaction_plans(self, job_id: int, timeout: float | None = None, **kwargs: Any) -> Any:
        """CompactionPlans of a compaction job."""
        return self._mvn_control("get_compaction_plans", job_id=job_id, timeout=timeout, **kwargs)

    def list_compaction_tasks(
        self, collection_name: str, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """CompactionPlans with all tasks the server still remembers for a collection."""
        return self._mvn_control(
            "list_compaction_tasks", collection_name=collection_name, timeout=timeout, **kwargs
        )

    def optimize(
        self,
        collection_name: str,
        target_size: str | None = None,
        wait: bool = True,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> Any:
        """Rebuilds segments to `target_size` (such as "512MB") for faster searches.

        An OptimizeResult; with `wait=False` a task object that can be asked and cancelled.
        """
        return self._mvn_control(
            "optimize",
            collection_name=collection_name,
            target_size=target_size,
            wait=wait,
            timeout=timeout,
            **kwargs,
        )

    def use_database(self, db_name: str, **kwargs: Any) -> None:
        """Makes `db_name`, which must exist, the database of all later calls."""
        self._mvn_control("use_database", db_name=db_name, **kwargs)
        self._mvn_set_database(db_name)

    def using_database(self, db_name: str, **kwargs: Any) -> None:
        """Deprecated: see use_database."""
        self._mvn_control("using_database", db_name=db_name, **kwargs)
        self._mvn_set_database(db_name)
