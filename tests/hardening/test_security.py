"""What users, or servers, could put in to get at more than is theirs: values that become part of a
filter, text that becomes part of a header; and what must not get out: secrets."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import ssl
import traceback
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import milvus_pb2, schema_pb2

from milvus_native import AsyncMilvusClient, MilvusClient, _core
from milvus_native.config import ConnectionConfig
from tests.servers.recording import Failure, RecordingServer
from tests.unit.clients import replies

SECRET = "root:Cheesecake-77"
ENCODED = base64.b64encode(SECRET.encode()).decode()
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
EXPRESSION = "name == {x} and id in {y}"

# --- expressions ---


def plain(value: schema_pb2.TemplateValue) -> Any:
    """What the server gets for a template."""
    kind = value.WhichOneof("val")
    if kind != "array_val":
        return getattr(value, kind)
    arrays = value.array_val
    member = arrays.WhichOneof("data")
    if member is None:
        return []
    items = list(getattr(arrays, member).data)
    if member == "array_data":
        return [plain(schema_pb2.TemplateValue(array_val=item)) for item in items]
    if member == "json_data":
        return [json.loads(item) for item in items]
    return items


SCALARS = st.one_of(
    TEXT, st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats(allow_nan=False)
)


@settings(max_examples=300, deadline=None)
@given(x=SCALARS, y=st.one_of(st.lists(TEXT), st.lists(st.integers(-(2**63), 2**63 - 1))))
def test_no_template_can_change_the_expression(x: Any, y: Any) -> None:
    """It travels beside the expression, as a value."""
    request = milvus_pb2.QueryRequest.FromString(
        _core.encode_query(
            collection_name="c",
            expr=EXPRESSION,
            output_fields=None,
            params=[],
            templates={"x": x, "y": y},
        )
    )
    assert request.expr == EXPRESSION
    values = request.expr_template_values
    assert set(values) == {"x", "y"}
    assert type(plain(values["x"])) is type(x)
    assert plain(values["x"]) == x
    assert plain(values["y"]) == y


@settings(max_examples=300, deadline=None)
@given(keys=st.lists(TEXT, min_size=1, max_size=5))
def test_no_key_can_end_its_literal(keys: list[str]) -> None:
    """Scanned as the server does, an expression of keys is a list of literals and nothing else.
    What each literal means is in tests/unit/requests/test_primary_keys.py."""
    expression = _core.primary_key_expression("id", keys, 21)
    assert expression.startswith("id in [")
    rest = expression.removeprefix("id in ")
    literals, at = 0, 1
    while rest[at] != "]":
        quote = rest[at]
        assert quote in "'\""
        at += 1
        while rest[at] != quote:
            assert rest[at] not in "\r\n"
            at += 2 if rest[at] == "\\" else 1
        literals += 1
        at += 1
        while rest[at] in ", ":
            at += 1
    assert at == len(rest) - 1
    assert literals == len(keys)


# --- headers ---

BAD_VALUES = ["a\r\nx: y", "a\nb", "a\rb", "a\0b", "\x7f", "é"]


def connection() -> _core.RpcConnection:
    return _core.RpcConnection("localhost:19530", "http", "test/1")


@pytest.mark.parametrize("value", BAD_VALUES)
def test_no_value_can_become_a_header(value: str) -> None:
    with pytest.raises(ValueError, match="client-request-id") as caught:
        connection().submit("/s/M", b"", [("client-request-id", value)], None, None)
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", "A", "a b", "a:b", ":path", "a\r\nb", "te", "content-type", "grpc-timeout", "é"]
)
def test_no_name_can_be_another(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        connection().submit("/s/M", b"", [(name, "x")], None, None)


@pytest.mark.parametrize("path", ["", "no slash", "/a b", "/a\r\nb: c", "/\0", "/é"])
def test_no_path_can_be_more(path: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        connection().submit(path, b"", None, None, None)


@pytest.mark.parametrize("authority", ["a\r\nb: c", "a\nb", "\0"])
def test_no_authority_can_be_more(authority: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        _core.RpcConnection(authority, "http", "test/1")


@pytest.mark.parametrize("value", BAD_VALUES[:5])
@pytest.mark.parametrize("transport", ["native", "grpc"])
def test_request_ids_of_users(value: str, transport: str) -> None:
    """The call fails, or goes without; a header of the user's making is never sent."""
    with (
        RecordingServer(replies.defaults()) as server,
        MilvusClient(server.uri, transport=transport) as client,
    ):
        with contextlib.suppress(ValueError, MilvusException, grpc.RpcError):
            client.query("things", filter="id > 1", client_request_id=value, timeout=2)
        for call in server.take():
            assert not call.header("x")
            assert call.header("client-request-id") in (None, value)
        assert client.query("things", filter="id > 1") == [{"id": 1}]


def test_tokens_are_encoded() -> None:
    """A token may hold anything; it becomes base64."""
    token = "user:pass\r\nx: y"
    with RecordingServer(replies.defaults()) as server:
        with MilvusClient(server.uri, token=token) as client:
            client.query("things", filter="id > 1")
        for call in server.take():
            assert call.header("authorization") == base64.b64encode(token.encode()).decode()
            assert not call.header("x")


# --- secrets ---


def said(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.__dict__)


def must_not_tell(text: str) -> None:
    for secret in (SECRET, SECRET.partition(":")[2], ENCODED):
        assert secret not in text


def test_reprs_tell_no_secrets() -> None:
    config = ConnectionConfig.from_uri("http://localhost:19530", token=SECRET, db_name="d")
    must_not_tell(repr(config) + str(config) + config.principal)
    with RecordingServer(replies.defaults()) as server:
        with MilvusClient(server.uri, token=SECRET) as client:
            client.insert("things", replies.ROW)
            must_not_tell(repr(client) + str(client) + json.dumps(client.stats(), default=repr))
            for value in vars(client).values() if hasattr(client, "__dict__") else ():
                must_not_tell(repr(value))

        async def asynchronous() -> None:
            async with AsyncMilvusClient(server.uri, token=SECRET) as client:
                await client.insert("things", replies.ROW)
                must_not_tell(repr(client) + str(client))

        asyncio.run(asynchronous())


@pytest.mark.parametrize("transport", ["native", "grpc"])
def test_errors_and_logs_tell_no_secrets(
    transport: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    told = []
    refusals = [
        {"Insert": replies.mutation(status=replies.failed(1100, "no such thing"))},
        {"Insert": Failure(grpc.StatusCode.UNAUTHENTICATED, "who are you?")},
        {"Insert": b"\xff\xff"},
        {"DescribeCollection": replies.not_described()},
        {"Connect": Failure(grpc.StatusCode.UNAUTHENTICATED, "auth check failure")},
    ]
    with caplog.at_level(logging.DEBUG):
        for refusal in refusals:
            with RecordingServer({**replies.defaults(), **refusal}) as server:
                options: dict[str, Any] = {"token": SECRET, "transport": transport, "timeout": 5}
                try:
                    with MilvusClient(server.uri, **options) as client:
                        client.insert("things", replies.ROW, timeout=5)
                except Exception as error:
                    told.append(said(error))
        # Nobody listens; and credentials in the URI itself.
        for uri, more in (
            ("http://127.0.0.1:1", {"token": SECRET}),
            (f"http://{SECRET}@127.0.0.1:1", {}),
            ("http://127.0.0.1:1", {"user": "root", "password": SECRET.partition(":")[2]}),
        ):
            try:
                with MilvusClient(uri, transport=transport, timeout=1, **more) as client:
                    client.insert("things", replies.ROW, timeout=1)
            except Exception as error:
                # The traceback's source lines are this file's own.
                told.append(said(error))
    assert len(told) >= 6
    for text in told:
        must_not_tell(text)
    must_not_tell(caplog.text)
    out, err = capfd.readouterr()
    must_not_tell(out + err)


# --- TLS ---


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls_server(authority: trustme.CA) -> Iterator[RecordingServer]:
    issued = authority.issue_cert("milvus.example")  # not what the client will ask for
    credentials = grpc.ssl_server_credentials(
        [(issued.private_key_pem.bytes(), b"".join(p.bytes() for p in issued.cert_chain_pems))]
    )
    with RecordingServer(replies.defaults(), credentials=credentials) as server:
        yield server


def query(server: RecordingServer, transport: str, **options: Any) -> Any:
    uri = f"https://localhost:{server.port}"
    with MilvusClient(uri, transport=transport, timeout=5, **options) as client:
        return client.query("things", filter="id > 1", timeout=5)


REFUSED = (MilvusException, grpc.RpcError)


@pytest.mark.parametrize("transport", ["native", "grpc"])
def test_a_server_is_verified_whatever_is_left_out(
    transport: str, tls_server: RecordingServer, authority: trustme.CA, tmp_path: Any
) -> None:
    good = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(good)
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    before = len(tls_server.calls)
    attempts: list[dict[str, Any]] = [
        {},  # trusts the system's authorities alone
        {"server_pem_path": ""},
        {"ca_pem_path": ""},
        {"secure": True},
        {"server_pem_path": str(other), "server_name": "milvus.example"},
        {"server_pem_path": str(good)},  # another host's certificate
        {"server_pem_path": str(good), "server_name": "localhost"},
        {"server_pem_path": str(good), "server_name": ""},
        # What might be taken for a switch.
        {"verify": False, "server_name": "milvus.example"},
        {"insecure": True},
        {"ssl_verify": False},
        {"check_hostname": False, "server_pem_path": str(good)},
    ]
    for options in attempts:
        with pytest.raises(REFUSED):
            query(tls_server, transport, token=SECRET, **options)
    assert len(tls_server.calls) == before  # nothing was sent, no token either
    answer = query(tls_server, transport, server_pem_path=str(good), server_name="milvus.example")
    assert answer == [{"id": 1}]


def test_the_context_verifies() -> None:
    from milvus_native.transport.target import tls_context

    context = tls_context(ConnectionConfig.from_uri("https://localhost").tls)
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("transport", ["native", "grpc"])
def test_a_missing_file_is_an_error(transport: str, tls_server: RecordingServer) -> None:
    with pytest.raises((MilvusException, OSError, grpc.RpcError)):
        query(tls_server, transport, server_pem_path="nowhere.pem")
