"""Which transport a client gets, and what the native one makes of a client's settings."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
import trustme
from pymilvus import MilvusException

from milvus_native import AsyncMilvusClient, MilvusClient
from milvus_native.config import ConnectionConfig
from milvus_native.transport import VARIABLE, choose
from milvus_native.transport.target import Target, load_system_authorities
from tests.servers.recording import RecordingServer

from . import replies

PROXIES = ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, VARIABLE, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"):
        monkeypatch.delenv(name, raising=False)


def config(uri: str = "http://milvus.test:19530", **options: Any) -> ConnectionConfig:
    return ConnectionConfig.from_uri(uri, **options)


# the choice


@pytest.mark.parametrize("cls", [MilvusClient, AsyncMilvusClient])
def test_native_is_the_default(server: RecordingServer, cls: Any) -> None:
    with cls(server.uri) as client:
        assert client.stats()["transport"] == "native"


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({}, "native"),
        ({"grpc.keepalive_time_ms": 5}, "native"),
        ({"grpc.enable_retries": 1}, "native"),
        ({"grpc.lb_policy_name": "round_robin"}, "grpc"),
    ],
)
def test_options_decide(options: dict[str, Any], chosen: str) -> None:
    assert choose(None, config(grpc_options=options)) == chosen


def test_native_refuses_foreign_options() -> None:
    foreign = config(grpc_options={"grpc.lb_policy_name": "round_robin"})
    with pytest.raises(ValueError, match=r"grpc\.lb_policy_name.*transport='grpc'"):
        choose("native", foreign)
    assert choose("grpc", foreign) == "grpc"


def test_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "grpc")
    assert choose(None, config()) == "grpc"
    assert choose("native", config()) == "native"
    monkeypatch.setenv(VARIABLE, "pigeon")
    with pytest.raises(ValueError, match="pigeon"):
        choose(None, config())


@pytest.mark.parametrize(
    ("variables", "uri", "chosen"),
    [
        ({"http_proxy": "http://p:1"}, "http://milvus.test", "grpc"),
        ({"https_proxy": "http://p:1"}, "https://milvus.test", "grpc"),
        ({"grpc_proxy": "http://p:1", "no_proxy": "other"}, "http://milvus.test", "grpc"),
        ({"http_proxy": "http://p:1", "no_proxy": "a, .test"}, "http://milvus.test", "native"),
        ({"http_proxy": "http://p:1", "no_grpc_proxy": "test"}, "http://milvus.test", "native"),
        ({"http_proxy": "http://p:1"}, "unix:/x", "native"),
        ({"http_proxy": ""}, "http://milvus.test", "native"),
    ],
)
def test_proxies_decide(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], uri: str, chosen: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert choose(None, config(uri)) == chosen


# the settings


def test_names() -> None:
    plain = Target.of(config())
    assert (plain.host, plain.port, plain.authority) == ("milvus.test", 19530, "milvus.test:19530")
    assert plain.tls is None
    secure = Target.of(config("https://milvus.test", server_name="other.test"))
    assert (secure.port, secure.authority, secure.server_name) == (443, "other.test", "other.test")
    option = {"grpc.ssl_target_name_override": "third.test", "grpc.default_authority": "auth"}
    named = Target.of(config("https://milvus.test", grpc_options=option))
    assert (named.authority, named.server_name) == ("auth", "third.test")
    six = Target.of(config("http://[::1]:19530"))
    assert (six.host, six.port, six.authority) == ("::1", 19530, "[::1]:19530")
    assert [address[0] for address in six.known_addresses() or ()] == [socket.AF_INET6]


@pytest.mark.parametrize("address", ["unix:/run/m.sock", "unix:///run/m.sock"])
def test_unix_path(address: str) -> None:
    target = Target.of(config(address))
    assert target.known_addresses() == [(socket.AF_UNIX, socket.SOCK_STREAM, 0, "/run/m.sock")]
    assert target.authority == "localhost"


def test_names_are_resolved_when_dialled() -> None:
    target = Target.of(config("http://localhost:19530"))
    assert target.known_addresses() is None
    assert {address[3][0] for address in target.find_addresses()} <= {"127.0.0.1", "::1"}


def test_limits(server: RecordingServer) -> None:
    options = {"grpc.max_send_message_length": 100, "grpc.max_receive_message_length": 200}
    with MilvusClient(server.uri, grpc_options=options, transport="native") as client:
        server.set("Query", replies.query(*range(1000)))
        with pytest.raises(grpc.RpcError) as caught:
            client.query("things", "id > 1")
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.RpcError, match="larger than max") as caught:
            client.query("things", "id > 1" + " " * 100)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        server.set("Query", replies.query(1))
        assert len(client.query("things", "id > 1")) == 1


# TLS


def test_verification_is_always_on() -> None:
    context = Target.of(config("https://milvus.test")).tls
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_authorities_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "roots.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(file))
    context = Target.of(config("https://milvus.test")).tls
    assert context is not None
    assert context.cert_store_stats()["x509_ca"] == 1


def test_system_without_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """certifi's are taken where it is installed."""
    import certifi

    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda *_: None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    load_system_authorities(context, lambda: SimpleNamespace(capath=None))
    assert context.cert_store_stats()["x509_ca"] > 50
    assert Path(certifi.where()).exists()


def test_file_that_is_no_certificate(tmp_path: Path) -> None:
    file = tmp_path / "roots.pem"
    file.write_text("nothing")
    with pytest.raises((ssl.SSLError, MilvusException)):
        MilvusClient("https://127.0.0.1:1", ca_pem_path=str(file), timeout=5)
