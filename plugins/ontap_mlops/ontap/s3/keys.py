"""The keys of an S3 user: ONTAP keeps up to two at once, so that a new one works before the old one goes.

ONTAP shows a secret once. Which of the two keys is in use, only the place that stores it knows; it is never touched
here before another has taken its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ontap_mlops.ontap import cluster
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InvalidRequest, NotFound, NotOurs
from ontap_mlops.ontap.marks import is_ours
from ontap_mlops.ontap.s3.accounts import Keys, keys_in, keys_shown, user_record

_IDS = (1, 2)
_UNKNOWN_ARGUMENT = "262179"


@dataclass(frozen=True, kw_only=True)
class Key:
    """``expires_at`` is ISO 8601 by ONTAP's clock; None for a key that does not end by itself."""

    id: int
    access_key: str
    expires_at: str | None = None


def list_keys(client: Client, *, svm: str, user: str) -> list[Key]:
    """Return the keys of a user, without secrets. Raises NotFound for one that does not exist."""
    return _keys_of(_user(client, svm, user))


@repeatable
def renew(client: Client, *, svm: str, user: str, in_use: str | None, time_to_live: str | None = None) -> Keys:
    """Make a new pair beside the one in use and return it; the caller stores it in the same step.

    A pair that nobody stored, such as that of a try whose worker died, gives way to it. On a release with one pair per
    user the new one replaces it, and clients fail until they have the new one.

    :param in_use: access key that the store holds; None when it holds none.
    :param time_to_live: ISO 8601, such as ``P90D``; the key ends by itself after that.
    Raises NotOurs for a user that was not made by this project and whose key is not the one in use.
    """
    record = _user(client, svm, user)
    there = _keys_of(record)
    if in_use not in [key.access_key for key in there] and not is_ours(record.get("comment")):
        raise NotOurs(
            f"S3 user {user!r} of SVM {svm!r} was not made by this project and does not use the key in the store, so "
            "its keys stay: new ones would lock out whoever uses it. Name another user or store."
        )
    slot = next(id_ for id_ in _IDS if id_ not in [key.id for key in there if key.access_key == in_use])
    ends = {"key_time_to_live": time_to_live} if time_to_live else {}
    try:
        return _regenerate(client, svm, user, {"key_id": slot, **ends})
    except InvalidRequest as error:
        if error.code != _UNKNOWN_ARGUMENT or error.target not in (None, "key_id"):
            raise
        return _regenerate(client, svm, user, ends)


@repeatable
def retire(client: Client, *, svm: str, user: str, in_use: str) -> list[str]:
    """Delete every key but the one in use; the access keys that are gone. Raises NotFound when it has no such key."""
    uuid = cluster.svm_uuid(client, svm=svm)
    there = list_keys(client, svm=svm, user=user)
    if in_use not in [key.access_key for key in there]:
        raise NotFound(
            f"S3 user {user!r} of SVM {svm!r} has no key {in_use}, which the store holds, so none of its keys was "
            "deleted. Make new ones first (OntapS3UserKeysRotateOperator)."
        )
    gone = [key for key in there if key.access_key != in_use]
    for key in gone:
        asked = f"delete key {key.access_key} of S3 user {user!r} of SVM {svm!r}"
        client.modify("S3User", {"name": user}, {"key_id": key.id}, uuid, asked=asked, delete_keys="true")
    return [key.access_key for key in gone]


def ending(keys: Sequence[Key], *, before: datetime) -> list[Key]:
    """Return the keys that end before that time, those that have ended among them."""
    return [key for key in keys if key.expires_at and datetime.fromisoformat(key.expires_at) < before]


def _regenerate(client: Client, svm: str, user: str, body: dict[str, Any]) -> Keys:
    uuid = cluster.svm_uuid(client, svm=svm)
    asked = f"make new keys for S3 user {user!r} of SVM {svm!r}"
    answer = client.modify("S3User", {"name": user}, body, uuid, asked=asked, regenerate_keys="true")
    return keys_shown(answer, user, svm)


def _user(client: Client, svm: str, user: str) -> dict[str, Any]:
    record = user_record(client, cluster.svm_uuid(client, svm=svm), user)
    if record is None:
        raise NotFound(f"SVM {svm!r} has no S3 user {user!r}. Run the DAG provision_ontap, or check the name.")
    return record


def _keys_of(record: dict[str, Any]) -> list[Key]:
    return [
        Key(id=int(key["id"]), access_key=key["access_key"], expires_at=key.get("expiry_time"))
        for key in keys_in(record)
    ]
