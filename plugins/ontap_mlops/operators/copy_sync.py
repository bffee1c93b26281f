"""Operators on relationships of NetApp (BlueXP) Copy and Sync; docs/copy-and-sync.md goes the whole way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.clouds import _CloudOperator, _CloudWaitingOperator
from ontap_mlops.operators.recording import _RecordsTransfer
from ontap_mlops.planning.ways import COPY_AND_SYNC

if TYPE_CHECKING:
    from airflow.sdk import Context

_HOOK = "ontap_mlops.hooks.copy_sync.CopySyncHook"


class _CopySync(_CloudOperator):
    """``copy_sync_conn_id``: connection of type ``netapp_copy_sync``."""

    hook_class = _HOOK

    def __init__(self, *, copy_sync_conn_id: str = "copy_sync_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.copy_sync_conn_id = copy_sync_conn_id

    def where(self) -> dict[str, Any]:
        return {"copy_sync_conn_id": self.copy_sync_conn_id}


class CopySyncListOperator(_CopySync):
    """List the account's relationships with their two ends and how their last sync ended.

    :return: a list of ``id``, ``name`` (None for those not made here), ``source``, ``target``, ``broker`` and
        ``activity``.
    """

    def execute(self, context: Context) -> list[dict[str, Any]]:
        from ontap_mlops.clouds.copy_sync import relationships

        with self.hook.client() as client:
            found = relationships.list_relationships(client)
        for each in found:
            self.log.info("%s %s: %s to %s", each.id, each.name or "(not made here)", each.source, each.target)
        return [each.facts() for each in found]


class CopySyncEnsureOperator(_CopySync):
    """Make a relationship between two places, once; it syncs when :class:`CopySyncRunOperator` says so.

    :param name: what it is known by here; a retry or another DAG that names it finds the same one.
    :param source: where from: a mapping with ``kind`` and what that kind needs, such as ``{"kind": "nfs", "host":
        "10.0.0.5", "export": "/data"}``. Keys come from the connection named as ``login_conn_id``.
    :param target: where to, in the same way.
    :param group_id: the group of data brokers that copies.
    :param settings: further settings in the service's own words, such as ``{"deleteOnTarget": True}``.
    :return: ``id``, ``name``, ``source``, ``target``, ``broker``, ``activity``.
    """

    template_fields: Sequence[str] = ("name", "source", "target", "group_id", "settings")

    def __init__(
        self,
        *,
        name: str,
        source: Mapping[str, Any],
        target: Mapping[str, Any],
        group_id: str,
        settings: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.source = source
        self.target = target
        self.group_id = group_id
        self.settings = settings

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.copy_sync import endpoints, relationships

        ends = {which: endpoints.endpoint(getattr(self, which), which) for which in ("source", "target")}
        endpoints.require_pair(ends["source"], ends["target"])
        logins = {which: self.hook.end_login(end.login_conn_id) for which, end in ends.items() if end.login_conn_id}
        with self.hook.client() as client:
            found = relationships.ensure(
                client, name=self.name, **ends, group_id=self.group_id, logins=logins, settings=self.settings
            )
        self.log.info("Relationship %s (%s): %s to %s", found.name, found.id, found.source, found.target)
        return found.facts()


class CopySyncRunOperator(_RecordsTransfer, _CopySync, _CloudWaitingOperator):
    """Start a sync of a relationship, wait for its end and report what it copied; one that runs already is joined.

    A kill stops the sync. A retry after its end syncs again, which copies only what has changed since.

    :param relationship_id: its id, as :class:`CopySyncEnsureOperator` returns it or NetApp's console shows it.
    :param allow_failed_files: end well even when single files could not be copied; the report counts them.
    :return: ``relationship``, ``kind``, ``files_copied``, ``bytes_copied``, ``files_scanned``, ``files_removed``,
        ``failed``, ``seconds``, ``reasons``.
    """

    template_fields: Sequence[str] = ("relationship_id",)
    look = "ontap_mlops.clouds.copy_sync.relationships.look"
    cancel = "ontap_mlops.clouds.copy_sync.relationships.abort"
    service = "Copy and Sync"

    def __init__(
        self, *, relationship_id: str, allow_failed_files: bool = False, poll_interval_s: float = 30.0, **kwargs: Any
    ) -> None:
        super().__init__(poll_interval_s=poll_interval_s, **kwargs)
        self.relationship_id = relationship_id
        self.allow_failed_files = allow_failed_files

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.copy_sync import relationships

        return relationships.begin_sync(client, relationship_id=self.relationship_id)

    def finish(self, client: Any, payload: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.copy_sync import relationships
        from ontap_mlops.clouds.errors import OperationFailed

        self.log.info(
            "%s files, %s bytes copied; %s failed", *(payload[k] for k in ("files_copied", "bytes_copied", "failed"))
        )
        if payload["failed"] and not self.allow_failed_files:
            why = "; ".join(payload["reasons"]) or "no reason given"
            raise OperationFailed(
                f"The sync of relationship {self.relationship_id!r} ended, but {payload['failed']} files or "
                f"directories were not copied: {why}."
            )
        found = relationships.get(client, relationship_id=self.relationship_id)
        self.keep(
            context,
            way=COPY_AND_SYNC,
            source=found.source,
            target=found.target,
            bytes_moved=payload["bytes_copied"],
            seconds=payload["seconds"],
        )
        return payload


class CopySyncDeleteOperator(_CopySync):
    """Delete a relationship that was made here; the data at both ends stays.

    :param relationship_id: its id.
    :return: whether there was one.
    """

    template_fields: Sequence[str] = ("relationship_id",)

    def __init__(self, *, relationship_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.relationship_id = relationship_id

    def execute(self, context: Context) -> bool:
        from ontap_mlops.clouds.copy_sync import relationships

        with self.hook.client() as client:
            return relationships.delete(client, relationship_id=self.relationship_id)
