"""The training loop: the same texts, configuration, seed and threads give the same weights, also when resumed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tasks.calls.configs import Configuration
from tasks.calls.model import Sentiment, build, trained_part
from tasks.calls.sentiment import numbers
from tasks.common.metrics import Floats
from tasks.common.program import stop_deferred
from tasks.common.progress import Progress
from tasks.common.tokens import Tokens
from tasks.common.training import Checkpoint, OnEpoch, State, go_on, order

READING_BATCH = 64

Example = tuple[str, int]
"""A text and the number of its sentiment."""


@dataclass(frozen=True)
class Training:
    """One training run. ``identity`` says which; a checkpoint of another one is refused."""

    examples: Sequence[Example]
    tokens: Tokens
    encoder: Path
    configuration: Configuration
    seed: int
    identity: str
    checkpoint: Path
    device: str = "cpu"

    def run(self, on_epoch: OnEpoch) -> Sentiment:
        """Train to the last epoch, from the checkpoint if there is one (see ``go_on``), and return the network.

        After SIGTERM a checkpoint of where it was is left and Stopped raised.
        """
        torch.manual_seed(self.seed)
        whole = build(self.encoder, self.configuration).to(self.device)
        trained = trained_part(whole, self.configuration)
        rate, decay = self.configuration.learning_rate, self.configuration.weight_decay
        state = State(trained, torch.optim.AdamW(trained.parameters(), lr=rate, weight_decay=decay))
        kept = Checkpoint(self.checkpoint, self.identity)
        kept.load(state, self.device)
        known = self._known(whole) if state.epoch < self.configuration.epochs else None
        go_on(state, self.configuration.epochs, lambda: self._epoch(state, whole, known, kept), kept, on_epoch)
        return whole

    def _known(self, whole: Sentiment) -> Tensor | None:
        """What an encoder that stays as it is makes of each text [N, width]: every text goes through it once."""
        if self.configuration.tunes_encoder:
            return None
        whole.eval()
        with torch.no_grad(), Progress(len(self.examples), "sentences", "Reading by the encoder") as progress:
            found = []
            for part in _parts([text for text, _ in self.examples]):
                found.append(whole.means(torch.from_numpy(numbers(self.tokens, part)).to(self.device)))
                progress.advance(len(part))
        return torch.cat(found)

    def _epoch(self, state: State, whole: Sentiment, known: Tensor | None, kept: Checkpoint) -> None:
        begun, size = time.monotonic(), self.configuration.batch_size
        places = order(self.seed, state.epoch, len(self.examples))[state.step * size :]
        for start in range(0, len(places), size):
            with stop_deferred():
                self._step(state, whole, torch.from_numpy(places[start : start + size]), known)
        with stop_deferred():
            seen = min(state.step * size, len(self.examples))
            per_s = len(places) / max(time.monotonic() - begun, 1e-9)
            state.end_epoch({"train_loss": state.loss / seen, "sentences_per_second": per_s})
            if self.configuration.tunes_encoder or state.epoch == self.configuration.epochs:
                kept.save(state)  # an epoch on what is known of each text is over sooner than it is written down

    def _step(self, state: State, whole: Sentiment, places: Tensor, known: Tensor | None) -> None:
        for group in state.optimizer.param_groups:
            group["lr"] = self._rate(state)
        state.network.train()
        state.optimizer.zero_grad()
        chosen = [self.examples[place] for place in places.tolist()]
        if known is None:
            logits = whole(torch.from_numpy(numbers(self.tokens, [text for text, _ in chosen])).to(self.device))
        else:
            logits = whole.answer(known[places])
        loss = cross_entropy(logits, torch.tensor([label for _, label in chosen], device=self.device))
        loss.backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        state.loss += loss.item() * len(chosen)
        state.step += 1

    def _rate(self, state: State) -> float:
        steps = -(-len(self.examples) // self.configuration.batch_size)
        done = (state.epoch * steps + state.step) / (self.configuration.epochs * steps)
        return self.configuration.learning_rate * (1 - done)


def predict(network: Sentiment, tokens: Tokens, texts: Sequence[str], device: str = "cpu") -> Floats:
    """Logits [N, 3] of texts."""
    network.eval()
    with torch.no_grad():
        found = [network(torch.from_numpy(numbers(tokens, part)).to(device)).cpu() for part in _parts(texts)]
    return torch.cat(found).numpy()


def _parts(texts: Sequence[str]) -> list[Sequence[str]]:
    return [texts[start : start + READING_BATCH] for start in range(0, len(texts), READING_BATCH)]
