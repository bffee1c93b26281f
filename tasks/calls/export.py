"""A trained network as files: ONNX for Triton, tokenizer, weights, the base model's, and a description."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tasks.calls.configs import Configuration
from tasks.calls.model import Sentiment, build, trained_part
from tasks.calls.sentiment import INPUT, LABELS, OUTPUT, numbers
from tasks.common.model_folder import ONNX, Tensor, write_model
from tasks.common.onnx_model import OnnxModel
from tasks.common.program import BadInput
from tasks.common.tokens import TOKENIZER, Tokens
from tasks.common.torch_files import ANY_NUMBER, onnx_of, weights_of

WEIGHTS, BASE, TRAINED_ON = "weights.pt", "base.pt", "sentences.json"
LOGITS_AGREE = 1e-3
EXAMPLES = ("This is the third time that I call.", "Thank you.")


def export(
    network: Sentiment,
    base: Sentiment,
    tokens: Tokens,
    folder: Path,
    description: dict[str, Any],
    trained_on: Iterable[str],
) -> dict[str, str]:
    """Write all files, the description last. Returns the digests (sha256) by name.

    :param base: the model before it was tuned, which it has to be better than.
    :param trained_on: digests of sentences, so that nobody judges the model on one of them.
    """
    configuration = configuration_of(description)
    network = network.to("cpu").eval()
    files = {name: _weights(each, configuration) for name, each in ((WEIGHTS, network), (BASE, base.to("cpu")))}
    example = torch.from_numpy(numbers(tokens, EXAMPLES))
    with warnings.catch_warnings():
        # Of an index that is negative in nobody's sentence; ``_check_same`` looks at what comes out.
        warnings.filterwarnings("ignore", "Exporting aten::index", UserWarning)
        files[ONNX] = onnx_of(network, example, INPUT, OUTPUT, {**ANY_NUMBER, 1: "length"}, ANY_NUMBER)
    _check_same(network, files[ONNX], tokens)
    files[TOKENIZER] = tokens.content
    files[TRAINED_ON] = json.dumps(sorted(digest[:16] for digest in set(trained_on))).encode()
    shapes = Tensor(INPUT, "int64", (-1, -1)), Tensor(OUTPUT, "float32", (-1, len(LABELS)))
    return write_model(folder, description, files, *shapes)


def base_of(folder: Path, description: dict[str, Any], encoder: Path) -> Sentiment:
    """Return the base model that a model folder holds. Raises BadInput where it holds none."""
    configuration = configuration_of(description)
    network = build(encoder, configuration)
    try:
        weights = torch.load(folder / BASE, map_location="cpu", weights_only=True)
        trained_part(network, configuration).load_state_dict(weights)
    except (OSError, RuntimeError) as error:
        raise BadInput(f"{folder / BASE} holds no base model of this kind ({error}); train it again.") from error
    return network.eval()


def configuration_of(description: dict[str, Any]) -> Configuration:
    told = {name: value for name, value in description["configuration"].items() if name != "name"}
    return Configuration(**told)


def _weights(network: Sentiment, configuration: Configuration) -> bytes:
    return weights_of(trained_part(network, configuration).state_dict())


def _check_same(network: Sentiment, onnx: bytes, tokens: Tokens) -> None:
    """Raise RuntimeError where ONNX Runtime, which serves, answers otherwise than torch, which trained."""
    asked = numbers(tokens, ["You saved me a trip to the shop.", "Nobody has called me back since Monday.", "Yes."])
    with torch.no_grad():
        trained = network(torch.from_numpy(asked)).numpy()
    served = OnnxModel(onnx, ONNX, inputs=INPUT, outputs=OUTPUT, threads=1)(asked)
    if not np.allclose(trained, served, atol=LOGITS_AGREE):
        raise RuntimeError(
            f"{ONNX} answers {np.abs(trained - served).max():.2g} otherwise than the network it was made from, and "
            f"{LOGITS_AGREE:g} is allowed: torch {torch.__version__} exports it wrongly."
        )
