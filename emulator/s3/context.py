"""What a handler is given, and what it gives back."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from emulator import rules
from emulator.errors import OntapError
from emulator.s3 import errors, facts, flat, keys, policy, request, sigv4, space, unix
from emulator.s3.accounts import Accounts
from emulator.s3.target import Target
from emulator.volumes.autosize import room_for_files

if TYPE_CHECKING:
    from emulator.world import World

Record = dict[str, Any]

MULTIPART_ON_NAS = (9, 16, 1)
METADATA_ON_NAS = (9, 16, 1)
NAS_ON_CACHE = (9, 18, 1)


@dataclass
class Server:
    """What lives as long as the S3 server."""

    world: World
    accounts: Accounts
    facts: facts.FactStore
    space: space.Space
    index: flat.Index
    volumes: str = field(init=False)
    buckets: str = field(init=False)

    def __post_init__(self) -> None:
        self.volumes = os.path.realpath(self.world.dataplane.volumes)
        self.buckets = os.path.realpath(self.world.root / "s3" / "objects")
        self._changing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def changing(self, path: str) -> asyncio.Lock:
        """Held by who replaces or removes what is at a path."""
        lock = self._changing.get(path)
        if lock is None:
            lock = self._changing[path] = asyncio.Lock()
        return lock


@dataclass
class Response:
    """`file` is an open descriptor sent from `offset`; it is closed by whoever sends it."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    file: int | None = None
    offset: int = 0
    length: int = 0


@dataclass
class Context:
    server: Server
    req: request.Request
    signed: sigv4.Signed | None
    svm: str

    @property
    def user(self) -> str | None:
        return self.signed.credential.user if self.signed else None

    @property
    def version(self) -> tuple[int, int, int]:
        return self.server.world.config.version

    def bucket(self, name: str | None = None) -> Record:
        name = self.req.bucket if name is None else name
        record = self.server.accounts.view().buckets.get((self.svm, name))
        if record is None:
            raise errors.S3Error("NoSuchBucket", f"There is no bucket {name!r} on this SVM.")
        return record

    def may(self, action: str, bucket: Record | None, key: str = "") -> bool:
        """Whether bucket and group policies allow it."""
        name = bucket["name"] if bucket else "*"
        ask = policy.Ask(
            action=action,
            resource=f"{name}/{key}" if key else name,
            user=self.user,
            groups=self.server.accounts.groups(self.svm, self.user),
            source_ip=self.req.client_ip,
            query=self.req.query,
        )
        return self.server.accounts.allows(self.svm, bucket, ask)

    def require(self, action: str, bucket: Record | None, key: str = "") -> None:
        if not self.may(action, bucket, key):
            where = f"on {bucket['name']}/{key}" if bucket and key else f"on bucket {bucket['name']}" if bucket else ""
            raise errors.S3Error(
                "AccessDenied",
                f"No policy allows S3 user {self.user or 'anonymous'!r} to {action} {where}".strip() + ".",
            )

    def target(self, action: str, wanted: int, *, key: str | None = None, bucket: str | None = None) -> Target:
        """The bucket's directory, after both sides agreed: the policies to `action`, the volume to `wanted`.

        `wanted` is a sum of unix.READ, WRITE and SEARCH.
        """
        record = self.bucket(bucket)
        self.require(action, record, self.req.key if key is None else key)
        found = self._nas_target(record) if record["type"] == "nas" else self._s3_target(record)
        if found.is_nas:
            self._require_usable(found, wanted)
            self._require_unix(found, wanted)
        return found

    def _nas_target(self, record: Record) -> Target:
        at = self.server.accounts.volume_at(self.svm, record["nas_path"])
        if at is None:
            raise errors.S3Error(
                "NoSuchBucket",
                f"Bucket {record['name']!r} points at {record['nas_path']!r}, where no volume is mounted now.",
            )
        volume, rest = at
        volume_root = f"{self.server.volumes}/{volume['uuid']}/data"
        if volume.get("flexcache"):
            if self.version < NAS_ON_CACHE:
                raise errors.S3Error("NotImplemented", f"FlexCache volume {volume['name']!r} serves S3 from 9.18.1 on.")
            volume_root = os.path.realpath(volume_root)  # its files are its origin's, or its own copies
        root = keys.path_of(volume_root, volume_root, rest) if rest else volume_root
        if root is None:
            raise errors.S3Error(
                "NoSuchBucket", f"The folder {record['nas_path']!r} of this bucket is not in its volume."
            )
        return Target(record, root, volume_root, volume, room_for_files(volume))

    def _s3_target(self, record: Record) -> Target:
        root = f"{self.server.buckets}/{record['uuid']}"
        return Target(record, root, root, {}, record["size"])

    def _require_usable(self, target: Target, wanted: int) -> None:
        """A volume of a kind that is not read, or not written, now is not so as objects either."""
        try:
            rules.check("write" if wanted & unix.WRITE else "read", self.server.world, target.volume)
        except OntapError as refused:
            raise errors.S3Error("AccessDenied", refused.message) from refused

    def _require_unix(self, target: Target, wanted: int) -> None:
        user = self.server.accounts.unix_user(self.svm, self.user)
        owner = unix.owner(target.volume_root)
        if not unix.may(user, owner, wanted):
            raise errors.S3Error(
                "AccessDenied",
                f"S3 user {self.user or 'anonymous'!r} is UNIX user {user.name!r} ({user.uid}), whom the permissions "
                f"{owner.mode:04o} of volume {target.volume['name']!r} do not let {_verb(wanted)}; "
                "change nas.unix_permissions or the owner of the volume.",
            )


def _verb(wanted: int) -> str:
    return "write" if wanted & unix.WRITE else "read"


def bucket_dir(world: World, uuid: str) -> str:
    """Where the objects of a bucket of type s3 lie; outside of the volumes, since no NAS client may see it."""
    return str(world.root / "s3" / "objects" / uuid)
