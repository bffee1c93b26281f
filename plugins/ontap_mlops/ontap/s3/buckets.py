"""Buckets over folders of the namespace: the files below a junction path as objects, without a copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import cluster
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import JobStillRunning, NameTaken, NotFound, NotOurs, OntapPermanentError
from ontap_mlops.ontap.marks import MARK, is_ours
from ontap_mlops.ontap.s3.answers import says
from ontap_mlops.ontap.volumes import Volume

_BUCKET = "uuid,name,svm.name,svm.uuid,type,nas_path,comment,policy"


@dataclass(frozen=True, kw_only=True)
class Bucket:
    uuid: str
    name: str
    svm: str
    svm_uuid: str
    type: str | None = None
    nas_path: str | None = None
    comment: str = ""


@repeatable
def ensure_nas_bucket(
    client: Client,
    *,
    svm: str,
    name: str,
    nas_path: str,
    comment: str = MARK,
    statements: Sequence[dict[str, Any]] = (),
) -> Bucket:
    """Return the bucket of this name over the folder ``nas_path``, made now or by an earlier try.

    :param statements: access policy of the bucket itself. ONTAP makes bucket and policy one after the other and leaves
        the bucket behind when the policy fails, so a bucket without it is given it.
    """
    uuid = cluster.svm_uuid(client, svm=svm)
    record, failure = _bucket_record(client, svm, name), None
    policy = {"statements": [dict(statement) for statement in statements]}
    if record is None:
        body = {"svm": {"uuid": uuid}, "name": name, "type": "nas", "nas_path": nas_path, "comment": comment}
        body |= {"policy": policy} if statements else {}
        failure = _create_bucket(client, body, asked=f"create bucket {name!r} of SVM {svm!r} over {nas_path}")
        record = _bucket_record(client, svm, name)
    if record is None:
        raise failure or JobStillRunning(f"Bucket {name!r} of SVM {svm!r} was asked for but is not there. Try again.")
    bucket = _bucket(record, svm, uuid)
    _require_same_folder(bucket, nas_path)
    if statements and not says((record.get("policy") or {}).get("statements"), policy["statements"]):
        asked = f"set the access policy of bucket {name!r} of SVM {svm!r}"
        client.modify("S3Bucket", _bucket_key(bucket), {"policy": policy}, asked=asked)
    return bucket


def find_bucket(client: Client, *, svm: str, name: str) -> Bucket | None:
    record = _bucket_record(client, svm, name)
    return None if record is None else _bucket(record, svm, "")


@repeatable
def delete_bucket(client: Client, *, svm: str, name: str, over: Volume | None = None) -> bool:
    """Remove it; False if it was gone already. The files below a NAS bucket stay.

    Raises NotOurs when its comment does not carry our mark.

    :param over: a volume of ours: a bucket without any comment over its own junction path is ours too.
    """
    bucket = find_bucket(client, svm=svm, name=name)
    if bucket is None:
        return False
    if not is_ours(bucket.comment) and not _shows(bucket, over):
        raise NotOurs(
            f"Bucket {name!r} of SVM {svm!r} was not removed: its comment is {bucket.comment!r}, not our mark. "
            "Remove it by hand if it is yours to remove."
        )
    try:
        client.remove("S3Bucket", _bucket_key(bucket), asked=f"remove bucket {name!r} of SVM {svm!r}")
    except NotFound:
        return False
    return True


def _shows(bucket: Bucket, volume: Volume | None) -> bool:
    if volume is None or bucket.comment or bucket.type != "nas" or not volume.is_ours or volume.is_svm_root:
        return False
    return volume.junction_path is not None and bucket.nas_path == volume.junction_path


def _create_bucket(client: Client, body: dict[str, Any], *, asked: str) -> OntapPermanentError | None:
    """The error that may still have left the bucket behind, for the caller to look."""
    try:
        client.create("S3Bucket", body, asked=asked)
    except OntapPermanentError as error:
        return error
    return None


def _require_same_folder(bucket: Bucket, nas_path: str) -> None:
    if bucket.type != "nas" or (bucket.nas_path or "").rstrip("/") != nas_path.rstrip("/"):
        raise NameTaken(
            f"Bucket {bucket.name!r} of SVM {bucket.svm!r} exists over {bucket.nas_path or 'objects of its own'}, not "
            f"over {nas_path}. {NameTaken.advice}."
        )


def _bucket_record(client: Client, svm: str, name: str) -> dict[str, Any] | None:
    asked = f"look up bucket {name!r} of SVM {svm!r}"
    found = client.records("S3Bucket", asked=asked, fields=_BUCKET, name=name, **{"svm.name": svm})
    return next((record for record in found if record.get("name") == name), None)


def _bucket(record: dict[str, Any], svm: str, svm_uuid: str) -> Bucket:
    return Bucket(
        uuid=record["uuid"],
        name=record.get("name", ""),
        svm=svm,
        svm_uuid=(record.get("svm") or {}).get("uuid", svm_uuid),
        type=record.get("type"),
        nas_path=record.get("nas_path"),
        comment=record.get("comment") or "",
    )


def _bucket_key(bucket: Bucket) -> dict[str, Any]:
    return {"svm": {"uuid": bucket.svm_uuid}, "uuid": bucket.uuid}
