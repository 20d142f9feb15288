"""URIs and keyword arguments, taken apart as pymilvus does."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from pymilvus.client.connection_manager import ConnectionConfig as Theirs
from pymilvus.exceptions import ConnectionConfigException, ParamError

from milvus_native.config import ConnectionConfig, TlsFiles

URIS = [
    "http://localhost:19530",
    "http://localhost",
    "http://",
    "http://h/",
    "HTTPS://Host.Example:443/",
    "https://h",
    "https://h:19530/a/b",
    "tcp://h:5",
    "tcp://10.0.0.1",
    "Http://h/db",
    "http://h/%41",
    "http://user@h",
    "http://:p@h",
    "http://u:p@h:1",
    "http://u:p%40ss@h:1/db1/x?q=1",
    "https://in01-12a.aws-us-west-2.vectordb.zillizcloud.com:19538",
    "unix:/tmp/x.sock",
    "unix:///tmp/x",
    "https://global-cluster.example.com",
]
OVERRIDES: list[dict[str, Any]] = [
    {},
    {"token": "t"},
    {"token": "", "db_name": ""},
    {"db_name": "d"},
    {"secure": False, "grpc_options": {"a": 1}},
    {"secure": True},
]


def fields(config: Any) -> tuple[Any, ...]:
    return (
        config.uri,
        config.address,
        config.token,
        config.db_name,
        config.handler_kwargs,
        config.get_handler_kwargs(),
        config.key,
        config.is_global,
    )


@pytest.mark.parametrize("uri", URIS)
@pytest.mark.parametrize("overrides", OVERRIDES, ids=str)
def test_same_as_pymilvus(uri: str, overrides: dict[str, Any]) -> None:
    ours = ConnectionConfig.from_uri(uri, **overrides)
    assert fields(ours) == fields(Theirs.from_uri(uri, **overrides))


@pytest.mark.parametrize(
    "uri", ["", "localhost:19530", "127.0.0.1:19530", "grpc://h", "//h", "ftp://h", "h.example"]
)
def test_refused_as_by_pymilvus(uri: str) -> None:
    with pytest.raises(ConnectionConfigException) as theirs:
        Theirs.from_uri(uri)
    with pytest.raises(ConnectionConfigException) as ours:
        ConnectionConfig.from_uri(uri)
    assert ours.value.code == theirs.value.code
    assert f"uri: {uri} is illegal" in ours.value.message


@pytest.mark.parametrize("uri", ["http://h:abc", "http://h:70000"])
def test_bad_port(uri: str) -> None:
    with pytest.raises(ValueError, match=r"[Pp]ort"):
        Theirs.from_uri(uri)
    with pytest.raises(ValueError, match=r"[Pp]ort"):
        ConnectionConfig.from_uri(uri)


def test_secure_must_be_a_bool() -> None:
    with pytest.raises(ParamError):
        ConnectionConfig.from_uri("http://h", secure="yes")


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("http://[::1]:19530", "[::1]:19530"),
        ("http://[2001:db8::5]", "[2001:db8::5]:19530"),
        ("https://[2001:db8::5]/db", "[2001:db8::5]:443"),
    ],
)
def test_ipv6_keeps_its_brackets(uri: str, address: str) -> None:
    assert ConnectionConfig.from_uri(uri).address == address


@pytest.mark.parametrize("uri", URIS)
def test_server_type(uri: str) -> None:
    from pymilvus.client.utils import get_server_type

    config = ConnectionConfig.from_uri(uri)
    assert config.server_type == get_server_type(config.address.split(":")[0])


def test_principals_differ_and_hide_the_token() -> None:
    first = ConnectionConfig.from_uri("http://h", token="root:secret")
    second = ConnectionConfig.from_uri("http://h", token="root:other")
    assert first.principal == ConnectionConfig.from_uri("http://x", token="root:secret").principal
    assert first.principal != second.principal
    assert ConnectionConfig.from_uri("http://h").principal == ""
    assert "secret" not in first.principal + repr(first)


def test_missing_folder_of_a_local_file(tmp_path: Path) -> None:
    path = str(tmp_path / "none" / "x.db")
    with pytest.raises(ConnectionConfigException) as theirs:
        Theirs.from_uri(path)
    with pytest.raises(ConnectionConfigException) as ours:
        ConnectionConfig.from_uri(path)
    assert ours.value.message == theirs.value.message


def test_local_file_is_served(tmp_path: Path) -> None:
    path = str(tmp_path / "x.db")
    config = ConnectionConfig.from_uri(path, db_name="d")
    assert config.address == ConnectionConfig.from_uri(path).address
    assert config.db_name == "d"
    host, port = config.address.split(":")
    socket.create_connection((host, int(port)), timeout=10).close()


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({}, ("", "", "", "")),
        ({"ca_pem_path": "ca"}, ("ca", "", "", "")),
        ({"server_pem_path": "s", "ca_pem_path": "ca"}, ("s", "", "", "")),
        ({"client_pem_path": "c", "client_key_path": "k"}, ("", "c", "k", "")),
        ({"client_pem_path": "c", "ca_pem_path": "ca"}, ("ca", "", "", "")),
        (
            {"client_pem_path": "c", "client_key_path": "k", "ca_pem_path": "ca"},
            ("ca", "c", "k", ""),
        ),
        ({"server_pem_path": "s", "server_name": "n"}, ("s", "", "", "n")),
    ],
)
def test_tls_files(kwargs: dict[str, str], expected: tuple[str, ...]) -> None:
    files = TlsFiles.from_kwargs(kwargs)
    assert (files.root_path, files.cert_path, files.key_path, files.server_name) == expected


def test_tls_files_are_read(tmp_path: Path) -> None:
    names = {"ca_pem_path": "ca", "client_key_path": "key", "client_pem_path": "cert"}
    for name in names.values():
        (tmp_path / name).write_text(name)
    paths = {key: str(tmp_path / name) for key, name in names.items()}
    assert TlsFiles.from_kwargs(paths).read() == (b"ca", b"key", b"cert")
    assert TlsFiles.from_kwargs({}).read() == (None, None, None)
    with pytest.raises(FileNotFoundError):
        TlsFiles.from_kwargs({"ca_pem_path": str(tmp_path / "missing")}).read()
