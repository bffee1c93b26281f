"""Tyre quality: photographs of tyres, drawn or a user's own, and a model that is asked about one of them."""

from __future__ import annotations

import argparse
import base64
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from ontap_mlops.hooks import mlflow_pages
from ontap_mlops.ontap import dataset_versions
from ontap_mlops.records import DatasetVersion
from scripts import days, lake
from scripts.follow import RunFailed
from scripts.systems import text
from scripts.systems.system import System

if TYPE_CHECKING:
    from scripts.pipeline import Demo
    from scripts.services import Stack

PREFIX = "tyre"
URL = f"s3://{lake.BUCKET}/{PREFIX}"
FOLDERS = ("good", "defective")
SAMPLE = re.compile(rf"{PREFIX}/((good|defective)/tyre_\d{{5}}\.\w+|\.mlops/.*)")
COUNT, FULL_COUNT = 600, 1856
MOST_DAYS = 14


def evaluation(stack: Stack, facts: dict[str, Any]) -> str:
    """Return a page of the pictures that the judgement of the last demo has left in MLflow, as HTML."""
    shown = {}
    for name, file in mlflow_pages.PICTURE_FILES.items():
        wanted = {"path": f"{mlflow_pages.PICTURES}/{file}", "run_uuid": facts["mlflow_run_id"]}
        answer = httpx.get(f"{stack.urls['mlflow']}/get-artifact", params=wanted, trust_env=False)
        picture = base64.b64encode(answer.raise_for_status().content).decode()
        shown[name] = f'<figure><figcaption>{name}</figcaption><img src="data:image/png;base64,{picture}"></figure>'
    style = "body{font:16px sans-serif;margin:16px} figure{margin:0 0 12px} .row{display:flex} .row img{height:280px}"
    beside = f'<div class="row">{shown["Confusion"]}{shown["ROC"]}</div>'
    return f"<style>{style}</style>{shown['Mistakes']}{beside}"


class Tyre(System):
    name = "tyre"
    number = 1
    dataset = "tyre_images"
    train_dag = "tyre_quality"
    model = "tyre"
    steps = "clone, train, judge, deploy, prove, clean up"
    facts_file = "demo.json"
    metrics = ("accuracy", "precision", "recall", "f1", "roc_auc")
    picture_of_run = "run"
    pages = {"evaluation": evaluation}

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        past = "make versions of that many past days first, and train them"
        parser.add_argument("--images", type=Path, help="folder that holds good/ and defective/, instead of samples")
        parser.add_argument("--full", action="store_true", help=f"{FULL_COUNT} sample photographs instead of {COUNT}")
        parser.add_argument("--days", type=days.up_to(MOST_DAYS), help=past)

    def check(self, options: argparse.Namespace) -> None:
        if options.images and options.days:
            raise SystemExit("DAYS makes the samples of past days, and IMAGES are of one day: give one of them.")
        if options.images:
            check_images(options.images)

    def fill_lake(self, stack: Stack, day: int, options: argparse.Namespace) -> dict[str, Any]:
        if options.images:
            return fill_with(stack, options.images.resolve())
        return fill_with_samples(stack, FULL_COUNT if options.full else COUNT, day)

    def work(self, demo: Demo) -> None:
        if demo.options.days:
            days.make_versions(demo, demo.options.days)
        super().work(demo)

    def facts(self, demo: Demo) -> dict[str, Any]:
        trained = days.backfill(demo, demo.options.days) if demo.options.days else []
        deployed = deployed_model(demo)
        demo.begin("prediction", "Asking the deployed model about one photograph")
        prediction, endpoint = predict(demo.stack, deployed)
        demo.end()
        versions = demo.versions()
        model_page = mlflow_pages.model_page(demo.stack.urls["mlflow"], deployed["model"], deployed["version"])
        return {
            "evaluation": demo.xcom("evaluate"),
            "deployed_model": deployed,
            "prediction": prediction,
            "dataset_versions": [version.to_json() for version in versions],
            "time_travel": time_travel(versions),
            "days": trained,
            "links": {"mlflow_model": model_page, "endpoint": endpoint},
        }

    def text(self, facts: dict[str, Any]) -> str:
        return text.joined(
            text.version(facts),
            _time_travel(facts),
            text.judged(facts, "images", self.metrics),
            _deployment(facts),
            days.table(facts.get("days", [])),
            text.links(facts),
        )


SYSTEM = Tyre()


def fill_with_samples(stack: Stack, count: int, revision: int) -> dict[str, Any]:
    """Draw photographs of this day of production: those of the day before, with some replaced, added and removed."""
    objects = lake.bucket(stack).objects.filter(Prefix=f"{PREFIX}/")
    foreign = [each for each in objects if not SAMPLE.fullmatch(each.key)]
    say_removed(len(foreign), next((each.key for each in foreign), ""), "no samples")
    for each in foreign:  # a user's own images from an earlier demo would mix with the samples
        each.delete()
    options = ["--output", f"{URL}/", "--count", str(count), "--seed", "1", "--revision", str(revision)]
    return lake.run_program(stack, "tasks.tyre.samples", *options)


def fill_with(stack: Stack, images: Path) -> dict[str, Any]:
    """Make the lake hold exactly what the two folders hold; only what differs is sent."""
    check_images(images)
    wanted = {
        f"{PREFIX}/{file.relative_to(images).as_posix()}" for folder in FOLDERS for file in (images / folder).rglob("*")
    }
    there = [each.key for each in lake.bucket(stack).objects.filter(Prefix=f"{PREFIX}/")]
    removed = [key for key in there if key not in wanted and key.startswith(tuple(f"{PREFIX}/{f}/" for f in FOLDERS))]
    say_removed(len(removed), next(iter(removed), ""), f"not in {images}")
    return {
        folder: lake.run_program(
            stack, "tasks.data.sync", f"--source={images / folder}", f"--destination={URL}/{folder}/", "--delete"
        )
        for folder in FOLDERS
    }


def say_removed(count: int, example: str, why: str) -> None:
    """Tell what is about to leave the lake; nothing that somebody has put there goes without a word."""
    if count:
        print(
            f"         {count} objects of {URL} are {why}, such as {example}: they leave the lake, so that the next "
            "version holds one kind of images. Versions made before keep theirs; the new model is judged against the "
            "one that serves.",
            flush=True,
        )


def check_images(images: Path) -> None:
    """Exit with a sentence when the folder cannot be what was meant."""
    for folder in FOLDERS:
        if not (images / folder).is_dir():
            raise SystemExit(f"IMAGES={images} has no folder {folder}/; it must hold good/ and defective/ with images.")
        if not any(entry.is_file() for entry in os.scandir(images / folder)):
            raise SystemExit(f"IMAGES={images}: the folder {folder}/ is empty; both classes need images.")


def deployed_model(demo: Demo) -> dict[str, Any]:
    """Return the new model version, or the one that was better and stayed. Raises RunFailed when none serves."""
    if deployment := demo.summary.get("deployment"):
        return deployment["model_version"]
    champion = demo.xcom("claim")["champion"]
    if champion is None:
        raise RunFailed(f"No model is deployed: {demo.summary['decision']}. {demo.run_link}")
    return champion


def predict(stack: Stack, deployed: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the deployed model's answer about one image of the lake, and the address it was asked at over HTTP."""
    server, model, number = stack.urls["triton"], deployed["model"], deployed["version"]
    folder = stack.layout.namespace / deployed["svm"] / deployed["volume"] / deployed["folder"]
    options = [f"--endpoint={server}", f"--name={model}", f"--version={number}", f"--model={folder}"]
    answer = lake.run_program(stack, "tasks.tyre.predict", *options, f"--data={URL}")
    return answer, f"{server}/v2/models/{model}/versions/{number}/infer"


def time_travel(versions: list[DatasetVersion]) -> list[dict[str, Any]]:
    """Return which version training takes as of the moment the last but one was made, and as of now."""
    times = [*(dataset_versions.when(version) for version in versions[-2:-1]), datetime.now(UTC)]
    current = [(at, dataset_versions.current_at(versions, at)) for at in times]
    return [
        {"as_of": at.isoformat(timespec="seconds"), "version": version.id, "files": version.files}
        for at, version in current
        if version is not None
    ]


def _time_travel(facts: dict[str, Any]) -> list[str]:
    """Only from the second demo on: with one version there is nowhere to travel."""
    lines = [f"  as of {fact['as_of']}: {fact['version']} ({fact['files']} files)" for fact in facts["time_travel"]]
    return ["Time travel: the version that training takes", *lines] if len(lines) > 1 else []


def _deployment(facts: dict[str, Any]) -> list[str]:
    model, prediction = facts["deployed_model"], facts["prediction"]
    return [
        f"Deployed: {model['model']} version {model['version']} at {facts['links']['endpoint']}",
        f"  asked over HTTP with {prediction['image']}: {prediction['predicted']}"
        f" ({prediction['probability']:.0%}); its folder says {prediction['actual']}",
    ]
