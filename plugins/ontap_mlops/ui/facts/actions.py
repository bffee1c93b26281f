"""What people can start from the hub: each a DAG that is there, with the Params that the page already knows.

Nothing is started here. The page, or whoever speaks MCP, asks Airflow's own REST API for the run, with the rights and
under the name of who asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ontap_mlops import sites
from ontap_mlops.ui.facts.shapes import Action, ActionField, Model, Run, Training

MayTrigger = Callable[[str], bool]
NAMES = (
    "cache",
    "release",
    "workspace",
    "restore",
    "replicate",
    "train",
    "repeat",
    "restore_experiment",
    "roll_back",
    "ingest",
    "reclaim",
)
DAGS = ("cache_dataset", "evict_caches", "workspace", "restore_dataset", "replicate", "roll_back", "reclaim_space")


def of_dataset(dataset: str) -> list[Action]:
    places = _sites()
    found = [
        Action(
            name="ingest",
            label="Look for new data",
            dag_id=f"ingest_{dataset}",
            says=f"Reads what has changed at the source of {dataset}, and makes a version where anything has.",
            conf={},
        )
    ]
    if places:
        found.append(
            Action(
                name="replicate",
                label="Replicate",
                dag_id="replicate",
                says=f"Keeps a mirror of {dataset} with all its versions at another site.",
                conf={"dataset": dataset},
                fields=[_choice("site", "Site", places)],
            )
        )
    return found


def of_version(dataset: str, version: str, trained_by: Iterable[str]) -> list[Action]:
    """:param trained_by: DAGs that train on the dataset."""
    chosen, places = {"dataset": dataset, "version": version}, _sites()
    found = [
        Action(
            name="train",
            label=f"Train ({dag_id})",
            dag_id=dag_id,
            says=f"Runs {dag_id} on version {version}; every other Param has its usual value.",
            conf={"dataset_version": version},
        )
        for dag_id in trained_by
    ]
    found.append(
        Action(
            name="workspace",
            label="Workspace",
            dag_id="workspace",
            says=f"Makes a writable clone of version {version} for a person, which costs no copy.",
            conf={**chosen, "what": "make"},
            fields=[
                ActionField(name="name", label="Name", value="scratch"),
                ActionField(name="days", label="Days", kind="number", value=7),
                ActionField(name="person", label="For whom (a login; empty: you)", value=""),
            ],
        )
    )
    if places:
        found.append(
            Action(
                name="cache",
                label="Cache",
                dag_id="cache_dataset",
                says=f"Caches version {version} at a site and fills the cache ahead of use.",
                conf=chosen,
                fields=[_choice("site", "Site", places)],
            )
        )
    found.append(
        Action(
            name="restore",
            label="Restore",
            dag_id="restore_dataset",
            says=f"Puts the data of {dataset} back to version {version}. A dry run only says what it would do.",
            conf={**chosen, "safety": True},
            fields=[ActionField(name="dry_run", label="Dry run", kind="boolean", value=True)],
        )
    )
    return found


def of_caches() -> list[Action]:
    return [
        Action(
            name="release",
            label="Release unused caches",
            dag_id="evict_caches",
            says="Removes the caches that nobody uses, and says why each goes or stays; none that a run holds.",
            conf={},
            fields=[
                ActionField(name="days", label="Days unused (empty: as each site says)", kind="number"),
                ActionField(name="dry_run", label="Dry run", kind="boolean", value=True),
            ],
        )
    ]


def of_storage() -> list[Action]:
    return [
        Action(
            name="reclaim",
            label="Judge what can be reclaimed",
            dag_id="reclaim_space",
            says="Lists what could be removed and what it would free; without the dry run, removes it.",
            conf={},
            fields=[ActionField(name="dry_run", label="Dry run", kind="boolean", value=True)],
        )
    ]


def of_model(model: Model) -> list[Action]:
    """Leave the version that serves; another one can be returned to by its number."""
    conf: dict[str, Any] = {"model": model.model, "what": "roll_back"}
    if model.state == "serving":
        says = f"Puts back what served {model.model} before version {model.version}."
        return [_roll_back("Roll back", says, {**conf, "leave": model.version})]
    if model.state == "served before":
        says = f"Lets version {model.version} of {model.model} serve again."
        return [_roll_back("Serve this version again", says, {**conf, "to": model.version})]
    return []


def of_training(training: Training | Run) -> list[Action]:
    if not training.dag_id or not training.run_key:
        return []
    return [
        Action(
            name="repeat",
            label="Repeat",
            dag_id=training.dag_id,
            says=f"Does {training.run_key} again: the same data, parameters and seed, and compares the metrics.",
            conf={"repeat_run": training.run_key},
        )
    ]


def of_experiment(run_key: str) -> list[Action]:
    return [
        Action(
            name="restore_experiment",
            label="Train it again",
            dag_id="restore_experiment",
            says=f"Clones what {run_key} has frozen, trains and judges again in the clone, and compares the metrics.",
            conf={"experiment": run_key},
        )
    ]


def permitted(actions: Iterable[Action], there: Mapping[str, bool], may: MayTrigger) -> list[Action]:
    """Those whose DAG there is and may be triggered; each says whether its DAG is paused.

    :param there: DAG id to whether it is paused.
    """
    return [
        action.model_copy(update={"paused": there[action.dag_id]})
        for action in actions
        if action.dag_id in there and may(action.dag_id)
    ]


def _roll_back(label: str, says: str, conf: dict[str, Any]) -> Action:
    return Action(name="roll_back", label=label, dag_id="roll_back", says=says, conf=conf)


def _sites() -> list[str]:
    return sorted(sites.usable())


def _choice(name: str, label: str, choices: list[str]) -> ActionField:
    return ActionField(name=name, label=label, kind="choice", value=choices[0], choices=choices)
