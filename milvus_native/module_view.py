"""What stands for a module of pymilvus that holds its client classes: it holds ours."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from .submodules import CLIENTS, OURS


class ModuleView(ModuleType):
    """A module of pymilvus as it is, whose client classes are ours.

    What is set on it is set on pymilvus's module, so that it is replaced for pymilvus's code too.
    """

    def __init__(self, alias: ModuleType, theirs: ModuleType) -> None:
        """`alias` is the empty module of our name that the import system has made."""
        super().__init__(alias.__name__, theirs.__doc__)
        own = vars(self)
        own.update({**vars(alias), "__doc__": theirs.__doc__, "_theirs": theirs})
        own.update(
            (key, vars(theirs)[key]) for key in ("__file__", "__path__") if hasattr(theirs, key)
        )

    def __getattr__(self, name: str) -> Any:
        theirs = vars(self)["_theirs"]
        if name == "__all__":
            return getattr(theirs, name, [key for key in vars(theirs) if key[0] != "_"])
        value = getattr(theirs, name)
        if name in CLIENTS:
            return getattr(import_module(OURS), name)
        if isinstance(value, ModuleType) and value.__name__ == f"{theirs.__name__}.{name}":
            return import_module(f"{self.__name__}.{name}")
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if self._is_own(name, value):
            super().__setattr__(name, value)
        else:
            setattr(vars(self)["_theirs"], name, value)

    def __delattr__(self, name: str) -> None:
        if name in vars(self):
            super().__delattr__(name)
        else:
            delattr(vars(self)["_theirs"], name)

    def __dir__(self) -> list[str]:
        return dir(vars(self)["_theirs"])

    def _is_own(self, name: str, value: Any) -> bool:
        # The import system sets a view of a submodule here.
        return name in CLIENTS or isinstance(value, ModuleView) or name.startswith("__")
