"""Days of pictures, questions and calls, like those of the systems' own generators or with a drift planted.

A day is added to what a folder or bucket holds; an empty one becomes a dataset of that day alone. Of each kind of drift
a system has one way:

| | ``inputs`` | ``relation`` |
| --- | --- | --- |
| chest | less light | a reader who names two more findings, in half of the pictures |
| lane | less light | lanes marked a lane's width aside, in half of the frames |
| faces | less light | faces marked on the other side, in half of the pictures |
| tyre | less light | half of the labels turned |
| retail | two intents only | half of the labels another intent |
| calls | everybody complains, and says nothing else | half of the labels the next sentiment |
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import cv2
import numpy as np

from tasks.calls import dataset as calls_dataset
from tasks.calls import generate as calls_generate
from tasks.calls.phrases import NEGATIVE
from tasks.calls.sentiment import LABELS
from tasks.chest import drawing as chest_drawing
from tasks.chest import generate as chest_generate
from tasks.chest.findings import FINDINGS
from tasks.common.data import Store
from tasks.faces import ellipses
from tasks.faces import generate as faces_generate
from tasks.faces.ellipses import FOLDS, Annotated, Ellipse
from tasks.lane import drawing as lane_drawing
from tasks.lane.labels import NONE
from tasks.retail import dataset as retail_dataset
from tasks.retail import generate as retail_generate
from tasks.retail.dataset import Question
from tasks.retail.labels import INTENTS, SLOTS
from tasks.tyre import drawing as tyre_drawing

NOTHING, INPUTS, RELATION = "nothing", "inputs", "relation"
KINDS = (NOTHING, INPUTS, RELATION)
LIGHT = 0.6  # of what there was
HALF = 0.5
ASIDE = 0.12  # of a frame's width, about half a lane's width far ahead
COMPLAINTS = {NEGATIVE: (1.0, 0.0, 0.0)}  # a mood in which nothing else is said
KNOWN = 0.7  # share of the phrases and words that people use on all days
CHEST_SIDE, FACES_SIDE, LANE_WIDTH = 64, 96, 320
OF_A_DAY = 100_000  # numbers of pictures and patients, of which each day has its own


@dataclass(frozen=True)
class Day:
    """One day to make: ``number`` tells it from other days, and the same facts make the same day."""

    kind: str
    number: int
    count: int
    seed: int = 1

    @property
    def chance(self) -> np.random.Generator:
        """Return what chooses the rows whose label has turned."""
        return np.random.default_rng([self.seed, self.number, 9])

    @property
    def numbers(self) -> range:
        return range(self.number * OF_A_DAY, self.number * OF_A_DAY + self.count)

    def turned(self, chance: np.random.Generator) -> bool:
        return bool(chance.random() < HALF) and self.kind == RELATION


def chest(store: Store, day: Day) -> None:
    """One picture of each of so many patients."""
    chance, samples = day.chance, []
    for patient in day.numbers:
        found = chest_generate.findings_of(np.random.default_rng([day.seed, patient]))
        sample = chest_generate.Sample(patient, 0, found)
        content = chest_drawing.draw(day.seed, patient, 0, sample.findings, CHEST_SIDE)
        store.write(f"images_{day.number:03d}/images/{sample.name}", _lit(content, day, ".png"))
        more = chance.choice(FINDINGS, size=2, replace=False).tolist() if day.turned(chance) else []
        samples.append(replace(sample, findings=tuple(sorted({*sample.findings, *more}))))
    for name, text in chest_generate.tables(samples, day.seed, CHEST_SIDE).items():
        _append(store, name, text, heading=name == chest_generate.TABLE)


def lane(store: Store, day: Day) -> None:
    """Frames of a clip each."""
    size = (LANE_WIDTH, LANE_WIDTH * 9 // 16)
    heights = [int(y) for y in lane_drawing.heights_of(size[1])]
    chance, lines = day.chance, []
    for number in day.numbers:
        content, lanes, told = lane_drawing.scene(day.seed, number, size)
        key = f"clips/planted{day.number:03d}/{number:07d}/20.jpg"
        store.write(key, _lit(content, day, ".jpg"))
        if day.turned(chance):
            lanes = [[_aside(x, size[0]) for x in each] for each in lanes]
        lines.append(json.dumps({"lanes": lanes, "h_samples": heights, "raw_file": key, "scene": told}))
    store.write(f"label_data_planted{day.number:03d}.json", "".join(f"{line}\n" for line in lines).encode())


def _aside(x: float, width: int) -> float:
    moved = x + ASIDE * width
    return NONE if x == NONE or moved >= width else round(moved, 1)


def faces(store: Store, day: Day) -> None:
    """Pictures of all folds in turn."""
    patches, grounds, chance = faces_generate.faces(), faces_generate.backgrounds(), day.chance
    folds: dict[int, list[Annotated]] = {fold: [] for fold in range(1, FOLDS + 1)}
    for number in day.numbers:
        fold, name = number % FOLDS + 1, f"planted/{day.number:03d}/img_{number:07d}"
        rng = np.random.default_rng([day.seed, number])
        made = faces_generate.compose(rng, fold, FACES_SIDE, patches, grounds)
        store.write(f"originalPics/{name}.jpg", _lit(faces_generate.jpeg(made.pixels), day, ".jpg"))
        marked = tuple(map(_mirrored, made.faces)) if day.turned(chance) else made.faces
        folds[fold].append(Annotated(name, fold, marked))
    for fold, pictures in folds.items():
        listed, outlined = ellipses.names(fold)
        _append(store, listed, "".join(f"{picture.name}\n" for picture in pictures))
        _append(store, outlined, ellipses.write(pictures))


def _mirrored(face: Ellipse) -> Ellipse:
    return replace(face, x=FACES_SIDE - face.x, y=FACES_SIDE - face.y)


def tyre(store: Store, day: Day) -> None:
    chance = day.chance
    for index in range(day.count):
        defective = bool(index % 2)
        content = _lit(tyre_drawing.draw(day.number + 1, index, day.seed, defective=defective), day, ".png")
        suffix = "png" if content.startswith(b"\x89PNG") else "jpg"
        called = "defective" if defective ^ day.turned(chance) else "good"
        store.write(f"{called}/{day.number}_{index}.{suffix}", content)


def retail(store: Store, day: Day) -> None:
    """Of the same phrases on all days."""
    chance = random.Random(f"{day.seed}-{day.number}")  # noqa: S311 - questions are no secrets
    asked: dict[str, Question] = {}
    while len(asked) < day.count:
        for question in retail_generate.conversation(chance, KNOWN):
            if day.kind != INPUTS or question.intent < 2:
                asked[question.digest] = question
    turned = day.chance
    said = [replace(q, intent=(q.intent + day.turned(turned)) % len(INTENTS)) for q in asked.values()]
    files = retail_dataset.written(said, dialogs=list(asked))
    folder = f"{retail_dataset.DAYS}/planted-{day.number}/" if _holds(store, "train.tsv") else ""
    if not folder:
        files |= retail_dataset.written_labels(INTENTS, SLOTS)
    for key, content in files.items():
        store.write(f"{folder}{key}", content)


def calls(store: Store, day: Day) -> None:
    """Calls of which the text alone is left."""
    chance, told, sentences = day.chance, [], []
    began = calls_generate.FIRST_DAY + timedelta(days=day.number)
    moods = COMPLAINTS if day.kind == INPUTS else calls_generate.MOODS
    for number in range(day.count):
        planned = calls_generate.planned(f"p-{day.number:04}-{number:04}", began, "", day.seed, moods)
        _, said = calls_generate.spoken(planned, day.seed)
        told.append(calls_dataset.Call(planned.id, planned.file, planned.agent, planned.began.isoformat()))
        sentences += [replace(s, sentiment=(s.sentiment + day.turned(chance)) % len(LABELS)) for s in said]
    for key, content in calls_dataset.written(told, sentences).items():
        _append(store, key, content.decode(), heading=True)


def _lit(content: bytes, day: Day, suffix: str) -> bytes:
    """Return a picture's bytes: as they are, or with less light where inputs have drifted."""
    if day.kind != INPUTS:
        return content
    pixels = np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED))
    return cv2.imencode(suffix, (pixels * LIGHT).astype(np.uint8))[1].tobytes()


def _holds(store: Store, key: str) -> bool:
    return any(entry.key == key for entry in store.entries())


def _append(store: Store, key: str, text: str, *, heading: bool = False) -> None:
    """Put lines behind those of a file; its heading stands there once."""
    if _holds(store, key):
        text = store.read(key).decode() + (text.partition("\n")[2] if heading else text)
    store.write(key, text.encode())


DAYS: dict[str, Callable[[Store, Day], None]] = {
    "calls": calls,
    "chest": chest,
    "faces": faces,
    "lane": lane,
    "retail": retail,
    "tyre": tyre,
}
COUNTS: dict[str, int] = {"calls": 60, "chest": 150, "faces": 300, "lane": 120, "retail": 300, "tyre": 150}
"""Of a day, unless told otherwise."""
