"""Several processes that train one network together: started by torchrun, or by whatever sets its variables.

    with together(device) as group:
        network = group.share(network)          # the same weights in all, gradients averaged over all
        ...
        if group.stops(stop_requested()): ...   # all of them at the same step, or none

A process alone is a group of one, and nothing is sent. Only the first one reports: the others write no result, no
progress and nothing to MLflow.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from tasks.common.program import TryAgain

SILENCE = timedelta(minutes=10)
"""After which a process that says nothing counts as lost."""
_REPORTING = ("RESULT_FILE", "PROGRESS_FILE", "MLFLOW_TRACKING_URI")
_LOST = ("gloo", "nccl", "connection", "timed out", "timeout", "peer", "socket")


@dataclass
class Group:
    """``rank`` of ``size`` processes. ``communication_s`` is the time that gradients took so far, waiting included."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"
    communication_s: float = 0.0
    _asked: tuple[Any, Tensor] | None = field(default=None, repr=False)

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def share(self, network: nn.Module) -> nn.Module:
        """Return the network with the first process's weights, whose gradients will be the mean over all processes."""
        if self.size == 1:
            return network
        devices = [torch.device(self.device)] if self.device.startswith("cuda") else None
        # Statistics of normalisation are of all processes already (SyncedBatchNorm2d), so that buffers need no sending.
        shared = nn.parallel.DistributedDataParallel(
            network, device_ids=devices, broadcast_buffers=False, gradient_as_bucket_view=True
        )
        shared.register_comm_hook(None, self._averaged)
        return shared

    def stops(self, wanted: bool) -> bool:
        """Whether any of the processes wanted to stop when this was asked before; the same answer in all of them.

        What is wanted now is answered the next time: it travels while a step is made, so that no process waits for
        the others here.
        """
        if self.size == 1:
            return wanted
        before, told = self._asked, torch.tensor([float(wanted)], device=self.device)
        self._asked = dist.all_reduce(told, op=dist.ReduceOp.MAX, async_op=True), told
        if before is None:
            return False
        sent, answer = before
        begun = time.perf_counter()
        sent.wait()
        self.communication_s += time.perf_counter() - begun
        return bool(answer.item())

    def total(self, *values: float) -> list[float]:
        """Return each value summed over all processes, in double precision."""
        if self.size == 1:
            return [float(value) for value in values]
        told = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(told)
        return told.tolist()

    def _averaged(self, state, bucket):  # type: ignore[no-untyped-def]  # DDP takes no annotation that is a text
        """Add up a bucket of gradients as DDP itself would, and take the time from its beginning to its end."""
        begun, gradients = time.perf_counter(), bucket.buffer().div_(self.size)
        sent: Any = dist.all_reduce(gradients, async_op=True)

        def arrived(future: torch.futures.Future[Any]) -> Tensor:
            self.communication_s += time.perf_counter() - begun
            return future.value()[0]

        return sent.get_future().then(arrived)


@contextlib.contextmanager
def together(device: str = "cpu") -> Iterator[Group]:
    """Join the other processes of this program, by torchrun's variables (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT).

    Raises TryAgain, in one sentence, where another process is lost.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    if size == 1:
        yield Group(device=device)
        return
    _end_with_parent()
    if rank:
        report_nothing()
    if device.startswith("cuda"):
        device = f"cuda:{int(os.environ.get('LOCAL_RANK', '0')) % torch.cuda.device_count()}"
        torch.cuda.set_device(device)
    try:
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=SILENCE)
        yield Group(rank, size, device)
        dist.barrier()  # nobody leaves while another still sends
    except (RuntimeError, dist.DistError) as error:
        if not is_loss(error):
            raise
        raise TryAgain(
            f"Process {rank} of {size} has lost another one ({_first_line(error)}): see the lines before, and run it "
            "again with the same output to go on from the last checkpoint."
        ) from error
    finally:
        with contextlib.suppress(Exception):
            dist.destroy_process_group()


def is_loss(error: BaseException) -> bool:
    """Whether an error says that another process is gone, rather than that this one is wrong."""
    text = str(error).lower()
    return isinstance(error, dist.DistError) or any(word in text for word in _LOST)


def report_nothing() -> None:
    """Let this process write no result, progress or MLflow run; its lines on stderr are warnings and errors only."""
    for name in _REPORTING:
        os.environ.pop(name, None)
    os.environ["PROGRESS_QUIET"] = "1"


def _end_with_parent() -> None:
    """Linux: a training process is killed when its launcher is, so that none goes on unseen."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")[:160]


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation over the pictures of all processes together, so that N of them do what one would.

    As torch's SyncBatchNorm, which runs on GPUs only.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not (self.training and dist.is_initialized() and dist.get_world_size() > 1):
            return super().forward(input)
        count, sums, squares = _Summed.apply(input)
        mean = sums / count
        variance = squares / count - mean * mean
        with torch.no_grad():
            assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
            unbiased = variance * (count / (count - 1).clamp(min=1))
            self.running_mean += self.momentum * (mean.to(self.running_mean.dtype) - self.running_mean)
            self.running_var += self.momentum * (unbiased.to(self.running_var.dtype) - self.running_var)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked += 1
        scale = (variance + self.eps).rsqrt() * self.weight
        shift = self.bias - mean * scale
        return input * scale.to(input.dtype)[None, :, None, None] + shift.to(input.dtype)[None, :, None, None]


class _Summed(torch.autograd.Function):
    """Count, sum and sum of squares of each channel over all processes; its gradient is summed over all of them too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ctx.save_for_backward(values)
        wide = values.double()
        count = torch.tensor([values.numel() / values.shape[1]], dtype=torch.float64, device=values.device)
        told = torch.cat([count, wide.sum(dim=(0, 2, 3)), (wide * wide).sum(dim=(0, 2, 3))])
        dist.all_reduce(told)
        channels = values.shape[1]
        count = told[:1].clone()
        ctx.mark_non_differentiable(count)
        return count, told[1 : 1 + channels].clone(), told[1 + channels :].clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (values,) = ctx.saved_tensors
        _, of_sums, of_squares = gradients
        told = torch.stack([of_sums, of_squares])
        dist.all_reduce(told)
        by_channel = told[:, None, :, None, None]
        return (by_channel[0] + 2 * values.double() * by_channel[1]).to(values.dtype)
