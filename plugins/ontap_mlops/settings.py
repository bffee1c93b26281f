"""The options of Airflow's configuration section ``[ontap_mlops]``, read when called, never at import.

An option is set in ``airflow.cfg`` or by the environment variable ``AIRFLOW__ONTAP_MLOPS__<OPTION>``; an empty value
counts as unset. Where Airflow is not installed, the environment variable alone decides.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

SECTION = "ontap_mlops"
_BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


@dataclass(frozen=True)
class Option:
    """``type`` is Airflow's word: string, integer or boolean. ``meaning`` gives the unit, and how to switch it off."""

    type: str
    default: str
    meaning: str
    example: str | None = None


OPTIONS: dict[str, Option] = {
    "config_dir": Option(
        "string",
        "",
        "Folder that holds datasets.yaml, compute.yaml and, where there are other sites, sites.yaml. It has no "
        "default: whatever needs a file of it says that this option is not set.",
        "/srv/ml/config",
    ),
    "programs_dir": Option(
        "string",
        "",
        "Folder that holds the programs' package tasks/, and in which programs of local places are started. Empty: "
        "the programs are installed in the Python of the place (package ontap-mlops-programs).",
        "/srv/ml",
    ),
    "workloads_dir": Option(
        "string",
        "",
        "Folder in which local places keep the state, logs and results of programs. Empty: workloads/ in AIRFLOW_HOME.",
        "/var/lib/ontap-mlops/workloads",
    ),
    "code_commit": Option(
        "string",
        "unknown",
        "Commit recorded with a run when the DAG bundle has no version of its own.",
        "0123abc",
    ),
    "clock_skew_s": Option(
        "integer",
        "300",
        "Seconds by which ONTAP's clock may differ from the worker's before a new dataset version logs a warning. "
        "0 switches the warning off.",
    ),
    "now_within_s": Option(
        "integer",
        "300",
        "A manual run whose date is at most this many seconds in the past means now: it gets the newest dataset "
        "version. 0: every date is taken literally.",
    ),
    "snapshot_warning": Option(
        "integer",
        "900",
        "Snapshots on a volume from which a new dataset version warns that ONTAP's limit of 1,023 is near.",
    ),
    "keep_safety_snapshots_days": Option(
        "integer",
        "30",
        "For how many days the reclaimer leaves the snapshots that restores make of how a volume was before "
        "(mlops_before_...).",
    ),
    "keep_failed_workspaces_days": Option(
        "integer",
        "7",
        "Days for which the workspace of a failed run is kept, so that clearing the failed task resumes in it. "
        "0: the workspace is removed with the next clean-up.",
    ),
    "lock_evidence_days": Option(
        "integer",
        "0",
        "Days for which the snapshots of data, model and results of every promoted model are locked, so that nobody "
        "can remove them; `keep: evidence_days` of a dataset says it for that dataset alone. 0: nothing is locked.",
        "3650",
    ),
    "secret_store": Option(
        "string",
        "airflow-connection://ontap_s3",
        "Where `provision_ontap` puts the S3 keys: airflow-connection://NAME, aws-secretsmanager://NAME or "
        "file:///PATH, the last only below `secrets_dir`.",
        "aws-secretsmanager://mlops/s3",
    ),
    "secrets_dir": Option(
        "string",
        "",
        "Folder below which a file may hold S3 keys. Empty: no file may.",
        "/etc/ontap-mlops",
    ),
    "hub_namespace_roots": Option(
        "string",
        "",
        "Where the machine of Airflow's API server has the SVMs' namespaces mounted, so that the data hub can show "
        "sample pictures, tables and texts of a version: a folder, or svm=folder pairs with commas. Empty: no samples.",
        "svm1=/mnt/svm1,svm2=/mnt/svm2",
    ),
    "hub_actions": Option(
        "string",
        "",
        "Names of the actions that programs may start over MCP, with commas, as docs/data-hub.md lists them. Empty: "
        "MCP only reads.",
        "cache,workspace",
    ),
    "use_pools": Option(
        "boolean",
        "False",
        "True: tasks run in the Airflow pool compute_<place> of their place. The pools have to exist: Airflow never "
        "starts a task whose pool it does not know.",
    ),
    "deferrable": Option(
        "boolean",
        "True",
        "True: tasks that wait for a program or for ONTAP do so in the triggerer and leave their worker slot to "
        "others; a triggerer has to run. False: they wait in their worker.",
    ),
}


def variable(name: str) -> str:
    """The environment variable that sets an option."""
    return f"AIRFLOW__{SECTION.upper()}__{name.upper()}"


def config_dir() -> Path:
    """Raises ValueError, naming the option, when it is not set."""
    text = _text("config_dir")
    if not text:
        raise ValueError(
            f"[{SECTION}] config_dir is not set; set it, or {variable('config_dir')}, to the folder of datasets.yaml "
            "and compute.yaml"
        )
    return Path(text)


def has_config_dir() -> bool:
    return bool(_text("config_dir"))


def programs_dir() -> Path | None:
    text = _text("programs_dir")
    return Path(text) if text else None


def workloads_dir() -> Path:
    text = _text("workloads_dir")
    return Path(text) if text else Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser() / "workloads"


def code_commit() -> str:
    return _text("code_commit")


def clock_skew_s() -> int:
    return _integer("clock_skew_s")


def now_within_s() -> int:
    return _integer("now_within_s")


def snapshot_warning() -> int:
    return _integer("snapshot_warning")


def keep_safety_snapshots_days() -> int:
    return _integer("keep_safety_snapshots_days")


def keep_failed_workspaces_days() -> int:
    return _integer("keep_failed_workspaces_days")


def lock_evidence_days() -> int:
    return _integer("lock_evidence_days")


def secret_store() -> str:
    return _text("secret_store")


def secrets_dir() -> Path | None:
    text = _text("secrets_dir")
    return Path(text) if text else None


def hub_namespace_roots() -> dict[str, Path]:
    """By the SVM's name; ``default`` for any other."""
    told: dict[str, Path] = {}
    for part in filter(None, (part.strip() for part in _text("hub_namespace_roots").split(","))):
        svm, equals, folder = part.rpartition("=")
        told[svm.strip() if equals else "default"] = Path(folder.strip())
    return told


def hub_actions() -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in _text("hub_actions").split(","))))


def use_pools() -> bool:
    return _boolean("use_pools")


def deferrable() -> bool:
    return _boolean("deferrable")


def _boolean(name: str) -> bool:
    text = _text(name)
    if text.lower() not in _BOOLEANS:
        raise ValueError(f"[{SECTION}] {name} is {text!r}; give True or False")
    return _BOOLEANS[text.lower()]


def _integer(name: str) -> int:
    text, default = _text(name), OPTIONS[name].default
    if not text.isdecimal():
        raise ValueError(f"[{SECTION}] {name} is {text!r}; give a whole number from 0 on (default {default})")
    return int(text)


def _text(name: str) -> str:
    """The environment decides first, as it does in Airflow, so that no Airflow is needed where it is set."""
    default = OPTIONS[name].default
    if value := os.environ.get(variable(name)):
        return value.strip()
    try:
        from airflow.sdk.configuration import conf
    except ImportError:
        return default
    return (conf.get(SECTION, name, fallback=default) or default).strip()
