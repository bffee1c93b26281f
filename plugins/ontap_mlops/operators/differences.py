"""What differs between two snapshots of a volume, for programs that work on what is new only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ontap_mlops.operators.base import OntapOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client
    from ontap_mlops.ontap.differences import Difference


class OntapSnapshotDifferenceOperator(OntapOperator):
    """Say which files differ between two snapshots of a volume, and write them to a file, one JSON object a line.

    Both are listed through ONTAP, which needs no mount, a request for each folder, and compared by size, times and
    inode. Each line has ``change`` (``added``, ``changed``, ``removed``), ``path``, ``size`` in bytes, ``modified_at``,
    and ``possibly`` of a file that was only touched, or so late that ONTAP's times do not tell. For two versions of a
    dataset :class:`DatasetDifferenceOperator` knows for certain.

    :param volume: name.
    :param before: name of a snapshot; empty compares with an empty volume, so that everything is new.
    :param after: name of a snapshot; the volume as it is now if empty.
    :param changes_file: where the file goes: a path or any URL that Airflow's object storage knows, such as
        ``s3://bucket/changes.jsonl``; empty writes none. A file of that name is replaced.
    :param storage_conn_id: Airflow connection for that URL; the default of its kind if not given.
    :param svm: the connection's own if not given.
    :return: how many files were ``added``, ``changed`` and ``removed``, ``possibly`` of the changed, ``bytes`` to read
        of the first two, and ``changes_file``.
    """

    template_fields: Sequence[str] = ("volume", "before", "after", "changes_file", "svm")

    def __init__(
        self,
        *,
        volume: str,
        before: str | None = None,
        after: str | None = None,
        changes_file: str | None = None,
        storage_conn_id: str | None = None,
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.volume = volume
        self.before = before
        self.after = after
        self.changes_file = changes_file
        self.storage_conn_id = storage_conn_id
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        with self.hook.client() as client:
            found = self._found(client)
        self.log.info("Volume %s from %s to %s: %s", self.volume, self.before or "nothing", self.after or "now", found)
        if self.changes_file:
            self._write(found)
        more = {"possibly": len(found.possibly), "bytes": found.bytes_to_read}
        return found.counts | more | {"changes_file": self.changes_file or None}

    def _found(self, client: Client) -> Difference:
        from ontap_mlops.ontap import differences, files, volumes

        uuid = volumes.get(client, svm=self.hook.svm(self.svm), name=self.volume).uuid
        if self.before:
            return differences.between(client, volume_uuid=uuid, before=self.before, after=self.after or None)
        return differences.compare((), files.walk(client, volume_uuid=uuid, snapshot=self.after or None))

    def _write(self, found: Difference) -> None:
        from airflow.sdk import ObjectStoragePath

        path = ObjectStoragePath(str(self.changes_file), conn_id=self.storage_conn_id)
        with path.open("w") as file:
            for line in _lines(found):
                file.write(line + "\n")
        self.log.info("The changed files are in %s", self.changes_file)


def _lines(found: Difference) -> Iterator[str]:
    for change in ("added", "changed", "removed"):
        for entry in getattr(found, change):
            if entry.kind != "directory":
                facts = {"change": change, "path": entry.path, "size": entry.size, "modified_at": entry.modified_at}
                yield json.dumps(facts | ({"possibly": True} if entry.path in found.possibly else {}))
