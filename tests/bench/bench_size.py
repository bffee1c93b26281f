"""How much memory this project's models take to be trained and to answer, beside the published rules.

    python -m scripts.bench size

Each measurement is a process of its own that takes a few steps at 32 bit with Adam, as the trainings do, and tells the
peak of its memory less what it had before the model was there. Weights, gradients and moments are counted by their
tensors; what is left of the peak are activations and what the libraries hold. `make size` reads the result.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HOUSE))

from scripts.size import MEASURED, MOVING_BYTES, TOKEN_BYTES, TRAINED_BYTES, WEIGHT  # noqa: E402
from tests.bench.measured import stamp  # noqa: E402

STEPS, LENGTH, SIDE = 3, 128, 224
ENCODER, RESNET = "encoder", "resnet-50"
MODELS = {ENCODER: "the encoder of documents (MiniLM, 6 layers of 384)", RESNET: "ResNet-50 of chest X-rays"}
# Use, model, batch, and the layers that are trained; 0: all.
CASES = (
    *(("train", ENCODER, batch, 0) for batch in (1, 8, 32)),
    *(("train", ENCODER, batch, 2) for batch in (8, 32)),
    *(("train", RESNET, batch, 0) for batch in (1, 8)),
    *(("answer", ENCODER, batch, 0) for batch in (1, 8, 32)),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", type=int, help="measure this one here, and print it")
    parser.add_argument("--output", type=Path, default=MEASURED)
    options = parser.parse_args()
    if options.case is not None:
        print(json.dumps(measured(*CASES[options.case])))
        return 0
    found = [_in_a_process(number) for number in range(len(CASES))]
    import torch

    report = {
        "unit": "bytes a parameter; share: of the published rule; moving: of what the rule leaves for tokens",
        "on": f"on a CPU with torch {torch.__version__}, 32 bit, Adam",
        "load": round(os.getloadavg()[0], 1),
        "checkpoint_bytes_a_parameter": next(each.pop("checkpoint") for each in found if each.get("checkpoint")),
        "rows": [{key: value for key, value in each.items() if key != "checkpoint"} for each in found],
    }
    options.output.write_text(json.dumps(stamp() | report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    return 0


def _in_a_process(number: int) -> dict[str, Any]:
    command = [sys.executable, __file__, f"--case={number}"]
    told = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    return dict(json.loads(told.stdout.splitlines()[-1]))


def measured(use: str, model: str, batch: int, layers: int) -> dict[str, Any]:
    import torch

    step_of(torch.nn.Linear(8, 8), lambda network: network(torch.ones(1, 8)), torch.nn.Linear.parameters)()
    before = resident()
    network, forward, trained = built(model, batch, layers)
    count = sum(each.numel() for each in network.parameters())
    train = use == "train"
    work = step_of(network, forward, lambda _: trained) if train else lambda: answer(network, forward)
    forget_peak()
    for _ in range(STEPS):
        work()
    peak = peak_resident() - before
    parts = _parts(network, work) if train else {"weights": _bytes(network.parameters())}
    share = sum(each.numel() for each in trained) / count if train else 0.0
    tokens = batch * LENGTH if model == ENCODER else 0
    rule = count * (WEIGHT + (TRAINED_BYTES - WEIGHT) * share) if train else count * WEIGHT + tokens * TOKEN_BYTES
    rest = peak - sum(parts.values())
    moving = rest / (count * MOVING_BYTES * share) if train else rest / (tokens * TOKEN_BYTES)
    size = f"{batch} x {LENGTH} tokens" if tokens else f"{batch} of {SIDE} x {SIDE} points"
    which = f", its upper {layers} layers" if layers else ""
    told = {
        "use": use, "model": model, "parameters": count, "batch": batch, "tokens": tokens, "trained": round(share, 4),
        "weights": parts["weights"] / count, "gradients": parts.get("gradients", 0) / count,
        "moments": parts.get("moments", 0) / count, "activations": rest / count, "peak": peak / count,
        "rule": rule / count, "share": peak / rule, "moving": moving,
        "said": f"{MODELS[model]}{which}, {count / 1e6:.1f} million parameters, {size}",
    }  # fmt: skip
    if train and model == ENCODER and not layers:
        told["checkpoint"] = _checkpoint(network, work) / count
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in told.items()}


def built(model: str, batch: int, layers: int) -> tuple[Any, Callable[[Any], Any], list[Any]]:
    """Return a network, what makes one number of a batch by it, and the parameters that are trained."""
    import torch

    from tasks.chest.model import build
    from tasks.common import encoder
    from tasks.documents.comparison.tuning import chosen

    torch.manual_seed(1)
    if model == RESNET:
        network: Any = build(RESNET)
        pictures = torch.rand(batch, 1, SIDE, SIDE)
        return network, lambda one: one(pictures).square().mean(), list(network.parameters())
    network, _ = encoder.load(encoder.pretrained())
    tokens = torch.randint(1000, 20000, (batch, LENGTH))
    return network, lambda one: encoder.pooled(*encoder.states(one, tokens)).square().mean(), chosen(network, layers)


def step_of(network: Any, forward: Callable[[Any], Any], trained: Callable[[Any], Iterable[Any]]) -> Any:
    """Return one step of training, with its optimizer as ``optimizer``."""
    import torch

    optimizer = torch.optim.AdamW(trained(network), lr=1e-5)

    def step() -> None:
        network.train()
        optimizer.zero_grad()
        forward(network).sum().backward()
        optimizer.step()

    step.optimizer = optimizer  # type: ignore[attr-defined]
    return step


def answer(network: Any, forward: Callable[[Any], Any]) -> None:
    import torch

    network.eval()
    with torch.inference_mode():
        forward(network)


def _parts(network: Any, step: Any) -> dict[str, int]:
    states = step.optimizer.state.values()
    gradients = [each.grad for each in network.parameters() if each.grad is not None]
    moments = [value for state in states for value in state.values() if value.numel() > 1]
    return {"weights": _bytes(network.parameters()), "gradients": _bytes(gradients), "moments": _bytes(moments)}


def _checkpoint(network: Any, step: Any) -> int:
    import torch

    file = io.BytesIO()
    torch.save({"network": network.state_dict(), "optimizer": step.optimizer.state_dict()}, file)
    return file.tell()


def _bytes(tensors: Iterable[Any]) -> int:
    return sum(each.numel() * each.element_size() for each in tensors)


def resident() -> int:
    return _of_status("VmRSS")


def peak_resident() -> int:
    return _of_status("VmHWM")


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _of_status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    sys.exit(main())
