"""Where a call goes: server, principal, database; and what this process has written there."""

from __future__ import annotations

import threading

from . import forking

# Never-seen collections have timestamp 0.
TimestampKey = tuple[str, str, str]  # endpoint, database, collection
SchemaKey = tuple[str, str, str, str]  # endpoint, principal, database, collection


class WriteTimestamps:
    """The newest write timestamp of each collection, for Session consistency.

    Thread-safe. Holds `capacity` collections; the one written longest ago goes first.
    """

    def __init__(self, capacity: int = 4096) -> None:
        self._capacity = capacity
        self._lock = threading.RLock()
        self._newest: dict[TimestampKey, int] = {}

    def get(self, key: TimestampKey) -> int:
        return self._newest.get(key, 0)

    def record(self, key: TimestampKey, timestamp: int) -> None:
        """Keeps `timestamp` if it is newer than what is known."""
        with self._lock:
            known = self._newest.pop(key, 0)
            self._newest[key] = max(known, timestamp)
            if len(self._newest) > self._capacity:
                del self._newest[next(iter(self._newest))]

    def clear(self) -> None:
        with self._lock:
            self._newest.clear()

    def after_fork(self) -> None:
        self._lock = threading.RLock()


WRITES = WriteTimestamps()
forking.in_child(WRITES.after_fork)


def plain(text: str) -> str:
    """The same characters as a str itself, not of a subclass: an Enum's member, say.

    What is no str is left to those who have to send it.
    """
    return text if type(text) is str or not isinstance(text, str) else str.__str__(text)


class Scope:
    """What one call needs to know of its client. Immutable."""

    __slots__ = ("cluster_id", "db_name", "endpoint", "principal", "session_timestamps")

    def __init__(
        self,
        endpoint: str,
        principal: str,
        db_name: str,
        cluster_id: str | None = None,
        session_timestamps: WriteTimestamps = WRITES,
    ) -> None:
        self.endpoint = plain(endpoint)
        self.principal = principal
        self.db_name = plain(db_name)
        self.cluster_id = cluster_id
        self.session_timestamps = session_timestamps

    def __repr__(self) -> str:
        return f"Scope(endpoint={self.endpoint!r}, db_name={self.db_name!r})"

    def schema_key(self, collection_name: str) -> SchemaKey:
        return (self.endpoint, self.principal, self.db_name or "default", plain(collection_name))

    def timestamp_key(self, collection_name: str) -> TimestampKey:
        return (self.endpoint, self.db_name or "default", collection_name)

    def last_write_ts(self, collection_name: str) -> int:
        """Timestamp of this process's newest write to the collection, or 0."""
        return self.session_timestamps.get(self.timestamp_key(collection_name))

    def record_write(self, collection_name: str, timestamp: int) -> None:
        self.session_timestamps.record(self.timestamp_key(collection_name), timestamp)
