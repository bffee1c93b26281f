"""Private inference: faces on real textures, or a user's FDDB, found by a server that never gets a picture."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scripts import lake
from scripts.systems import text
from scripts.systems.system import System

if TYPE_CHECKING:
    from scripts.pipeline import Demo
    from scripts.services import Stack

URL = f"s3://{lake.BUCKET}/faces/"
COUNT = 400


class Private(System):
    name = "private"
    number = 5
    dataset = "faces"
    train_dag = "private_inference"
    steps = "clone, train, learn noise and attack it for each ALPHA, choose one, deploy the tail, use it in three ways"
    metrics = ("ap", "ap_halved", "ap_continuous")

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--images", type=Path, help="folder in FDDB's layout, instead of composites")
        parser.add_argument("--count", type=int, default=COUNT, help=f"pictures of the first day (default: {COUNT})")

    def check(self, options: argparse.Namespace) -> None:
        if options.images and not any(options.images.rglob("FDDB-fold-01-ellipseList.txt")):
            raise SystemExit(
                f"IMAGES={options.images} holds no FDDB-fold-01-ellipseList.txt; it must be in FDDB's layout, with "
                "FDDB-folds and originalPics."
            )

    def fill_lake(self, stack: Stack, day: int, options: argparse.Namespace) -> dict[str, Any]:
        """Composites of a first day, then more; or exactly what the user's folder holds."""
        lake.bucket(stack)
        if options.images:
            source = f"--source={options.images.resolve()}"
            return lake.run_program(stack, "tasks.data.sync", source, f"--destination={URL}", "--delete")
        chosen = [f"--count={options.count}", f"--revision={day}"]
        return lake.run_program(stack, "tasks.faces.generate", f"--output={URL}", *chosen)

    def facts(self, demo: Demo) -> dict[str, Any]:
        return {"evaluation": demo.xcom("evaluate"), "prediction": demo.xcom("deploy.prove")}

    def text(self, facts: dict[str, Any]) -> str:
        return text.joined(
            text.version(facts),
            _swept(facts),
            text.judged(facts, "pictures", self.metrics),
            _used(facts),
            text.links(facts),
        )


def _swept(facts: dict[str, Any]) -> list[str]:
    lines = ["Accuracy against privacy, on held-out folds; AP at threshold 0.5 with its interval, then the attacker's"]
    lines.append(f"  {'':<10}{'ALPHA':>7}{'AP':>9}{'from':>8}{'to':>8}{'SSIM':>9}{'recognised':>12}")
    for kind, points in facts["points"].items():
        for alpha, accuracy, low, high, likeness, recognised in points:
            if alpha or kind == "learned":
                shown = f"{accuracy:>9.3f}{low:>8.3f}{high:>8.3f}{likeness:>9.3f}{recognised:>12.0%}"
                lines.append(f"  {kind if alpha else 'none':<10}{alpha:>7g}{shown}")
    for kind, told in facts["at_equal_privacy"].items():
        interval = f"{told['low']:+.3f} to {told['high']:+.3f}"
        lines.append(f"  learned against {kind}, at equal privacy: AP {told['gain']:+.3f} ({interval})")
    reason = textwrap.wrap(facts["reason"], text.WIDTH, initial_indent="  ", subsequent_indent="  ")
    return [*lines, *reason]


def _used(facts: dict[str, Any]) -> list[str]:
    """The three ways of using the model; nothing where it was not deployed."""
    if not facts.get("served"):
        return ["The model was not deployed, so it was not used."]
    version, served, folds = facts["model_version"], facts["served"], facts["folds"]
    noisy, found = folds["noisy"], facts["notebook"]["faces"]
    cost = served["cost"]
    return [
        f"Deployed: the tail of {version['model']} version {version['version']}, ALPHA {served['alpha']:g}",
        f"  on demand: {found['clear']} faces without noise, {found['noisy']} with it; the notebook is in MLflow",
        f"  batch: mAP {folds['clear']['ap']['mean']:.4f} without noise, {noisy['ap']['mean']:.4f} with it at "
        f"threshold 0.5, {noisy['ap_halved']['mean']:.4f} at 0.25",
        f"  served: AP {served['metrics']['ap']:.4f} on {served['pictures']} held-out pictures at {served['endpoint']}",
        f"  the noise took {cost['noise_ms']:.2f} ms (standard deviation {cost['noise_sd_ms']:.2f}) of "
        f"{cost['whole_ms']:.1f} ms a picture, {cost['noise_share']:.1%}",
    ]


SYSTEM = Private()
