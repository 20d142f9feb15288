"""How a query iterator pages through a collection, without any I/O on the network.

`QueryPager` is a state machine: its methods are generators that yield operations (what its `calls`
object makes: one operation is one RPC with its own deadline and retries) and receive what the
operation returned. The drivers in iterators.py run them, blocking or on an event loop.

A pager's state changes only after everything that can fail has succeeded, so a `fetch` that
raised, or was cancelled, can be repeated without losing or repeating a row.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from ._core import key_literal
from .errors import milvus_error
from .scope import plain

T = TypeVar("T")
# Yields operations, receives their results. An operation is opaque to a pager.
Steps = Generator[Any, Any, T]
Row = dict[str, Any]

log = logging.getLogger(__name__)

UNLIMITED = -1
MAX_BATCH_SIZE = 16384
VARCHAR = 21
INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
# Lines of cursors a checkpoint file holds before it is written anew.
CHECKPOINT_LINES = 100


class SchemaFacts(Protocol):
    """What a pager asks of a collection's schema."""

    @property
    def collection_id(self) -> int: ...
    @property
    def primary_field(self) -> str: ...
    @property
    def primary_type(self) -> int: ...


class QueryCalls(Protocol):
    """Makes the operations a query pager yields."""

    def describe(self) -> Any:
        """Operation that returns the collection's SchemaFacts, freshly described."""

    def query(
        self,
        expr: str,
        output_fields: list[str] | None,
        partition_names: list[str] | None,
        options: Mapping[str, Any],
    ) -> Any:
        """Operation that returns the rows, a list with an `extra` dict."""


def check_batch_size(batch_size: int) -> None:
    if batch_size < 0:
        raise milvus_error("ParamError", "batch size cannot be less than zero")
    if batch_size > MAX_BATCH_SIZE:
        raise milvus_error("ParamError", f"batch size cannot be larger than {MAX_BATCH_SIZE}")


def check_filter(expr: Any) -> None:
    if expr is not None and not isinstance(expr, str):
        from pymilvus.exceptions import ExceptionsMessage

        raise milvus_error("DataTypeNotMatchException", ExceptionsMessage.ExprType % type(expr))


def limit_left(limit: int | None) -> int | None:
    """How many rows may still be returned, None for any number."""
    return None if limit is None or limit == UNLIMITED else whole(limit)


def whole(number: Any) -> int:
    """`number`, which programs compute by division too: 100.0 is 100."""
    as_given: int = number
    return int(number) if isinstance(number, float) and number.is_integer() else as_given


def client_side_timestamp() -> int:
    """A hybrid timestamp one second ahead of this machine's clock."""
    return int((time.time() + 1.0) * 1000) << 18


# A string that stands between double quotes as it is, in every version of the filter language.
_PLAIN = re.compile(r'[^"\\\r\n\U00010000-\U0010ffff]*')


def literal(value: int | str) -> str:
    """A primary key as an operand of the filter language."""
    if isinstance(value, str):
        return f'"{value}"' if _PLAIN.fullmatch(value) else key_literal(value)
    if value == INT64_MIN:
        # The server reads the digits before the sign, and they are out of range.
        return f"({value + 1} - 1)"
    return str(value)


@dataclass(frozen=True)
class Cursor:
    """The last row a query iterator has returned."""

    pk: int | str | None = None
    element_offset: int | None = None  # of element-level results, else None

    def line(self) -> str:
        """One line of a checkpoint file, in the form pymilvus reads and writes."""
        if self.element_offset is not None:
            record = {"pk": self.pk, "last_element_offset": self.element_offset}
            return json.dumps(record, separators=(",", ":"))
        text = str(self.pk)
        if isinstance(self.pk, str) and (
            text != text.strip() or len(text.splitlines()) > 1 or text.startswith("{")
        ):
            # As plain text it would come back as another key.
            return json.dumps({"pk": text}, separators=(",", ":"))
        return text

    @classmethod
    def from_line(cls, line: str, string_pk: bool) -> Cursor:
        text = line.strip()
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):  # a key may be ten thousand brackets
            record = None
        if isinstance(record, dict) and "pk" in record:
            pk, offset = record["pk"], record.get("last_element_offset")
        else:
            pk, offset = text, None
        return cls(str(pk) if string_pk else int(pk), offset)


class QueryIteratorCursor:
    """Where a query iterator stands: what `get_cursor()` returns.

    `int_pk` or `str_pk` is the last primary key returned (both None before the first row).
    """

    def __init__(
        self,
        session_ts: int,
        int_pk: int | None = None,
        str_pk: str | None = None,
        last_element_offset: int | None = None,
    ) -> None:
        self.session_ts = session_ts
        self.int_pk = int_pk
        self.str_pk = str_pk
        self.last_element_offset = last_element_offset

    def to_proto(self) -> Any:
        """The same as pymilvus's QueryCursor message."""
        from pymilvus.grpc_gen import milvus_pb2

        cursor = milvus_pb2.QueryCursor(session_ts=self.session_ts)
        if self.str_pk is not None:
            cursor.str_pk = self.str_pk
        elif self.int_pk is not None:
            cursor.int_pk = self.int_pk
        return cursor

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"QueryIteratorCursor({fields})"


class Checkpoint:
    """The file in which a query iterator keeps its place: the timestamp, then a cursor a line."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._name = path
        self._path = Path(path)
        self._file: IO[str] | None = None
        self._lines = 0
        self._timestamp = 0

    def load(self, string_pk: bool) -> tuple[int, Cursor] | None:
        """Timestamp and cursor of an earlier iteration, or None if there is no file."""
        try:
            self._file = self._path.open("r+", encoding="utf-8")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._cannot_open() from error
        try:
            lines = self._file.readlines()
        except OSError as error:
            self.release()
            raise milvus_error(
                "MilvusException", f"Failed to read cp info from file:{self._name}"
            ) from error
        except ValueError:
            lines = []
        if len(lines) < 2:
            self.release()
            raise milvus_error(
                "ParamError",
                f"input cp file:{self._name} should contain "
                f"at least two lines, but only:{len(lines)} lines",
            )
        try:
            self._timestamp = int(lines[0])
        except ValueError as error:
            self.release()
            raise milvus_error(
                "ParamError", f"cannot parse input cp session_ts:{lines[0]}"
            ) from error
        try:
            cursor = Cursor.from_line(lines[-1], string_pk)
        except (TypeError, ValueError, OverflowError) as error:
            self.release()
            message = f"cannot parse input cp cursor:{lines[-1]}"
            raise milvus_error("ParamError", message) from error
        if not lines[-1].endswith("\n"):
            self._file.write("\n")
        self._lines = len(lines) - 1
        return self._timestamp, cursor

    def start(self, timestamp: int) -> None:
        """Makes the file, for an iteration that begins."""
        self._timestamp = timestamp
        try:
            self._file = self._path.open("w", encoding="utf-8")
        except OSError as error:
            raise self._cannot_open() from error
        try:
            self._file.write(f"{timestamp}\n")
            self._file.flush()
        except OSError as error:
            self.release()
            raise milvus_error("MilvusException", "Failed to save mvcc ts") from error

    def save(self, cursor: Cursor) -> None:
        try:
            self._save(cursor)
        except OSError as error:
            raise milvus_error("MilvusException", "failed to save pk cursor") from error

    def _save(self, cursor: Cursor) -> None:
        file = self._file
        if file is None or not self._path.exists():
            log.warning("the checkpoint file %s is gone; it is made again", self._name)
            self.release()
            file = self._file = self._path.open("w", encoding="utf-8")
            file.write(f"{self._timestamp}\n")
            self._lines = 0
        anew = self._lines >= CHECKPOINT_LINES
        if anew:
            # Written over the old lines first and cut afterwards: whenever the process stops, the
            # last line of the file is a cursor.
            file.seek(0)
            file.write(f"{self._timestamp}\n")
            self._lines = 0
        file.write(cursor.line() + "\n")
        file.flush()
        if anew:
            file.truncate()
        self._lines += 1

    def release(self) -> None:
        """Closes the file and leaves it where it is."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def remove(self) -> None:
        """Closes and deletes the file; nothing if it was released."""
        if self._file is None:
            return
        try:
            self.release()
            self._path.unlink()
        except OSError as error:
            raise milvus_error(
                "MilvusException", f"failed to clear cp file:{self._name} for query iterator"
            ) from error

    def _cannot_open(self) -> Exception:
        return milvus_error("MilvusException", f"Failed to open cp file for iterator:{self._name}")


@dataclass(frozen=True)
class QueryPlan:
    """The arguments of query_iterator; `options` are its remaining keyword arguments."""

    batch_size: int = 1000
    limit: int | None = UNLIMITED
    filter: str | None = ""
    output_fields: list[str] | None = None
    partition_names: list[str] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


class QueryPager:
    """Pages through the rows that match a filter, in the order of their primary keys.

    Every page is asked for as "key greater than the last one", at the timestamp of the first
    request, so rows written meanwhile do not appear.
    """

    def __init__(self, calls: QueryCalls, plan: QueryPlan) -> None:
        check_filter(plan.filter)
        check_batch_size(plan.batch_size)
        self._calls = calls
        self._batch_size = whole(plan.batch_size)
        self._left = limit_left(plan.limit)
        self._expr = plain(plan.filter) if plan.filter is not None else ""
        self._every_row = plan.filter is None
        self._output_fields = plan.output_fields
        self._partition_names = plan.partition_names
        self._options = dict(plan.options)
        path = self._options.pop("iterator_cp_file", None)
        self._checkpoint = None if path is None else Checkpoint(path)
        self._options["iterator"] = "True"
        self._options["limit"] = self._batch_size
        self._options["reduce_stop_for_best"] = str(
            bool(self._options.get("reduce_stop_for_best", True))
        )
        self._primary_field = ""
        self._string_pk = False
        self._by_element = "element_filter" in self._expr.lower()
        self._cursor = Cursor()
        self._timestamp = 0
        # Rows the server sent beyond the page; None if there is no such stock.
        self._stock: list[Row] | None = None
        self._closed = False

    def open(self) -> Steps[None]:
        """Describes the collection, settles the timestamp, and goes to the offset or checkpoint."""
        schema = yield self._calls.describe()
        self._learn(schema)
        offset = self._options.get("offset") or 0
        try:
            if not (yield from self._resume()) and offset > 0:
                yield from self._seek(offset)
        except BaseException:
            self.release()
            raise
        if offset > 0:
            # The cursor stands behind the offset now, also one that a checkpoint had.
            self._options["offset"] = 0

    def fetch(self) -> Steps[list[Row]]:
        """The next page; an empty list when there are no more rows."""
        if self._closed:
            return []
        size = self._batch_size
        if self._stock is not None and len(self._stock) >= size:
            rows: list[Row] = self._stock
            stock: list[Row] | None = rows[size:]
        else:
            rows = yield self._calls.query(
                self._next_expr(),
                self._output_fields,
                self._partition_names,
                self._with_element_cursor(self._options),
            )
            stock = rows[size:] if len(rows) >= 2 * size else None
        page = list(rows[:size])
        if self._left is not None:
            page = page[: max(self._left, 0)]
        cursor = self._cursor_after(page)
        if self._checkpoint is not None and cursor.pk is not None:
            self._checkpoint.save(cursor)
        self._stock = stock
        self._cursor = cursor
        if self._left is not None:
            self._left -= len(page)
        return page

    def close(self) -> None:
        """Ends the iteration; a checkpoint file is deleted."""
        self._closed = True
        self._stock = None
        if self._checkpoint is not None:
            self._checkpoint.remove()

    def release(self) -> None:
        """Ends the iteration; a checkpoint file is kept, so that it can be resumed."""
        self._closed = True
        self._stock = None
        if self._checkpoint is not None:
            self._checkpoint.release()

    def get_cursor(self) -> QueryIteratorCursor:
        pk, offset = self._cursor.pk, self._cursor.element_offset
        if isinstance(pk, str):
            return QueryIteratorCursor(self._timestamp, str_pk=pk, last_element_offset=offset)
        return QueryIteratorCursor(self._timestamp, int_pk=pk, last_element_offset=offset)

    def _learn(self, schema: SchemaFacts) -> None:
        if not schema.primary_field:
            raise milvus_error("MilvusException", "schema must contain pk field, broke")
        self._primary_field = schema.primary_field
        self._string_pk = schema.primary_type == VARCHAR
        self._options["collection_id"] = schema.collection_id
        if self._every_row:
            # No filter at all was given: one that is true of every key, the greatest included.
            edge = '>= ""' if self._string_pk else f"<= {INT64_MAX}"
            self._expr = f"{self._primary_field} {edge}"

    def _resume(self) -> Steps[bool]:
        """Settles the timestamp; True if a checkpoint gave the cursor too."""
        saved = None if self._checkpoint is None else self._checkpoint.load(self._string_pk)
        if saved is not None:
            self._timestamp, self._cursor = saved
        else:
            options = {**self._options, "offset": 0, "limit": 1}
            rows = yield self._calls.query(self._expr, [], [], options)
            extra = getattr(rows, "extra", None) or {}
            self._timestamp = extra.get("iterator_session_ts", 0)
            if self._timestamp <= 0:
                log.warning("the server gave no timestamp to iterate at: the local clock is used")
                self._timestamp = client_side_timestamp()
            if self._checkpoint is not None:
                self._checkpoint.start(self._timestamp)
        self._options["guarantee_timestamp"] = self._timestamp
        return saved is not None

    def _seek(self, offset: int) -> Steps[None]:
        """Moves the cursor over the first `offset` rows, asking for their keys only."""
        options = {
            **self._options,
            "offset": 0,
            "iterator": "False",
            "reduce_stop_for_best": "False",
        }
        while offset > 0:
            options["limit"] = min(MAX_BATCH_SIZE, offset)
            rows = yield self._calls.query(
                self._next_expr(), [], self._partition_names, self._with_element_cursor(options)
            )
            if not rows:
                break
            self._cursor = self._cursor_after(rows)
            offset -= len(rows)

    def _next_expr(self) -> str:
        pk = self._cursor.pk
        if pk is None:
            return self._expr
        # An element-level page may end inside a row; the server skips the elements returned.
        operator = ">=" if self._has_element_cursor() else ">"
        after = f"{self._primary_field} {operator} {literal(pk)}"
        # The cursor goes first: element_filter() must be the right-most operand of an `and`.
        return f"{after} and ({self._expr})" if self._expr else after

    def _has_element_cursor(self) -> bool:
        return self._by_element and self._cursor.element_offset is not None

    def _with_element_cursor(self, options: Mapping[str, Any]) -> dict[str, Any]:
        params = dict(options)
        params.pop("query_iter_last_pk", None)
        params.pop("query_iter_last_element_offset", None)
        if self._has_element_cursor():
            params["query_iter_last_pk"] = self._cursor.pk
            params["query_iter_last_element_offset"] = self._cursor.element_offset
        return params

    def _cursor_after(self, rows: Sequence[Row]) -> Cursor:
        if not rows:
            return self._cursor
        last = rows[-1]
        return Cursor(last[self._primary_field], last.get("offset"))
