"""Sessions: reads that are pinned to one cluster of a replicated deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import errors

if TYPE_CHECKING:
    from .async_client import AsyncMilvusClient
    from .sync_client import MilvusClient


class _Session:
    """Ends by close(), with its client still usable."""

    def __init__(self, parent: Any, cluster_id: str) -> None:
        self._parent = parent
        self._cluster_id = cluster_id
        self._closed = False

    def _pinned(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        if self._closed:
            raise errors.milvus_error("MilvusException", "MilvusClient session is closed")
        kwargs["cluster_id"] = self._cluster_id
        return kwargs


class MilvusClientSession(_Session):
    """The reads of a MilvusClient, each with the session's cluster id."""

    _parent: MilvusClient

    def close(self) -> None:
        self._closed = True

    def search(self, *args: Any, **kwargs: Any) -> Any:
        return self._parent.search(*args, **self._pinned(kwargs))

    def hybrid_search(self, *args: Any, **kwargs: Any) -> Any:
        return self._parent.hybrid_search(*args, **self._pinned(kwargs))

    def query(self, *args: Any, **kwargs: Any) -> Any:
        return self._parent.query(*args, **self._pinned(kwargs))

    def query_iterator(self, *args: Any, **kwargs: Any) -> Any:
        return self._parent.query_iterator(*args, **self._pinned(kwargs))

    def search_iterator(self, *args: Any, **kwargs: Any) -> Any:
        return self._parent.search_iterator(*args, **self._pinned(kwargs))

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._parent.get(*args, **self._pinned(kwargs))


class AsyncMilvusClientSession(_Session):
    """The reads of an AsyncMilvusClient, each with the session's cluster id."""

    _parent: AsyncMilvusClient

    async def close(self) -> None:
        self._closed = True

    async def search(self, *args: Any, **kwargs: Any) -> Any:
        return await self._parent.search(*args, **self._pinned(kwargs))

    async def hybrid_search(self, *args: Any, **kwargs: Any) -> Any:
        return await self._parent.hybrid_search(*args, **self._pinned(kwargs))

    async def query(self, *args: Any, **kwargs: Any) -> Any:
        return await self._parent.query(*args, **self._pinned(kwargs))

    async def query_iterator(self, *args: Any, **kwargs: Any) -> Any:
        return await self._parent.query_iterator(*args, **self._pinned(kwargs))

    async def search_iterator(self, *args: Any, **kwargs: Any) -> Any:
        return await self._parent.search_iterator(*args, **self._pinned(kwargs))

    async def get(self, *args: Any, **kwargs: Any) -> Any:
        return await self._parent.get(*args, **self._pinned(kwargs))
