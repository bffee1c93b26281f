"""Addresses of MLflow's pages, for people to open.

MLflow 3 opens on its pages for traces of language models unless an address says that it is about training.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

_TRAINING_VIEW = "workflowType=machine_learning"
PICTURES = "evaluation"  # folder of the run's artifacts in which ``evaluate`` leaves them
# What a button is called -> the picture of the newly trained model.
PICTURE_FILES = {"Mistakes": "mistakes_challenger.png", "Confusion": "confusion_challenger.png", "ROC": "roc.png"}


def page(address: str) -> str:
    """Return an address in MLflow's training view."""
    if _TRAINING_VIEW in address:
        return address
    return f"{address}{'&' if '?' in address else '?'}{_TRAINING_VIEW}"


def run_page(server: str, run_id: str) -> str:
    return page(f"{server}/#/runs/{run_id}")


def model_page(server: str, model: str, version: int) -> str:
    return page(f"{server}/#/models/{quote(model, safe='')}/versions/{version}")


def artifact_page(run_url: str, path: str) -> str:
    """Return the page that shows one file of a run, whose own address is ``run_url``."""
    return page(f"{run_url.partition('?')[0]}/artifacts/{quote(path)}")


def picture_pages(run_url: str, files: Sequence[str]) -> dict[str, str]:
    """Return, by the name of their button, the pages of the pictures that a run has among its ``files``."""
    there = {name: file for name, file in PICTURE_FILES.items() if file in files}
    return {name: artifact_page(run_url, f"{PICTURES}/{file}") for name, file in there.items()}
