"""The insides of pymilvus's clients, which programs reach into, as attributes of ours.

What is not native is done by pymilvus's own methods, with our client as their `self`. So they call
what a subclass has overridden, find what a test has put in the place of a private method, and ask
`_get_connection()` for the handler.
"""

from __future__ import annotations

from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from .delegates import original

if TYPE_CHECKING:
    from .base import BaseClient


class Borrowed:
    """A private method of pymilvus's client, as if it were one of ours."""

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, client: BaseClient | None, owner: type[BaseClient]) -> Any:
        method = getattr(original(owner._THEIRS), self._name)
        return method if client is None else MethodType(method, client)


class Replaceable:
    """An attribute that a program may set, as in pymilvus's clients. Before, `default` has it.

    While one is set, all calls of the client are done by pymilvus's code: the program expects to
    see them.
    """

    def __init__(self, default: Any) -> None:
        self._default = default

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, client: Any, owner: type | None = None) -> Any:
        if client is not None and self._name in client.__dict__:
            return client.__dict__[self._name]
        return self._default.__get__(client, owner)

    def __set__(self, client: BaseClient, value: Any) -> None:
        client.__dict__[self._name] = value
        client._mvn_choose_code()

    def __delete__(self, client: BaseClient) -> None:
        if self._name not in client.__dict__:
            raise AttributeError(self._name)
        del client.__dict__[self._name]
        client._mvn_choose_code()


def is_overridden(cls: type, name: str) -> bool:
    """Whether a subclass, or a patch of our class, has another thing in a Replaceable's place."""
    for base in cls.__mro__:
        if name in base.__dict__:
            return not isinstance(base.__dict__[name], Replaceable)
    return False


def borrow(client: BaseClient, name: str) -> Any:
    """pymilvus's attribute `name` for `client`. AttributeError if pymilvus's class has none."""
    # Those with underscores in front and behind are asked for by tools that look at any object.
    if not name.startswith(("__", "_repr_", "_ipython_")):
        value = getattr(original(client._THEIRS), name, None)
        if isinstance(value, FunctionType):
            return MethodType(value, client)
        if value is not None:
            return value
    raise AttributeError(f"{type(client).__name__!r} object has no attribute {name!r}")
