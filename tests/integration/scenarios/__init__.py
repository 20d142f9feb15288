"""The programs that run through both packages. Importing this registers all of them."""

from . import (
    at_random,
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
    "at_random",
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
