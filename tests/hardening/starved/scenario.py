"""What a scenario is, and how most of them are made."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from typing import Any, NamedTuple


class Scenario(NamedTuple):
    """`run(core, argument)`, with what `make` gives; made anew for each failure."""

    run: Callable[[Any, Any], Any]
    make: Callable[[], Any] = lambda: None


def anew(value: Any) -> Callable[[], Any]:
    """Copies of `value` that share nothing with it, not even a str."""
    pickled = pickle.dumps(value)
    return lambda: pickle.loads(pickled)


def outcome(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What `function` returns, or the name of the error that it raises."""
    sys._getframe()
    try:
        return function(*arguments, **options)
    except Exception as error:
        if isinstance(error, MemoryError | SystemError):
            raise
        return type(error).__name__


def calling(function: str, *arguments: Any, **options: Any) -> Scenario:
    """The same function of `_core`, whatever becomes of it."""

    def run(core: Any, argument: tuple[tuple[Any, ...], dict[str, Any]]) -> Any:
        sys._getframe()
        arguments, options = argument
        return outcome(getattr(core, function), *arguments, **options)

    return Scenario(run, anew((arguments, options)))
