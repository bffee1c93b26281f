"""Where a run's folders lie, for programs that are not told by flags."""

from __future__ import annotations

from tasks.common.cli import Flags
from tasks.common.run_file import RunFile


def parquet_folder(run: RunFile) -> str | None:
    """Days as Parquet are made once for each dataset version, on the volume of results."""
    return run.inside("results", "parquet", run.version_id) if run.version_id else None


def scores_folder(run: RunFile) -> str | None:
    return run.inside("results", "scores", run.run_key) if run.run_key else None


def add_days(flags: Flags, what: str) -> None:
    """``--data``, as Parquet where a run has converted it, and ``--day``."""
    flags.data(
        f"folder or s3://bucket/prefix with days of the click log to {what}",
        from_run=lambda run: parquet_folder(run) or run.data,
    )
    flags.add_argument(
        "--day",
        "--days",
        dest="days",
        action="append",
        default=[],
        help=f"{what} this day only, or these, joined by commas; may be given repeatedly",
    )
