"""Check a model's archive for SageMaker, and copy it to a bucket from which an endpoint can read it.

    python -m tasks.models.archive --model /models/r20261127... --to s3://bucket/models/tyre-v3/model.tar.gz

The archive is ``model.tar.gz`` in the model's folder. Without ``--to`` it stays where it is, and is only checked.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.data import open_target
from tasks.common.model_folder import DESCRIPTION, MLMODEL
from tasks.common.program import BadInput

ARCHIVE = "model.tar.gz"


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.add_argument("--model", required=True, help="folder of the model")
    flags.add_argument("--to", default="", help="s3:// URL of the copy")
    options = flags.parse()
    folder = Path(options.model)
    content, digest = _archive(folder)
    if options.to:
        where, _, name = options.to.rpartition("/")
        open_target(where).write(name, content)
    return {"url": options.to, "sha256": digest, "bytes": len(content), "input_shape": _input_shape(folder)}


def _archive(folder: Path) -> tuple[bytes, str]:
    try:
        content = (folder / ARCHIVE).read_bytes()
        told = json.loads((folder / DESCRIPTION).read_text())["files"][ARCHIVE]
    except (OSError, KeyError, ValueError):
        raise BadInput(
            f"{folder} holds no {ARCHIVE} that its {DESCRIPTION} lists, so SageMaker cannot serve it."
        ) from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != told:
        raise BadInput(f"{folder / ARCHIVE} is not the one that was trained: its SHA-256 differs from {DESCRIPTION}'s.")
    return content, digest


def _input_shape(folder: Path) -> list[int]:
    """Of the model's first input, from its signature; -1 is any number."""
    found = re.search(r"^  inputs: '(.*)'$", (folder / MLMODEL).read_text(), re.MULTILINE)
    return list(json.loads(found[1])[0]["tensor-spec"]["shape"]) if found else []


if __name__ == "__main__":
    program.run(main)
