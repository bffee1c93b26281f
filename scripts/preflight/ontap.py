"""ONTAP: is it reached, does its clock agree, which rights has the account, are its volumes mounted at the places.

Rights are found out by doing: a small volume is made, frozen, cloned, shown as a bucket, and all is removed again.
Where the account may not make volumes, the volume of the first dataset that exists is frozen and cloned instead.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

import scripts.preflight as preflight
from ontap_mlops import names, registry, settings
from ontap_mlops.compute import places
from ontap_mlops.compute.kinds.local import LocalRunner
from ontap_mlops.hooks.ontap import OntapHook
from ontap_mlops.ontap import clones, cluster, marks, s3, snapshots, volumes
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.errors import NotFound, OntapError
from scripts.preflight import Check, Failed

SIZE = 100 * 1024**2
SEE, MAKE, FREEZE, CLONE, BUCKET = (
    "see volumes",
    "make a volume",
    "make a snapshot",
    "clone a snapshot",
    "make a bucket",
)


@dataclass
class Probe:
    """``made`` holds what is still to be removed, and how. ``parent`` is the volume that is frozen and cloned."""

    client: Client
    svm: str
    name: str = field(default_factory=lambda: f"mlops_preflight_{uuid4().hex[:8]}")
    parent: volumes.Volume | None = None
    made: dict[str, Callable[[], object]] = field(default_factory=dict)

    @property
    def clone(self) -> str:
        return f"{self.name}_clone"

    @property
    def comment(self) -> str:
        return marks.mark("preflight")


def report(conn_id: str, *, read_only: bool) -> int:
    hook = OntapHook(conn_id)
    reached = Check(f"ONTAP, {conn_id}", partial(_reached, hook), "every DAG")
    if failed := preflight.report([reached]):
        return failed
    with hook.client() as client, _removed_after(Probe(client, hook.svm())) as probe:
        checks = [Check("clocks of ONTAP and this machine", partial(clocks, client), "version, choose")]
        checks += [Check(SEE, partial(_see, probe), "every DAG")]
        checks += [] if read_only else _rights(probe)
        checks += [
            Check(
                f"volumes mounted at place {name}",
                partial(_mounted, probe, name),
                "every task that runs a program",
                SEE,
            )
            for name in _places()
        ]
        checks += [] if read_only else [Check("remove a volume", partial(_remove, probe, MAKE), "clean-up", MAKE)]
        return preflight.report(checks)


def _rights(probe: Probe) -> list[Check]:
    return [
        Check(MAKE, partial(_make, probe), "provision_ontap.volumes", SEE),
        Check("change a volume", partial(_change, probe), "provision_ontap.s3, raise_qos, delete_workspace", MAKE),
        Check(FREEZE, partial(_freeze, probe), "version, promote.register, freeze", SEE),
        Check(CLONE, partial(_clone, probe), "create_workspace", FREEZE),
        Check("remove a clone", partial(_remove, probe, CLONE), "delete_workspace", CLONE),
        Check("remove a snapshot", partial(_remove, probe, FREEZE), "expire, retention", FREEZE),
        Check("see the S3 server", partial(_s3, probe), "provision_ontap.s3, workspaces with a bucket"),
        Check(BUCKET, partial(_bucket, probe), "provision_ontap.s3, workspaces with a bucket", MAKE),
        Check("remove a bucket", partial(_remove, probe, BUCKET), "delete_workspace with a bucket", BUCKET),
    ]


def _reached(hook: OntapHook) -> str:
    worked, sentence = hook.test_connection()
    if not worked:
        raise Failed(sentence)
    return f"{sentence} SVM {hook.svm()} is used where none is named."


def clocks(client: Client) -> str:
    """Raises Failed where they differ by more than the settings allow."""
    seconds = abs((cluster.now(client) - datetime.now(UTC)).total_seconds())
    limit = settings.clock_skew_s()
    if limit and seconds > limit:
        raise Failed(
            f"they differ by {seconds:.0f} s, more than [ontap_mlops] clock_skew_s = {limit}; set both by one server"
        )
    return f"they differ by {seconds:.0f} s"


def _see(probe: Probe) -> str:
    seen = volumes.list_volumes(probe.client, svm=probe.svm)
    mine = {dataset.volume for dataset in _datasets()}
    probe.parent = next((volume for volume in seen if volume.name in mine), None)
    return f"{len(seen)} on SVM {probe.svm}"


def _make(probe: Probe) -> str:
    probe.parent = volumes.ensure(
        probe.client,
        svm=probe.svm,
        name=probe.name,
        size_bytes=SIZE,
        comment=probe.comment,
        junction_path=names.junction_path(probe.name),
        unix_permissions="755",
    )
    probe.made[MAKE] = partial(volumes.delete, probe.client, svm=probe.svm, name=probe.name, comment=probe.comment)
    return f"{probe.name}, {SIZE // 1024**2} MB"


def _change(probe: Probe) -> str:
    """The permissions, which every provisioning sets; as the places need them for what is written below."""
    volume = volumes.set_unix_permissions(
        probe.client, volume=volumes.get(probe.client, svm=probe.svm, name=probe.name), unix_permissions="777"
    )
    return f"its permissions are {volume.unix_permissions}"


def _freeze(probe: Probe) -> str:
    if probe.parent is None:
        raise Failed("there is no volume to freeze: none could be made, and no dataset has one yet")
    made = snapshots.ensure(probe.client, volume_uuid=probe.parent.uuid, name=probe.name, comment=probe.comment)
    probe.made[FREEZE] = partial(snapshots.delete, probe.client, volume_uuid=probe.parent.uuid, name=probe.name)
    return f"{made.name} of {probe.parent.name}"


def _clone(probe: Probe) -> str:
    made = clones.ensure(
        probe.client,
        svm=probe.svm,
        name=probe.clone,
        parent_volume=probe.parent.name if probe.parent else "",
        parent_snapshot=probe.name,
        comment=probe.comment,
        junction_path=names.junction_path(probe.clone),
    )
    probe.made[CLONE] = partial(clones.delete, probe.client, svm=probe.svm, name=probe.clone, comment=probe.comment)
    return made.name


def _s3(probe: Probe) -> str:
    if not _serves_s3(probe):
        return "there is none yet; provision_ontap makes it"
    return f"serves at {s3.endpoint_url(probe.client, svm=probe.svm)}"


def _serves_s3(probe: Probe) -> bool:
    try:
        s3.service(probe.client, svm=probe.svm)
    except NotFound:
        return False
    return True


def _bucket(probe: Probe) -> str:
    if not _serves_s3(probe):
        return "not tried: a bucket needs the S3 server"
    made = s3.ensure_nas_bucket(
        probe.client,
        svm=probe.svm,
        name=names.bucket(probe.name),
        nas_path=names.junction_path(probe.name),
        comment=probe.comment,
    )
    probe.made[BUCKET] = partial(s3.delete_bucket, probe.client, svm=probe.svm, name=made.name)
    return made.name


def _mounted(probe: Probe, place: str) -> str:
    """A file is written where the place sees a volume; where none was made, a folder has to be there."""
    runner = places.runner(place)
    if not isinstance(runner, LocalRunner):
        return "not on this machine; not looked at"
    roots = runner.namespace_roots
    root = roots.get(probe.svm, roots.get("default"))
    if root is None:
        raise Failed(
            f"compute.yaml names no folder for SVM {probe.svm}; add it to namespace_roots, or give a 'default'"
        )
    if probe.parent is None:
        return f"{root} is named; no volume is there to look for"
    folder = Path(root) / (probe.parent.junction_path or probe.parent.name).strip("/")
    if not folder.is_dir():
        raise Failed(f"volume {probe.parent.name} is not at {folder}; mount {probe.svm}:/ at {root}")
    if probe.parent.name == probe.name:
        (folder / "preflight").write_text("written by preflight\n")
        return f"{folder} was written"
    return f"{folder} is there"


def _remove(probe: Probe, what: str) -> str:
    remove = probe.made.pop(what, None)
    if remove is None:
        return "there was none to remove"
    remove()
    return "done"


@contextlib.contextmanager
def _removed_after(probe: Probe) -> Iterator[Probe]:
    """What an ended or interrupted check has left goes, the newest first; what cannot be removed is named."""
    try:
        yield probe
    finally:
        for what, remove in reversed(probe.made.items()):
            try:
                remove()
            except OntapError as error:
                print(f"left     {what:<34} {error}")


def _datasets() -> list[registry.Dataset]:
    with contextlib.suppress(ValueError):
        return list(registry.datasets().values())
    return []


def _places() -> list[str]:
    with contextlib.suppress(ValueError):
        return sorted(places.places())
    return []
