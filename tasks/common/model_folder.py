"""Where a run's trained model lies, and which folders hold models."""

from __future__ import annotations

import json
from pathlib import Path

from tasks.common.program import BadInput
from tasks.common.run_file import RunFile

DESCRIPTION = "model.json"  # written last by a training: the folder is a model
BEST = "best.json"  # where a run trained several, {"folder": the best one's}


def trained_in(run_folder: Path) -> Path:
    """The folder of the model that a run trained: the run folder itself, or the one in it that ``best.json`` names."""
    try:
        best = json.loads((run_folder / BEST).read_text())["folder"]
    except FileNotFoundError:
        return run_folder
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{run_folder / BEST} does not name a folder; compare the trainings again.") from None
    return run_folder / str(best)


def trained_by(run: RunFile) -> str | None:
    """As ``trained_in``, of the run that RUN_FILE describes; None where its workspace is not mounted."""
    return str(trained_in(Path(run.run_folder))) if run.run_folder else None


def judged_models(run: RunFile) -> list[str] | None:
    """NAME=FOLDER of what ``evaluate`` judges: the run's own model, and the champion where there is one."""
    challenger = trained_by(run)
    models = [f"challenger={challenger}"] if challenger else []
    models += [f"champion={run.champion.folder}"] if run.champion else []
    return models if challenger else None
