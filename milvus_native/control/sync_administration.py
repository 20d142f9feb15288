"""Resources, segments, snapshots and replication: the sync methods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any


class Administration:
    """What keeps a server running; each method is a row of control.table."""

    if TYPE_CHECKING:

        def _mvn_control(self, method: str, /, **arguments: Any) -> Any: ...

    def create_resource_group(self, name: str, timeout: float | None = None, **kwargs: Any) -> None:
        """Creates a resource group."""
        self._mvn_control("create_resource_group", name=name, timeout=timeout, **kwargs)

    def update_resource_groups(self, configs: dict[str, Any], timeout: float | None = None) -> None:
        """Changes settings of resource groups, given by name."""
        self._mvn_control("update_resource_groups", configs=configs, timeout=timeout)

    def drop_resource_group(self, name: str, timeout: float | None = None) -> None:
        """Removes a resource group."""
        self._mvn_control("drop_resource_group", name=name, timeout=timeout)

    def describe_resource_group(self, name: str, timeout: float | None = None) -> Any:
        """ResourceGroupInfo of a resource group."""
        return self._mvn_control("describe_resource_group", name=name, timeout=timeout)

    def list_resource_groups(self, timeout: float | None = None) -> list[str]:
        """Names of all resource groups."""
        result: list[str] = self._mvn_control("list_resource_groups", timeout=timeout)
        return result

    def describe_replica(
        self, collection_name: str, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """A ReplicaInfo for each replica of a loaded collection."""
        return self._mvn_control(
            "describe_replica", collection_name=collection_name, timeout=timeout, **kwargs
        )

    def transfer_replica(
        self,
        source_group: str,
        target_group: str,
        collection_name: str,
        num_replicas: int,
        timeout: float | None = None,
    ) -> None:
        """Moves replicas of a collection from one resource group to another."""
        self._mvn_control(
            "transfer_replica",
            source_group=source_group,
            target_group=target_group,
            collection_name=collection_name,
            num_replicas=num_replicas,
            timeout=timeout,
        )

    def get_server_version(
        self, timeout: float | None = None, detail: bool = False, **kwargs: Any
    ) -> Any:
        """The server's version, a str; with `detail` a dict that has more of it."""
        return self._mvn_control("get_server_version", timeout=timeout, detail=detail, **kwargs)

    def run_analyzer(
        self,
        texts: str | list[str],
        analyzer_params: Any = None,
        with_hash: bool = False,
        with_detail: bool = False,
        collection_name: str | None = None,
        field_name: str | None = None,
        analyzer_names: Any = None,
        timeout: float | None = None,
    ) -> Any:
        """Tokens that an analyzer makes of a text, or of each of several texts.

        The analyzer is given by `analyzer_params`, or it is that of a collection's field.
        """
        return self._mvn_control(
            "run_analyzer",
            texts=texts,
            analyzer_params=analyzer_params,
            with_hash=with_hash,
            with_detail=with_detail,
            collection_name=collection_name,
            field_name=field_name,
            analyzer_names=analyzer_names,
            timeout=timeout,
        )

    def list_loaded_segments(
        self, collection_name: str, timeout: float | None = None, **kwargs: Any
    ) -> list[Any]:
        """A LoadedSegmentInfo for each segment of a collection that is in memory."""
        result: list[Any] = self._mvn_control(
            "list_loaded_segments", collection_name=collection_name, timeout=timeout, **kwargs
        )
        return result

    def list_persistent_segments(
        self, collection_name: str, timeout: float | None = None, states: Any = None, **kwargs: Any
    ) -> list[Any]:
        """A SegmentInfo for each stored segment of a collection."""
        result: list[Any] = self._mvn_control(
            "list_persistent_segments",
            collection_name=collection_name,
            timeout=timeout,
            states=states,
            **kwargs,
        )
        return result

    def list_segments(
        self, collection_name: str, states: Any = None, timeout: float | None = None, **kwargs: Any
    ) -> list[Any]:
        """A SegmentInfo for each segment of a collection that is in one of `states`."""
        result: list[Any] = self._mvn_control(
            "list_segments",
            collection_name=collection_name,
            states=states,
            timeout=timeout,
            **kwargs,
        )
        return result

    def create_snapshot(
        self,
        snapshot_name: str,
        collection_name: str,
        db_name: str = "",
        description: str = "",
        compaction_protection_seconds: int = 0,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Creates a snapshot of a collection."""
        self._mvn_control(
            "create_snapshot",
            snapshot_name=snapshot_name,
            collection_name=collection_name,
            db_name=db_name,
            description=description,
            compaction_protection_seconds=compaction_protection_seconds,
            timeout=timeout,
            **kwargs,
        )

    def drop_snapshot(
        self,
        snapshot_name: str,
        collection_name: str,
        db_name: str = "",
        timeout: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Deletes a snapshot."""
        self._mvn_control(
            "drop_snapshot",
            snapshot_name=snapshot_name,
            collection_name=collection_name,
            db_name=db_name,
            timeout=timeout,
            **kwargs,
        )

    def list_snapshots(
        self,
        collection_name: str = "",
        db_name: str = "",
        timeout: float | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Names of the snapshots of a collection, or of all collections."""
        result: list[str] = self._mvn_control(
            "list_snapshots",
            collection_name=collection_name,
            db_name=db_name,
            timeout=timeout,
            **kwargs,
        )
        return result

    def describe_snapshot(
        self,
        snapshot_name: str,
        collection_name: str,
        db_name: str = "",
        timeout: float | None = None,
        **kwargs: Any,
    ) -> Any:
        """SnapshotInfo of a snapshot."""
        return self._mvn_control(
            "describe_snapshot",
            snapshot_name=snapshot_name,
            collection_name=collection_name,
            db_name=db_name,
            timeout=timeout,
            **kwargs,
        )

    def restore_snapshot(
        self,
        snapshot_name: str,
        source_collection_name: str,
        target_collection_name: str,
        source_db_name: str = "",
        target_db_name: str = "",
        timeout: float | None = None,
        **kwargs: Any,
    ) -> int:
        """Starts restoring a snapshot into a new collection; the job's id."""
        result: int = self._mvn_control(
            "restore_snapshot",
            snapshot_name=snapshot_name,
            source_collection_name=source_collection_name,
            target_collection_name=target_collection_name,
            source_db_name=source_db_name,
            target_db_name=target_db_name,
            timeout=timeout,
            **kwargs,
        )
        return result

    def get_restore_snapshot_state(
        self, job_id: int, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """RestoreSnapshotJobInfo of a restoring job."""
        return self._mvn_control(
            "get_restore_snapshot_state", job_id=job_id, timeout=timeout, **kwargs
        )

    def list_restore_snapshot_jobs(
        self,
        collection_name: str = "",
        db_name: str = "",
        timeout: float | None = None,
        **kwargs: Any,
    ) -> list[Any]:
        """A RestoreSnapshotJobInfo for each restoring job."""
        result: list[Any] = self._mvn_control(
            "list_restore_snapshot_jobs",
            collection_name=collection_name,
            db_name=db_name,
            timeout=timeout,
            **kwargs,
        )
        return result

    def pin_snapshot_data(
        self,
        snapshot_name: str,
        collection_name: str,
        db_name: str = "",
        ttl_seconds: int = 0,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> int:
        """Keeps a snapshot's files from being collected for `ttl_seconds`; the pin's id."""
        result: int = self._mvn_control(
            "pin_snapshot_data",
            snapshot_name=snapshot_name,
            collection_name=collection_name,
            db_name=db_name,
            ttl_seconds=ttl_seconds,
            timeout=timeout,
            **kwargs,
        )
        return result

    def unpin_snapshot_data(self, pin_id: int, timeout: float | None = None, **kwargs: Any) -> None:
        """Ends a pin."""
        self._mvn_control("unpin_snapshot_data", pin_id=pin_id, timeout=timeout, **kwargs)

    def add_file_resource(
        self, name: str, path: str, timeout: float | None = None, **kwargs: Any
    ) -> None:
        """Registers a file of the object store under a name."""
        self._mvn_control("add_file_resource", name=name, path=path, timeout=timeout, **kwargs)

    def remove_file_resource(self, name: str, timeout: float | None = None, **kwargs: Any) -> None:
        """Removes a registered file."""
        self._mvn_control("remove_file_resource", name=name, timeout=timeout, **kwargs)

    def list_file_resources(self, timeout: float | None = None, **kwargs: Any) -> list[Any]:
        """A FileResourceInfo for each registered file."""
        result: list[Any] = self._mvn_control("list_file_resources", timeout=timeout, **kwargs)
        return result

    def refresh_external_collection(
        self,
        collection_name: str,
        external_source: str = "",
        external_spec: str = "",
        timeout: float | None = None,
        **kwargs: Any,
    ) -> int:
        """Starts reading an external collection's source again; the job's id."""
        result: int = self._mvn_control(
            "refresh_external_collection",
            collection_name=collection_name,
            external_source=external_source,
            external_spec=external_spec,
            timeout=timeout,
            **kwargs,
        )
        return result

    def get_refresh_external_collection_progress(
        self, job_id: int, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """RefreshExternalCollectionJobInfo of a refreshing job."""
        return self._mvn_control(
            "get_refresh_external_collection_progress", job_id=job_id, timeout=timeout, **kwargs
        )

    def list_refresh_external_collection_jobs(
        self, collection_name: str = "", timeout: float | None = None, **kwargs: Any
    ) -> list[Any]:
        """A RefreshExternalCollectionJobInfo for each refreshing job."""
        result: list[Any] = self._mvn_control(
            "list_refresh_external_collection_jobs",
            collection_name=collection_name,
            timeout=timeout,
            **kwargs,
        )
        return result

    def update_replicate_configuration(
        self,
        clusters: Any,
        cross_cluster_topology: list[dict[str, Any]] | None = None,
        force_promote: bool = False,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> Any:
        """Sets the clusters between which data is replicated, and how."""
        return self._mvn_control(
            "update_replicate_configuration",
            clusters=clusters,
            cross_cluster_topology=cross_cluster_topology,
            force_promote=force_promote,
            timeout=timeout,
            **kwargs,
        )

    def get_replicate_configuration(self, timeout: float | None = None, **kwargs: Any) -> Any:
        """The current ReplicateConfiguration."""
        return self._mvn_control("get_replicate_configuration", timeout=timeout, **kwargs)

    def get_replicate_info(
        self,
        source_cluster_id: str,
        target_pchannel: str,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """How far a channel has been replicated from a source cluster."""
        result: dict[str, Any] = self._mvn_control(
            "get_replicate_info",
            source_cluster_id=source_cluster_id,
            target_pchannel=target_pchannel,
            timeout=timeout,
            **kwargs,
        )
        return result

    def dump_messages(
        self,
        pchannel: str,
        start_message_id: dict[str, Any],
        start_timetick: int = 0,
        end_timetick: int = 0,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> Iterator[dict[str, Any]]:
        """Generates the messages of a write-ahead log from a position on, a dict each."""
        messages: Iterator[dict[str, Any]] = self._mvn_control(
            "dump_messages",
            pchannel=pchannel,
            start_message_id=start_message_id,
            start_timetick=start_timetick,
            end_timetick=end_timetick,
            timeout=timeout,
            **kwargs,
        )
        return messages
