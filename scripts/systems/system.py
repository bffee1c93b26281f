"""The shape of a system as the demo sees it; what a new system does not say for itself comes from here."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from scripts.systems import text

if TYPE_CHECKING:
    from scripts.pipeline import Demo
    from scripts.services import Stack

Page = Callable[["Stack", dict[str, Any]], str]


class System:
    """Describe one system: its DAGs, how its lake is filled, and what a demo of it has to tell.

    ``dataset`` names the entry of config/datasets.yaml, ``train_dag`` the DAG that trains on it, ``steps`` in a few
    words what that DAG does. ``number`` is that of the published design (docs/systems.md), None for a system of one's
    own. Services that are not in ``first`` may come up while the data is ingested; ``services`` are optional ones that
    this system wants beside them, ``other_dags`` what it runs besides. ``pages`` are pictures besides the graph of a
    run: by the picture's name, the HTML of a page.
    """

    name: str
    number: int | None = None
    dataset: str = ""
    train_dag: str
    told_by: str = "summary"
    steps: str = "clone, train, judge, deploy if better, clean up"
    first: Sequence[str] = ("ontap", "lake", "triton", "airflow")
    services: Sequence[str] = ()
    other_dags: Sequence[str] = ()
    metrics: Sequence[str] = ("accuracy", "precision", "recall", "f1", "roc_auc", "auc", "log_loss")
    facts_file: str | None = None
    picture_of_run: str | None = None
    pages: Mapping[str, Page] = {}

    @property
    def ingest_dag(self) -> str:
        return f"ingest_{self.dataset}"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add the system's own options, such as where its data comes from or how much of it to make."""

    def check(self, options: argparse.Namespace) -> None:
        """Exit with a sentence when the options cannot be meant; called before anything starts."""

    def conf(self, stack: Stack) -> dict[str, Any]:
        """Return what the run of a system without a dataset is started with."""
        return {}

    def fill_lake(self, stack: Stack, day: int, options: argparse.Namespace) -> dict[str, Any]:
        """Make the data of this day of production, counted from 1; days that are there stay or are replaced."""
        raise NotImplementedError(f"System {self.name} does not say how its lake is filled.")

    def beside(self, stack: Stack) -> AbstractContextManager[Any]:
        """Return what stands beside the running services until the demo is over, however it ends."""
        return nullcontext()

    def work(self, demo: Demo) -> None:
        """Ingest and train; of a system without a dataset, run its DAG. Raises RunFailed."""
        if self.dataset:
            demo.ingest()
            demo.train()
        else:
            demo.start()

    def facts(self, demo: Demo) -> dict[str, Any]:
        """Return what the demo of this system has to tell besides its summary task's facts."""
        return {}

    def text(self, facts: dict[str, Any]) -> str:
        """Return the facts as plain lines, at most 120 characters wide."""
        return text.joined(text.version(facts), text.judged(facts, "rows", self.metrics), text.links(facts))
