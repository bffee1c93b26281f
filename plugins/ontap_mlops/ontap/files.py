"""Files of a volume as ONTAP itself sees them: no mount needed. Live, or below ``.snapshot/NAME`` as they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import NameTaken, NotFound

SNAPSHOTS = ".snapshot"
_FIELDS = "name,type,size,modified_time,changed_time,inode_number,target,is_junction"
FILE, FOLDER, LINK = "file", "directory", "symlink"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """``path`` is relative to the top that was listed. ``kind`` is ONTAP's word; ``target`` is where a link leads.

    ``modified_at`` is of the contents, and writers can set it; ``changed_at`` also of the name, rights and owner, and
    nobody can. Both are as ONTAP says them: empty where it does not.
    """

    path: str
    kind: str
    size: int = 0
    modified_at: str = ""
    changed_at: str = ""
    inode: int | None = None
    target: str | None = None


def within(snapshot: str | None, path: str = "") -> str:
    """Path of something in a snapshot, or with None in the live volume."""
    return "/".join(part for part in (f"{SNAPSHOTS}/{snapshot}" if snapshot else "", path) if part)


def list_folder(client: Client, *, volume_uuid: str, path: str = "") -> list[Entry]:
    """Return what a folder of the volume holds; the snapshots at the top and other volumes' junctions left out."""
    asked = f"list folder {path or '/'!r} of volume {volume_uuid}"
    parents = (volume_uuid, path) if path else (volume_uuid,)
    found = client.records("FileInfo", *parents, asked=asked, fields=_FIELDS)
    hidden = {".", ".."} | ({SNAPSHOTS} if not path else set())
    return [_entry(r) for r in found if r.get("name") not in hidden and not r.get("is_junction")]


def walk(client: Client, *, volume_uuid: str, snapshot: str | None = None) -> Iterator[Entry]:
    """Yield everything in a snapshot, or with None in the live volume: folders before what is in them.

    One request a folder, more for a folder with over 10,000 entries.
    """
    pending = [""]
    while pending:
        folder = pending.pop()
        for entry in list_folder(client, volume_uuid=volume_uuid, path=within(snapshot, folder)):
            found = replace(entry, path=f"{folder}/{entry.path}") if folder else entry
            yield found
            if found.kind == FOLDER:
                pending.append(found.path)


@repeatable
def ensure_folder(client: Client, *, volume_uuid: str, path: str) -> None:
    asked = f"make folder {path!r} in volume {volume_uuid}"
    try:
        client.create("FileInfo", {"type": FOLDER}, volume_uuid, path, asked=asked)
    except NameTaken:
        return  # by an earlier try; were it no folder, the difference would have said so


@repeatable
def ensure_link(client: Client, *, volume_uuid: str, path: str, target: str) -> None:
    """Make a symbolic link where there is nothing, or where an earlier try made it."""
    asked = f"make link {path!r} to {target!r} in volume {volume_uuid}"
    try:
        client.create("FileInfo", {"target": target}, volume_uuid, path, asked=asked)
    except NameTaken:
        return


@repeatable
def delete(client: Client, *, volume_uuid: str, path: str, recurse: bool = False) -> bool:
    """Remove a file, link or folder; False if it was gone.

    :param recurse: with everything in the folder.
    """
    asked = f"remove {path!r} from volume {volume_uuid}"
    try:
        client.remove("FileInfo", {"path": path}, volume_uuid, asked=asked, recurse=str(recurse).lower())
    except NotFound:
        return False
    return True


@repeatable
def copy_out(client: Client, *, volume_uuid: str, snapshot: str, path: str, target: str | None = None) -> None:
    """Put one file of a snapshot into the live volume, over what is there: a file clone, which shares its blocks.

    :param path: of the file in the snapshot.
    :param target: path in the live volume; the same if not given.
    """
    body = {
        "volume": {"uuid": volume_uuid},
        "source_path": within(snapshot, path),
        "destination_path": target or path,
        "overwrite_destination": True,
    }
    asked = f"restore file {path!r} of volume {volume_uuid} from snapshot {snapshot!r}"
    client.create("FileClone", body, asked=asked)


def _entry(record: dict[str, Any]) -> Entry:
    return Entry(
        path=record["name"],
        kind=record.get("type", FILE),
        size=int(record.get("size") or 0),
        modified_at=record.get("modified_time") or "",
        changed_at=record.get("changed_time") or "",
        inode=record.get("inode_number"),
        target=record.get("target"),
    )
