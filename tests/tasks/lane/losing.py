"""Trains, and loses the second process once, in the midst of the second epoch: for test_lane_processes.py."""

import os
import signal
from pathlib import Path

import torch

from tasks.common import program
from tasks.common.processes import SyncedBatchNorm2d
from tasks.lane import train, training

LOST = Path(os.environ["LANE_TEST_LOST"])


def step(self, state, *arguments, before=training.Training._step):
    if self.group.rank == 1 and (state.epoch, state.step) == (1, 1) and not LOST.exists():
        LOST.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return before(self, state, *arguments)


def checked(options, group, before=train.train):
    """Batch normalisation of each process's part is that of the whole: values, gradients and what is kept of them."""
    torch.manual_seed(1)
    whole, weights = torch.randn(5, 3, 4, 4, dtype=torch.float64), torch.randn(5, 3, 4, 4, dtype=torch.float64)
    part = slice(0, 3) if group.is_first else slice(3, 5)
    alone, synced = torch.nn.BatchNorm2d(3).double(), SyncedBatchNorm2d(3).double()
    all_of_it, mine = whole.clone().requires_grad_(), whole[part].clone().requires_grad_()
    expected, found = alone(all_of_it), synced(mine)
    (expected * weights).sum().backward()
    (found * weights[part]).sum().backward()
    torch.testing.assert_close(found, expected[part])
    torch.testing.assert_close(mine.grad, all_of_it.grad[part])
    torch.testing.assert_close(dict(synced.named_buffers()), dict(alone.named_buffers()))
    return before(options, group)


training.Training._step = step
train.train = checked
if __name__ == "__main__":
    program.run(train.main)
