"""Checks of arguments that several calls share, with pymilvus's exceptions, and primary keys."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, NoReturn, Protocol

from . import _core
from .errors import is_milvus_error, milvus_error

_CONSISTENCY_LEVELS = {
    "Strong": 0,
    "Session": 1,
    "Bounded": 2,
    "Eventually": 3,
    "Customized": 4,
}
_EVENTUALLY_TIMESTAMP = 1
_BOUNDED_TIMESTAMP = 2


class Scope(Protocol):
    """What a request depends on besides its arguments."""

    @property
    def cluster_id(self) -> str | None: ...

    def last_write_ts(self, collection_name: str) -> int:
        """Timestamp of the last write this client made to the collection, or 0."""


def check_read(
    limit: Any,
    round_decimal: Any,
    partition_names: Any,
    output_fields: Any,
    timeout: Any,
    kwargs: dict[str, Any],
) -> tuple[int, int]:
    """The checks that search and hybrid_search share; limit and round_decimal as ints."""
    if not isinstance(limit, int):
        limit = int_or_illegal(limit, "limit")
    if limit <= 0:
        raise illegal("limit", limit)
    if not isinstance(round_decimal, int):
        round_decimal = int_or_illegal(round_decimal, "round_decimal")
    if not -2 < round_decimal < 7:
        raise illegal("round_decimal", round_decimal)
    if partition_names is not None:
        if not isinstance(partition_names, list):
            raise illegal("partition_name_array", partition_names)
        for name in partition_names:
            if not isinstance(name, str):
                raise illegal("partition_name_array", partition_names)
    if output_fields is not None:
        if not isinstance(output_fields, list):
            raise illegal("output_fields", output_fields)
        for name in output_fields:
            if not (name and isinstance(name, str)):
                raise illegal("output_fields", output_fields)
    if kwargs:
        timestamp = kwargs.get("guarantee_timestamp")
        if timestamp is not None and not (isinstance(timestamp, int) and timestamp >= 0):
            raise illegal("guarantee_timestamp", timestamp)
    if timeout is not None and not isinstance(timeout, (int, float)):
        raise illegal("timeout", timeout)
    return limit, round_decimal


def consistency(
    scope: Scope, collection_name: str, kwargs: dict[str, Any]
) -> tuple[bool, int, int]:
    """use_default_consistency, consistency_level and guarantee_timestamp."""
    if not kwargs:
        return True, 0, scope.last_write_ts(collection_name) or _EVENTUALLY_TIMESTAMP
    level = kwargs.get("consistency_level")
    if kwargs.get("iterator") is not None:
        # An iterator brings its own timestamp; the level, if any, is sent unchecked.
        timestamp = kwargs.get("guarantee_timestamp") or 0
        return True, 0 if level is None else _enum_value(level), timestamp
    if level is None:
        return True, 0, scope.last_write_ts(collection_name) or _EVENTUALLY_TIMESTAMP
    level = consistency_level(level)
    if level == 0:
        timestamp = 0
    elif level == 1:
        timestamp = scope.last_write_ts(collection_name) or _EVENTUALLY_TIMESTAMP
    elif level == 2:
        timestamp = _BOUNDED_TIMESTAMP
    else:
        timestamp = kwargs.get("guarantee_timestamp", _EVENTUALLY_TIMESTAMP) or 0
    return False, level, timestamp


def consistency_level(level: Any) -> int:
    if isinstance(level, str):
        value = _CONSISTENCY_LEVELS.get(level)
        if value is not None:
            return value
    elif not isinstance(level, int):
        raise milvus_error("InvalidConsistencyLevel", "invalid consistency level")
    elif 0 <= level <= 4:
        return int(level)
    raise milvus_error("InvalidConsistencyLevel", f"invalid consistency level: {level}")


def _enum_value(level: Any) -> Any:
    """A name as its number; anything else as it is, for the encoder to judge."""
    if not isinstance(level, str):
        return level
    if level not in _CONSISTENCY_LEVELS:
        raise ValueError(f'unknown enum label "{level}"')
    return _CONSISTENCY_LEVELS[level]


def check_collection_name(collection_name: Any) -> None:
    """The check of search and hybrid_search: any str, "" too."""
    if collection_name is None:
        raise param_error("missing required argument: [collection_name]")
    if not isinstance(collection_name, str):
        raise param_error(
            "wrong type of argument [collection_name], expected type: [str], "
            f"got type: [{type(collection_name).__name__}]"
        )


def query_keys(filter: Any, ids: Any) -> list[Any] | None:  # noqa: A002
    """The primary keys that `query` was given; None when it goes by its filter, [] for no row."""
    if filter and not isinstance(filter, str):
        raise filter_type_error(filter)
    if ids is None:
        return None
    if filter:
        raise param_error(
            "Ambiguous parameter, either ids or filter should be specified, cannot support both."
        )
    return get_keys(ids)


def get_keys(ids: Any) -> list[Any]:
    """The primary keys that `get` was given: one key, or any iterable of them."""
    if isinstance(ids, list):
        return ids
    listed = numpy_list(ids)
    if listed is not None:
        return listed
    if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable):
        return [ids]
    return list(ids)


def delete_keys(ids: Any, filter: Any, pks: Any = None) -> list[Any]:  # noqa: A002
    """The primary keys that `delete` was given; [] when it goes by its filter, a str."""
    keys = _checked_keys("pks", pks) + _checked_keys("ids", ids)
    if filter and keys:
        raise param_error(
            "Ambiguous filter parameter, only one deletion condition can be specified."
        )
    if not keys and not isinstance(filter, str):
        raise filter_type_error(filter)
    return keys


def _checked_keys(name: str, keys: Any) -> list[Any]:
    if keys is None:
        return []
    listed = numpy_list(keys)
    if listed is None:
        if isinstance(keys, (int, str)):
            listed = [keys]
        elif isinstance(keys, (list, tuple)) or (name == "pks" and isinstance(keys, Iterable)):
            listed = list(keys)
        else:
            raise _key_type_error(name, keys)
    for key in listed:
        if not isinstance(key, (int, str)) and integer(key) is None:
            raise _key_type_error(name, key)
    return listed


def _key_type_error(name: str, value: Any) -> TypeError:
    return TypeError(
        f"wrong type of argument {name}, expect list, int or str, got '{type(value).__name__}'"
    )


def id_list(ids: Any) -> Any:
    if isinstance(ids, list):
        return ids
    if isinstance(ids, (int, str)):
        return [ids]
    if isinstance(ids, tuple):
        return list(ids)
    listed = numpy_list(ids)
    return ids if listed is None else listed


def integer(value: Any) -> int | None:
    """The int that a NumPy integer is; None for anything else."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.integer):
        return int(value)
    return None


def numpy_list(value: Any) -> list[Any] | None:
    """A NumPy array or scalar as a list; None for anything else."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, (numpy.ndarray, numpy.generic)):
        return None
    listed = value.tolist()
    return listed if isinstance(listed, list) else [listed]


def int_or_illegal(value: Any, name: str) -> int:
    number = integer(value)
    if number is None:
        raise illegal(name, value)
    return number


def is_a(value: Any, module: str, name: str) -> bool:
    """Whether `value` is of a class of pymilvus: of none, as long as its module is not imported."""
    found = sys.modules.get(module)
    return found is not None and isinstance(value, getattr(found, name, ()))


def param_error(message: str) -> Exception:
    return milvus_error("ParamError", message)


def illegal(name: str, value: Any) -> Exception:
    return param_error(f"`{name}` value {value} is illegal")


def filter_type_error(value: Any) -> Exception:
    return milvus_error(
        "DataTypeNotMatchException",
        f"The type of expr must be string ,but {type(value)!r} is given.",
    )


def raise_as_pymilvus(error: Exception) -> NoReturn:
    """What pymilvus makes of an exception inside its handler."""
    if isinstance(error, MemoryError) or is_milvus_error(error):
        raise error
    text, place = str(error), ""
    if isinstance(error, _core.TextError):
        # protobuf's words, by which users of pymilvus know it; it does not say where.
        text, place = "bad argument type for built-in operation", f": {error}"
    message = f"Unexpected error, message=<{text}>{place}"
    raise milvus_error("MilvusException", message) from error
