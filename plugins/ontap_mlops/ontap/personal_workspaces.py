"""Workspaces for persons: a FlexClone of one dataset version, until a day that its comment names.

``ontap-mlops workspace <name> of <person> on <version id> until <ISO time>``: what does not say so exactly is never
collected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from ontap_mlops import names
from ontap_mlops.ontap import clones, s3, volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import NameTaken, NotFound, NotOurs
from ontap_mlops.ontap.marks import mark
from ontap_mlops.ontap.volumes import Volume

_LENT = re.compile(re.escape(mark("workspace ")) + r"(\S+) of (\S+) on (\S+) until (\S+)")


@dataclass(frozen=True, kw_only=True)
class PersonalWorkspace:
    """``version`` is the id of the dataset version; ``until`` is in UTC, by ONTAP's clock."""

    name: str
    person: str
    version: str
    until: datetime
    volume: Volume


def list_workspaces(client: Client, *, svm: str) -> list[PersonalWorkspace]:
    """Return the workspaces of persons on the SVM, the one that ends first first."""
    found = volumes.list_volumes(client, svm=svm, name="mlops_for_*")
    lent = [each for volume in found if (each := as_lent(volume)) is not None]
    return sorted(lent, key=lambda each: each.until)


def find(client: Client, *, svm: str, person: str, name: str) -> PersonalWorkspace | None:
    """Raises NotOurs when there is a volume of that name which is no workspace of the person."""
    volume = volumes.find(client, svm=svm, name=names.personal_workspace(person, name))
    if volume is None:
        return None
    lent = as_lent(volume)
    if lent is None or (lent.name, lent.person) != (name, _one_word(person)):
        raise NotOurs(
            f"Volume {volume.name!r} of SVM {svm!r} is not workspace {name!r} of {person}: its comment is "
            f"{volume.comment!r}. Choose another name."
        )
    return lent


@repeatable
def ensure(
    client: Client,
    *,
    svm: str,
    person: str,
    name: str,
    version: str,
    parent_volume: str,
    parent_snapshot: str,
    until: datetime,
    junction_path: str | None = None,
    with_bucket: bool = False,
) -> PersonalWorkspace:
    """Return the person's workspace, made now or earlier, mounted, and there until then.

    Raises NameTaken when the person has one of this name on another version: what is in it would be lost.

    :param junction_path: ``/<volume>`` if not given.
    :param with_bucket: show it as an S3 bucket named after the volume too.
    """
    there, volume = find(client, svm=svm, person=person, name=name), names.personal_workspace(person, name)
    if there is not None and there.version != version:
        raise NameTaken(
            f"Workspace {name!r} of {person} is on dataset version {there.version}, not on {version}, and holds what "
            "was written there. End it first, or choose another name."
        )
    path = junction_path or (there.volume.junction_path if there else None) or names.junction_path(volume)
    comment = mark(f"workspace {name} of {_one_word(person)} on {version} until {_text(until)}")
    made = clones.ensure(
        client,
        svm=svm,
        name=volume,
        parent_volume=parent_volume,
        parent_snapshot=parent_snapshot,
        comment=there.volume.comment if there else comment,
        junction_path=path,
    )
    made = volumes.set_comment(client, volume=made, comment=comment)
    if with_bucket:
        s3.ensure_nas_bucket(client, svm=svm, name=names.bucket(volume), nas_path=path, comment=mark(f"for {person}"))
    return _required(made, person, name)


@repeatable
def extend(client: Client, *, svm: str, person: str, name: str, until: datetime) -> PersonalWorkspace:
    """Let it end at another time, later or earlier. Raises NotFound, naming those that the person has."""
    there = find(client, svm=svm, person=person, name=name)
    if there is None:
        raise _missing(client, svm, person, name)
    comment = mark(f"workspace {name} of {there.person} on {there.version} until {_text(until)}")
    return _required(volumes.set_comment(client, volume=there.volume, comment=comment), person, name)


def end(client: Client, *, svm: str, person: str, name: str) -> bool:
    """Remove it with its bucket and all that is in it; False when it was gone already."""
    there = find(client, svm=svm, person=person, name=name)
    return there is not None and _remove(client, svm, there)


def collect(client: Client, *, svm: str, now: datetime) -> list[str]:
    """Remove those whose time is over; return the names of their volumes. One that is extended meanwhile stays."""
    over = [lent for lent in list_workspaces(client, svm=svm) if lent.until <= now]
    return [lent.volume.name for lent in over if collect_one(client, svm=svm, lent=lent)]


def collect_one(client: Client, *, svm: str, lent: PersonalWorkspace) -> bool:
    """Remove one whose time is over; False, and nothing is done, where it was extended meanwhile or is gone."""
    return _still_over(client, svm, lent) and _remove(client, svm, lent)


def _remove(client: Client, svm: str, lent: PersonalWorkspace) -> bool:
    name = lent.volume.name
    return clones.delete_with_bucket(client, svm=svm, name=name, bucket=names.bucket(name), comment=lent.volume.comment)


def _still_over(client: Client, svm: str, lent: PersonalWorkspace) -> bool:
    there = volumes.find(client, svm=svm, name=lent.volume.name)
    return there is not None and (there.uuid, there.comment) == (lent.volume.uuid, lent.volume.comment)


def _missing(client: Client, svm: str, person: str, name: str) -> NotFound:
    theirs = [each.name for each in list_workspaces(client, svm=svm) if each.person == _one_word(person)]
    known = f"has {', '.join(theirs)}" if theirs else "has none"
    return NotFound(f"There is no workspace {name!r} of {person} on SVM {svm!r}; {person} {known}. Check the name.")


def _required(volume: Volume, person: str, name: str) -> PersonalWorkspace:
    lent = as_lent(volume)
    if lent is None:
        raise NotFound(f"Workspace {name!r} of {person} was changed by somebody else: {volume.comment!r}.")
    return lent


def as_lent(volume: Volume) -> PersonalWorkspace | None:
    """None for a volume that is not, beyond doubt, a workspace of a person."""
    match = _LENT.fullmatch(volume.comment)
    if match is None or not volume.is_clone:
        return None
    try:
        until, expected = datetime.fromisoformat(match[4]), names.personal_workspace(match[2], match[1])
    except ValueError:
        return None
    if until.tzinfo is None or volume.name != expected:
        return None
    return PersonalWorkspace(name=match[1], person=match[2], version=match[3], until=until, volume=volume)


def _one_word(person: str) -> str:
    return re.sub(r"\s+", "_", person.strip())


def _text(until: datetime) -> str:
    return until.astimezone(UTC).isoformat(timespec="seconds")
