"""A training goes on from its checkpoint to the same weights, and refuses the checkpoint of another one."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from tasks.common import training
from tasks.common.cli import Flags
from tasks.common.program import BadInput, Stopped
from tasks.common.training import Checkpoint, add_training_flags, go_on, one_cycle, order

STEPS, EPOCHS = 4, 3


@dataclass
class State(training.State):
    right: int = 0
    """A system's own."""


def begun() -> State:
    torch.manual_seed(1)
    network = nn.Linear(3, 1)
    return State(network, torch.optim.AdamW(network.parameters(), lr=0.1))


def trained(path: Path, stop_at: tuple[int, int] | None = None, identity: str = "one", **settings: bool) -> State:
    """Train with dropout, which draws on torch's own random numbers; ``stop_at`` is an epoch and a step of it."""
    state, checkpoint = begun(), Checkpoint(path, identity, **settings)
    checkpoint.load(state, "cpu")

    def one_epoch() -> None:
        for place in order(7, state.epoch, STEPS)[state.step :]:
            if (state.epoch, state.step) == stop_at:
                raise Stopped(signal.SIGTERM)
            loss = nn.functional.dropout(state.network(torch.full((1, 3), float(place)))).pow(2).mean()
            state.optimizer.zero_grad()
            loss.backward()
            state.optimizer.step()
            state.step, state.loss, state.right = state.step + 1, state.loss + loss.item(), state.right + 1
        state.end_epoch({"loss": state.loss, "right": state.right})
        checkpoint.save(state)

    told: list[int] = []
    go_on(state, EPOCHS, one_epoch, checkpoint, lambda number, figures: told.append(number))
    assert told == list(range(1, EPOCHS + 1)), "epochs before the checkpoint are told again"
    return state


@pytest.mark.parametrize("stop_at", [(0, 0), (1, 2), (2, 3)])
def test_stopped_between_two_steps_it_goes_on_to_the_same_weights_and_figures(
    tmp_path: Path, stop_at: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    whole = trained(tmp_path / "whole.pt")
    with pytest.raises(Stopped):
        trained(tmp_path / "part.pt", stop_at)
    resumed = trained(tmp_path / "part.pt")
    assert torch.equal(whole.network.weight, resumed.network.weight)
    figures = [[{**told, "time_ms": 0} for told in state.history] for state in (whole, resumed)]
    assert figures[0] == figures[1] and resumed.right == whole.right
    assert ("Going on after epoch" in capsys.readouterr().err) == (stop_at != (0, 0))


def test_a_checkpoint_of_another_training_is_refused_in_a_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    trained(tmp_path / "c.pt")
    with pytest.raises(
        BadInput, match=r"c\.pt is of another training .*: name another --output, or remove that folder"
    ):
        trained(tmp_path / "c.pt", identity="another")


def test_only_the_process_that_writes_leaves_a_checkpoint(tmp_path: Path) -> None:
    trained(tmp_path / "c.pt", writes=False)
    assert list(tmp_path.iterdir()) == []


def test_the_order_is_one_of_seed_and_epoch_and_the_rate_rises_and_falls() -> None:
    assert order(1, 2, 50).tolist() == order(1, 2, 50).tolist() != order(1, 3, 50).tolist()
    assert sorted(order(1, 2, 50)) == list(range(50))
    rates = [one_cycle(done / 100, 0.25, 0.01) for done in range(101)]
    assert rates[0] == 0.01 and max(rates) == pytest.approx(rates[25]) == pytest.approx(1) and rates[100] == 0.01


def test_the_usual_flags_leave_to_the_configuration_what_is_not_given() -> None:
    flags = Flags("A program.")
    add_training_flags(flags, ("small", "large"), "small", threads=2)
    options = flags.parse(["--epochs", "3"])
    assert (options.configuration, options.epochs, options.batch_size, options.learning_rate) == (
        "small",
        3,
        None,
        None,
    )
    assert (options.seed, options.threads) == (1, 2)
    with pytest.raises(BadInput, match="configuration"):
        flags.parse(["--configuration", "other"])
