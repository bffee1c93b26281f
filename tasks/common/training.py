"""What trainings of networks share: a state between two steps, its checkpoint, going on from it, and the usual flags.

    state = State(network, optimizer)
    checkpoint = Checkpoint(output / "checkpoint.pt", identity)
    checkpoint.load(state, device)
    go_on(state, epochs, lambda: one_epoch(state), checkpoint, on_epoch)

A system adds what its rest depends on by fields of its own State. The loss, the figures of an epoch and how a step is
made stay the system's.
"""

from __future__ import annotations

import argparse
import io
import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tasks.common import device
from tasks.common.cli import Flags
from tasks.common.program import BadInput, Stopped, stop_deferred
from tasks.common.progress import say
from tasks.common.result import write_whole

C = TypeVar("C")
OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass
class State:
    """Between two steps of a training: all that the rest of it depends on. ``step`` is batches done of the epoch."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    """Summed over the examples of the epoch so far."""
    history: list[dict[str, float]] = field(default_factory=list)
    """One entry per finished epoch, ``time_ms`` among them."""

    def end_epoch(self, figures: Mapping[str, float]) -> None:
        """Keep the figures of the epoch that is over, and begin the next one."""
        self.history.append({**figures, "time_ms": int(time.time() * 1000)})
        self.epoch, self.step, self.loss = self.epoch + 1, 0, 0.0


@dataclass(frozen=True)
class Checkpoint:
    """A file with a whole State. ``identity`` says of which training; that of another one is refused.

    Of several processes the first one ``writes``, since all have the same weights.
    """

    path: Path
    identity: str
    writes: bool = True

    def save(self, state: State) -> None:
        if not self.writes:
            return
        content = {
            **vars(state),
            "network": state.network.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "identity": self.identity,
        }
        file = io.BytesIO()
        torch.save(content, file)
        write_whole(self.path, file.getvalue())

    def load(self, state: State, onto: str) -> None:
        """Put the state where it was; leave it at its beginning where there is no checkpoint."""
        if not self.path.exists():
            return
        content: dict[str, Any] = torch.load(self.path, map_location=onto, weights_only=True)
        if content["identity"] != self.identity:
            raise BadInput(
                f"{self.path} is of another training (other data, configuration, seed, threads or number of "
                "processes): name another --output, or remove that folder to begin anew."
            )
        state.network.load_state_dict(content["network"])
        state.optimizer.load_state_dict(content["optimizer"])
        if "random" in content:  # one of an earlier release may have none
            torch.set_rng_state(content["random"].cpu())
        for name in vars(state).keys() - {"network", "optimizer"}:
            setattr(state, name, content[name])


def go_on(state: State, epochs: int, one_epoch: Callable[[], None], checkpoint: Checkpoint, on_epoch: OnEpoch) -> None:
    """Train to the last epoch from where the state is.

    :param one_epoch: trains to the end of an epoch, ends it (``State.end_epoch``) and saves; raises Stopped between two
        steps when it is told to stop. The state is saved then.
    :param on_epoch: gets the number, from 1, and figures of every epoch, those before the checkpoint too.
    """
    for number, figures in enumerate(state.history, 1):
        on_epoch(number, figures)
    if state.epoch or state.step:
        inside = f", within epoch {state.epoch + 1}" if state.step else ""
        say(f"Going on after epoch {state.epoch}{inside}, from the checkpoint of an earlier try")
    try:
        while state.epoch < epochs:
            one_epoch()
            on_epoch(state.epoch, state.history[-1])
    except Stopped:
        with stop_deferred():
            checkpoint.save(state)
        raise


def order(seed: int, epoch: int, count: int) -> npt.NDArray[np.int64]:
    """The order [count] of the examples in an epoch, the same in every try and every process."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def one_cycle(done: float, warm_up: float, lowest: float) -> float:
    """Share of the highest learning rate where this share of all steps is done.

    It rises for ``warm_up`` of the steps and falls along a cosine to ``lowest``.
    """
    falling = (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up))) / 2
    return max(lowest, done / warm_up if done < warm_up else falling)


def prepared(options: argparse.Namespace, configuration: Callable[..., C]) -> C:
    """Return the configuration that ``add_training_flags`` lets choose, and set device, threads and determinism.

    :param configuration: makes it of a name and single values; raises BadInput.
    """
    chosen = configuration(
        options.configuration,
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
    )
    options.device = device.chosen(options.device)
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    return chosen


def add_training_flags(
    flags: Flags, configurations: Collection[str], default: str, *, threads: int, batch: str = ""
) -> None:
    """Add the flags that say how a network is trained. ``batch`` says of what the batch size is."""
    flags.add_argument("--configuration", choices=configurations, default=default)
    flags.add_argument("--epochs", type=int, help="instead of the configuration's")
    flags.add_argument("--batch-size", type=int, help=f"{batch}instead of the configuration's")
    flags.add_argument("--learning-rate", type=float, help="instead of the configuration's")
    flags.add_argument("--seed", type=int, default=1)
    # Fixed, not the machine's cores: the order in which threads add numbers up decides the last bits of the weights.
    flags.add_argument("--threads", type=int, default=threads, help="for arithmetic; another number: other last bits")
    flags.add_argument("--device", default=device.AUTO, help="cpu, cuda, or auto: the GPU that the place gives")
