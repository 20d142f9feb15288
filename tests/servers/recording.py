"""An in-process gRPC server that records every request and answers with given bytes.

It knows no message: a request is kept as the bytes that came, a reply is sent as the bytes that
were set for its method. Both pymilvus and milvus_native can be pointed at it, so a test can hold
what the one sends against what the other sends.

    with RecordingServer() as server:
        server.set("Search", reply_bytes)
        MilvusClient(server.uri).search(...)
        [call] = server.take("Search")
        SearchRequest.FromString(call.request)
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from pymilvus.grpc_gen import common_pb2, milvus_pb2

SERVICE = "/milvus.proto.milvus.MilvusService/"


@dataclass(frozen=True)
class Call:
    """One RPC as it arrived: bare method name, request bytes, metadata, seconds left (or None)."""

    method: str
    request: bytes
    metadata: tuple[tuple[str, str | bytes], ...] = field(repr=False)
    time_remaining: float | None = field(repr=False)

    def header(self, name: str) -> str | bytes | None:
        return next((value for key, value in self.metadata if key == name), None)


@dataclass(frozen=True)
class Failure:
    """A reply that ends the RPC with a gRPC status instead of a message."""

    code: grpc.StatusCode
    details: str = ""


# What `set` takes: bytes, a Failure, or a function of the Call that returns one of them.
Reply = bytes | Failure | Callable[[Call], "bytes | Failure"]


def connect_reply(identifier: int = 1, build_tags: str = "v2.6.0") -> bytes:
    return milvus_pb2.ConnectResponse(
        status=common_pb2.Status(),
        identifier=identifier,
        server_info=common_pb2.ServerInfo(build_tags=build_tags),
    ).SerializeToString()


class RecordingServer:
    """Listens on a free port of 127.0.0.1 from construction until `close` (or the end of `with`).

    Connect is answered by default; a method without a reply ends with UNIMPLEMENTED. `bind` is
    another address to listen on, such as "[::1]:0" or "unix:path"; `credentials` make it TLS.
    Thread-safe.
    """

    def __init__(
        self,
        replies: dict[str, Reply] | None = None,
        *,
        threads: int = 8,
        bind: str = "127.0.0.1:0",
        credentials: grpc.ServerCredentials | None = None,
        **options: Any,
    ) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._replies: dict[str, deque[Reply]] = {"Connect": deque([connect_reply()])}
        for method, reply in (replies or {}).items():
            self.set(method, reply)
        self._executor = ThreadPoolExecutor(threads)
        self._server = grpc.server(
            self._executor,
            handlers=(_AnyMethod(self._answer),),
            options=[
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
                *options.items(),
            ],
        )
        if credentials is None:
            self.port = self._server.add_insecure_port(bind)
        else:
            self.port = self._server.add_secure_port(bind, credentials)
        self._server.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def uri(self) -> str:
        return f"http://{self.address}"

    def set(self, method: str, *replies: Reply) -> None:
        """The replies to the next calls of `method`, in order; the last one stays for good."""
        if not replies:
            raise ValueError("at least one reply")
        with self._lock:
            self._replies[method] = deque(replies)

    @property
    def calls(self) -> list[Call]:
        """All calls so far, Connect included."""
        with self._lock:
            return list(self._calls)

    def take(self, *methods: str) -> list[Call]:
        """Removes and returns the recorded calls of these methods; without any, all but Connect."""
        with self._lock:
            wanted = [c for c in self._calls if _matches(c.method, methods)]
            self._calls = [c for c in self._calls if not _matches(c.method, methods)]
        return wanted

    def count(self, method: str) -> int:
        return sum(call.method == method for call in self.calls)

    def close(self) -> None:
        self._server.stop(None).wait()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> RecordingServer:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _answer(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        call = Call(
            method.removeprefix(SERVICE),
            request,
            tuple((item.key, item.value) for item in context.invocation_metadata()),
            context.time_remaining(),
        )
        with self._lock:
            self._calls.append(call)
            queue = self._replies.get(call.method)
            reply: Reply = Failure(grpc.StatusCode.UNIMPLEMENTED, f"no reply set for {call.method}")
            if queue:
                reply = queue[0] if len(queue) == 1 else queue.popleft()
        if callable(reply):
            reply = reply(call)
        if isinstance(reply, Failure):
            context.abort(reply.code, reply.details)
        return reply


def _matches(method: str, methods: Iterable[str]) -> bool:
    return method in methods if methods else method != "Connect"


class _AnyMethod(grpc.GenericRpcHandler):
    def __init__(self, answer: Callable[[str, bytes, grpc.ServicerContext], bytes]) -> None:
        self._answer = answer

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method = details.method
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._answer(method, request, context)
        )
