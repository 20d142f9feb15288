"""Stub of the C core. Each section names the file that implements it."""

from collections.abc import Iterable, Mapping

# errors.c

class StatusError(Exception):
    """A reply whose Status is an error. Internal: callers see pymilvus's exceptions."""

    def __init__(
        self,
        code: int,
        error_code: int,
        reason: str,
        retriable: bool,
        extra_info: dict[str, str],
        /,
    ) -> None: ...
    @property
    def code(self) -> int: ...
    @property
    def error_code(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def retriable(self) -> bool: ...
    @property
    def extra_info(self) -> dict[str, str]: ...

class DecodeError(ValueError):
    """Bytes from the server that do not parse as the message they should be."""

# indexes.c

def index_request(collection_name: str, /) -> bytes: ...
def parse_indexes(reply: bytes, /) -> list[tuple[str, str, dict[str, str]]]: ...

# connect.c

def connect_request(
    *,
    sdk_type: str,
    sdk_version: str,
    local_time: str,
    user: str,
    host: str,
    reserved: Mapping[str, str] | None = None,
) -> bytes: ...
def parse_connect(reply: bytes, /) -> tuple[int, dict[str, str]]: ...

# primary_keys.c

def primary_key_expression(
    field_name: str, ids: Iterable[object], primary_type: int = 0
) -> str: ...
