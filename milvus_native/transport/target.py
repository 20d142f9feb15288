"""What the native transport dials: addresses, TLS, and the settings of the HTTP/2 connection.

Nothing here does I/O but `Target.of`, which reads the TLS files.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._core import RpcConnection
from ..version import __version__
from .base import RESOURCE_EXHAUSTED, RpcError

if TYPE_CHECKING:
    import ssl

    from ..config import ConnectionConfig, TlsFiles

USER_AGENT = f"grpc-python-milvus_native/{__version__}"
LARGEST_MESSAGE = (1 << 31) - 1  # bytes; what one gRPC message of protobuf can hold
UNIX_AUTHORITY = "localhost"

KEEPALIVE_TIME = 10.0  # seconds of silence before the first PING, pymilvus's setting
KEEPALIVE_TIMEOUT = 10.0
IDLE_CHECK = 60.0  # seconds after which a connection has to answer a PING before it is used
IDLE_ANSWER = 1.0  # seconds it may take for that

# grpcio's options that mean something here, ...
_OPTIONS = frozenset(
    {
        "grpc.default_authority",
        "grpc.keepalive_time_ms",
        "grpc.keepalive_timeout_ms",
        "grpc.max_metadata_size",
        "grpc.max_receive_message_length",
        "grpc.max_send_message_length",
        "grpc.primary_user_agent",
        "grpc.secondary_user_agent",
        "grpc.ssl_target_name_override",
    }
)
# ... and those that set what this transport does by itself, or does not need.
_MOOT_OPTIONS = frozenset(
    {
        "grpc.enable_retries",  # there is no service config whose policy it would switch on
        "grpc.http2.max_pings_without_data",
        "grpc.initial_reconnect_backoff_ms",  # every call dials at once
        "grpc.keepalive_permit_without_calls",  # connections are checked before they are used
        "grpc.max_reconnect_backoff_ms",
        "grpc.min_reconnect_backoff_ms",
        "grpc.so_reuseport",  # of servers
        "grpc.use_local_subchannel_pool",
    }
)

# One address to connect to: family, type, protocol, and what socket.connect takes.
Address = tuple[int, int, int, Any]


def foreign_option(config: ConnectionConfig) -> str | None:
    """An entry of `grpc_options` that only grpcio understands."""
    options = config.get_handler_kwargs().get("grpc_options") or {}
    return next((name for name in options if name not in _OPTIONS | _MOOT_OPTIONS), None)


def proxy_variable(config: ConnectionConfig) -> str | None:
    """The environment variable that would have grpcio reach this server through an HTTP proxy.

    The rules are gRPC's (doc/environment_variables.md): the first of three names counts, and
    a list of host name suffixes is exempt.
    """
    names = ("grpc_proxy", "https_proxy", "http_proxy")
    name = next((name for name in names if os.environ.get(name)), None)
    if name is None or config.address.startswith("unix:"):
        return None
    host = _split(config.address)[0]
    exempt = os.environ.get("no_grpc_proxy") or os.environ.get("no_proxy") or ""  # noqa: SIM112
    suffixes = [suffix.strip() for suffix in exempt.split(",") if suffix.strip()]
    return None if any(host.endswith(suffix) for suffix in suffixes) else name


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


class Target:
    """One server: how to find it, how to greet it. Immutable."""

    def __init__(
        self,
        host: str,
        port: int,
        unix_path: str = "",
        authority: str = "",
        server_name: str = "",
        tls: ssl.SSLContext | None = None,
        user_agent: str = USER_AGENT,
        longest_request: int = LARGEST_MESSAGE,
        engine: dict[str, Any] | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.unix_path = unix_path
        self.authority = authority
        self.server_name = server_name  # what the server's certificate has to name
        self.tls = tls
        self.user_agent = user_agent
        self.longest_request = longest_request
        self.engine = engine or {}

    def __repr__(self) -> str:
        return f"Target({self.name!r}, tls={self.tls is not None})"

    @classmethod
    def of(cls, config: ConnectionConfig) -> Target:
        """Raises OSError for TLS files that cannot be read or are not PEM (ssl.SSLError)."""
        options = config.get_handler_kwargs().get("grpc_options") or {}
        host, port, unix_path = "", 0, ""
        if config.address.startswith("unix:"):
            unix_path = config.address[len("unix:") :]
            if unix_path.startswith("//"):  # the form with an authority, which is empty
                unix_path = unix_path[len("//") :]
            authority = UNIX_AUTHORITY
        else:
            host, port = _split(config.address)
            authority = config.address
        server_name = options.get("grpc.ssl_target_name_override") or ""
        if config.secure:
            server_name = config.tls.server_name or server_name
        first, last = "grpc.primary_user_agent", "grpc.secondary_user_agent"
        agents = (options.get(first), USER_AGENT, options.get(last))
        return cls(
            host,
            port,
            unix_path,
            options.get("grpc.default_authority") or server_name or authority,
            server_name or host or UNIX_AUTHORITY,
            tls_context(config.tls) if config.secure else None,
            " ".join(agent for agent in agents if agent),
            _limit(options.get("grpc.max_send_message_length", -1)),
            _engine_settings(options),
        )

    @property
    def name(self) -> str:
        """The server, for messages."""
        return self.unix_path or f"{self.host}:{self.port}"

    def new_connection(self) -> RpcConnection:
        """The engine of a new connection, its greeting ready to be sent."""
        scheme = "http" if self.tls is None else "https"
        return RpcConnection(self.authority, scheme, self.user_agent, **self.engine)

    def known_addresses(self) -> list[Address] | None:
        """The addresses, if it takes no name server to tell them."""
        if self.unix_path:
            return [(socket.AF_UNIX, socket.SOCK_STREAM, 0, self.unix_path)]
        try:
            return self.find_addresses(socket.AI_NUMERICHOST)
        except OSError:
            return None

    def find_addresses(self, flags: int = 0) -> list[Address]:
        """The addresses, asked of the system. It may take long. Raises OSError."""
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM, flags=flags)
        return [(family, kind, protocol, name) for family, kind, protocol, _, name in found]

    def too_long(self, size: int) -> RpcError:
        """What a request of `size` bytes, more than longest_request, gets."""
        text = f"Sent message larger than max ({size} vs. {self.longest_request})"
        return RpcError(RESOURCE_EXHAUSTED, text, sent=False)


def _limit(size: Any) -> int:
    return LARGEST_MESSAGE if size < 0 else min(int(size), LARGEST_MESSAGE)


def _engine_settings(options: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments of RpcConnection."""

    def seconds(name: str, default: float) -> float:
        milliseconds = options.get(name)
        return default if milliseconds is None else milliseconds / 1000

    settings: dict[str, Any] = {
        "keepalive_time": seconds("grpc.keepalive_time_ms", KEEPALIVE_TIME),
        "keepalive_timeout": seconds("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT),
        "max_message": _limit(options.get("grpc.max_receive_message_length", -1)),
    }
    if options.get("grpc.max_metadata_size"):
        settings["max_header_list"] = options["grpc.max_metadata_size"]
    return settings


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Verifies the server, asks for HTTP/2, and shows a client certificate if there is one.

    As with grpcio, a certificate of `root_path` is trusted whether it is self-signed or not, and
    without one GRPC_DEFAULT_SSL_ROOTS_FILE_PATH or the system's authorities are.
    """
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    roots = files.root_path or os.environ.get("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "")
    if roots:
        context.load_verify_locations(cafile=roots)
    else:
        load_system_authorities(context)
    if files.cert_path:
        context.load_cert_chain(files.cert_path, files.key_path)
    context.set_alpn_protocols(["h2"])
    return context


def load_system_authorities(context: ssl.SSLContext, find: Callable[[], Any] | None = None) -> None:
    """Trusts the system's authorities, or certifi's on a system that has none."""
    import ssl

    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    paths = (find or ssl.get_default_verify_paths)()
    has_folder = bool(paths.capath) and os.path.isdir(paths.capath) and os.listdir(paths.capath)
    if context.cert_store_stats()["x509_ca"] == 0 and not has_folder:
        try:
            import certifi
        except ImportError:
            return
        context.load_verify_locations(cafile=certifi.where())
