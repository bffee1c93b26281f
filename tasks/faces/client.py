"""A client that never shows a picture: it runs the head itself, adds noise, and sends only what comes of that.

    client = Client.of("/models/r20261127...", "http://127.0.0.1:8000/v2/models/private_inference/infer")
    answer = client.look(content)

There is no way to send anything clear: without noise, or with noise that adds nothing, there is no client. Noise is
drawn once for a picture, and what failed is sent again as it was: an attacker who could average several noises of one
picture would take the noise out.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.common.data import read_url
from tasks.common.inference import TIMEOUT_S, infer
from tasks.common.model_folder import DESCRIPTION
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput, TryAgain
from tasks.common.progress import say
from tasks.faces import preprocessing
from tasks.faces.anchors import Boxes, faces_of
from tasks.faces.configs import Configuration
from tasks.faces.export import HEAD, PICTURES, configuration_of
from tasks.faces.judging import HALVED, THRESHOLD
from tasks.faces.noise import NOISE, Noise
from tasks.faces.preprocessing import INPUT, OUTPUT, NotAPicture

TRIES = 3
PAUSE_S = 0.5  # before a picture is sent again

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Answer:
    """Faces of one picture: ``boxes`` [F, 4] in its pixels, ``chances`` [F]; what was sent [1, channels, ...].

    ``milliseconds`` are of the head, the noise and the server, network included.
    """

    boxes: Boxes
    chances: Floats
    answers: Floats
    sent: Floats
    width: int
    height: int
    milliseconds: Mapping[str, float]


class Client:
    """``address`` is where to post. Noise is fresh for every picture, from the machine's own randomness."""

    def __init__(self, description: Mapping[str, Any], head: OnnxModel, noise: Noise, address: str) -> None:
        self.chosen: Configuration = configuration_of(description)
        if description["preprocessing"] != preprocessing.description(self.chosen):
            raise BadInput("The model was trained on pictures prepared in another way than here.")
        channels = self.chosen.activation[0]
        if noise.mixing.shape != (channels, channels):
            raise BadInput(
                f"The noise is for {len(noise.mixing)} channels and the head makes {channels}: they are of two "
                "trainings; take both from one model's folder."
            )
        if noise.alpha <= 0 or not (noise.deviation > 0).all():
            raise BadInput("The noise adds nothing to some of what would be sent, so nothing is sent; train again.")
        self._head, self._noise, self.address = head, noise, address
        self._random = np.random.default_rng()
        self._asked = False

    @classmethod
    def of(cls, folder: str, address: str, threads: int = 1) -> Client:
        """From a model's folder or URL. Raises BadInput, and so sends nothing, where the noise is not there."""
        where = folder.rstrip("/")
        try:
            noise = Noise.load(read_url(f"{where}/{NOISE}"), f"{where}/{NOISE}")
        except BadInput as error:
            raise BadInput(f"Nothing is sent without noise: {error}") from None
        description = json.loads(read_url(f"{where}/{DESCRIPTION}"))
        content = read_url(f"{where}/{HEAD}")
        head = OnnxModel(content, f"{where}/{HEAD}", inputs=PICTURES, outputs=INPUT, threads=threads)
        return cls(description, head, noise, address)

    @property
    def alpha(self) -> float:
        return self._noise.alpha

    def look(self, content: bytes, name: str = "The picture", least: float = THRESHOLD) -> Answer:
        """Find faces in a picture's file. Raises BadInput, or TryAgain where the server fails again and again.

        :param least: chance below which there is no face.
        """
        try:
            picture = preprocessing.decode(content, self.chosen)
        except NotAPicture as error:
            raise BadInput(f"{name} {error}.") from None
        self._check_server()
        sent, milliseconds = self.obfuscate(picture.pixels)
        begun = time.perf_counter()
        answers = self._ask(sent)
        milliseconds["server"] = 1000 * (time.perf_counter() - begun)
        boxes, chances = faces_of(self.chosen, answers[0], least)
        size = np.array([picture.width, picture.height] * 2, np.float32)
        return Answer(boxes * size, chances, answers[0], sent, picture.width, picture.height, milliseconds)

    def obfuscate(self, pixels: preprocessing.Pixels) -> tuple[Floats, dict[str, float]]:
        """What is sent of a picture [colours, side, side]: [1, channels, height, width], and what it took."""
        begun = time.perf_counter()
        clean = self._head(preprocessing.normalise(self._noise.prepare(pixels[None])))
        middle = time.perf_counter()
        sent = self._noise.add(clean, self._random)
        return sent, {"head": 1000 * (middle - begun), "noise": 1000 * (time.perf_counter() - middle)}

    def _ask(self, sent: Floats) -> Floats:
        for left in reversed(range(TRIES)):
            try:
                return infer(self.address, sent, inputs=INPUT, outputs=OUTPUT)
            except TryAgain as error:
                if not left:
                    raise
                say(f"{error} It is asked again, with the same noise.")
                time.sleep(PAUSE_S)
        raise AssertionError("the last try returns or raises")

    def _check_server(self) -> None:
        """Ask once, before anything is sent, whether the server's model takes what this head makes."""
        if self._asked:
            return
        page = self.address.removesuffix("/infer")
        try:
            with urllib.request.urlopen(page, timeout=TIMEOUT_S) as answer:  # noqa: S310
                told = json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:300]
            kind = TryAgain if error.code >= 500 else BadInput
            raise kind(f"The inference server does not tell of its model at {page} ({error.code}): {said}") from error
        except OSError as error:
            raise TryAgain(f"No inference server answers at {page}: {error}") from error
        shapes = {tensor["name"]: [int(length) for length in tensor["shape"]][1:] for tensor in told.get("inputs", [])}
        mine = list(self.chosen.activation)
        if shapes.get(INPUT) != mine:
            wanted = " x ".join(map(str, shapes[INPUT])) if INPUT in shapes else f"no {INPUT} but {sorted(shapes)}"
            raise BadInput(
                f"The model at {page} takes {wanted}, and this client's head makes {' x '.join(map(str, mine))}: it is "
                "another version; take head and noise from the folder of the version that serves."
            )
        self._asked = True


def both_thresholds(answer: Answer, chosen: Configuration) -> dict[str, int]:
    """Faces found at the full and at the halved threshold, each named."""
    return {f"at_{least:g}": len(faces_of(chosen, answer.answers, least)[0]) for least in (THRESHOLD, HALVED)}
