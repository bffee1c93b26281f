"""ONTAP's S3 server: one per SVM, its users, groups and policies, and buckets over folders of the namespace.

A bucket of type "nas" shows the files below a junction path as objects: nothing is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ontap_mlops.ontap import cluster
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import JobStillRunning, NameTaken, NotFound, NotOurs, OntapPermanentError
from ontap_mlops.ontap.marks import MARK, is_ours
from ontap_mlops.ontap.volumes import Volume

FULL_ACCESS: tuple[dict[str, Any], ...] = (
    {"sid": "FullAccess", "effect": "allow", "actions": ["*"], "resources": ["*"]},
)
_SERVICE = "svm.uuid,svm.name,name,enabled,is_http_enabled,is_https_enabled,port,secure_port,default_unix_user"
_BUCKET = "uuid,name,svm.name,svm.uuid,type,nas_path,comment,policy"


@dataclass(frozen=True, kw_only=True)
class Service:
    """``port`` is that of HTTP, ``secure_port`` that of HTTPS."""

    svm: str
    svm_uuid: str
    name: str
    enabled: bool
    http: bool
    https: bool
    port: int
    secure_port: int


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Shown by ONTAP once, when made: whoever gets them stores them in the same step."""

    user: str
    access_key: str
    secret_key: str = field(repr=False)


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
def ensure_service(
    client: Client,
    *,
    svm: str,
    name: str | None = None,
    http: bool = True,
    https: bool = False,
    default_unix_user: str | None = None,
) -> Service:
    """The SVM's S3 server, switched on, with at least these protocols.

    :param name: host name clients may use; made from the SVM's if not given. Kept as it is on a server that exists.
    :param default_unix_user: whom S3 users act as on files when no name mapping says otherwise.
    """
    uuid = cluster.svm_uuid(client, svm=svm)
    wanted: dict[str, Any] = {"enabled": True}
    wanted |= {"is_http_enabled": True} if http else {}
    wanted |= {"is_https_enabled": https} if https or http else {}
    wanted |= {"default_unix_user": default_unix_user} if default_unix_user else {}
    record = _service_record(client, svm)
    if record is None:
        body = {"svm": {"uuid": uuid}, "name": name or _server_name(svm), **wanted}
        _unless_taken(client, "S3Service", body, asked=f"create the S3 server of SVM {svm!r}")
    elif missing := {k: v for k, v in wanted.items() if record.get(k) != v and v is not False}:
        client.modify("S3Service", {"svm": {"uuid": uuid}}, missing, asked=f"set up the S3 server of SVM {svm!r}")
    return service(client, svm=svm)


def service(client: Client, *, svm: str) -> Service:
    """Raises NotFound when the SVM serves no S3."""
    record = _service_record(client, svm)
    if record is None:
        raise NotFound(f"SVM {svm!r} has no S3 server. Run the DAG provision_ontap, or make one.")
    return Service(
        svm=svm,
        svm_uuid=record["svm"]["uuid"],
        name=record.get("name", ""),
        enabled=bool(record.get("enabled")),
        http=bool(record.get("is_http_enabled")),
        https=bool(record.get("is_https_enabled")),
        port=int(record.get("port") or 80),
        secure_port=int(record.get("secure_port") or 443),
    )


def endpoint_url(client: Client, *, svm: str) -> str:
    """URL of the SVM's S3 server on its first data interface; HTTPS if that is on."""
    found = service(client, svm=svm)
    scheme, port = ("https", found.secure_port) if found.https else ("http", found.port)
    asked = f"list the network interfaces of SVM {svm!r}"
    fields = "name,ip.address,enabled,services"
    interfaces = client.records("IpInterface", asked=asked, fields=fields, **{"svm.name": svm})
    usable = [i for i in interfaces if (i.get("ip") or {}).get("address") and i.get("enabled", True)]
    usable.sort(key=lambda i: "data_s3_server" not in (i.get("services") or ()))
    if not usable:
        raise NotFound(f"SVM {svm!r} has no enabled network interface for S3. Make a data LIF with the S3 service.")
    address = usable[0]["ip"]["address"]
    host = f"[{address}]" if ":" in address else address
    default = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{host}" + ("" if port == default else f":{port}")


@repeatable
def ensure_user(
    client: Client, *, svm: str, name: str, known_access_key: str | None = None, comment: str = MARK
) -> Keys | None:
    """The user, with new keys unless ``known_access_key`` is the one it has; None when that is so.

    ONTAP never shows a secret key again, so a user whose keys were lost gets new ones.
    """
    uuid = cluster.svm_uuid(client, svm=svm)
    record = _named(client, "S3User", uuid, name, fields="name,access_key,comment", what=f"S3 user {name!r}")
    if record is None:
        asked = f"create S3 user {name!r} of SVM {svm!r}"
        try:
            answer = client.create("S3User", {"name": name, "comment": comment}, uuid, asked=asked)
            return _keys(answer, name, svm)
        except NameTaken:
            pass  # an earlier try of ours whose answer was lost: its keys are lost too
    elif known_access_key is not None and record.get("access_key") == known_access_key:
        return None
    asked = f"make new keys for S3 user {name!r} of SVM {svm!r}"
    answer = client.modify("S3User", {"name": name}, {}, uuid, asked=asked, regenerate_keys="true")
    return _keys(answer, name, svm)


@repeatable
def ensure_policy(
    client: Client,
    *,
    svm: str,
    name: str,
    statements: Sequence[dict[str, Any]] = FULL_ACCESS,
    comment: str = MARK,
) -> None:
    """A policy that groups refer to, with exactly these statements (sid, effect, actions, resources)."""
    uuid = cluster.svm_uuid(client, svm=svm)
    record = _named(client, "S3Policy", uuid, name, fields="name,statements", what=f"S3 policy {name!r}")
    wanted = [dict(statement) for statement in statements]
    if record is None:
        body = {"name": name, "comment": comment, "statements": wanted}
        _unless_taken(client, "S3Policy", body, uuid, asked=f"create S3 policy {name!r} of SVM {svm!r}")
    elif not _says(record.get("statements"), wanted):
        asked = f"change S3 policy {name!r} of SVM {svm!r}"
        client.modify("S3Policy", {"name": name}, {"statements": wanted}, uuid, asked=asked)


@repeatable
def ensure_group(
    client: Client,
    *,
    svm: str,
    name: str,
    users: Sequence[str],
    policies: Sequence[str],
    comment: str = MARK,
) -> None:
    """A group with at least these users and policies; others in it stay."""
    uuid = cluster.svm_uuid(client, svm=svm)
    fields = "id,name,users.name,policies.name"
    record = _named(client, "S3Group", uuid, name, fields=fields, what=f"S3 group {name!r}")
    if record is None:
        body = {"name": name, "comment": comment, "users": _refs(users), "policies": _refs(policies)}
        _unless_taken(client, "S3Group", body, uuid, asked=f"create S3 group {name!r} of SVM {svm!r}")
        return
    there = {part: _names(record.get(part)) for part in ("users", "policies")}
    wanted = {"users": _union(there["users"], users), "policies": _union(there["policies"], policies)}
    changed = {part: _refs(names) for part, names in wanted.items() if names != there[part]}
    if changed:
        asked = f"change S3 group {name!r} of SVM {svm!r}"
        client.modify("S3Group", {"id": record["id"]}, changed, uuid, asked=asked)


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
    """The bucket of this name over the folder ``nas_path``, made now or by an earlier try.

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
    if statements and not _says((record.get("policy") or {}).get("statements"), policy["statements"]):
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


def _server_name(svm: str) -> str:
    """At most 15 of letters, digits, dots and hyphens."""
    return f"s3-{svm.replace('_', '-')}"[:15].rstrip("-")


def _service_record(client: Client, svm: str) -> dict[str, Any] | None:
    asked = f"look up the S3 server of SVM {svm!r}"
    found = client.records("S3Service", asked=asked, fields=_SERVICE, **{"svm.name": svm})
    return found[0] if found else None


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


def _named(client: Client, kind: str, svm_uuid: str, name: str, *, fields: str, what: str) -> dict[str, Any] | None:
    try:
        found = client.records(kind, svm_uuid, asked=f"look up {what}", fields=fields, name=name)
    except NotFound:
        return None
    return next((record for record in found if record.get("name") == name), None)


def _unless_taken(client: Client, kind: str, body: dict[str, Any], *parents: str, asked: str) -> None:
    """Create it; that it exists already means an earlier try of ours, whose answer was lost, made it."""
    try:
        client.create(kind, body, *parents, asked=asked)
    except NameTaken:
        return


def _keys(answer: dict[str, Any], user: str, svm: str) -> Keys:
    shown = (answer.get("records") or [answer])[0]
    if not shown.get("access_key") or not shown.get("secret_key"):
        raise JobStillRunning(f"ONTAP showed no keys for S3 user {user!r} of SVM {svm!r}; the next try makes new ones.")
    return Keys(user=user, access_key=shown["access_key"], secret_key=shown["secret_key"])


def _says(there: Any, wanted: Sequence[dict[str, Any]]) -> bool:
    """Whether the statements there hold all that is wanted; ONTAP adds fields of its own."""
    there = there or []
    return len(there) == len(wanted) and all(
        _plain(a.get(key)) == _plain(value) for a, b in zip(there, wanted, strict=True) for key, value in b.items()
    )


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(v.get("name") if isinstance(v, dict) and "name" in v else v) for v in value]
    return value


def _refs(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"name": name} for name in names]


def _names(refs: Any) -> list[str]:
    return [ref["name"] for ref in refs or [] if ref.get("name")]


def _union(there: Sequence[str], more: Sequence[str]) -> list[str]:
    return [*there, *(name for name in more if name not in there)]
