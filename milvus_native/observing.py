"""What a user may watch: each request as it ends, and OpenTelemetry spans. Free when off."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from .transport.base import CANCELLED, SERVICE, RpcError

if TYPE_CHECKING:
    from .effects import Rpc

LOGGER = logging.getLogger("milvus_native")

Header = tuple[str, "str | bytes"]


class CallEvent(NamedTuple):
    """One request that has ended, as `on_call` gets it.

    `method` is that of MilvusService, such as "Search"; `duration` is in seconds, connecting
    included; sizes are those of the protobuf messages in bytes, `bytes_received` is 0 without a
    reply; `status` is the gRPC status code (0 is OK; the Milvus status is inside the reply);
    `attempt` counts from 1 within a call of the user.
    """

    method: str
    duration: float
    bytes_sent: int
    bytes_received: int
    status: int
    attempt: int


class Observer:
    """What one client's drivers tell, if it was made with `on_call` or `tracing`. Thread-safe."""

    def __init__(
        self, address: str, on_call: Callable[[CallEvent], object] | None, tracing: bool
    ) -> None:
        """ImportError if `tracing` is asked for and opentelemetry-api is not installed."""
        self._on_call = on_call
        self._spans = _Spans(address) if tracing else None

    def begin(self, rpc: Rpc, attempt: int) -> Observation:
        return Observation(self._on_call, self._spans, rpc, attempt)


class Observation:
    """One request under way. `headers` are to be sent with it; `end` must be called once."""

    def __init__(
        self,
        on_call: Callable[[CallEvent], object] | None,
        spans: _Spans | None,
        rpc: Rpc,
        attempt: int,
    ) -> None:
        self._on_call = on_call
        self._spans = spans
        self._rpc = rpc
        self._attempt = attempt
        self.headers: list[Header] = []
        self._span = None if spans is None else spans.start(rpc.method, attempt, self.headers)
        self._began = time.perf_counter()

    def failed(self, error: BaseException) -> None:
        """Ends it for what its transport raised; anything but an RpcError gave the request up."""
        if isinstance(error, RpcError):
            self.end(error.code, text=error.details)
        else:
            self.end(CANCELLED, text=type(error).__name__)

    def end(self, status: int, received: int = 0, text: str = "") -> None:
        duration = time.perf_counter() - self._began
        if self._spans is not None:
            self._spans.end(self._span, status, text)
        if self._on_call is not None:
            event = CallEvent(
                self._rpc.method,
                duration,
                len(self._rpc.request),
                received,
                status,
                self._attempt,
            )
            try:
                self._on_call(event)
            except Exception:
                LOGGER.exception("on_call failed")


class _Spans:
    """Client spans after OpenTelemetry's conventions for RPC, and W3C trace context to go with
    the request (https://opentelemetry.io/docs/specs/semconv/rpc/grpc/)."""

    def __init__(self, address: str) -> None:
        from opentelemetry import propagate, trace

        from .version import __version__

        self._trace = trace
        self._inject = propagate.inject
        self._tracer = trace.get_tracer("milvus_native", __version__)
        self._service = SERVICE.strip("/")
        host, _, port = address.rpartition(":")
        self._server: dict[str, Any] = {"server.address": address}
        if port.isdigit():
            self._server = {"server.address": host.strip("[]"), "server.port": int(port)}

    def start(self, method: str, attempt: int, headers: list[Header]) -> Any:
        span = self._tracer.start_span(
            f"{self._service}/{method}",
            kind=self._trace.SpanKind.CLIENT,
            attributes={
                "rpc.system": "grpc",
                "rpc.service": self._service,
                "rpc.method": method,
                **({"rpc.grpc.resend_count": attempt - 1} if attempt > 1 else {}),
                **self._server,
            },
        )
        carrier: dict[str, str] = {}
        self._inject(carrier, self._trace.set_span_in_context(span))
        headers.extend((name.lower(), value) for name, value in carrier.items())
        return span

    def end(self, span: Any, status: int, text: str) -> None:
        span.set_attribute("rpc.grpc.status_code", status)
        if status:
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, text))
        span.end()
