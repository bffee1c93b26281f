"""Make pictures with faces in the layout of FDDB, as a data lake would hold them.

    python -m tasks.faces.generate --output /tmp/faces --count 600
    python -m tasks.faces.generate --output s3://lake/faces --revision 2     # the next day: more pictures

Real faces (the hundred small grey ones of Labeled Faces in the Wild that scikit-image carries) are put on real
photographs and textures (of the same package), larger or smaller, turned, lighter or darker; so each ellipse is exact.
A fold has ten persons of its own, so a network that was trained on some folds has not seen the persons of the others.
Who is who stands in ``persons.csv``, for the recogniser. The same seed, count and side give the same bytes; a later
revision keeps what is there and adds a tenth.
"""

from __future__ import annotations

import argparse
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from tasks.common import program
from tasks.common.data import Store, open_target
from tasks.common.program import BadInput
from tasks.common.progress import Progress, say
from tasks.faces import ellipses
from tasks.faces.ellipses import FOLDS, Annotated, Ellipse

COUNT, SIDE = 600, 96
ADDED = 0.1  # of the first day's pictures, by each later one
PERSONS = "persons.csv"
QUALITY = 95  # of the JPEG files
FACES = 100  # the first hundred of scikit-image's lfw_subset; the rest of it shows none
MOST = 3  # faces of a picture
SIZES = 0.3, 0.5  # height of a face as a share of the picture's side
TURN = 0.26  # radians to each side
# The ellipse within a face's picture of 25 x 25, as shares of its side: radii, centre.
MAJOR, MINOR, CENTRE = 0.48, 0.36, (0.5, 0.5)
GROUNDS = ("brick", "grass", "gravel", "moon", "clock", "text", "page", "coffee", "rocket", "chelsea", "cell")

Grey = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Composite:
    """A picture, [side, side] from 0 to 255, its faces and who they are."""

    pixels: npt.NDArray[np.uint8]
    faces: tuple[Ellipse, ...]
    persons: tuple[int, ...]


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, help="folder or s3://bucket/prefix")
    parser.add_argument("--count", type=int, default=COUNT, help="pictures of revision 1")
    parser.add_argument("--side", type=int, default=SIDE, help="pixels")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--revision", type=int, default=1, help="which day")
    arguments = parser.parse_args()
    if arguments.count < FOLDS or arguments.revision < 1 or arguments.side < 64:
        raise BadInput(f"--count starts at {FOLDS}, a picture for each fold, --revision at 1, --side at 64.")
    total = arguments.count + round((arguments.revision - 1) * arguments.count * ADDED)
    return bring(open_target(arguments.output), arguments.seed, total, arguments.side)


def bring(store: Store, seed: int, total: int, side: int) -> dict[str, Any]:
    """Make ``store`` hold so many pictures with their lists; those that are there are written again only if absent."""
    there, patches, grounds = {entry.key for entry in store.entries()}, faces(), backgrounds()
    folds: dict[int, list[Annotated]] = {fold: [] for fold in range(1, FOLDS + 1)}
    persons, written = ["picture,face,person"], 0
    with Progress(total, "pictures", "Putting faces on pictures") as progress:
        for number in range(total):
            fold, name = number % FOLDS + 1, f"composites/big/img_{number:05d}"
            made = compose(np.random.default_rng([seed, number]), fold, side, patches, grounds)
            folds[fold].append(Annotated(name, fold, made.faces))
            persons += [f"{name},{face},{person}" for face, person in enumerate(made.persons)]
            key = f"originalPics/{name}.jpg"
            if key not in there:
                store.write(key, jpeg(made.pixels))
                written += 1
            progress.advance()
    for fold, pictures in folds.items():
        listed, outlined = ellipses.names(fold)
        store.write(listed, "".join(f"{picture.name}\n" for picture in pictures).encode())
        store.write(outlined, ellipses.write(pictures).encode())
    store.write(PERSONS, ("\n".join(persons) + "\n").encode())
    count = sum(len(picture.faces) for pictures in folds.values() for picture in pictures)
    say(f"{store.url}: {total} pictures with {count} faces, {written} written.")
    return {"pictures": total, "faces": count, "written": written, "url": store.url}


def faces() -> list[Grey]:
    """A hundred faces [25, 25], 0 to 255."""
    from skimage import data

    return [(face * 255).astype(np.float32) for face in data.lfw_subset()[:FACES]]


def backgrounds() -> list[Grey]:
    """Photographs and textures without a face, grey."""
    from skimage import data

    found = []
    for name in GROUNDS:
        pixels = np.asarray(getattr(data, name)(), np.float32)
        found.append(pixels.mean(axis=2) if pixels.ndim == 3 else pixels)
    return found


def compose(
    rng: np.random.Generator, fold: int, side: int, patches: Sequence[Grey], grounds: Sequence[Grey]
) -> Composite:
    """Put one to three of the fold's persons on a part of a background, none over another."""
    pixels = _ground(rng, side, grounds)
    chosen: list[tuple[Ellipse, int]] = []
    for person in rng.permutation(FACES // FOLDS)[: int(rng.integers(1, MOST + 1))]:
        who = (fold - 1) * (FACES // FOLDS) + int(person)
        for _ in range(20):
            height = side * rng.uniform(*SIZES)
            patch = height / (2 * MAJOR)
            edge = 0.5 * patch
            x, y = rng.uniform(edge, side - edge, 2)
            if all(math.hypot(x - face.x, y - face.y) > 1.05 * (height / 2 + face.major) for face, _ in chosen):
                turn = rng.uniform(-TURN, TURN)
                face = Ellipse(MAJOR * patch, MINOR * patch, math.pi / 2 + turn, x, y)
                pixels = _put(rng, pixels, patches[who], face, patch, turn)
                chosen.append((face, who))
                break
    pixels = pixels + rng.normal(0, 2, pixels.shape).astype(np.float32)
    return Composite(
        np.clip(pixels, 0, 255).astype(np.uint8), tuple(f for f, _ in chosen), tuple(who for _, who in chosen)
    )


def _ground(rng: np.random.Generator, side: int, grounds: Sequence[Grey]) -> Grey:
    whole = grounds[int(rng.integers(len(grounds)))]
    most = min(whole.shape) - 1
    size = int(rng.uniform(min(side, most), most))
    top, left = (int(rng.integers(0, length - size)) for length in whole.shape)
    part = cv2.resize(whole[top : top + size, left : left + size], (side, side), interpolation=cv2.INTER_AREA)
    flipped = part[:, ::-1] if rng.random() < 0.5 else part
    found: Grey = flipped * np.float32(rng.uniform(0.6, 1.1)) + np.float32(rng.uniform(-10, 20))
    return found


def _put(rng: np.random.Generator, pixels: Grey, patch: Grey, face: Ellipse, size: float, turn: float) -> Grey:
    """Blend a face in within a soft ellipse, a little larger than the annotated one so that there is no hard edge."""
    side = pixels.shape[0]
    lit = patch * np.float32(rng.uniform(0.8, 1.2)) + np.float32(rng.uniform(-15, 15))
    scale, cosine, sine = size / patch.shape[0], math.cos(turn), math.sin(turn)
    middle = (patch.shape[0] - 1) / 2
    matrix = np.array([[scale * cosine, -scale * sine, 0.0], [scale * sine, scale * cosine, 0.0]])
    matrix[:, 2] = np.array([face.x - 0.5, face.y - 0.5]) - matrix[:, :2] @ np.array([middle, middle])
    drawn = cv2.warpAffine(lit, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    wider = Ellipse(face.major * 1.03, face.minor * 1.2, face.angle, face.x, face.y)
    soft = cv2.GaussianBlur(wider.mask(side, side).astype(np.float32), (0, 0), max(0.5, size / 25))
    found: Grey = pixels * (1 - soft) + drawn * soft
    return found


def jpeg(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return a grey picture [side, side] as the bytes of a file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


if __name__ == "__main__":
    program.run(main)
