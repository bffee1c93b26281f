"""Operators on Google Cloud NetApp Volumes; docs/google-cloud-netapp-volumes.md goes the whole way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.clouds import _CloudOperationOperator, _OfSnapshot

if TYPE_CHECKING:
    from airflow.sdk import Context


class _GoogleNetApp(_CloudOperationOperator):
    """``google_netapp_conn_id``: connection of type ``google_netapp_volumes``."""

    hook_class = "ontap_mlops.hooks.google_netapp.GoogleNetAppHook"
    look = "ontap_mlops.clouds.google_netapp.resources.look"
    service = "Google"

    def __init__(self, *, google_netapp_conn_id: str = "google_netapp_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.google_netapp_conn_id = google_netapp_conn_id

    def where(self) -> dict[str, Any]:
        return {"google_netapp_conn_id": self.google_netapp_conn_id}


class GoogleNetAppPoolEnsureOperator(_GoogleNetApp):
    """Make a storage pool once.

    :param storage_pool: its name.
    :param capacity_gib: its size; Google says from which size on each service level begins.
    :param service_level: STANDARD, PREMIUM, EXTREME or FLEX.
    :param network: VPC network, by name or in full.
    :param zone: of a FLEX pool in one zone.
    :param google_netapp_conn_id: connection of type ``google_netapp_volumes``.
    :return: ``name``, ``id``, ``state``, ``service_level``, ``capacity_gib``.
    """

    template_fields: Sequence[str] = ("storage_pool", "capacity_gib", "service_level", "network", "zone")

    def __init__(
        self,
        *,
        storage_pool: str,
        capacity_gib: int | str,
        service_level: str = "PREMIUM",
        network: str = "default",
        zone: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.storage_pool = storage_pool
        self.capacity_gib = capacity_gib
        self.service_level = service_level
        self.network = network
        self.zone = zone

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.google_netapp import making

        return making.ensure_pool(
            client,
            pool=self.storage_pool,
            capacity_gib=int(self.capacity_gib),
            service_level=self.service_level,
            network=self.network,
            zone=self.zone,
        )


class GoogleNetAppVolumeEnsureOperator(_GoogleNetApp):
    """Make a volume in a storage pool once.

    :param volume: its name.
    :param storage_pool: the pool to make it in.
    :param capacity_gib: its size; a larger one that is there already is taken.
    :param share: its export; the name if not given.
    :param protocol: NFSV3, NFSV4 or SMB.
    :param clients: who may mount it, as addresses or networks joined by commas.
    :param google_netapp_conn_id: connection of type ``google_netapp_volumes``.
    :return: ``name``, ``id``, ``state``, ``service_level``, ``capacity_gib``, ``pool``, ``share``, ``mount``.
    """

    template_fields: Sequence[str] = ("volume", "storage_pool", "capacity_gib", "share", "protocol", "clients")

    def __init__(
        self,
        *,
        volume: str,
        storage_pool: str,
        capacity_gib: int | str,
        share: str = "",
        protocol: str = "NFSV3",
        clients: str = "0.0.0.0/0",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.storage_pool = storage_pool
        self.capacity_gib = capacity_gib
        self.share = share
        self.protocol = protocol
        self.clients = clients

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.google_netapp import making

        return making.ensure_volume(
            client,
            volume=self.volume,
            pool=self.storage_pool,
            capacity_gib=int(self.capacity_gib),
            share=self.share,
            protocol=self.protocol,
            clients=self.clients,
        )


class GoogleNetAppSnapshotCreateOperator(_OfSnapshot, _GoogleNetApp):
    """Make a snapshot of a volume once per name.

    :param volume: the volume's name.
    :param snapshot: the snapshot's name.
    :param google_netapp_conn_id: connection of type ``google_netapp_volumes``.
    :return: ``name``, ``id``, ``state``.
    """

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.google_netapp import making

        return making.ensure_snapshot(client, volume=self.volume, snapshot=self.snapshot)


class _Replication(_GoogleNetApp):
    """What names a replication: the volume that is mirrored, and its own name."""

    template_fields: Sequence[str] = ("volume", "replication")

    def __init__(self, *, volume: str, replication: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.replication = replication


class GoogleNetAppReplicationEnsureOperator(_Replication):
    """Mirror a volume into a pool of another location once, and wait until the first copy is complete.

    :param volume: the volume to mirror.
    :param replication: name of the replication.
    :param to_location: where to, such as ``europe-west4``.
    :param to_pool: storage pool there.
    :param to_volume: name of the volume that is made there; as the source if not given.
    :param schedule: EVERY_10_MINUTES, HOURLY or DAILY.
    :param google_netapp_conn_id: connection of type ``google_netapp_volumes``.
    :return: ``name``, ``id``, ``state``, ``mirror``, ``healthy``, ``destination_volume``, ``lag_s``.
    """

    template_fields: Sequence[str] = (
        *_Replication.template_fields,
        "to_location",
        "to_pool",
        "to_volume",
        "schedule",
    )

    def __init__(
        self,
        *,
        to_location: str,
        to_pool: str,
        to_volume: str = "",
        schedule: str = "HOURLY",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.to_location = to_location
        self.to_pool = to_pool
        self.to_volume = to_volume
        self.schedule = schedule

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.google_netapp import making

        return making.ensure_replication(
            client,
            volume=self.volume,
            replication=self.replication,
            to_location=self.to_location,
            to_pool=self.to_pool,
            to_volume=self.to_volume,
            schedule=self.schedule,
        )


class GoogleNetAppReplicationStopOperator(_Replication):
    """Stop a mirror, so that its destination can be written.

    :param volume: the volume that is mirrored.
    :param replication: name of the replication.
    :param google_netapp_conn_id: connection of type ``google_netapp_volumes``.
    :return: as :class:`GoogleNetAppReplicationEnsureOperator`.
    """

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.google_netapp import making

        return making.stop_replication(client, volume=self.volume, replication=self.replication)


class GoogleNetAppReplicationResumeOperator(_Replication):
    """Go on mirroring: what was written at the destination since it was stopped is lost.

    :param volume: the volume that is mirrored.
    :param replication: name of the replication.
    :param google_netapp_conn_id: connection of type ``google_netapp_volumes``.
    :return: as :class:`GoogleNetAppReplicationEnsureOperator`.
    """

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.google_netapp import making

        return making.resume_replication(client, volume=self.volume, replication=self.replication)


class GoogleNetAppPoolDeleteOperator(_GoogleNetApp):
    """Delete a storage pool that was made here and holds no volumes any more.

    :param storage_pool: its name.
    :param google_netapp_conn_id: connection of type ``google_netapp_volumes``.
    :return: ``name``.
    """

    template_fields: Sequence[str] = ("storage_pool",)

    def __init__(self, *, storage_pool: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.storage_pool = storage_pool

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.google_netapp import making, resources

        return making.delete(client, kind=resources.POOL, id=self.storage_pool)


class GoogleNetAppVolumeDeleteOperator(_GoogleNetApp):
    """Delete a volume that was made here, with its data.

    :param volume: its name.
    :param force: take its snapshots with it; without, a volume that has some is refused.
    :param google_netapp_conn_id: connection of type ``google_netapp_volumes``.
    :return: ``name``.
    """

    template_fields: Sequence[str] = ("volume",)

    def __init__(self, *, volume: str, force: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.force = force

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.google_netapp import making, resources

        return making.delete(client, kind=resources.VOLUME, id=self.volume, force=self.force)


class GoogleNetAppSnapshotDeleteOperator(_OfSnapshot, _GoogleNetApp):
    """Delete a snapshot that was made here.

    :param volume: the volume's name.
    :param snapshot: the snapshot's name.
    :param google_netapp_conn_id: connection of type ``google_netapp_volumes``.
    :return: ``name``.
    """

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.google_netapp import making, resources

        return making.delete(client, kind=resources.SNAPSHOT, id=self.snapshot, volume=self.volume)


class GoogleNetAppReplicationDeleteOperator(_Replication):
    """Delete a replication that was made here and is stopped; both volumes stay.

    :param volume: the volume that was mirrored.
    :param replication: name of the replication.
    :param google_netapp_conn_id: connection of type ``google_netapp_volumes``.
    :return: ``name``.
    """

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.google_netapp import making, resources

        return making.delete(client, kind=resources.REPLICATION, id=self.replication, volume=self.volume)
