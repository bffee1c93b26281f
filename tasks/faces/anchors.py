"""Anchors: boxes at fixed places from which the network says where faces are; all lengths are shares of the side."""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

from tasks.faces.configs import Configuration

Boxes = npt.NDArray[np.float32]  # [N, 4]: left, top, right, bottom
VARIANCES = (0.1, 0.2)  # by which offsets of centre and of size are divided, so that all are of about the same size
FACE = 0.35  # overlap from which an anchor is a face's
SUPPRESSED = 0.3  # overlap with a better box from which one is left out
DENSE = 4  # anchors of any size lie a quarter of their side apart, as far as the layer's stride allows


def _density(chosen: Configuration, layer: int, side: int) -> int:
    """How many anchors of this side a cell has along each axis: small ones lie as densely as large ones."""
    return max(1, DENSE * chosen.stride * 2**layer // side)


def per_cell(chosen: Configuration, layer: int) -> int:
    return sum(_density(chosen, layer, side) ** 2 for side in chosen.anchors[layer])


@functools.cache
def anchors(chosen: Configuration) -> Boxes:
    """[anchors, 4] as centre x, centre y, width, height, in the order of the network's answers."""
    found = []
    for layer, sides in enumerate(chosen.anchors):
        stride = chosen.stride * 2**layer
        cells = chosen.side // stride
        within = [
            ((column + 0.5) / dense, (row + 0.5) / dense, side / chosen.side)
            for side in sides
            for dense in [_density(chosen, layer, side)]
            for row in range(dense)
            for column in range(dense)
        ]
        for row in range(cells):
            for column in range(cells):
                found += [((column + x) / cells, (row + y) / cells, side, side) for x, y, side in within]
    return np.array(found, np.float32)


def corners(centred: Boxes) -> Boxes:
    """Centre and size to left, top, right, bottom."""
    half = centred[:, 2:] / 2
    return np.concatenate([centred[:, :2] - half, centred[:, :2] + half], 1)


def overlaps(some: Boxes, others: Boxes) -> npt.NDArray[np.float32]:
    """Intersection over union [some, others] of boxes given by their corners."""
    low = np.maximum(some[:, None, :2], others[None, :, :2])
    high = np.minimum(some[:, None, 2:], others[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (some, others)]
    found: npt.NDArray[np.float32] = shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-12)
    return found


def targets(chosen: Configuration, faces: Boxes) -> tuple[Boxes, npt.NDArray[np.bool_]]:
    """Return what the network should answer for these faces: offsets [anchors, 4], and which anchors are a face's."""
    places = anchors(chosen)
    if not len(faces):
        return np.zeros_like(places), np.zeros(len(places), bool)
    shared = overlaps(corners(places), faces)
    best = shared.max(axis=1)
    which = shared.argmax(axis=1)
    nearest = shared.argmax(axis=0)  # every face has at least the anchor that fits it best
    best[nearest], which[nearest] = 1.0, np.arange(len(faces))
    taken = faces[which]
    centre, size = (taken[:, :2] + taken[:, 2:]) / 2, taken[:, 2:] - taken[:, :2]
    moved = (centre - places[:, :2]) / (VARIANCES[0] * places[:, 2:])
    grown = np.log(np.maximum(size, 1e-6) / places[:, 2:]) / VARIANCES[1]
    return np.concatenate([moved, grown], 1).astype(np.float32), best >= FACE


def decode(chosen: Configuration, offsets: Boxes) -> Boxes:
    """Boxes by their corners [anchors, 4] from the network's offsets."""
    places = anchors(chosen)
    centre = places[:, :2] + offsets[:, :2] * VARIANCES[0] * places[:, 2:]
    size = places[:, 2:] * np.exp(np.clip(offsets[:, 2:] * VARIANCES[1], -math.pi, math.pi))
    return corners(np.concatenate([centre, size], 1).astype(np.float32))


def faces_of(
    chosen: Configuration, answers: npt.NDArray[np.float32], least: float, most: int = 100
) -> tuple[Boxes, npt.NDArray[np.float32]]:
    """Boxes [F, 4] and their chances [F], the surest first, of one picture's answers [anchors, 5].

    :param least: chance below which there is no face.
    :param most: faces of a picture.
    """
    chances = 1 / (1 + np.exp(-np.clip(answers[:, 4], -50, 50)))
    order = np.argsort(-chances, kind="stable")
    order = order[chances[order] >= least][: 10 * most]
    boxes = decode(chosen, answers[:, :4])[order]
    kept: list[int] = []
    left = np.ones(len(order), bool)
    for place in range(len(order)):
        if left[place] and len(kept) < most:
            kept.append(place)
            left &= overlaps(boxes[place : place + 1], boxes)[0] <= SUPPRESSED
    return boxes[kept], chances[order][kept].astype(np.float32)
