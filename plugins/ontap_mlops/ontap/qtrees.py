"""Qtrees: folders of a volume that ONTAP can set a quota on, such as one for each person or team."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InUse, JobStillRunning, NameTaken, NotFound
from ontap_mlops.ontap.files import list_folder

_FIELDS = "id,name,volume.name,volume.uuid,path,security_style,unix_permissions,export_policy.name"


@dataclass(frozen=True, kw_only=True)
class Qtree:
    """``path`` is where the SVM's clients see it; None where the volume is not mounted."""

    id: int
    name: str
    volume: str
    volume_uuid: str
    path: str | None = None
    unix_permissions: int | None = None
    export_policy: str | None = None


def find(client: Client, *, svm: str, volume: str, name: str) -> Qtree | None:
    asked = f"look up {_called(name, volume, svm)}"
    query = {"svm.name": svm, "volume.name": volume}
    found = client.records("Qtree", asked=asked, fields=_FIELDS, name=name, **query)
    return next((_qtree(record) for record in found if record.get("name") == name), None)


def get(client: Client, *, svm: str, volume: str, name: str) -> Qtree:
    qtree = find(client, svm=svm, volume=volume, name=name)
    if qtree is None:
        volumes.get(client, svm=svm, name=volume)  # says so if that is missing
        raise NotFound(f"There is no {_called(name, volume, svm)}. Make it first, or check the name.")
    return qtree


def list_qtrees(client: Client, *, svm: str, volume: str) -> list[Qtree]:
    """Return the qtrees of a volume, without the nameless one that holds everything else."""
    query = {"svm.name": svm, "volume.name": volume}
    found = client.records("Qtree", asked=f"list qtrees of volume {volume!r}", fields=_FIELDS, **query)
    return [_qtree(record) for record in found if record.get("name")]


@repeatable
def ensure(
    client: Client,
    *,
    svm: str,
    volume: str,
    name: str,
    unix_permissions: str | None = None,
    export_policy: str | None = None,
) -> Qtree:
    """Return the qtree of this name, made now or by an earlier try, with these permissions and export policy.

    :param unix_permissions: octal digits as in ``chmod``; those of the volume's top if not given.
    :param export_policy: that of the volume if not given.
    """
    home = volumes.get(client, svm=svm, name=volume)
    qtree = find(client, svm=svm, volume=volume, name=name)
    wanted: dict[str, Any] = {"unix_permissions": int(unix_permissions)} if unix_permissions else {}
    wanted |= {"export_policy": {"name": export_policy}} if export_policy else {}
    if qtree is None:
        body = {"name": name, "svm": {"name": svm}, "volume": {"uuid": home.uuid}} | wanted
        with suppress(NameTaken):  # by an earlier try; otherwise it is not found below
            client.create("Qtree", body, asked=f"make {_called(name, volume, svm)}")
        qtree = find(client, svm=svm, volume=volume, name=name)
    if qtree is None:
        if any(entry.path == name for entry in list_folder(client, volume_uuid=home.uuid)):
            raise NameTaken(
                f"{volume!r} has a folder or file {name!r}, so no qtree can be called that. Choose another."
            )
        raise JobStillRunning(f"The {_called(name, volume, svm)} was asked for but is not there yet. Try again.")
    missing = {key: value for key, value in wanted.items() if not _has(qtree, key, value)}
    if not missing:
        return qtree
    asked = f"set {' and '.join(missing)} of {_called(name, volume, svm)}"
    client.modify("Qtree", {"volume": {"uuid": home.uuid}, "id": qtree.id}, missing, asked=asked)
    return get(client, svm=svm, volume=volume, name=name)


@repeatable
def delete(client: Client, *, svm: str, volume: str, name: str, with_files: bool = False) -> bool:
    """Remove a qtree; False if it was gone. Raises InUse for one that holds files, unless they may go with it."""
    qtree = find(client, svm=svm, volume=volume, name=name)
    if qtree is None:
        return False
    require_removable(client, qtree=qtree, with_files=with_files)
    asked = f"remove {_called(name, volume, svm)}"
    try:
        client.remove("Qtree", {"volume": {"uuid": qtree.volume_uuid}, "id": qtree.id}, asked=asked)
    except NotFound:
        return False
    return True


def require_removable(client: Client, *, qtree: Qtree, with_files: bool) -> None:
    """Raises InUse for a qtree that holds files which were not given up."""
    if not with_files and list_folder(client, volume_uuid=qtree.volume_uuid, path=qtree.name):
        raise InUse(
            f"Qtree {qtree.name!r} of volume {qtree.volume!r} was not removed: it holds files, which would go with it. "
            "Move them, or say that they may go (with_files)."
        )


def _has(qtree: Qtree, key: str, value: Any) -> bool:
    return qtree.unix_permissions == value if key == "unix_permissions" else qtree.export_policy == value["name"]


def _qtree(record: dict[str, Any]) -> Qtree:
    volume, mode = record.get("volume") or {}, record.get("unix_permissions")
    return Qtree(
        id=int(record["id"]),
        name=record.get("name", ""),
        volume=volume.get("name", ""),
        volume_uuid=volume.get("uuid", ""),
        path=record.get("path"),
        unix_permissions=int(mode) if mode is not None else None,
        export_policy=(record.get("export_policy") or {}).get("name"),
    )


def _called(name: str, volume: str, svm: str) -> str:
    return f"qtree {name!r} of volume {volume!r} of SVM {svm!r}"
