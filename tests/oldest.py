"""What a pymilvus older than the oracle's 3.0.2 lacks. `make test-pymilvus` runs the tests that
compare with it on the newest 2.6: what is not there is skipped by its name, never by a failure."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import pymilvus
import pytest


@functools.cache
def has(name: str) -> bool:
    """Whether there is package.module:Name.attribute or, of a message, package.module:Name/field."""
    module, _, path = name.partition(":")
    path, _, field = path.partition("/")
    try:
        found: Any = importlib.import_module(module)
        for attribute in filter(None, path.split(".")):
            found = getattr(found, attribute)
    except (ImportError, AttributeError):
        return False
    return not field or field in found.DESCRIPTOR.fields_by_name


def skip_what_is_missing(items: list[pytest.Item], lacking: Mapping[str, list[str]]) -> None:
    """Marks the tests whose ids match a pattern of a name that is not there."""
    missing = {name: patterns for name, patterns in lacking.items() if not has(name)}
    for item in items:
        for name, patterns in missing.items():
            if any(fnmatchcase(item.nodeid, pattern) for pattern in patterns):
                reason = f"pymilvus {pymilvus.__version__} has no {name}"
                item.add_marker(pytest.mark.skip(reason=reason))


# What is looked for: the ids of the tests that need it.
LACKING: dict[str, list[str]] = {}
