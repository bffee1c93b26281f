"""Operators on Azure NetApp Files; docs/azure-netapp-files.md goes the whole way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import bytes_of
from ontap_mlops.operators.clouds import _CloudOperationOperator, _OfSnapshot

if TYPE_CHECKING:
    from airflow.sdk import Context


class _AzureNetApp(_CloudOperationOperator):
    """``azure_netapp_conn_id``: connection of type ``azure_netapp_files``."""

    hook_class = "ontap_mlops.hooks.azure_netapp.AzureNetAppHook"
    look = "ontap_mlops.clouds.azure_netapp.resources.look"
    service = "Azure"

    def __init__(self, *, azure_netapp_conn_id: str = "azure_netapp_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.azure_netapp_conn_id = azure_netapp_conn_id

    def where(self) -> dict[str, Any]:
        return {"azure_netapp_conn_id": self.azure_netapp_conn_id}


class AzureNetAppPoolEnsureOperator(_AzureNetApp):
    """Make a capacity pool once, and the connection's NetApp account before it where there is none.

    :param capacity_pool: its name.
    :param size_bytes: whole TiB.
    :param service_level: Standard, Premium, Ultra, StandardZRS or Flexible.
    :param azure_netapp_conn_id: connection of type ``azure_netapp_files``.
    :return: ``id``, ``name``, ``location``, ``service_level``, ``size_bytes``.
    """

    template_fields: Sequence[str] = ("capacity_pool", "size_bytes", "service_level")

    def __init__(
        self, *, capacity_pool: str, size_bytes: int | str, service_level: str = "Premium", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.capacity_pool = capacity_pool
        self.size_bytes = size_bytes
        self.service_level = service_level

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.azure_netapp import making

        making.require_account(client, pause_s=min(self.poll_interval_s, 2.0))
        size = bytes_of(self.size_bytes)
        return making.ensure_pool(client, pool=self.capacity_pool, size_bytes=size, service_level=self.service_level)


class AzureNetAppVolumeEnsureOperator(_AzureNetApp):
    """Make a volume in a capacity pool once; it is found again in whichever pool it was moved to.

    :param volume: its name.
    :param capacity_pool: the pool to make it in.
    :param size_bytes: at least 50 GiB; a larger one that is there already is taken.
    :param subnet_id: resource id of a subnet that is delegated to ``Microsoft.NetApp/volumes``.
    :param path: its export, unique in the account and location; the name if not given.
    :param protocols: NFSv3, NFSv4.1 or CIFS.
    :param clients: who may mount it, as addresses or networks joined by commas.
    :param azure_netapp_conn_id: connection of type ``azure_netapp_files``.
    :return: ``id``, ``name``, ``location``, ``pool``, ``service_level``, ``size_bytes``, ``path``, ``address``.
    """

    template_fields: Sequence[str] = ("volume", "capacity_pool", "size_bytes", "subnet_id", "path", "clients")

    def __init__(
        self,
        *,
        volume: str,
        capacity_pool: str,
        size_bytes: int | str,
        subnet_id: str,
        path: str | None = None,
        protocols: Sequence[str] = ("NFSv3",),
        clients: str = "0.0.0.0/0",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.capacity_pool = capacity_pool
        self.size_bytes = size_bytes
        self.subnet_id = subnet_id
        self.path = path
        self.protocols = protocols
        self.clients = clients

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.azure_netapp import making

        return making.ensure_volume(
            client,
            volume=self.volume,
            pool=self.capacity_pool,
            size_bytes=bytes_of(self.size_bytes),
            subnet_id=self.subnet_id,
            path=self.path,
            protocols=self.protocols,
            clients=self.clients,
        )


class AzureNetAppSnapshotCreateOperator(_OfSnapshot, _AzureNetApp):
    """Make a snapshot of a volume once per name.

    :param volume: the volume's name.
    :param snapshot: the snapshot's name.
    :param azure_netapp_conn_id: connection of type ``azure_netapp_files``.
    :return: ``id``, ``name``, ``location``, ``pool``.
    """

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.azure_netapp import making

        return making.ensure_snapshot(client, volume=self.volume, snapshot=self.snapshot)


class AzureNetAppPoolChangeOperator(_AzureNetApp):
    """Move a volume to another capacity pool, and so to its service level; clients go on working.

    :param volume: the volume's name.
    :param capacity_pool: the pool to move it to.
    :param azure_netapp_conn_id: connection of type ``azure_netapp_files``.
    :return: ``id``, ``name``, ``location``, ``pool``, ``service_level``, ``size_bytes``, ``path``, ``address``.
    """

    template_fields: Sequence[str] = ("volume", "capacity_pool")

    def __init__(self, *, volume: str, capacity_pool: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.capacity_pool = capacity_pool

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.azure_netapp import making

        return making.change_pool(client, volume=self.volume, pool=self.capacity_pool)


class _AzureNetAppDelete(_AzureNetApp):
    """Deletes what ``kind`` and the task's names say, and waits until it is gone."""

    kind = ""

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.azure_netapp import making

        names = [value for name in ("capacity_pool", "volume", "snapshot") if (value := getattr(self, name, None))]
        return making.delete(client, kind=self.kind, names=names)


class AzureNetAppPoolDeleteOperator(_AzureNetAppDelete):
    """Delete a capacity pool that was made here and holds no volumes any more.

    :param capacity_pool: its name.
    :param azure_netapp_conn_id: connection of type ``azure_netapp_files``.
    :return: ``name``.
    """

    kind = "pool"
    template_fields: Sequence[str] = ("capacity_pool",)

    def __init__(self, *, capacity_pool: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.capacity_pool = capacity_pool


class AzureNetAppVolumeDeleteOperator(_AzureNetAppDelete):
    """Delete a volume that was made here, with its data and its snapshots.

    :param volume: its name.
    :param azure_netapp_conn_id: connection of type ``azure_netapp_files``.
    :return: ``name``.
    """

    kind = "volume"
    template_fields: Sequence[str] = ("volume",)

    def __init__(self, *, volume: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume


class AzureNetAppSnapshotDeleteOperator(_OfSnapshot, _AzureNetAppDelete):
    """Delete a snapshot of a volume that was made here.

    :param volume: the volume's name.
    :param snapshot: the snapshot's name.
    :param azure_netapp_conn_id: connection of type ``azure_netapp_files``.
    :return: ``name``.
    """

    kind = "snapshot"
