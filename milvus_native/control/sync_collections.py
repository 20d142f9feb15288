"""Collections, their fields and functions, and what of them is loaded: the sync methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


class Collections:
    """What collections there are; each method is a row of control.table."""

    if TYPE_CHECKING:

        def _mvn_control(self, method: str, /, **arguments: Any) -> Any: ...

    def create_collection(
        self,
        collection_name: str,
        dimension: int | None = None,
        primary_field_name: str = "id",
        id_type: str = "int",
        vector_field_name: str = "vector",
        metric_type: str = "COSINE",
        auto_id: bool = False,
        timeout: float | None = None,
        schema: Any = None,
        index_params: Any = None,
        **kwargs: Any,
    ) -> None:
        """Creates a collection, and indexes and loads it where that can be done at once.

        Without `schema` it gets a primary key, one FLOAT_VECTOR field of `dimension`, and dynamic
        fields. With a schema it is indexed and loaded if `index_params` are given.
        """
        self._mvn_control(
            "create_collection",
            collection_name=collection_name,
            dimension=dimension,
            primary_field_name=primary_field_name,
            id_type=id_type,
            vector_field_name=vector_field_name,
            metric_type=metric_type,
            auto_id=auto_id,
            timeout=timeout,
            schema=schema,
            index_params=index_params,
            **kwargs,
        )

    def drop_collection(
        self, collection_name: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Deletes a collection with all its rows."""
        self._mvn_control(
            "drop_collection", collection_name=collection_name, timeout=timeout, **kwargs
        )

    def truncate_collection(
        self, collection_name: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Deletes all rows of a collection."""
        self._mvn_control(
            "truncate_collection", collection_name=collection_name, timeout=timeout, **kwargs
        )

    def rename_collection(
        self,
        old_name: str,
        new_name: str,
        target_db: str | None = "",
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Renames a collection, and moves it to `target_db` if that is given."""
        self._mvn_control(
            "rename_collection",
            old_name=old_name,
            new_name=new_name,
            target_db=target_db,
            timeout=timeout,
            **kwargs,
        )

    def describe_collection(
        self, collection_name: str, timeout: float | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """The collection's schema and properties, as a dict."""
        result: dict[str, Any] = self._mvn_control(
            "describe_collection", collection_name=collection_name, timeout=timeout, **kwargs
        )
        return result

    def has_collection(
        self, collection_name: str, timeout: float | None = None, **kwargs: Any
    ) -> bool:
        """Whether there is a collection, or an alias, of this name."""
        result: bool = self._mvn_control(
            "has_collection", collection_name=collection_name, timeout=timeout, **kwargs
        )
        return result

    def list_collections(self, **kwargs: Any) -> list[str]:
        """Names of the database's collections."""
        result: list[str] = self._mvn_control("list_collections", **kwargs)
        return result

    def get_collection_stats(
        self, collection_name: str, timeout: float | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Statistics of a collection, such as {"row_count": int}."""
        result: dict[str, Any] = self._mvn_control(
            "get_collection_stats", collection_name=collection_name, timeout=timeout, **kwargs
        )
        return result

    def alter_collection_properties(
        self,
        collection_name: str,
        properties: dict[str, Any],
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Sets properties of a collection."""
        self._mvn_control(
            "alter_collection_properties",
            collection_name=collection_name,
            properties=properties,
            timeout=timeout,
            **kwargs,
        )

    def drop_collection_properties(
        self,
        collection_name: str,
        property_keys: list[str],
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Removes properties of a collection."""
        self._mvn_control(
            "drop_collection_properties",
            collection_name=collection_name,
            property_keys=property_keys,
            timeout=timeout,
            **kwargs,
        )

    def alter_collection_field(
        self,
        collection_name: str,
        field_name: str,
        field_params: dict[str, Any],
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Changes parameters of a field, such as max_length."""
        self._mvn_control(
            "alter_collection_field",
            collection_name=collection_name,
            field_name=field_name,
            field_params=field_params,
            timeout=timeout,
            **kwargs,
        )

    def add_collection_field(
        self,
        collection_name: str,
        field_name: str,
        data_type: Any,
        desc: str = "",
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Adds a field, which must be nullable or have a default value, to a collection."""
        self._mvn_control(
            "add_collection_field",
            collection_name=collection_name,
            field_name=field_name,
            data_type=data_type,
            desc=desc,
            timeout=timeout,
            **kwargs,
        )

    def add_collection_struct_field(
        self,
        collection_name: str,
        field_name: str,
        struct_schema: Any,
        max_capacity: int,
        desc: str | None = None,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Adds a nullable array of structs, of up to `max_capacity` elements, to a collection."""
        self._mvn_control(
            "add_collection_struct_field",
            collection_name=collection_name,
            field_name=field_name,
            struct_schema=struct_schema,
            max_capacity=max_capacity,
            desc=desc,
            timeout=timeout,
            **kwargs,
        )

    def drop_collection_field(
        self,
        collection_name: str,
        field_name: str = "",
        field_id: int = 0,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Removes a field, given by name or by id, from a collection."""
        self._mvn_control(
            "drop_collection_field",
            collection_name=collection_name,
            field_name=field_name,
            field_id=field_id,
            timeout=timeout,
            **kwargs,
        )

    def add_function_field(
        self,
        collection_name: str,
        field_schema: Any,
        func: Any,
        index_params: Any,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Adds a field that a function fills, with its one index, to a collection."""
        self._mvn_control(
            "add_function_field",
            collection_name=collection_name,
            field_schema=field_schema,
            func=func,
            index_params=index_params,
            timeout=timeout,
            **kwargs,
        )

    def drop_function_field(
        self, collection_name: str, function_name: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Removes a function and the field that it fills from a collection."""
        self._mvn_control(
            "drop_function_field",
            collection_name=collection_name,
            function_name=function_name,
            timeout=timeout,
            **kwargs,
        )

    def add_collection_function(
        self, collection_name: str, function: Any, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Adds a function to a collection. Deprecated: see add_function_field."""
        self._mvn_control(
            "add_collection_function",
            collection_name=collection_name,
            function=function,
            timeout=timeout,
            **kwargs,
        )

    def alter_collection_function(
        self,
        collection_name: str,
        function_name: str,
        function: Any,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Changes a function of a collection."""
        self._mvn_control(
            "alter_collection_function",
            collection_name=collection_name,
            function_name=function_name,
            function=function,
            timeout=timeout,
            **kwargs,
        )

    def drop_collection_function(
        self, collection_name: str, function_name: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Removes a function from a collection. Deprecated: see drop_function_field."""
        self._mvn_control(
            "drop_collection_function",
            collection_name=collection_name,
            function_name=function_name,
            timeout=timeout,
            **kwargs,
        )

    def load_collection(
        self, collection_name: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Loads a collection into memory and waits until that is done."""
        self._mvn_control(
            "load_collection", collection_name=collection_name, timeout=timeout, **kwargs
        )

    def release_collection(
        self, collection_name: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Frees the memory of a loaded collection."""
        self._mvn_control(
            "release_collection", collection_name=collection_name, timeout=timeout, **kwargs
        )

    def refresh_load(
        self, collection_name: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Loads what was added to a loaded collection by other means than inserts."""
        self._mvn_control(
            "refresh_load", collection_name=collection_name, timeout=timeout, **kwargs
        )

    def get_load_state(
        self,
        collection_name: str,
        partition_name: str | None = "",
        timeout: float | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """{"state": LoadState}, with "progress" (percent) while loading."""
        result: dict[str, Any] = self._mvn_control(
            "get_load_state",
            collection_name=collection_name,
            partition_name=partition_name,
            timeout=timeout,
            **kwargs,
        )
        return result
