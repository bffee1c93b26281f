"""Operators on SnapLock volumes: made for evidence, and files in them kept until a date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator, bytes_of
from ontap_mlops.operators.snapshot_locks import end_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class OntapSnapLockVolumeEnsureOperator(OntapOperator):
    """Ensure that a SnapLock volume exists, for files that must stay as they were written.

    Of ``compliance``, nobody removes a kept file or its volume before its time; of ``enterprise``, the administrator
    may remove the volume. The type never changes. Needs a compliance clock, which this operator never sets.

    :param volume: name.
    :param size_bytes: when made.
    :param kind: ``enterprise`` or ``compliance``.
    :param comment: marks the volume as ours; begin it with ``ontap-mlops``.
    :param default_retention: of a file for which nothing is said: ``P30D``, ``P1Y``, ``infinite``; else ONTAP's.
    :param minimum_retention: the least that a file is kept.
    :param maximum_retention: the longest.
    :param junction_path: where the SVM's clients see it.
    :param svm: the connection's own if not given.
    :param unix_permissions: of the volume's root when made.
    :return: ``uuid``, ``name``, ``svm``, ``kind``, ``junction_path``.
    """

    template_fields: Sequence[str] = ("volume", "size_bytes", "kind", "comment", "default_retention", "svm") + (
        "minimum_retention",
        "maximum_retention",
        "junction_path",
        "unix_permissions",
    )

    def __init__(
        self,
        *,
        volume: str,
        size_bytes: int | str,
        kind: str,
        comment: str,
        default_retention: str | None = None,
        minimum_retention: str | None = None,
        maximum_retention: str | None = None,
        junction_path: str | None = None,
        svm: str | None = None,
        unix_permissions: str = "777",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.size_bytes = size_bytes
        self.kind = kind
        self.comment = comment
        self.default_retention = default_retention
        self.minimum_retention = minimum_retention
        self.maximum_retention = maximum_retention
        self.junction_path = junction_path
        self.svm = svm
        self.unix_permissions = unix_permissions

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import snaplock

        retention = snaplock.Retention(
            default=self.default_retention, minimum=self.minimum_retention, maximum=self.maximum_retention
        )
        with self.hook.client() as client:
            made = snaplock.ensure(
                client,
                svm=self.hook.svm(self.svm),
                name=self.volume,
                size_bytes=bytes_of(self.size_bytes),
                comment=self.comment,
                kind=self.kind,
                retention=retention,
                junction_path=self.junction_path,
                unix_permissions=self.unix_permissions,
            )
        self.log.info("SnapLock volume %s of SVM %s (%s) at %s", made.name, made.svm, self.kind, made.junction_path)
        facts = {"uuid": made.uuid, "name": made.name, "svm": made.svm}
        return facts | {"kind": self.kind, "junction_path": made.junction_path}


class OntapSnapLockFileKeepOperator(OntapOperator):
    """Keep a file of a SnapLock volume until a date: until then it can be neither changed nor removed.

    Checks that ONTAP keeps it that long. A file that is kept longer is left as it is; no retention is ever shortened.

    :param volume: name of a SnapLock volume.
    :param path: of the file, from the top of the volume.
    :param until: ISO 8601 with a time zone, or a date, whose end in UTC is meant. Give this or ``days``.
    :param days: from now by ONTAP's clock.
    :param svm: the connection's own if not given.
    :return: until when it is kept (ISO 8601).
    """

    template_fields: Sequence[str] = ("volume", "path", "until", "days", "svm")

    def __init__(
        self,
        *,
        volume: str,
        path: str,
        until: str | None = None,
        days: float | str | None = None,
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.path = path
        self.until = until
        self.days = days
        self.svm = svm

    def execute(self, context: Context) -> str:
        from ontap_mlops.ontap import cluster, snaplock

        if bool(self.until) == bool(self.days):
            raise ValueError(f"until when file {self.path!r} is to be kept is not clear; give until or days")
        with self.hook.client() as client:
            until = (
                end_of(str(self.until)) if self.until else cluster.now(client) + timedelta(days=float(self.days or 0))
            )
            svm = self.hook.svm(self.svm)
            end = snaplock.keep(client, svm=svm, volume=self.volume, path=self.path, until=until)
        self.log.info("File %s of volume %s is kept until %s", self.path, self.volume, end.isoformat())
        return end.isoformat()
