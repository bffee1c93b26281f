"""Clones of single files within a volume: made at once, whatever their size, and sharing their blocks."""

from __future__ import annotations

from ontap_mlops.ontap import files, volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InvalidRequest, NameTaken, NotFound
from ontap_mlops.ontap.files import Entry


@repeatable
def ensure(
    client: Client,
    *,
    svm: str,
    volume: str,
    source: str,
    target: str,
    snapshot: str | None = None,
    overwrite: bool = False,
) -> Entry:
    """Return the clone of a file, made now or by an earlier try.

    Raises NameTaken when another file is at the target, which one of the same size and time as the source is not.

    :param source: path of the file in the volume, or in the snapshot where one is named.
    :param target: path of the clone in the same volume; its folder is there.
    :param overwrite: replace what is at the target.
    """
    found = volumes.get(client, svm=svm, name=volume)
    called = f"file {source!r} of " + (f"snapshot {snapshot!r} of " if snapshot else "") + f"volume {volume!r}"
    if snapshot is None and source.strip("/") == target.strip("/"):
        raise InvalidRequest(f"{called.capitalize()} was to be cloned to itself. Name another target.")
    original = _entry(client, found.uuid, files.within(snapshot, source))
    if original is None:
        raise NotFound(f"There is no {called} of SVM {svm!r}. Check the path; it is relative to the volume's top.")
    there = _entry(client, found.uuid, target)
    if there is not None and not overwrite:
        return _adopted(there, original, called, target)
    body = {
        "volume": {"uuid": found.uuid, "name": volume},
        "source_path": files.within(snapshot, source.strip("/")),
        "destination_path": target.strip("/"),
        "overwrite_destination": overwrite,
    }
    client.create("FileClone", body, asked=f"clone {called} to {target!r}")
    made = _entry(client, found.uuid, target)
    if made is None:
        raise NotFound(f"The clone {target!r} of {called} was made and is not there any more.")
    return made


def _adopted(there: Entry, original: Entry, called: str, target: str) -> Entry:
    if (there.kind, there.size, there.modified_at) == (original.kind, original.size, original.modified_at):
        return there
    raise NameTaken(
        f"{called[0].upper()}{called[1:]} was not cloned to {target!r}: there is a {there.kind} of {there.size:,} "
        f"bytes already, of {there.modified_at or 'an unknown time'}. Name another target, or say that it may be "
        "overwritten."
    )


def _entry(client: Client, volume_uuid: str, path: str) -> Entry | None:
    """None when there is nothing, or no folder for it."""
    folder, _, name = path.strip("/").rpartition("/")
    try:
        entries = files.list_folder(client, volume_uuid=volume_uuid, path=folder)
    except NotFound:
        return None
    return next((entry for entry in entries if entry.path == name), None)
