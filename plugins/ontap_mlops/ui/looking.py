"""What pages and API share: files only for who may see them, and actions of what there is."""

from __future__ import annotations

from pathlib import Path

from fastapi import HTTPException

from ontap_mlops.ui.access import Viewer
from ontap_mlops.ui.facts import actions, samples
from ontap_mlops.ui.facts.shapes import Action, Samples
from ontap_mlops.ui.facts.storage import version_of
from ontap_mlops.ui.hub import Hub, NotKnown, NotThere


def require_files(viewer: Viewer, dataset: str) -> None:
    if not viewer.may_read_files(dataset):
        raise HTTPException(403, f"You may not see the DAG ingest_{dataset}, and so no files of {dataset}.")


def folder_of(hub: Hub, viewer: Viewer, name: str, version_id: str) -> Path:
    """The version's data on this machine. Raises NoSample where it is not there."""
    require_files(viewer, name)
    entry, version = hub.found_version(name, version_id)
    svm, junction_path = hub.junction(entry)
    return samples.data_folder(svm, junction_path, version.snapshot)


def samples_of(hub: Hub, viewer: Viewer, name: str, version_id: str) -> Samples:
    """Samples, or the reason why there are none."""
    _, version = hub.found_version(name, version_id)
    try:
        return samples.samples(name, version_of(version), folder_of(hub, viewer, name, version_id))
    except OSError:
        said = "The version's files cannot be read on the machine of Airflow's API server."
        return Samples(dataset=name, version=version_id, reason=said)
    except (samples.NoSample, NotThere, NotKnown) as error:
        said = str(error)
        return Samples(dataset=name, version=version_id, reason=said)


def require_version(hub: Hub, dataset: str, version_id: str) -> list[Action]:
    hub.found_version(dataset, version_id)
    return actions.of_version(dataset, version_id, hub.trained_by(dataset))
