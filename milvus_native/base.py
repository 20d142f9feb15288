"""What the sync and the async client have in common: settings, counters, class helpers."""

from __future__ import annotations

from collections.abc import Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from . import errors, forking, requests, transport
from .calls import CALL_KEYWORDS, Call
from .config import ConnectionConfig
from .connection import Connection
from .delegates import machinery_is_replaced, original
from .insides import Borrowed, borrow, is_overridden
from .kinship import Kin
from .scope import Scope

if TYPE_CHECKING:
    from .observing import Observer

INSERT_KEYWORDS = CALL_KEYWORDS | {"namespace", "schema"}
UPSERT_KEYWORDS = INSERT_KEYWORDS | {"field_ops", "partial_update"}
SEARCH_KEYWORDS = requests.SEARCH_KEYWORDS
HYBRID_KEYWORDS = requests.HYBRID_KEYWORDS
QUERY_KEYWORDS = requests.QUERY_KEYWORDS
DELETE_KEYWORDS = requests.DELETE_KEYWORDS
QUERY_ITERATOR_KEYWORDS = QUERY_KEYWORDS | {"iterator_cp_file"}
SEARCH_ITERATOR_KEYWORDS = SEARCH_KEYWORDS | {"function_chains", "ranker"}

# Attributes that pymilvus's clients set in their constructors, and that programs look at...
DELEGATE_ATTRIBUTES = frozenset({"_manager", "_using"})
# ... and those that they set themselves: see insides.Replaceable.
REPLACEABLE = frozenset({"_closed", "_get_connection", "_handler"})

_Client = TypeVar("_Client", bound="BaseClient")


class BaseClient(Kin):
    """Base of MilvusClient and AsyncMilvusClient.

    What it has beside pymilvus's attributes begins with _mvn_: a program's subclass, which was
    written for pymilvus, may use any other name.
    """

    _THEIRS: ClassVar[str]  # name of the class in pymilvus
    _mvn_connection: Connection
    _mvn_known_scope: Scope | None = None

    # Whether pymilvus does the data plane as well, and whether it does so with what the program
    # has put in the place of the connection. A client made without its constructor has nothing
    # but what the program puts there.
    _mvn_all_delegated = True
    _mvn_is_programs = True
    _mvn_is_made = False

    def __init__(
        self,
        uri: str,
        user: str,
        password: str,
        db_name: str,
        token: str,
        options: dict[str, Any],
    ) -> None:
        options.pop("dedicated", None)  # connections are never shared
        options.pop("cluster_id", None)
        name = options.pop("transport", None)
        on_call, tracing = options.pop("on_call", None), options.pop("tracing", False)
        self._mvn_retry_writes = bool(options.pop("retry_writes", False))
        if not token and user and password:
            token = f"{user}:{password}"
        self._config = ConnectionConfig.from_uri(uri, token=token, db_name=db_name, **options)
        self._mvn_transport_name = transport.choose(name, self._config)
        self._mvn_observer = observer(self._config.address, on_call, tracing)
        self._mvn_counts: dict[str, dict[str, int]] = {"delegated": {}, "control": {}}
        self._mvn_is_made = True
        self._mvn_made_programs = machinery_is_replaced() or is_overridden(
            type(self), "_get_connection"
        )
        self._mvn_choose_code()
        self.is_self_hosted = self._config.server_type == "milvus"

    def __copy__(self) -> Any:
        """A client with the same connections, which stay open as long as there is one of them."""
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__, _mvn_copied_from=self)
        return twin

    def stats(self) -> dict[str, Any]:
        """What this client has done so far.

        "calls": requests sent; "retries": those of them that were sent again; "bytes_sent" and
        "bytes_received": on the wire, or of messages with transport="grpc"; "open_connections":
        now; "reconnects": sessions opened again; "transport": its name; "delegated": data-plane
        calls that went to pymilvus whole, by method; "control": control-plane calls that did.
        """
        counters = self._mvn_connection.counters
        usage = self._mvn_connection.usage()
        with forking.counting:
            return {
                **{kind: dict(calls) for kind, calls in self._mvn_counts.items()},
                "retries": counters.retries,
                "reconnects": counters.reconnects,
                "transport": self._mvn_transport_name,
                **usage._asdict(),
            }

    def __repr__(self) -> str:
        if not self._mvn_is_made:
            return object.__repr__(self)
        return f"<{self._THEIRS} of {self._config.address}>"

    def get_server_type(self) -> str:
        """ "zilliz" for Zilliz Cloud, else "milvus"."""
        if self._mvn_is_programs:
            server_type: str = borrow(self, "get_server_type")()
            return server_type
        return self._config.server_type

    _alter_collection_schema = Borrowed()
    _create_collection_with_schema = Borrowed()
    _create_index = Borrowed()
    _execute_optimize = Borrowed()
    _extract_primary_field = Borrowed()
    _fast_create_collection = Borrowed()
    _generate_call_context = Borrowed()
    _is_collection_loaded = Borrowed()
    _list_vector_indexes = Borrowed()
    _pack_pks_expr = Borrowed()
    _wait_for_compaction_with_cancel = Borrowed()
    _wait_for_indexes = Borrowed()
    _with_cluster_id = Borrowed()

    @classmethod
    def create_schema(cls, **kwargs: Any) -> Any:
        """A pymilvus.CollectionSchema without fields, to be filled with add_field."""
        return original("MilvusClient").create_schema(**kwargs)

    @classmethod
    def create_struct_field_schema(cls, **kwargs: Any) -> Any:
        """A pymilvus.StructFieldSchema without fields."""
        return original("MilvusClient").create_struct_field_schema(**kwargs)

    @classmethod
    def create_field_schema(cls, name: str, data_type: Any, desc: str = "", **kwargs: Any) -> Any:
        """A pymilvus.FieldSchema."""
        return original("MilvusClient").create_field_schema(name, data_type, desc, **kwargs)

    @classmethod
    def prepare_index_params(cls, field_name: str = "", **kwargs: Any) -> Any:
        """A pymilvus IndexParams; with one index in it if `field_name` is given."""
        return original("MilvusClient").prepare_index_params(field_name, **kwargs)

    def _mvn_scope(self) -> Scope:
        scope, config = self._mvn_known_scope, self._config
        if scope is None or scope.db_name != config.db_name:
            scope = Scope(config.address, config.principal, config.db_name)
            self._mvn_known_scope = scope
        return scope

    # `seconds`, as subclasses give a timeout of theirs to whatever has a parameter of that name.
    def _mvn_call(self, name: str, scope: Scope, seconds: Any, options: Mapping[str, Any]) -> Call:
        counters = self._mvn_connection.counters
        return Call(name, scope, seconds, counters, options, self._mvn_retry_writes)

    def _mvn_set_database(self, db_name: str) -> None:
        self._config.db_name = db_name

    def _mvn_set_token(self, token: str) -> None:
        """Later sessions are opened with `token`, and the present one is given up."""
        self._config.token = token
        self._mvn_known_scope = None
        self._mvn_connection.renew()

    def _mvn_choose_code(self) -> None:
        """Decides between our code and pymilvus's, for all calls from now on."""
        if not self._mvn_is_made:
            return
        self._mvn_is_programs = self._mvn_made_programs or not REPLACEABLE.isdisjoint(self.__dict__)
        # A global cluster's primary is looked up and followed by pymilvus alone.
        self._mvn_all_delegated = self._mvn_is_programs or self._config.is_global

    def _mvn_is_foreign(self, kwargs: dict[str, Any], known: frozenset[str]) -> bool:
        """Whether a call must go to pymilvus whole."""
        return self._mvn_all_delegated or (bool(kwargs) and not kwargs.keys() <= known)

    def _mvn_count(self, kind: Literal["delegated", "control"], method: str) -> None:
        if self._mvn_is_made:
            with forking.counting:
                calls = self._mvn_counts[kind]
                calls[method] = calls.get(method, 0) + 1


def owner_of_mixins(cls: type[_Client]) -> type[_Client]:
    """Class decorator: names the methods of the control mixins after `cls`, which alone has them.

    Python's complaint about missing arguments, logs and profiles then say MilvusClient.flush().
    """
    for mixin in cls.__bases__:
        if mixin is not BaseClient:
            for method in vars(mixin).values():
                if isinstance(method, FunctionType):
                    method.__qualname__ = f"{cls.__name__}.{method.__name__}"
                    method.__module__ = cls.__module__
    return cls


def observer(address: str, on_call: Any, tracing: bool) -> Observer | None:
    """What tells `on_call` and OpenTelemetry, if anybody is to be told.

    TypeError if `on_call` cannot be called, ImportError if opentelemetry-api is missing.
    """
    if on_call is None and not tracing:
        return None
    if on_call is not None and not callable(on_call):
        raise TypeError(f"on_call must be a function of a CallEvent, not {on_call!r}")
    from .observing import Observer

    return Observer(address, on_call, tracing)


def check_rows(data: Any) -> None:
    """TypeError unless `data` can be rows or columns."""
    if not isinstance(data, (dict, list)):
        raise TypeError(
            "wrong type of argument 'data',"
            f"expected 'Dict' or list of 'Dict', got '{type(data).__name__}'"
        )


def check_str(name: str, value: Any) -> None:
    """ParamError unless `value` is a str."""
    if value is None:
        raise errors.milvus_error("ParamError", f"missing required argument: [{name}]")
    if not isinstance(value, str):
        raise errors.milvus_error(
            "ParamError",
            f"wrong type of argument [{name}], expected type: [str], "
            f"got type: [{type(value).__name__}]",
        )
