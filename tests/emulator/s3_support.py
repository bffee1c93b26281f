"""An S3 server in this process over a world of its own, and boto3 clients for its users."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from emulator.s3 import context, server
from emulator.world import Config, World

SVM = {"name": "svm1", "uuid": "5f1e5a8e-0000-4000-8000-000000000001"}
GB = 1024**3

Client = Any


@dataclass
class S3World:
    root: Path
    version: str = "9.16.1"
    certificate: tuple[str, str] | None = None
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world = World(self.root, Config(ontap_version=self.version))
        self.world.store.insert(
            "s3_service",
            {"uuid": SVM["uuid"], "svm": SVM, "name": "s3", "enabled": True}
            | {"is_http_enabled": True, "is_https_enabled": True},
        )
        cert, key = self.certificate or (None, None)
        self.handle = server.serve(self.world, port=0, ssl_certfile=cert, ssl_keyfile=key)
        self.url = f"{'https' if cert else 'http'}://127.0.0.1:{self.handle.port}"

    def stop(self) -> None:
        self.handle.stop()
        self.world.jobs.stop()
        self.world.store.close()

    def volume(self, name: str, *, mode: int = 0o777, size: int = GB, uid: int = 0) -> Path:
        """A mounted volume; returns its directory, as an NFS client would see it."""
        uuid = str(uuid4())
        self.world.dataplane.create_volume(uuid, mode=mode, uid=uid, gid=0)
        record = {"uuid": uuid, "name": name, "svm": SVM, "junction": f"/{name}", "state": "online", "size": size}
        self.world.store.insert("volume", record | {"options": {"space.snapshot.reserve_percent": 0}})
        return self.world.dataplane.data_dir(uuid)

    def cache(self, name: str, *, of: str) -> None:
        """A mounted FlexCache volume that shows the files of another volume."""
        (origin,) = self.world.store.find("volume", name=of)
        uuid = str(uuid4())
        self.world.dataplane.create_cache(uuid, self.world.dataplane.data_dir(origin["uuid"]))
        shown = {"uuid": uuid, "name": name, "junction": f"/{name}", "flexcache": True}
        self.world.store.insert("volume", {key: origin[key] for key in origin if key != "_seq"} | shown)
        self.world.store.insert("flexcache", {"uuid": uuid, "connected": True})

    def bucket(self, name: str, *, nas_path: str | None = None, size: int = GB, statements: Any = None) -> None:
        """Everybody who signs may do everything, unless `statements` says something else."""
        uuid = str(uuid4())
        kind = {"type": "nas", "nas_path": nas_path} if nas_path else {"type": "s3", "size": size}
        given = [{"effect": "allow", "actions": ["*"], "resources": ["*"]}] if statements is None else statements
        record = {"uuid": uuid, "svm": SVM, "name": name, "comment": "", "created": self.world.clock.iso()}
        self.world.store.insert("s3_bucket", record | kind | {"policy": {"statements": given}})
        if not nas_path:
            Path(context.bucket_dir(self.world, uuid)).mkdir(parents=True)

    def nas(self, name: str = "images", **volume: Any) -> Path:
        """A volume and a NAS bucket of the same name over it."""
        path = self.volume(name, **volume)
        self.bucket(name, nas_path=f"/{name}")
        return path

    def user(self, name: str = "trainer", *, expiry: str | None = None) -> tuple[str, str]:
        if name not in self.keys:
            access, secret = f"AK{name.upper():X<18}", f"secret-of-{name}"
            record = {"uuid": access, "svm": SVM, "user": name, "secret_key": secret, "expiry_time": expiry}
            self.world.store.insert("s3_secret", record)
            self.world.store.insert("s3_user", {"uuid": str(uuid4()), "svm": SVM, "name": name, "keys": []})
            self.keys[name] = (access, secret)
        return self.keys[name]

    def client(self, user: str = "trainer", **config: Any) -> Client:
        access, secret = self.user(user)
        return client(self.url, access, secret, **config)

    def statement(self, name: str, **statement: Any) -> None:
        """Make this the one statement of a bucket."""
        found = self.world.store.find("s3_bucket", name=name)[0]
        self.world.store.update("s3_bucket", found["uuid"], policy={"statements": [statement]})


def client(url: str, access: str | None, secret: str | None, *, verify: str | bool = True, **config: Any) -> Client:
    """A boto3 client as a user would make it, except that it does not try again: a test wants the first answer."""
    import boto3
    from botocore.config import Config as BotoConfig

    settings = {"retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}} | config
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        verify=verify,
        config=BotoConfig(**settings),
    )
