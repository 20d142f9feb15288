"""Failures inside milvus_native, and the exceptions of pymilvus that users see for them.

pymilvus is imported only when one of its exceptions is about to be raised.
"""

from __future__ import annotations

import sys
from typing import Any, NoReturn, TypeVar

from ._core import StatusError
from .transport.base import DEADLINE_EXCEEDED, UNIMPLEMENTED, RpcError

ErrorT = TypeVar("ErrorT", bound=BaseException)

CONNECT_FAILED = 2  # pymilvus.Status.CONNECT_FAILED

RATE_LIMIT = 8  # Status.code
LEGACY_RATE_LIMIT = 49  # Status.error_code
SCHEMA_MISMATCH = 62  # Status.error_code

# Answers that no other schema would change: limits and quotas, missing rights.
_UNRELATED_CODES = frozenset({3, 7, RATE_LIMIT, 9, *range(1400, 1500)})
_UNRELATED_LEGACY_CODES = frozenset({3, 24, 48, LEGACY_RATE_LIMIT, 52, 53, 54, 55})


class SchemaUnavailable(Exception):
    """DescribeCollection was answered with an error. `args[0]` is its StatusError."""

    @property
    def status(self) -> StatusError:
        status: StatusError = self.args[0]
        return status


class ConnectFailed(Exception):
    """ConnectFailed(address, RpcError): the handshake did not come about."""

    @property
    def address(self) -> str:
        return str(self.args[0])

    @property
    def cause(self) -> RpcError:
        cause: RpcError = self.args[1]
        return cause


class GaveUp(Exception):
    """GaveUp(text, failure, out_of_time): no more tries, or no more time for them.

    `failure` is what the last try met.
    """


def again(error: ErrorT) -> ErrorT:
    """A copy of an internal error, to be kept, or raised in another thread or task.

    It has no traceback, nor what has one: the frames there have the call that may keep it, and its
    request.
    """
    kind = type(error)
    if isinstance(error, RpcError):
        return kind(error.code, error.details, error.metadata, error.sent)
    return kind(*(again(arg) if isinstance(arg, Exception) else arg for arg in error.args))


def milvus_error(name: str, message: str, code: Any = None) -> Exception:
    """An exception of class `name` of pymilvus.exceptions."""
    from pymilvus import exceptions

    cls = getattr(exceptions, name)
    error: Exception = cls(message=message) if code is None else cls(code=code, message=message)
    return error


def is_milvus_error(error: BaseException) -> bool:
    """Whether `error` is one of pymilvus's; it cannot be when pymilvus was never imported."""
    exceptions = sys.modules.get("pymilvus.exceptions")
    return exceptions is not None and isinstance(error, exceptions.MilvusException)


def closed() -> Exception:
    """What a call on a closed client raises."""
    return milvus_error("MilvusException", "should create connection first")


def is_rate_limit(error: StatusError) -> bool:
    return error.code == RATE_LIMIT or error.error_code == LEGACY_RATE_LIMIT


def may_be_stale(error: BaseException) -> bool:
    """Whether a call might have failed because the schema it used is no longer the server's."""
    if isinstance(error, StatusError):
        return (
            error.code not in _UNRELATED_CODES and error.error_code not in _UNRELATED_LEGACY_CODES
        )
    return is_milvus_error(error)


def from_status(error: StatusError, name: str = "MilvusException") -> Exception:
    """The exception for a server's answer; that of a schema mismatch has a class of its own."""
    from pymilvus import exceptions

    if name == "MilvusException" and error.error_code == SCHEMA_MISMATCH:
        name = "SchemaMismatchRetryableException"
    values: dict[str, Any] = {
        "code": error.code,
        "message": error.reason,
        "compatible_code": error.error_code,
    }
    if hasattr(exceptions.MilvusException, "is_input_error"):
        values["is_input_error"] = error.extra_info.get("is_input_error") == "true"
        values["retriable"] = error.retriable
    result: Exception = getattr(exceptions, name)(**values)
    return result


def _connect_failed(error: ConnectFailed, text: str = "") -> Exception:
    from .transport.grpc_common import CODES

    if error.cause.code == UNIMPLEMENTED:
        return milvus_error(
            "MilvusException",
            f"{text}Received UNIMPLEMENTED from server on {error.address}: check that the URI "
            "names the gRPC port of Milvus (19530 by default), and that the server is not older "
            "than Milvus 2.2.9",
        )
    reason = f"{CODES.get(error.cause.code, error.cause.code)}, {error.cause.details}"
    return milvus_error(
        "MilvusException",
        f"{text}Fail connecting to server on {error.address}, "
        f"illegal connection params or server unavailable: {reason}",
        CONNECT_FAILED,
    )


def _gave_up(text: str, failure: BaseException) -> Exception:
    if isinstance(failure, ConnectFailed):
        return _connect_failed(failure, f"{text}, ")
    if isinstance(failure, StatusError):
        code, error_code, reason, retriable, extra_info = failure.args
        reason = f"{text}, message={reason}"
        return from_status(StatusError(code, error_code, reason, retriable, extra_info))
    assert isinstance(failure, RpcError)
    from .transport.grpc_common import CODES

    status = CODES.get(failure.code, failure.code)
    return milvus_error("MilvusException", f"{text}, {status}, {failure.details}", status)


def translate(error: Exception, *, out_of_time: str | None = None) -> Exception:
    """What the user sees for `error`, whatever it is.

    `out_of_time` is the text for a call whose own deadline passed, if that is to be a
    MilvusException rather than a grpc.RpcError.
    """
    if isinstance(error, StatusError):
        return from_status(error)
    if isinstance(error, SchemaUnavailable):
        return from_status(error.status, "DescribeCollectionException")
    if isinstance(error, RpcError):
        if error.code == DEADLINE_EXCEEDED and out_of_time is not None:
            return milvus_error("MilvusException", out_of_time)
        from .transport.grpc_common import user_error

        return user_error(error)
    if isinstance(error, ConnectFailed):
        return _connect_failed(error)
    if isinstance(error, GaveUp):
        return _gave_up(*error.args[:2])
    if isinstance(error, MemoryError) or is_milvus_error(error):
        return error
    return milvus_error("MilvusException", f"Unexpected error, message=<{error}>")


def raise_translated(error: Exception, *, out_of_time: str | None = None) -> NoReturn:
    """Raises what translate() gives; to be called where `error` is being handled."""
    raised = translate(error, out_of_time=out_of_time)
    try:
        if raised is error:
            raise
        raise raised from cause_of(error)
    finally:
        del raised, error  # as their tracebacks have this frame, and through it the request


def cause_of(error: Exception) -> BaseException | None:
    """What stands behind an exception of ours in a traceback: the library's own, or nothing."""
    if isinstance(error, GaveUp):
        return cause_of(error.args[1])
    if isinstance(error, ConnectFailed):
        return error.cause.original
    if isinstance(error, RpcError):
        return error.original
    if isinstance(error, (StatusError, SchemaUnavailable)):
        return None
    return error
