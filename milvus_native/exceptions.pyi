"""pymilvus.exceptions under our name (see submodules.py): the classes are pymilvus's own."""

from typing import Any

def __getattr__(name: str) -> Any: ...
