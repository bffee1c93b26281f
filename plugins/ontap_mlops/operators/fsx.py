"""Operators on Amazon FSx for NetApp ONTAP; docs/fsx.md goes the whole way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import bytes_of
from ontap_mlops.operators.clouds import _CloudWaitingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class _Fsx(_CloudWaitingOperator):
    """Waits until FSx has made or deleted an object of ``kind``. FSx goes on when the task is killed; a retry joins."""

    hook_class = "ontap_mlops.hooks.fsx.FsxHook"
    look = "ontap_mlops.clouds.fsx.resources.look"
    service = "FSx"
    kind = ""

    def __init__(
        self,
        *,
        aws_conn_id: str = "aws_default",
        region_name: str | None = None,
        poll_interval_s: float = 30.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(poll_interval_s=poll_interval_s, **kwargs)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name

    def where(self) -> dict[str, Any]:
        return {"aws_conn_id": self.aws_conn_id, "region_name": self.region_name}

    def finish(self, client: Any, payload: Any, context: Context) -> Any:
        self.log.info("%s", ", ".join(f"{name} {value}" for name, value in payload.items()))
        return payload

    def _password(self, conn_id: str | None) -> str:
        from airflow.sdk import BaseHook

        return (BaseHook.get_connection(conn_id).password or "") if conn_id else ""


class _FsxDelete(_Fsx):
    """Deletes what ``kind`` names, and waits until it is gone."""

    id_name = ""

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.fsx import deleting

        id_ = getattr(self, self.id_name)
        deleting.delete(client, kind=self.kind, id=id_, **self.further())
        return {"kind": self.kind, "id": id_, "gone": True}

    def further(self) -> dict[str, Any]:
        return {}

    def finish(self, client: Any, payload: Any, context: Context) -> str:
        self.log.info("%s is gone", payload["id"])
        return payload["id"]


class FsxFileSystemEnsureOperator(_Fsx):
    """Make a file system once, found again by its tag ``ontap-mlops``, and wait for it (20 to 40 minutes).

    :param name: what it is called here and in AWS's console.
    :param subnet_ids: one subnet, or two for MULTI_AZ deployments, the preferred one first.
    :param capacity_gib: SSD storage, from 1024 GiB.
    :param throughput_mbps: 128, 256, 512, 1024, 2048 or 4096 MB/s.
    :param deployment: SINGLE_AZ_1, SINGLE_AZ_2, MULTI_AZ_1 or MULTI_AZ_2.
    :param security_group_ids: of its network interfaces; the VPC's default if empty.
    :param admin_conn_id: connection whose password is to be that of ``fsxadmin``; none is set without it.
    :param aws_conn_id: connection of type ``aws``.
    :param region_name: the connection's own if not given.
    :return: ``id``, ``name``, ``state``, ``arn``, ``management`` (address).
    """

    kind = "file_system"
    template_fields: Sequence[str] = ("name", "subnet_ids", "capacity_gib", "throughput_mbps", "security_group_ids")

    def __init__(
        self,
        *,
        name: str,
        subnet_ids: Sequence[str],
        capacity_gib: int = 1024,
        throughput_mbps: int = 128,
        deployment: str = "SINGLE_AZ_1",
        security_group_ids: Sequence[str] = (),
        admin_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.subnet_ids = subnet_ids
        self.capacity_gib = capacity_gib
        self.throughput_mbps = throughput_mbps
        self.deployment = deployment
        self.security_group_ids = security_group_ids
        self.admin_conn_id = admin_conn_id

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.fsx import making

        id_ = making.ensure_file_system(
            client,
            name=self.name,
            subnet_ids=self.subnet_ids,
            capacity_gib=int(self.capacity_gib),
            throughput_mbps=int(self.throughput_mbps),
            deployment=self.deployment,
            security_group_ids=self.security_group_ids,
            admin_password=self._password(self.admin_conn_id),
        )
        return {"kind": self.kind, "id": id_}


class FsxSvmEnsureOperator(_Fsx):
    """Make an SVM in a file system once; on request, fill its address into a connection of type ``ontap``.

    :param name: the SVM's name, unique in the file system.
    :param file_system_id: as :class:`FsxFileSystemEnsureOperator` returns it.
    :param ontap_conn_id: connection of type ``ontap`` with user ``vsadmin`` and a password: the password becomes the
        SVM's, and host and SVM are filled in, so that every other operator can work on it. None leaves both.
    :param aws_conn_id: connection of type ``aws``.
    :param region_name: the connection's own if not given.
    :return: ``id``, ``name``, ``state``, ``arn``, ``file_system_id``, ``management`` (address).
    """

    kind = "svm"
    template_fields: Sequence[str] = ("name", "file_system_id")

    def __init__(self, *, name: str, file_system_id: str, ontap_conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.file_system_id = file_system_id
        self.ontap_conn_id = ontap_conn_id

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.fsx import making

        password = self._password(self.ontap_conn_id)
        where = {"name": self.name, "file_system_id": self.file_system_id}
        return {"kind": self.kind, "id": making.ensure_svm(client, **where, admin_password=password)}

    def finish(self, client: Any, payload: Any, context: Context) -> Any:
        from ontap_mlops.hooks import ontap_connection

        if self.ontap_conn_id:
            ontap_connection.fill(self.ontap_conn_id, host=payload["management"], svm=self.name)
            self.log.info("Connection %s names SVM %s at %s", self.ontap_conn_id, self.name, payload["management"])
        return super().finish(client, payload, context)


class FsxVolumeEnsureOperator(_Fsx):
    """Make a volume in an SVM once.

    :param name: the volume's name, unique in the SVM.
    :param svm_id: as :class:`FsxSvmEnsureOperator` returns it.
    :param size_bytes: its size; a larger one that is there already is taken.
    :param junction_path: where it appears in the SVM's namespace; not mounted without it.
    :param tiering: NONE, SNAPSHOT_ONLY, AUTO (31 days) or ALL.
    :param snapshot_policy: ONTAP's, by name.
    :param aws_conn_id: connection of type ``aws``.
    :param region_name: the connection's own if not given.
    :return: ``id``, ``name``, ``state``, ``arn``, ``file_system_id``, ``svm_id``, ``junction_path``.
    """

    kind = "volume"
    template_fields: Sequence[str] = ("name", "svm_id", "size_bytes", "junction_path", "tiering")

    def __init__(
        self,
        *,
        name: str,
        svm_id: str,
        size_bytes: int | str,
        junction_path: str | None = None,
        tiering: str = "AUTO",
        snapshot_policy: str = "none",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.svm_id = svm_id
        self.size_bytes = size_bytes
        self.junction_path = junction_path
        self.tiering = tiering
        self.snapshot_policy = snapshot_policy

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.fsx import making

        id_ = making.ensure_volume(
            client,
            name=self.name,
            svm_id=self.svm_id,
            size_bytes=bytes_of(self.size_bytes),
            junction_path=self.junction_path,
            tiering=self.tiering,
            snapshot_policy=self.snapshot_policy,
        )
        return {"kind": self.kind, "id": id_}


class FsxS3AccessPointEnsureOperator(_Fsx):
    """Attach an S3 access point to a volume once: its files become objects, for services that speak S3 only.

    Objects of up to 5 GB; no versions, object lock, presigned URLs, conditional writes or notifications.

    :param name: 3 to 50 of lower-case letters, digits and hyphens.
    :param volume_id: as :class:`FsxVolumeEnsureOperator` returns it.
    :param user: UNIX user with whose rights files are read and written; a Windows user with ``windows``.
    :param windows: whether ``user`` is a Windows user.
    :param vpc_id: the only VPC from which it can be reached; the internet, with AWS's own permissions, if not given.
    :param aws_conn_id: connection of type ``aws``.
    :param region_name: the connection's own if not given.
    :return: ``id`` (the name), ``state``, ``arn``, ``volume_id``, ``alias`` (to use in place of a bucket's name).
    """

    kind = "access_point"
    template_fields: Sequence[str] = ("name", "volume_id", "user", "vpc_id")

    def __init__(
        self,
        *,
        name: str,
        volume_id: str,
        user: str = "root",
        windows: bool = False,
        vpc_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.volume_id = volume_id
        self.user = user
        self.windows = windows
        self.vpc_id = vpc_id

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.fsx import making

        made = making.ensure_access_point(
            client,
            name=self.name,
            volume_id=self.volume_id,
            user=self.user,
            windows=self.windows,
            vpc_id=self.vpc_id,
        )
        return {"kind": self.kind, "id": made}


class FsxBackupCreateOperator(_Fsx):
    """Back a volume up once per name, and wait until the backup is complete.

    :param name: what the backup is called; a template such as ``{{ ds }}`` makes one per run.
    :param volume_id: as :class:`FsxVolumeEnsureOperator` returns it.
    :param aws_conn_id: connection of type ``aws``.
    :param region_name: the connection's own if not given.
    :return: ``id``, ``name``, ``state``, ``arn``, ``volume_id``.
    """

    kind = "backup"
    template_fields: Sequence[str] = ("name", "volume_id")

    def __init__(self, *, name: str, volume_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.volume_id = volume_id

    def begin(self, client: Any, context: Context) -> dict[str, Any]:
        from ontap_mlops.clouds.fsx import making

        return {"kind": self.kind, "id": making.ensure_backup(client, name=self.name, volume_id=self.volume_id)}


class FsxVolumeDeleteOperator(_FsxDelete):
    """Delete a volume that was made here; FSx keeps its data in a last backup, tagged ``last-NAME``.

    :param volume_id: its id.
    :param skip_final_backup: lose the data: no last backup is made.
    :param aws_conn_id: connection of type ``aws``.
    :param region_name: the connection's own if not given.
    :return: the id.
    """

    kind, id_name = "volume", "volume_id"
    template_fields: Sequence[str] = ("volume_id",)

    def __init__(self, *, volume_id: str, skip_final_backup: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume_id = volume_id
        self.skip_final_backup = skip_final_backup

    def further(self) -> dict[str, Any]:
        return {"skip_final_backup": self.skip_final_backup}


class FsxSvmDeleteOperator(_FsxDelete):
    """Delete an SVM that was made here and has no volumes any more.

    :param svm_id: its id.
    :param aws_conn_id: connection of type ``aws``.
    :param region_name: the connection's own if not given.
    :return: the id.
    """

    kind, id_name = "svm", "svm_id"
    template_fields: Sequence[str] = ("svm_id",)

    def __init__(self, *, svm_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.svm_id = svm_id


class FsxFileSystemDeleteOperator(_FsxDelete):
    """Delete a file system that was made here and has no SVMs any more.

    :param file_system_id: its id.
    :param aws_conn_id: connection of type ``aws``.
    :param region_name: the connection's own if not given.
    :return: the id.
    """

    kind, id_name = "file_system", "file_system_id"
    template_fields: Sequence[str] = ("file_system_id",)

    def __init__(self, *, file_system_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.file_system_id = file_system_id


class FsxS3AccessPointDeleteOperator(_FsxDelete):
    """Detach and delete an S3 access point of a volume that was made here; the files stay.

    :param name: its name.
    :param aws_conn_id: connection of type ``aws``.
    :param region_name: the connection's own if not given.
    :return: the name.
    """

    kind, id_name = "access_point", "name"
    template_fields: Sequence[str] = ("name",)

    def __init__(self, *, name: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name


class FsxBackupDeleteOperator(_FsxDelete):
    """Delete a backup that was made here; what is in no other backup is lost with it.

    :param backup_id: its id.
    :param aws_conn_id: connection of type ``aws``.
    :param region_name: the connection's own if not given.
    :return: the id.
    """

    kind, id_name = "backup", "backup_id"
    template_fields: Sequence[str] = ("backup_id",)

    def __init__(self, *, backup_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.backup_id = backup_id
