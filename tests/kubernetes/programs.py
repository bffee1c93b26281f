"""Programs for pods that need nothing of ours in the image: Python's own ``timeit`` runs the code it is given, once."""

from __future__ import annotations

import secrets
from typing import Any

from ontap_mlops.compute.workload import Resources, Workload

CPU = Resources(cpus=0.1, memory_gib=0.25)
RESULT = "import os, json; open(os.environ['RESULT_FILE'], 'w').write(json.dumps({}))"
ENDLESS = "import time; print('begun', flush=True); time.sleep(3600)"
END = "import os, sys; print({text!r}, file=sys.stderr, flush=True); os._exit({code})"


def workload(code: str, *, name: str = "", resources: Resources = CPU, **more: Any) -> Workload:
    return Workload(
        name=name or f"r20261127t000000z{secrets.token_hex(4)}-train",
        program="timeit",
        arguments=("-n", "1", "-r", "1", code),
        resources=resources,
        **more,
    )


def ends(code: int, text: str) -> str:
    """Code that prints a line and exits."""
    return END.format(code=code, text=text)


def result(expression: str) -> str:
    """Code whose result is this."""
    return RESULT.format(expression)
