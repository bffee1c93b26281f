"""All volumes of an SVM with what each holds, and the versions of one dataset, in one request each: for pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ontap_mlops.ontap import dataset_versions, personal_workspaces, snapshots, volumes, workspaces
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.dataset_caches import is_origin
from ontap_mlops.ontap.dataset_versions import NOTHING, Adoption
from ontap_mlops.ontap.snapshots import Snapshot
from ontap_mlops.ontap.volumes import Volume
from ontap_mlops.records import DatasetVersion

WORKSPACE, PERSONAL, ORIGIN, OURS, FOREIGN = "workspace", "person's workspace", "cache origin", "ours", "another's"


@dataclass(frozen=True)
class Held:
    """A volume, and how many snapshots it has, whoever made them."""

    volume: Volume
    snapshots: int


def look(client: Client, *, svm: str) -> list[Held]:
    """Return the volumes of an SVM in one request for each 10,000 of them."""
    asked = f"list the volumes of SVM {svm!r} with their snapshots counted"
    fields = f"{volumes.FIELDS},snapshot_count"
    found = client.records("Volume", asked=asked, fields=fields, **{"svm.name": svm})
    return [Held(volumes.of_record(record, svm), int(record.get("snapshot_count") or 0)) for record in found]


def kind_of(volume: Volume) -> str:
    """Say in words what the volume is to us."""
    if personal_workspaces.as_lent(volume) is not None:
        return PERSONAL
    if workspaces.as_kept(volume) is not None or workspaces.as_used(volume) is not None:
        return WORKSPACE
    if is_origin(volume):
        return ORIGIN
    return OURS if volume.is_ours else FOREIGN


def list_versions(
    client: Client, *, svm: str, volume: str, dataset: str, adopt: Adoption = NOTHING
) -> list[DatasetVersion]:
    """Return the versions of a dataset, oldest first, in one request; none where the volume does not exist."""
    found = snapshots.list_of_volume(client, svm=svm, volume=volume)
    return versions_of(found, svm=svm, volume=volume, dataset=dataset, adopt=adopt)


def versions_of(
    found: Iterable[Snapshot], *, svm: str, volume: str, dataset: str, adopt: Adoption = NOTHING
) -> list[DatasetVersion]:
    versions = [
        dataset_versions.of_snapshot(each, svm=svm, volume=volume, dataset=dataset, adopt=adopt) for each in found
    ]
    return sorted((v for v in versions if v is not None), key=lambda v: (dataset_versions.when(v), v.id))
