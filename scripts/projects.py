"""Gives the projects of config/projects.yaml to a place's scheduler, or tells what use they make of its GPUs.

python -m scripts.projects apply slurm              make, change and remove what differs
python -m scripts.projects apply slurm --dry-run    show it only; exit code 1 where something differs
python -m scripts.projects report slurm             GPUs by project: allocated, idle while allocated, waited for, over
python -m scripts.projects report slurm --page FILE     the same as a page to open in a browser
python -m scripts.projects replay slurm             play the published scenarios and compare allocations

Where config/compute.yaml has no place `slurm`, that is the Slurm of this machine that SLURM_CONF names.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from scripts import beside_airflow

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> int:
    asked = _asked(arguments)
    beside_airflow.find_connections()
    with redirect_stdout(sys.stderr):
        from ontap_mlops.compute.replaying import ReplayDiffers
        from ontap_mlops.compute.workload import PlaceRefused, PlaceUnavailable
        from ontap_mlops.config_file import ConfigError
        from ontap_mlops.kubernetes.errors import KubernetesError
        from ontap_mlops.projects.changes import ProjectsRefused
        from ontap_mlops.slurm.errors import SlurmError
    try:
        with _place(asked.place) as place:
            return {"apply": _apply, "report": _report, "replay": _replay}[asked.action](asked, place)
    except ReplayDiffers as error:
        print(f"Not as published: {error}", file=sys.stderr)
        return 1
    except (
        ConfigError,
        PlaceRefused,
        PlaceUnavailable,
        ProjectsRefused,
        KubernetesError,
        SlurmError,
    ) as error:
        print(error, file=sys.stderr)
        return 2


@contextmanager
def _place(name: str) -> Iterator[Any]:
    """The place of this name, or the Slurm of this machine. Raises PlaceRefused where there is neither."""
    from ontap_mlops.compute import places

    if name != "slurm" or name in places.names() or not os.environ.get("SLURM_CONF"):
        yield places.place(name)
        return
    with tempfile.TemporaryDirectory(prefix="ontap-mlops-jobs-") as folder:
        programs = {"python": sys.executable, "working_directory": str(ROOT), "grace_s": 5}
        yield places.place({"kind": "slurm", "slurm_conf": os.environ["SLURM_CONF"], "folder": folder, **programs})


def _apply(asked: argparse.Namespace, place: Any) -> int:
    from ontap_mlops.projects.changes import make_all

    changes = place.projects().plan()
    if not changes:
        print(f"{asked.place} has the projects as projects.yaml says them.")
        return 0
    if asked.dry_run:
        print("\n".join(change.sentence for change in changes))
        return 1
    make_all(changes, print)
    return 0


def _report(asked: argparse.Namespace, place: Any) -> int:
    from ontap_mlops.projects import config, use

    known = config.projects()
    found = use.measured(known, place.projects().jobs())
    if asked.page:
        asked.page.write_text(use.page(asked.place, known, found), encoding="utf-8")
        print(f"{asked.page} shows the GPUs of {asked.place} by project.")
    else:
        print(use.table(found))
    return 0


def _replay(asked: argparse.Namespace, place: Any) -> int:
    from ontap_mlops.compute.replaying import Replay

    Replay(place, lambda line: print(line, flush=True)).run()
    print(f"\nThe scheduler of {asked.place} allocates as published.")
    return 0


def _asked(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    for name in ("apply", "report", "replay"):
        actions.add_parser(name).add_argument("place", help="of config/compute.yaml")
    actions.choices["apply"].add_argument("--dry-run", action="store_true", help="show what differs, change nothing")
    actions.choices["report"].add_argument("--page", type=Path, help="write a page instead")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
