"""pymilvus's modules under this package's name: milvus_native.orm.schema is pymilvus.orm.schema.

So a program needs no more than another name in its imports, however deep they reach. The modules
are pymilvus's own objects, imported when first asked for, except those that hold its two client
classes: these are views, which have our classes in their place.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType
else:
    Loader = object  # importlib.abc takes as long to import as all of ours

OURS = __name__.partition(".")[0]
THEIRS = "pymilvus"

CLIENTS = ("MilvusClient", "AsyncMilvusClient")

# Modules of pymilvus that have its client classes, apart from pymilvus itself.
HOLDERS = (
    "pymilvus.milvus_client",
    "pymilvus.milvus_client.milvus_client",
    "pymilvus.milvus_client.async_milvus_client",
)


class Finder:
    """Tells the import system where milvus_native.<a module of pymilvus> is.

    It comes last: our own modules are found as ever, by whomever.
    """

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return _alias(name) if name.rpartition(".")[0] == OURS else None


class DeepFinder:
    """The same for modules below an alias.

    It comes before the finder of files, which would read those a second time.
    """

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package = name.rpartition(".")[0]
        if package.startswith(OURS + ".") and _is_alias(package):
            return _alias(name)
        return None


def _alias(name: str) -> ModuleSpec | None:
    from importlib.machinery import ModuleSpec
    from importlib.util import find_spec

    theirs = find_spec(THEIRS + name[len(OURS) :])
    if theirs is None:
        return None
    is_package = theirs.submodule_search_locations is not None
    return ModuleSpec(name, _Loader(theirs.name), is_package=is_package)


def _is_alias(package: str) -> bool:
    spec = getattr(sys.modules.get(package), "__spec__", None)
    return spec is not None and (
        isinstance(spec.loader, _Loader) or spec.name.partition(".")[0] == THEIRS
    )


class _Loader(Loader):
    def __init__(self, theirs: str) -> None:
        self._theirs = theirs

    def create_module(self, spec: ModuleSpec) -> None:
        """An empty module, which exec_module replaces."""

    def exec_module(self, module: ModuleType) -> None:
        from functools import partial
        from importlib import import_module

        from .control.watching import watch

        theirs = import_module(self._theirs)
        watch()  # the ORM, too, changes what our clients have cached
        name = module.__name__
        if self._theirs in HOLDERS:
            from .module_view import ModuleView

            theirs = ModuleView(module, theirs)
        # A thread that waits for this import goes on with the empty module.
        vars(module)["__getattr__"] = partial(getattr, theirs)
        sys.modules[name] = theirs


def find_pymilvus() -> None:
    """Makes pymilvus's modules importable under our name."""
    if Finder not in sys.meta_path:
        sys.meta_path.insert(0, DeepFinder)
        sys.meta_path.append(Finder)
