"""The operations that an iterator makes, as its pager asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from . import operations
from .effects import Operation
from .scope import Scope

if TYPE_CHECKING:
    from .search_paging import SearchPlan


class Step(NamedTuple):
    """One operation with a deadline and retries of its own."""

    name: str
    operation: Operation[Any]
    options: Mapping[str, Any]


class IteratorCalls:
    """For one iterator over a collection; `timeout` is for each of its RPCs."""

    def __init__(
        self, scope: Scope, collection_name: str, timeout: Any, options: Mapping[str, Any]
    ) -> None:
        self.scope = scope
        self.timeout = timeout
        self._name = collection_name
        self._options = options

    def describe(self) -> Step:
        return Step("describe_collection", operations.describe(self._name), self._options)

    def indexes(self) -> Step:
        return Step("list_indexes", operations.list_indexes(self._name), self._options)

    def query(
        self,
        expr: str,
        output_fields: list[str] | None,
        partition_names: list[str] | None,
        options: Mapping[str, Any],
    ) -> Step:
        operation = operations.query(
            self.scope,
            self._name,
            None,
            expr,
            output_fields=output_fields,
            partition_names=partition_names,
            **options,
        )
        return Step("query", operation, options)

    def search(
        self,
        plan: SearchPlan,
        *,
        expr: Any,
        anns_field: str,
        search_params: Mapping[str, Any],
        limit: int,
        round_decimal: Any,
        options: Mapping[str, Any],
    ) -> Step:
        arguments = {
            "filter": expr,
            "limit": limit,
            "output_fields": plan.output_fields,
            "search_params": search_params,
            "partition_names": plan.partition_names,
            "anns_field": anns_field,
            "timeout": self.timeout,
            "round_decimal": round_decimal,
            **options,
        }
        operation = operations.search(self.scope, self._name, plan.data, arguments)
        return Step("search", operation, options)
