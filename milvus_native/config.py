"""How a client reaches its server: the URI and the keyword arguments, taken apart.

The rules are pymilvus's (ConnectionConfig.from_uri); an IPv6 address keeps its brackets here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from . import errors

DEFAULT_PORT = 19530
HTTPS_PORT = 443
SCHEMES = ("http", "https", "tcp")
CONNECT_TIMEOUT = 10.0  # seconds, when the client is given none


class ConnectionConfig:
    """Settings of one client's connection, under pymilvus's attribute names.

    `address` is host:port ([host]:port for IPv6) or a unix: path; `handler_kwargs` are the
    remaining keyword arguments in order. `db_name` may be changed: calls made later use it.
    """

    __slots__ = ("address", "db_name", "handler_kwargs", "token", "uri")

    def __init__(
        self,
        uri: str,
        address: str,
        token: str = "",
        db_name: str = "",
        handler_kwargs: tuple[tuple[str, Any], ...] = (),
    ) -> None:
        self.uri = uri
        self.address = address
        self.token = f"{token}" if token else ""  # as pymilvus puts it into the header
        self.db_name = db_name
        self.handler_kwargs = handler_kwargs

    def __repr__(self) -> str:
        return f"ConnectionConfig(address={self.address!r}, db_name={self.db_name!r})"

    def __eq__(self, other: object) -> bool:
        names = ConnectionConfig.__slots__
        return isinstance(other, ConnectionConfig) and all(
            getattr(self, name) == getattr(other, name) for name in names
        )

    __hash__ = None  # type: ignore[assignment]

    def get_handler_kwargs(self) -> dict[str, Any]:
        return dict(self.handler_kwargs)

    @property
    def key(self) -> str:
        return f"{self.address}|{self.token}"

    @property
    def is_global(self) -> bool:
        """Whether the URI names a global cluster, whose primary has to be looked up."""
        return "global-cluster" in self.uri.lower()

    @property
    def server_type(self) -> str:
        """ "zilliz" for Zilliz Cloud, else "milvus"."""
        return "zilliz" if "zilliz" in self.address.split(":")[0].lower() else "milvus"

    @property
    def principal(self) -> str:
        """Tells callers with different credentials apart without holding the credentials."""
        if not self.token:
            return ""
        import hashlib

        return hashlib.blake2b(self.token.encode(), digest_size=16).hexdigest()

    @property
    def secure(self) -> bool:
        return bool(self.get_handler_kwargs().get("secure", False))

    @property
    def tls(self) -> TlsFiles:
        return TlsFiles.from_kwargs(self.get_handler_kwargs())

    @classmethod
    def from_uri(
        cls,
        uri: str,
        *,
        token: str | None = None,
        db_name: str | None = None,
        **kwargs: Any,
    ) -> ConnectionConfig:
        """Explicit `token` and `db_name` win over those in the URI, empty ones do not.

        Raises ConnectionConfigException for a URI that is none of the known kinds, ParamError
        for a `secure` that is not a bool, ValueError for a port that is not a number.
        """
        if uri.endswith(".db"):
            uri = _start_lite(uri)
        if not isinstance(kwargs.get("secure", False), bool):
            raise errors.milvus_error("ParamError", "secure must be bool type")
        if uri.startswith("unix:"):
            return cls(uri, uri, token or "", db_name or "", tuple(kwargs.items()))

        from urllib.parse import urlparse

        parsed = urlparse(uri)
        if parsed.scheme.lower() not in SCHEMES:
            raise errors.milvus_error(
                "ConnectionConfigException",
                # pymilvus's words: programs, and their tests, look for them.
                f"uri: {uri} is illegal, needs start with [unix, {', '.join(SCHEMES)}] "
                "or a local file endswith [.db]",
            )
        host = parsed.hostname or "localhost"
        if ":" in host:
            host = f"[{host}]"
        port = parsed.port or (HTTPS_PORT if parsed.scheme == "https" else DEFAULT_PORT)
        credentials = parsed.username or ""
        if parsed.username and parsed.password:
            credentials = f"{parsed.username}:{parsed.password}"
        if parsed.scheme == "https":
            kwargs.setdefault("secure", True)
        return cls(
            uri=uri,
            address=f"{host}:{port}",
            token=token or credentials,
            db_name=db_name or parsed.path.strip("/").split("/")[0],
            handler_kwargs=tuple(kwargs.items()),
        )


class TlsFiles:
    """PEM files of a TLS connection, read when asked for; "" where none is given.

    The roots are `server_pem_path`, else `ca_pem_path`, else the system's. A client certificate
    is shown when both of its files are given.
    """

    __slots__ = ("cert_path", "key_path", "root_path", "server_name")

    def __init__(self, root_path: str, cert_path: str, key_path: str, server_name: str) -> None:
        self.root_path = root_path
        self.cert_path = cert_path
        self.key_path = key_path
        self.server_name = server_name

    @classmethod
    def from_kwargs(cls, kwargs: Mapping[str, Any]) -> TlsFiles:
        cert, key = kwargs.get("client_pem_path", ""), kwargs.get("client_key_path", "")
        return cls(
            kwargs.get("server_pem_path", "") or kwargs.get("ca_pem_path", ""),
            cert if cert and key else "",
            key if cert and key else "",
            kwargs.get("server_name", ""),
        )

    def read(self) -> tuple[bytes | None, bytes | None, bytes | None]:
        """(root certificates, private key, certificate chain); OSError if a file is not there."""
        return _read(self.root_path), _read(self.key_path), _read(self.cert_path)


def _read(path: str) -> bytes | None:
    if not path:
        return None
    with open(path, "rb") as file:
        return file.read()


def _start_lite(path: str) -> str:
    """Starts (or finds) the embedded server of a .db file and returns its URI."""
    parent = os.path.dirname(path) or "."
    if not os.path.isdir(parent):
        raise errors.milvus_error(
            "ConnectionConfigException", f"Open local milvus failed, dir: {parent} not exists"
        )
    try:
        from milvus_lite.server_manager import server_manager_instance
    except ImportError as error:
        raise errors.milvus_error(
            "ConnectionConfigException",
            "a local .db file needs the package milvus-lite: pip install milvus-native[lite]",
        ) from error
    uri = server_manager_instance.start_and_get_uri(path)
    if uri is None:
        raise errors.milvus_error("ConnectionConfigException", "Open local milvus failed")
    return str(uri)
