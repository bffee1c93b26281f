"""Make sample measurements, as a data lake would hold them.

    python -m tasks.newsystem.samples --output /tmp/newsystem
    python -m tasks.newsystem.samples --output s3://lake/newsystem --revision 2      # one more file

The same seed and revision give the same bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.data import open_target
from tasks.newsystem.configs import FEATURES, LABEL

ROWS = 200  # of each file


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.output("folder or s3://bucket/prefix")
    flags.add_argument("--revision", type=int, default=1, help="day of production: the number of files")
    flags.add_argument("--seed", type=int, default=1)
    options = flags.parse()
    target = open_target(options.output)
    for number in range(options.revision):
        target.write(f"measurements_{number:04d}.csv", sample(number, options.seed).encode())
    return {"files": options.revision, "rows": options.revision * ROWS}


def sample(number: int, seed: int) -> str:
    """One file as CSV. Hot, shaking machines fail more often."""
    random = np.random.default_rng([seed, number])
    values = random.normal(size=(ROWS, len(FEATURES)))
    odds = 1.5 * values[:, 0] + 2.0 * values[:, 1] - 0.5
    failed = random.random(ROWS) < 1 / (1 + np.exp(-odds))
    rows = (
        ",".join([*(f"{value:.4f}" for value in row), str(int(label))])
        for row, label in zip(values, failed, strict=True)
    )
    return "\n".join([",".join([*FEATURES, LABEL]), *rows]) + "\n"


if __name__ == "__main__":
    program.run(main)
