"""Keys, users, groups, policies, buckets and volumes as the S3 server looks them up.

Every object request needs half a dozen records. Reading them from SQLite each time would cost more than serving the
object, so they are kept in dictionaries and read again as soon as anything in the store was written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from emulator.s3 import errors, policy, sigv4, unix

if TYPE_CHECKING:
    from emulator.world import World

Record = dict[str, Any]


@dataclass
class View:
    """What the store held at one moment."""

    services: dict[str, Record] = field(default_factory=dict)  # by SVM uuid
    stopped: frozenset[str] = frozenset()  # UUIDs of SVMs
    keys: dict[str, Record] = field(default_factory=dict)  # secrets by access key
    groups_of: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)  # by SVM uuid and user
    group_policies: dict[tuple[str, str], list[str]] = field(default_factory=dict)  # by SVM uuid and group
    statements: dict[tuple[str, str], list[Record]] = field(default_factory=dict)  # by SVM uuid and policy
    buckets: dict[tuple[str, str], Record] = field(default_factory=dict)  # by SVM uuid and name
    volumes: dict[str, list[tuple[str, Record]]] = field(default_factory=dict)  # by SVM uuid: junction path and volume
    mappings: dict[str, list[Record]] = field(default_factory=dict)  # s3_unix name mappings by SVM uuid
    unix_users: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)  # by SVM uuid


class Accounts:
    def __init__(self, world: World) -> None:
        self._world = world
        self._view = View()
        self._generation = -1

    def view(self) -> View:
        generation = self._world.store.generation
        if generation != self._generation:
            self._view = _read(self._world)
            self._generation = generation
        return self._view

    def credential(self, access_key: str) -> sigv4.Credential:
        secret = self.view().keys.get(access_key)
        if secret is None:
            raise errors.S3Error("InvalidAccessKeyId", f"No S3 user has the access key {access_key!r}.")
        expiry = secret.get("expiry_time")
        # Expiry is a time that ONTAP reports, so it goes by the cluster's clock.
        if expiry and datetime.fromisoformat(expiry) <= self._world.clock.now():
            raise errors.S3Error(
                "InvalidAccessKeyId", f"The keys of S3 user {secret['user']!r} expired at {expiry}; regenerate them."
            )
        return sigv4.Credential(secret["secret_key"], secret["user"], secret["svm"]["uuid"])

    def svm_of(self, signed: sigv4.Signed | None, bucket: str) -> str:
        """Keys belong to one SVM, which is then the one asked; an unsigned request goes to who has the bucket."""
        if signed is not None:
            return signed.credential.svm_uuid
        owners = [svm for svm, name in self.view().buckets if name == bucket]
        if not owners:
            raise errors.S3Error("AccessDenied", "The request is not signed.")
        return owners[0]

    def service(self, svm: str, scheme: str) -> Record:
        """The SVM's S3 server, provided that it is up and serves this scheme."""
        service = self.view().services.get(svm)
        if svm in self.view().stopped:
            raise errors.S3Error("ServiceUnavailable", "The SVM is stopped.")
        if service is None or not service.get("enabled", True):
            raise errors.S3Error("ServiceUnavailable", "The S3 server of this SVM is not enabled.")
        if not service.get(f"is_{scheme}_enabled", scheme == "https"):
            raise errors.S3Error(
                "AccessDenied", f"{scheme.upper()} is not enabled on the S3 server {service['name']!r} of this SVM."
            )
        return service

    def allows(self, svm: str, bucket: Record | None, ask: policy.Ask) -> bool:
        """By bucket policy and group policies. The S3 user root is bound by neither."""
        if ask.user == "root":
            return True
        bucket_statements = ((bucket or {}).get("policy") or {}).get("statements") or []
        return policy.allowed(bucket_statements, self._group_statements(svm, ask), ask)

    def _group_statements(self, svm: str, ask: policy.Ask) -> list[Record]:
        view = self.view()
        names = {name for group in ask.groups for name in view.group_policies.get((svm, group), [])}
        # Who is in the group is settled; the statements of a group policy name no principals.
        return [s for name in sorted(names) for s in view.statements.get((svm, name), [])]

    def groups(self, svm: str, user: str | None) -> frozenset[str]:
        return self.view().groups_of.get((svm, user or ""), frozenset())

    def unix_user(self, svm: str, user: str | None) -> unix.UnixUser:
        view = self.view()
        return unix.mapped(
            user,
            mappings=view.mappings.get(svm, ()),
            users=view.unix_users.get(svm),
            default_user=view.services.get(svm, {}).get("default_unix_user"),
        )

    def volume_at(self, svm: str, path: str) -> tuple[Record, str] | None:
        """The volume that holds a path of the SVM's namespace, and the rest of the path below its junction."""
        return volume_at(self.view().volumes.get(svm, []), path)


def volume_at(mounted: list[tuple[str, Record]], path: str) -> tuple[Record, str] | None:
    """`mounted` has the deepest junctions first."""
    path = "/" + path.strip("/")
    for junction, volume in mounted:
        if path == junction or path.startswith(junction.rstrip("/") + "/"):
            return volume, path[len(junction.rstrip("/")) :].strip("/")
    return None


def mounted_volumes(world: World, svm_uuid: str) -> list[tuple[str, Record]]:
    """Junction path and volume of all volumes mounted below an SVM's root, the deepest first."""
    pairs = [
        (path, volume)
        for volume in world.store.find("volume", svm__uuid=svm_uuid)
        if (path := volume["junction"]) and path != "/" and volume["state"] == "online"
    ]
    return sorted(pairs, key=lambda pair: -len(pair[0]))


def _read(world: World) -> View:
    store = world.store
    view = View()
    stopped = {svm["uuid"] for svm in store.find("svm") if svm["state"] != "running"}
    services = {record["svm"]["uuid"]: record for record in store.find("s3_service")}
    view.services = {svm: service for svm, service in services.items() if svm not in stopped}
    view.stopped = frozenset(uuid for uuid, state in store.column("svm", "state").items() if state == "stopped")
    view.keys = {record["uuid"]: record for record in store.find("s3_secret")}
    view.buckets = {(r["svm"]["uuid"], r["name"]): r for r in store.find("s3_bucket")}
    view.statements = {(r["svm"]["uuid"], r["name"]): r["statements"] for r in store.find("s3_policy")}
    for svm in view.services:
        view.statements |= {(svm, name): statements for name, statements in policy.PREDEFINED.items()}
        view.volumes[svm] = mounted_volumes(world, svm)
    _read_groups(world, view)
    for mapping in store.find("name_mapping"):
        view.mappings.setdefault(mapping["svm"]["uuid"], []).append(mapping)
    for user in store.find("unix_user"):
        users = view.unix_users.setdefault(user["svm"]["uuid"], {})
        users[user["name"]] = (user["id"], user["primary_gid"])
    return view


def _read_groups(world: World, view: View) -> None:
    members: dict[tuple[str, str], set[str]] = {}
    for group in world.store.find("s3_group"):
        svm = group["svm"]["uuid"]
        view.group_policies[svm, group["name"]] = [p["name"] for p in group.get("policies") or []]
        for user in group.get("users") or []:
            members.setdefault((svm, user["name"]), set()).add(group["name"])
    view.groups_of = {who: frozenset(names) for who, names in members.items()}
