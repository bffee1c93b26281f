from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tasks.common import program
from tasks.common.data import open_target
from tasks.faces import choose, generate, sweep, train

COUNT, SIDE = 60, 64
SWEPT = ("0", "0.95")


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set in FDDB's layout, made once and only read."""
    folder = tmp_path_factory.mktemp("faces")
    generate.bring(open_target(str(folder)), 1, COUNT, SIDE)
    return folder


@pytest.fixture(scope="session")
def run_folder(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run leaves: a network, a sweep of two ALPHAs, the model that was chosen. Quick, so none of it is good."""
    folder = tmp_path_factory.mktemp("run")
    network, swept = f"{folder}/network", f"{folder}/sweep"
    quick = [f"--data={faces}", "--threads=1"]
    call(train.main, *quick, f"--output={network}", "--epochs=4")
    for alpha in SWEPT:
        few = ["--noise-steps=5", "--attack-steps=80"]
        call(sweep.main, *quick, f"--network={network}", f"--output={swept}", f"--alpha={alpha}", *few)
    call(choose.main, f"--sweep={swept}", f"--network={network}", f"--output={folder}", "--most-lost=0.99")
    return folder


@pytest.fixture(scope="session")
def model(run_folder: Path) -> Path:
    """The folder of a model: head, noise and tail."""
    return run_folder / "model"


def call(main, *flags: str) -> None:
    """Run a program with these flags; it must succeed."""
    threads, exact = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["program", *flags])
        patch.delenv("RUN_FILE", raising=False)
        try:
            assert program.exit_code(main) == 0, flags
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(exact)
