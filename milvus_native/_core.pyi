"""Stub of the C core. Each section names the file that implements it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, final

from _typeshed import FileDescriptorLike, structseq
from typing_extensions import Buffer, Self, disjoint_base

from milvus_native.results import HybridExtraList, SearchResult

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

class TextError(TypeError):
    """A value of a request that is no str where one must be; it says which."""

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

# schema.c

@final
class Schema:
    """A collection's description, compiled for the encoder. Immutable; safe to share."""

    @classmethod
    def from_reply(cls, reply: bytes, /) -> Schema: ...
    @property
    def collection_name(self) -> str: ...
    @property
    def db_name(self) -> str: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...
    @property
    def field_names(self) -> tuple[str, ...]: ...
    @property
    def collection_id(self) -> int: ...
    @property
    def created_timestamp(self) -> int: ...
    @property
    def update_timestamp(self) -> int: ...
    @property
    def consistency_level(self) -> int: ...
    @property
    def enable_dynamic_field(self) -> bool: ...
    @property
    def auto_id(self) -> bool: ...
    @property
    def primary_field(self) -> str: ...
    @property
    def primary_type(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def field_type(self, name: str, /) -> int | None: ...
    def field_dim(self, name: str, /) -> int | None: ...
    def to_dict(self) -> dict[str, Any]: ...

def describe_request(collection_name: str, /) -> bytes: ...

# schema_cache.c

_Key = tuple[str | int | None, ...]

@final
class SchemaCache:
    """Schemas by key, least recently used out first. Safe to share between threads."""

    def __new__(cls, capacity: int = 4096, max_age: float | None = None) -> SchemaCache: ...
    def get(self, key: _Key, /) -> Schema | None: ...
    def peek(self, key: _Key, /) -> Schema | None: ...
    def generation(self) -> int: ...
    def is_current(self, key: _Key, generation: int, /) -> bool: ...
    def put(self, key: _Key, schema: Schema, generation: int, /) -> bool: ...
    def invalidate(self, key: _Key, /) -> bool: ...
    def invalidate_if(self, predicate: Callable[[_Key, Schema], object], /) -> int: ...
    def clear(self) -> None: ...
    def configure(self, capacity: int | None = None, max_age: float | None = ...) -> None: ...
    def stats(self) -> dict[str, Any]: ...
    def __len__(self) -> int: ...

# row_encoder.c

# Rows, columns in schema order, columns by name, or one row.
_Data = list[Any] | dict[str, Any]

@final
class RowEncoder:
    """InsertRequest or UpsertRequest bytes, in slices. For one caller at a time."""

    def __new__(
        cls,
        schema: Schema,
        data: _Data,
        *,
        collection_name: str,
        partition_name: str | None = "",
        namespace: str | None = None,
        upsert: bool = False,
        partial_update: bool = False,
        field_ops: Sequence[tuple[str, int]] | None = None,
    ) -> RowEncoder: ...
    @property
    def rows(self) -> int: ...
    def step(self, budget: int, /) -> bool: ...
    def finish(self) -> bytes: ...

def encode_rows(
    schema: Schema,
    data: _Data,
    *,
    collection_name: str,
    partition_name: str | None = "",
    namespace: str | None = None,
    upsert: bool = False,
    partial_update: bool = False,
    field_ops: Sequence[tuple[str, int]] | None = None,
) -> bytes: ...

# primary_keys.c

def primary_key_expression(
    field_name: str, ids: Iterable[object], primary_type: int = 0
) -> str: ...
def key_literal(key: int | str, /) -> str: ...

# requests.c

_Pairs = Sequence[tuple[str, str]]
_Texts = Sequence[str]

def encode_search(
    *,
    collection_name: str,
    partition_names: _Texts | None = None,
    dsl: str | None = "",
    data: object = None,
    ids: list[Any] | None = None,
    bytes_type: int = 0,
    embedding_list: bool = False,
    output_fields: _Texts | None = None,
    params: _Pairs,
    guarantee_timestamp: int | None = 0,
    consistency_level: int | None = 0,
    use_default_consistency: bool = False,
    templates: Mapping[str, Any] | None = None,
    namespace: str | None = None,
    extra: bytes = b"",
) -> bytes: ...
def encode_hybrid_search(
    *,
    collection_name: str,
    requests: Sequence[bytes],
    params: _Pairs,
    partition_names: _Texts | None = None,
    output_fields: _Texts | None = None,
    guarantee_timestamp: int | None = 0,
    consistency_level: int | None = 0,
    use_default_consistency: bool = False,
    namespace: str | None = None,
    extra: bytes = b"",
) -> bytes: ...
def encode_query(
    *,
    collection_name: str,
    expr: str | None,
    output_fields: _Texts | None,
    partition_names: _Texts | None = None,
    params: _Pairs,
    guarantee_timestamp: int | None = 0,
    consistency_level: int | None = 0,
    use_default_consistency: bool = False,
    templates: Mapping[str, Any] | None = None,
    namespace: str | None = None,
) -> bytes: ...
def encode_delete(
    *,
    collection_name: str,
    expr: str,
    partition_name: str | None = "",
    consistency_level: int | None = 0,
    templates: Mapping[str, Any] | None = None,
    namespace: str | None = None,
) -> bytes: ...

# hit.c

@disjoint_base
class Hit(dict[str, Any]):
    """One row of a search result; its entity's items are found in it too, and as attributes."""

    _pk_name: str
    def __init__(self, *args: Any, pk_name: str = "", **kwargs: Any) -> None: ...
    def __getattr__(self, name: str, /) -> Any: ...
    def get(self, key: Any, default: Any = None) -> Any: ...
    def to_dict(self) -> Hit: ...
    @property
    def id(self) -> int | str: ...
    @property
    def pk(self) -> int | str: ...
    @property
    def distance(self) -> float: ...
    @property
    def score(self) -> float: ...
    @property
    def highlight(self) -> dict[str, Any] | None: ...
    @property
    def fields(self) -> dict[str, Any]: ...
    @property
    def entity(self) -> Hit: ...

# results.c, search_results.c, query_results.c, mutation.c

@final
class Mutation(structseq[Any], tuple[int, int, int, list[int] | list[str], int, int]):
    """What the server says of an insert, upsert or delete."""

    __match_args__: Final = (
        "insert_count",
        "delete_count",
        "upsert_count",
        "ids",
        "timestamp",
        "cost",
    )
    @property
    def insert_count(self) -> int: ...
    @property
    def delete_count(self) -> int: ...
    @property
    def upsert_count(self) -> int: ...
    @property
    def ids(self) -> list[int] | list[str]: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def cost(self) -> int: ...

def decode_search(reply: bytes, round_decimal: int | None = None) -> SearchResult: ...
def decode_query(reply: bytes, strict_float32: bool = False) -> HybridExtraList: ...
def decode_mutation(reply: bytes) -> Mutation: ...
def set_result_types(
    search_result: type[list[Any]],
    hits: type[list[Any]],
    query_result: type[list[Any]],
    extra: type[dict[str, Any]],
    iterator: type,
    aggregation_bucket: type,
    aggregation_hit: type,
    /,
) -> None: ...

# rpc_connection.c, rpc_attributes.c, rpc_exchange.c

_RpcResult: TypeAlias = tuple[
    Any,  # tag
    int,  # gRPC status code
    str | None,
    list[tuple[str, str | bytes]] | None,  # metadata
    bytes | None,  # message
    bool,  # sent
]

@final
class RpcConnection:
    """A client's end of one HTTP/2 connection with unary gRPC calls on it, without a socket."""

    def __new__(
        cls,
        authority: str,
        scheme: str,
        user_agent: str,
        *,
        window: int = 67108864,
        send_batch: int = 262144,
        max_message: int = 2147483647,
        max_header_list: int = 65536,
        keepalive_time: float | None = 10.0,
        keepalive_timeout: float = 10.0,
    ) -> Self: ...
    def submit(
        self,
        path: str,
        message: Buffer | list[Buffer] | tuple[Buffer, ...],
        metadata: Iterable[tuple[str, str | bytes]] | None,
        timeout: float | None,
        tag: object,
        /,
    ) -> int: ...
    def cancel(self, id: int, code: int, text: str, /) -> bool: ...  # noqa: A002
    def data_to_send(self) -> bytes: ...
    def receive(self, data: Buffer, /) -> list[_RpcResult]: ...
    def exchange(self, fd: FileDescriptorLike, timeout: float | None, /) -> list[_RpcResult]: ...
    def pump(self, fd: FileDescriptorLike, receive: bool, /) -> tuple[list[_RpcResult], bool]: ...
    def finished(self) -> list[_RpcResult]: ...
    def lost(self, text: str, /) -> None: ...
    def tick(self) -> float | None: ...
    def ping(self) -> None: ...
    @property
    def accepts(self) -> bool: ...
    @property
    def closed(self) -> bool: ...
    @property
    def error(self) -> str: ...
    @property
    def free_streams(self) -> int: ...
    @property
    def open_calls(self) -> int: ...
    @property
    def settings_came(self) -> bool: ...
    @property
    def goaway_code(self) -> int | None: ...
    @property
    def pings_answered(self) -> int: ...
    @property
    def bytes_sent(self) -> int: ...
    @property
    def bytes_received(self) -> int: ...
