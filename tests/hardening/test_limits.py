"""Sizes at their limits: what is too large is refused with its size, before it costs anything; what
comes from a server is never believed beyond the bytes that are there."""

from __future__ import annotations

import contextlib
import mmap
import resource
import subprocess
import sys
from typing import Any

import grpc
import numpy as np
import pytest
from pymilvus import DataType
from pymilvus.exceptions import MilvusException

from milvus_native import MilvusClient, _core
from tests.faker import FakeField, Faker
from tests.sanitizers import SANITIZED
from tests.servers.recording import RecordingServer
from tests.unit.clients import replies

REFUSED = (MilvusException, grpc.RpcError)
LIMIT = 1 << 20


def schema(*fields: FakeField) -> _core.Schema:
    key = FakeField("id", DataType.INT64, primary=True)
    return _core.Schema.from_reply(Faker(0).describe([key, *fields]).reply_bytes)


@pytest.mark.parametrize("transport", ["native", "grpc"])
def test_a_request_over_the_limit_is_not_sent(transport: str) -> None:
    options = {"grpc.max_send_message_length": LIMIT}
    rows = [{"id": i, "vector": np.zeros(4, np.float32)} for i in range(60_000)]
    with (
        RecordingServer(replies.defaults()) as server,
        MilvusClient(server.uri, transport=transport, grpc_options=options) as client,
    ):
        client.insert("things", rows[:10])
        server.take()
        with pytest.raises(REFUSED) as caught:
            client.insert("things", rows)
        text = str(caught.value)
        assert "RESOURCE_EXHAUSTED" in text
        assert str(LIMIT) in text
        assert [call for call in server.take() if call.method == "Insert"] == []
        client.insert("things", rows[:10])


@pytest.mark.parametrize("transport", ["native", "grpc"])
def test_a_reply_over_the_limit(transport: str) -> None:
    options = {"grpc.max_receive_message_length": LIMIT}
    with (
        RecordingServer(replies.defaults()) as server,
        MilvusClient(server.uri, transport=transport, grpc_options=options) as client,
    ):
        server.set("Query", replies.query(*range(2**40, 2**40 + 300_000)))
        with pytest.raises(REFUSED) as caught:
            client.query("things", filter="id > 1")
        assert "RESOURCE_EXHAUSTED" in str(caught.value)
        server.set("Query", replies.query(1))
        assert client.query("things", filter="id > 1") == [{"id": 1}]


# Memory that nobody has touched costs nothing: sizes beyond 2 GiB can be asked for all the same.
GIANT = (1 << 31) + 4096


def giant() -> memoryview:
    return memoryview(mmap.mmap(-1, GIANT, prot=mmap.PROT_READ))


def refused_as_too_large(action: Any) -> None:
    with pytest.raises((MilvusException, OverflowError, MemoryError, ValueError)) as caught:
        action()
    assert not isinstance(caught.value, MemoryError), "it was allocated before it was checked"


@pytest.mark.parametrize("rows", [1, 3])
def test_a_vector_field_beyond_2_gib(rows: int) -> None:
    """Refused by adding up sizes: before the request is allocated."""
    dim = GIANT // 4 if rows == 1 else GIANT // 8
    vectors = schema(FakeField("v", DataType.FLOAT_VECTOR, dim=dim))
    view = giant()[: dim * 4].cast("f")
    data = [{"id": i, "v": view} for i in range(rows)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused_as_too_large(lambda: _core.encode_rows(vectors, data, collection_name="c"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


def test_a_column_beyond_2_gib() -> None:
    vectors = schema(FakeField("v", DataType.FLOAT_VECTOR, dim=1024))
    rows = GIANT // 4096
    columns = {
        "id": np.arange(rows),
        "v": np.frombuffer(giant(), dtype=np.float32)[: rows * 1024].reshape(rows, 1024),
    }
    refused_as_too_large(lambda: _core.encode_rows(vectors, columns, collection_name="c"))


def test_a_search_beyond_2_gib() -> None:
    array = np.frombuffer(giant(), dtype=np.float32)[: 524289 * 1024].reshape(524289, 1024)
    refused_as_too_large(
        lambda: _core.encode_search(collection_name="c", data=array, params=[("topk", "1")])
    )


def test_bytes_beyond_2_gib_in_a_message() -> None:
    """`extra` is joined to the request as it is."""
    engine = _core.RpcConnection("localhost:1", "http", "test/1")
    with pytest.raises((ValueError, ConnectionError)):
        engine.submit("/s/M", giant(), None, None, None)
    with pytest.raises((ValueError, ConnectionError)):
        engine.submit("/s/M", [giant()[: 1 << 30]] * 2, None, None, None)
    assert engine.open_calls == 0


@pytest.mark.parametrize("dim", [2**31 - 1, 2**31, 2**32, 2**62, 2**63 - 1])
def test_dimensions_that_nobody_has(dim: int) -> None:
    """A schema that says so is refused, or no row fits it; no size wraps around."""
    for kind in (DataType.FLOAT_VECTOR, DataType.INT8_VECTOR, DataType.BINARY_VECTOR):
        try:
            made = schema(FakeField("v", kind, dim=dim - dim % 8))
        except (MilvusException, ValueError):
            continue
        for vector in ([0.5] * 8, np.zeros(8, np.float32), bytes(1), b""):
            with pytest.raises((MilvusException, ValueError, MemoryError)):
                _core.encode_rows(made, [{"id": 1, "v": vector}], collection_name="c")


def nested(depth: int, leaf: Any = 1) -> Any:
    value = leaf
    for i in range(depth):
        value = [value] if i % 2 else {"k": value}
    return value


@pytest.mark.parametrize("depth", [10, 250, 900, 5000, 200_000])
def test_deep_documents(depth: int) -> None:
    documents = schema(FakeField("j", DataType.JSON))
    for leaf in (1, np.float32(1), object()):
        value = nested(depth, leaf)
        if not isinstance(value, dict):
            value = {"k": value}
        try:
            _core.encode_rows(documents, [{"id": 1, "j": value}], collection_name="c")
        except (RecursionError, MilvusException, TypeError):
            assert depth > 200 or type(leaf) is object
        while value != leaf:  # or its release would go as deep
            value = value["k"] if isinstance(value, dict) else value[0]


@pytest.mark.parametrize("depth", [100, 5000, 100_000])
def test_deep_templates(depth: int) -> None:
    value: Any = [1]
    for _ in range(depth):
        value = [value]
    try:
        _core.encode_query(
            collection_name="c", expr="{x}", output_fields=None, params=[], templates={"x": value}
        )
    except (RecursionError, MilvusException, TypeError, ValueError):
        assert depth > 50
    while isinstance(value, list):
        value = value[0]


def length_delimited(number: int, payload: bytes) -> bytes:
    size, out = len(payload), bytearray([number << 3 | 2])
    while size >= 0x80:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes(out) + bytes([size]) + payload


@pytest.mark.parametrize("depth", [50, 99, 101, 3000])
def test_deep_replies(depth: int) -> None:
    """Struct columns in struct columns, arrays in arrays, buckets in buckets."""
    for field in (8, 3, 4, 2, 1):
        inner = b""
        for _ in range(depth):
            inner = length_delimited(field, inner)
        for outer in (2, 1, 4):
            for decode in (_core.decode_search, _core.decode_query, _core.decode_mutation):
                with contextlib.suppress(
                    _core.DecodeError, _core.StatusError, MilvusException, RecursionError
                ):
                    decode(length_delimited(outer, inner))


SMALL_MEMORY = """
import resource
from milvus_native import _core
from tests.hardening.test_limits import length_delimited
limit = 3 << 30
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for claim in (2**31 - 1, 2**40, 2**63 - 1, 2**64 - 1):
    number = claim
    varint = bytearray()
    while number >= 0x80:
        varint.append(number & 0x7F | 0x80)
        number >>= 7
    varint.append(number)
    # num_queries, top_k and a length: each claims what is not there.
    results = bytes([8]) + varint + bytes([16]) + varint
    for reply in (length_delimited(2, results), bytes([18]) + varint + b"x"):
        for decode in (_core.decode_search, _core.decode_query, _core.decode_mutation):
            try:
                repr(decode(reply))
            except (_core.DecodeError, _core.StatusError):
                pass
            except Exception as error:
                assert type(error).__module__.startswith("pymilvus"), repr(error)
print("survived")
"""


@pytest.mark.skipif(SANITIZED, reason="ASan maps TB")
def test_claims_are_not_believed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SMALL_MEMORY],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "survived"
