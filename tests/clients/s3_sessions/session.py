"""What the scripts have in common: steps are run in their order, and what became of each is printed as JSON."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable

URL = os.environ["AWS_ENDPOINT_URL"]
ACCESS, SECRET = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
BUCKET = os.environ["BUCKET"]

LARGE = bytes(range(256)) * (12 * 4096) + b"tail"  # 12 MB and some bytes, so that the last part is a small one


def run(*steps: Callable[[], object]) -> None:
    outcome = {}
    for step in steps:
        try:
            step()
            outcome[step.__name__] = "done"
        except Exception:
            outcome[step.__name__] = traceback.format_exc()
    print(json.dumps(outcome))
