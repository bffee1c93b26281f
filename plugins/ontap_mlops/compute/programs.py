"""Whether a place has the programs: they are a package of their own, which an installation may lack."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from ontap_mlops.compute.workload import PlaceRefused

PACKAGE = "tasks"
DISTRIBUTION = "ontap-mlops-programs"
_LOOK = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({PACKAGE!r}) is None)"


def check(program: str, *, python: str, working_directory: Path, environment: Mapping[str, str]) -> None:
    """Raises PlaceRefused, naming the package, when one of our programs is wanted and they are not installed."""
    if not program.startswith(f"{PACKAGE}.") or (working_directory / PACKAGE).is_dir():
        return
    looked = subprocess.run([python, "-c", _LOOK], cwd=working_directory, env=dict(environment), capture_output=True)
    if looked.returncode:
        raise PlaceRefused(
            f"program {program} is not installed for {python}: install {DISTRIBUTION} there, or set [ontap_mlops] "
            f"programs_dir to the folder that holds {PACKAGE}/"
        )
