"""Where a run's days and results lie, for programs that are not told by flags, and what the days are to MLflow."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.common.cli import Flags
from tasks.common.lineage import Dataset, column_schema, dataset
from tasks.common.run_file import RunFile
from tasks.ctr.columns import LABEL, NUMERIC
from tasks.ctr.days import listing
from tasks.ctr.reading import Day


def parquet_folder(run: RunFile) -> str | None:
    """Days as Parquet are made once for each dataset version, on the volume of results."""
    return run.inside("results", "parquet", run.version_id) if run.version_id else None


def scores_folder(run: RunFile) -> str | None:
    return run.inside("results", "scores", run.run_key) if run.run_key else None


def add_days(flags: Flags, what: str) -> None:
    """Add ``--data``, as Parquet where a run has converted it, and ``--day``."""
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


def lineage(run: RunFile | None, days: Sequence[Day]) -> Dataset:
    """Return the days as MLflow's Dataset tab shows them."""
    schema = column_schema({LABEL: "integer", **dict.fromkeys(NUMERIC, "integer")})
    profile = {"days": [day.name for day in days], "bytes_read": sum(day.size for day in days)}
    return dataset(run, days[0].url, listing(days), profile=profile, schema=schema)
