"""What users may watch: a hook for each request, OpenTelemetry spans, counters."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from typing import Any

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from milvus_native import AsyncMilvusClient, CallEvent, MilvusClient
from tests.servers.recording import Failure, RecordingServer

from . import replies

pytestmark = pytest.mark.usefixtures("no_schemas")

UNAVAILABLE = Failure(grpc.StatusCode.UNAVAILABLE, "down")


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    """OpenTelemetry takes one provider per process."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> InMemorySpanExporter:
    exporter.clear()
    return exporter


def use_sync(server: RecordingServer, **options: Any) -> None:
    with MilvusClient(server.uri, **options) as client:
        client.query("things", "id > 1")


def use_async(server: RecordingServer, **options: Any) -> None:
    async def main() -> None:
        async with AsyncMilvusClient(server.uri, **options) as client:
            await client.query("things", "id > 1")

    asyncio.run(main())


@pytest.fixture(params=[use_sync, use_async])
def use(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("transport", ["native", "grpc"])
def test_events(server: RecordingServer, use: Any, transport: str) -> None:
    events: list[CallEvent] = []
    server.set("Query", UNAVAILABLE, replies.query(1))
    use(server, on_call=events.append, transport=transport)
    first, second = events
    [sent, _] = server.take("Query")
    assert (first.method, first.status, first.attempt, first.bytes_received) == ("Query", 14, 1, 0)
    assert (second.status, second.attempt) == (0, 2)
    assert first.bytes_sent == second.bytes_sent == len(sent.request)
    assert second.bytes_received == len(replies.query(1))
    assert first.duration > 0


def test_failing_hook(server: RecordingServer, use: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the call goes on."""

    def broken(_: CallEvent) -> None:
        raise RuntimeError("hook is broken")

    with caplog.at_level(logging.ERROR, logger="milvus_native"):
        use(server, on_call=broken)
    assert "hook is broken" in caplog.text


def test_hook_is_checked() -> None:
    with pytest.raises(TypeError, match="on_call"):
        MilvusClient("http://h", on_call="print")


def test_cancelled_call_is_told_of(server: RecordingServer) -> None:
    events: list[CallEvent] = []
    gate = threading.Event()
    server.set("Query", replies.held(gate, replies.query(1)))

    async def main() -> None:
        async with AsyncMilvusClient(server.uri, on_call=events.append) as client:
            task = asyncio.create_task(client.query("things", "id > 1"))
            while server.count("Query") == 0:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    gate.set()
    assert [(event.method, event.status) for event in events] == [("Query", 1)]


def test_spans(server: RecordingServer, use: Any, spans: InMemorySpanExporter) -> None:
    server.set("Query", UNAVAILABLE, replies.query(1))
    with trace.get_tracer("test").start_as_current_span("parent") as parent:
        use(server, tracing=True)
    first, second, _ = spans.get_finished_spans()
    calls = server.take("Query")
    for span, call in zip((first, second), calls, strict=True):
        assert span.name == "milvus.proto.milvus.MilvusService/Query"
        assert span.kind is trace.SpanKind.CLIENT
        assert span.parent is not None
        assert span.parent.span_id == parent.get_span_context().span_id
        assert span.attributes["rpc.method"] == "Query"
        assert span.attributes["server.address"] == "127.0.0.1"
        assert span.attributes["server.port"] == server.port
        header = f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-"
        assert str(call.header("traceparent")).startswith(header)
    assert first.attributes["rpc.grpc.status_code"] == 14
    assert not first.status.is_ok
    assert first.status.description == "down"
    assert second.attributes["rpc.grpc.resend_count"] == 1
    assert second.attributes["rpc.grpc.status_code"] == 0


def test_no_spans_unless_asked_for(
    server: RecordingServer, use: Any, spans: InMemorySpanExporter
) -> None:
    use(server)
    assert not spans.get_finished_spans()
    [call] = server.take("Query")
    assert call.header("traceparent") is None


def test_tracing_needs_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ImportError):
        MilvusClient("http://h", tracing=True)
