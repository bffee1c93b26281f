"""The tuning of the encoder: questions come near the passages that answer them, and away from the others of a batch."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from tasks.common import encoder
from tasks.common.program import stop_deferred
from tasks.common.progress import Progress
from tasks.common.result import write_whole
from tasks.common.tokens import Tokens
from tasks.common.training import Checkpoint, OnEpoch, State, go_on, one_cycle, order
from tasks.documents.build import said
from tasks.documents.comparison.configs import Configuration
from tasks.documents.comparison.material import Material

WARM_UP, LOWEST = 0.1, 0.01


@dataclass
class Tuned(State):
    """``seconds`` of the steps so far, over all tries."""

    seconds: float = 0.0


@dataclass(frozen=True)
class Tuning:
    """One tuning. ``identity`` says which; a checkpoint of another one is refused."""

    material: Material
    base: Path
    configuration: Configuration
    seed: int
    identity: str
    checkpoint: Path
    device: str = "cpu"

    def run(self, on_epoch: OnEpoch) -> Tuned:
        """Tune to the last epoch, from the checkpoint if there is one (see ``go_on``)."""
        torch.manual_seed(self.seed)
        network, _ = encoder.load(self.base)
        network.to(self.device)
        tuned = chosen(network, self.configuration.layers)
        rate, decay = self.configuration.learning_rate, self.configuration.weight_decay
        state = Tuned(network, torch.optim.AdamW(tuned, lr=rate, weight_decay=decay))
        kept, tokens = Checkpoint(self.checkpoint, self.identity), Tokens.of(self.base)
        kept.load(state, self.device)
        go_on(state, self.configuration.epochs, lambda: self._epoch(state, tokens, kept), kept, on_epoch)
        return state

    def _epoch(self, state: Tuned, tokens: Tokens, kept: Checkpoint) -> None:
        size, count = self.configuration.batch_size, len(self.material.examples)
        places = order(self.seed, state.epoch, count)[state.step * size :]
        what = f"Epoch {state.epoch + 1} of {self.configuration.epochs}"
        with Progress(len(places), "questions", what) as progress:
            for start in range(0, len(places), size):
                chosen = places[start : start + size].tolist()
                begun = time.monotonic()
                with stop_deferred():
                    self._step(state, tokens, chosen)
                    state.seconds += time.monotonic() - begun
                progress.advance(len(chosen))
        with stop_deferred():
            state.end_epoch({"train_loss": state.loss / count, "seconds": state.seconds})
            kept.save(state)

    def _step(self, state: Tuned, tokens: Tokens, chosen: Sequence[int]) -> None:
        for group in state.optimizer.param_groups:
            group["lr"] = self.configuration.learning_rate * self._share_of_rate(state)
        state.network.train()
        state.optimizer.zero_grad()
        examples = [self.material.examples[number] for number in chosen]
        passages = [self.material.passages[place] for _, place in examples]
        asked = self._vectors(state.network, tokens, [text for text, _ in examples])
        told = self._vectors(state.network, tokens, [said(passage) for passage in passages])
        near = self.configuration.scale * asked @ told.T
        # A passage whose text stands in the batch twice is no wrong answer.
        texts = [passage.text for passage in passages]
        twice = torch.tensor([[row != column and a == b for column, b in enumerate(texts)]
                              for row, a in enumerate(texts)], device=near.device)  # fmt: skip
        right = torch.arange(len(texts), device=near.device)
        loss = cross_entropy(near.masked_fill(twice, -torch.inf), right)
        loss.backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        state.loss += loss.item() * len(chosen)
        state.step += 1

    def _vectors(self, network: nn.Module, tokens: Tokens, texts: Sequence[str]) -> Tensor:
        """Return vectors [N, width] of length 1."""
        numbers = torch.from_numpy(tokens.of_texts(texts)).to(self.device)
        return normalize(encoder.pooled(*encoder.states(network, numbers)), dim=1)

    def _share_of_rate(self, state: Tuned) -> float:
        steps = -(-len(self.material.examples) // self.configuration.batch_size)
        done = (state.epoch * steps + state.step + 1) / (self.configuration.epochs * steps + 1)
        return one_cycle(done, WARM_UP, LOWEST)


def write(network: nn.Module, base: Path, folder: Path) -> None:
    """Write a tuned encoder as a folder like that of its base, the weights last."""
    from safetensors.torch import save

    leave = shutil.ignore_patterns(encoder.WEIGHTS, "README.md", ".*")
    shutil.copytree(base, folder, ignore=leave, dirs_exist_ok=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_whole(folder / encoder.WEIGHTS, save(weights))


def chosen(network: nn.Module, layers: int) -> list[nn.Parameter]:
    """Return the parameters that are tuned; no gradient is computed of the others."""
    blocks = list(network.encoder.layer)  # type: ignore[union-attr,arg-type]
    for parameter in network.parameters():
        parameter.requires_grad_(not layers)
    for block in blocks[-layers:] if layers else []:
        block.requires_grad_(True)
    return [parameter for parameter in network.parameters() if parameter.requires_grad]
