"""The programs that run through both packages. Importing this registers all of them."""

from . import (
    columns,
    control,
    crud,
    errors,
    hybrid,
    partitions,
    search,
    text,
    types,
    vectors,
)

__all__ = [
    "columns",
    "control",
    "crud",
    "errors",
    "hybrid",
    "partitions",
    "search",
    "text",
    "types",
    "vectors",
]
