"""Lane detection: road scenes, drawn or a user's own, and an experiment that is frozen and repeated from its clone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import lake
from scripts.follow import follow
from scripts.systems import text
from scripts.systems.system import System

if TYPE_CHECKING:
    from scripts.pipeline import Demo
    from scripts.services import Stack

URL = f"s3://{lake.BUCKET}/lanes/"
COUNT = 200
RESTORE = "restore_experiment"


class Lane(System):
    name = "lane"
    number = 3
    dataset = "lane_detection"
    train_dag = "lane_detection"
    steps = "clone, train, judge, freeze the experiment, deploy, prove, clean up"
    metrics = ("accuracy", "false_positives", "false_negatives")

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--images", type=Path, help="folder in TuSimple's layout, instead of drawn scenes")

    def check(self, options: argparse.Namespace) -> None:
        if options.images and not any(options.images.rglob("label_data_*.json")):
            raise SystemExit(
                f"IMAGES={options.images} has no label_data_....json; it must be in TuSimple's layout, with clips/."
            )

    def fill_lake(self, stack: Stack, day: int, options: argparse.Namespace) -> dict[str, Any]:
        """Scenes of a first day, then more; or exactly what the user's folder holds."""
        lake.bucket(stack)
        if options.images:
            source = f"--source={options.images.resolve()}"
            return lake.run_program(stack, "tasks.data.sync", source, f"--destination={URL}", "--delete")
        chosen = [f"--count={COUNT}", f"--revision={day}"]
        return lake.run_program(stack, "tasks.lane.samples", f"--output={URL}", *chosen)

    def facts(self, demo: Demo) -> dict[str, Any]:
        experiment = demo.summary["experiment"]
        demo.begin("restore", f"{RESTORE}: the frozen experiment is cloned and trained again")
        demo.api.unpause(RESTORE)
        run_id = demo.api.trigger(RESTORE, {"experiment": experiment["run_key"]})
        follow(demo.api, RESTORE, run_id)
        demo.end()
        return {
            "evaluation": demo.xcom("evaluate"),
            "repeated": demo.api.xcom(RESTORE, run_id, "compare"),
            "restored_run": demo.api.run_link(RESTORE, run_id),
        }

    def text(self, facts: dict[str, Any]) -> str:
        return text.joined(
            text.version(facts), text.judged(facts, "pictures", self.metrics), _experiment(facts), text.links(facts)
        )


def _experiment(facts: dict[str, Any]) -> list[str]:
    experiment, repeated = facts["experiment"], facts["repeated"]
    scenes = facts["evaluation"].get("by_scene") or {}
    lines = (
        [f"  accuracy by scene: {', '.join(f'{name} {value:.3f}' for name, value in scenes.items())}"] if scenes else []
    )
    return [
        f"Experiment frozen: snapshot {experiment['snapshot']} of volume {experiment['svm']}:{experiment['volume']}",
        *lines,
        f"  cloned and trained again: {', '.join(repeated['equal'])} are equal",
        f"  {facts['restored_run']}",
    ]


SYSTEM = Lane()
