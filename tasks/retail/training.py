"""The training loop: the same data, configuration, seed and threads give the same weights, also when resumed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tasks.common.metrics import Floats
from tasks.common.program import stop_deferred
from tasks.common.progress import Progress
from tasks.common.tokens import Tokens
from tasks.common.training import Checkpoint, OnEpoch, State, go_on, order
from tasks.retail import scoring
from tasks.retail.configs import Configuration
from tasks.retail.dataset import Question, Questions
from tasks.retail.labels import OUTSIDE
from tasks.retail.model import Joint, build
from tasks.retail.reading import answers

JUDGING_BATCH = 64
NO_LABEL = -100  # what torch's cross entropy leaves out


@dataclass(frozen=True)
class Batch:
    """Questions as numbers: pieces [N, L], the slot of each word's first piece [N, L], intents [N]."""

    tokens: Tensor
    slots: Tensor
    intents: Tensor


@dataclass(frozen=True)
class Training:
    """One training run. ``identity`` says which; a checkpoint of another one is refused."""

    questions: Questions
    tokens: Tokens
    encoder: Path
    configuration: Configuration
    seed: int
    identity: str
    checkpoint: Path
    device: str = "cpu"
    start: Mapping[str, Tensor] | None = None
    """Weights to begin with, by name, of what is trained; None: those of chance."""

    def run(self, on_epoch: OnEpoch) -> Joint:
        """Train to the last epoch, from the checkpoint if there is one (see ``go_on``), and return the network.

        After SIGTERM a checkpoint of where it was is left and Stopped raised.
        """
        torch.manual_seed(self.seed)
        counts = len(self.questions.slots), len(self.questions.intents)
        whole = build(self.encoder, *counts, self.configuration).to(self.device)
        known, judged = self._known(whole, self.questions.training), self._known(whole, self.questions.held_out)
        trained: nn.Module = whole if self.configuration.tunes_encoder else whole.answers
        if self.start is not None:
            trained.load_state_dict(self.start)
        rate, decay = self.configuration.learning_rate, self.configuration.weight_decay
        state = State(trained, torch.optim.AdamW(trained.parameters(), lr=rate, weight_decay=decay))
        kept = Checkpoint(self.checkpoint, self.identity)
        kept.load(state, self.device)
        go_on(state, self.configuration.epochs, lambda: self._epoch(state, whole, known, judged, kept), kept, on_epoch)
        return whole

    def _known(self, whole: Joint, questions: Sequence[Question]) -> list[Tensor]:
        """What an encoder that stays as it is makes of each question: one [L, width] each."""
        if self.configuration.tunes_encoder:
            return []
        whole.eval()
        found: list[Tensor] = []
        with (
            torch.no_grad(),
            Progress(len(questions), "questions", "Reading by the encoder") as progress,
        ):
            for part in _parts(questions):
                tokens = self._batch(part).tokens
                states, mask = whole.states(tokens.to(self.device))
                found += [each[: int(length)] for each, length in zip(states, mask.sum(1), strict=True)]
                progress.advance(len(part))
        return found

    def _epoch(
        self, state: State, whole: Joint, known: Sequence[Tensor], judged: Sequence[Tensor], kept: Checkpoint
    ) -> None:
        begun, size, examples = time.monotonic(), self.configuration.batch_size, self.questions.training
        places = order(self.seed, state.epoch, len(examples))[state.step * size :]
        with Progress(len(places), "questions", f"Epoch {state.epoch + 1} of {self.configuration.epochs}") as progress:
            for start in range(0, len(places), size):
                chosen = places[start : start + size]
                with stop_deferred():
                    self._step(state, whole, [examples[n] for n in chosen], [known[n] for n in chosen] if known else [])
                progress.advance(len(chosen))
        with stop_deferred():
            figures = self._figures(whole, judged)
            seen = min(state.step * size, len(examples))
            per_s = len(places) / (time.monotonic() - begun)
            state.end_epoch({"train_loss": state.loss / seen, **figures, "questions_per_second": per_s})
            kept.save(state)

    def _step(self, state: State, whole: Joint, questions: Sequence[Question], known: Sequence[Tensor]) -> None:
        for group in state.optimizer.param_groups:
            group["lr"] = self._rate(state)
        state.network.train()
        state.optimizer.zero_grad()
        batch = self._batch(questions)
        if known:
            logits = whole.answers(*_padded(known))
        else:
            logits = whole(batch.tokens.to(self.device))
        count = len(self.questions.slots)
        slots, intents = logits[:, :, :count], logits[:, 0, count:]
        loss = cross_entropy(slots.flatten(0, 1), batch.slots.flatten().to(self.device), ignore_index=NO_LABEL)
        loss = loss + cross_entropy(intents, batch.intents.to(self.device))
        loss.backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        state.loss += loss.item() * len(questions)
        state.step += 1

    def _rate(self, state: State) -> float:
        steps = -(-len(self.questions.training) // self.configuration.batch_size)
        done = (state.epoch * steps + state.step) / (self.configuration.epochs * steps)
        return self.configuration.learning_rate * (1 - done)

    def _figures(self, whole: Joint, known: Sequence[Tensor]) -> dict[str, float]:
        told = self.questions
        if known:
            whole.eval()
            with torch.no_grad():
                logits = whole.answers(*_padded(known)).cpu().numpy()
            _, first = self.tokens.numbers([question.words for question in told.held_out])
        else:
            logits, first = predict(whole, self.tokens, told.held_out, self.device)
        found = answers(logits, first, len(told.slots), told.slots.index(OUTSIDE))
        figures = scoring.score(told.held_out, found, told.slots).figures()
        return {f"held_out_{name}": value for name, value in figures.items()}

    def _batch(self, questions: Sequence[Question]) -> Batch:
        numbers, first = self.tokens.numbers([question.words for question in questions])
        slots = np.full(numbers.shape, NO_LABEL, np.int64)
        for row, question, pieces in zip(slots, questions, first, strict=True):
            for piece, slot in zip(pieces, question.slots, strict=True):
                if piece >= 0:
                    row[piece] = slot
        intents = torch.tensor([question.intent for question in questions])
        return Batch(torch.from_numpy(numbers), torch.from_numpy(slots), intents)


def predict(
    network: nn.Module, tokens: Tokens, questions: Sequence[Question], device: str = "cpu"
) -> tuple[Floats, list[list[int]]]:
    """Logits [N, longest, slots + intents] of ``questions``, and at which piece each of their words begins."""
    network.eval()
    numbers, first = tokens.numbers([question.words for question in questions])
    with torch.no_grad():
        found = [network(part.to(device)).cpu() for part in torch.from_numpy(numbers).split(JUDGING_BATCH)]
    return torch.cat(found).numpy(), first


def _parts(questions: Sequence[Question]) -> list[Sequence[Question]]:
    return [questions[start : start + JUDGING_BATCH] for start in range(0, len(questions), JUDGING_BATCH)]


def _padded(states: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """[N, longest, width] and which pieces there are [N, longest]."""
    padded = nn.utils.rnn.pad_sequence(list(states), batch_first=True)
    lengths = torch.tensor([len(each) for each in states], device=padded.device)
    return padded, (torch.arange(padded.shape[1], device=padded.device) < lengths[:, None]).long()
