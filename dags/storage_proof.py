"""
# Storage proof

**What.** Measures what storage gives to machine learning, path by path: `paths` → `measure`, one task for each path,
one after another (fio for sequential, random and mixed access, for frames at a fixed rate and for small files; the
training loader of this project; an accelerator that waits for samples, in MLPerf Storage's sizes) → `report`: the paths
side by side, each over time, beside published systems, and how many GPUs each feeds.

**When it runs.** When triggered. Trigger it again each month, and the report tells what has changed.

**What it needs.** Connection `ontap_default` for the volume of the results, `mlflow_default` for the report; fio where
the programs run (`apt-get install fio`), and each path mounted there. An S3 bucket needs its connection.

**What it leaves behind.** On each path nothing: the working folder is removed, also after a failure. On the volume
`storage_proof` all figures of all runs, which nothing removes, and the report; with its MLflow run the report as a page
that can be sent on.

**If it fails.** A path that is full, read-only or gone fails its own task with a sentence; the others go on, and the
report shows them. Clear the failed task when the path is there again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TriggerRule, task

from ontap_mlops import names
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.places import places_param
from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator
from ontap_mlops.operators.workload import WorkloadOperator

VOLUME, OURS = "storage_proof", "volume:"
RESULTS = {"junction_path": names.junction_path(VOLUME)}
TESTS = ["sequential", "random", "mixed", "frames", "small_files", "loader", "accelerator"]
# Params that the program takes as flags of the same name.
FLAGS = ("size_mib", "seconds", "frame_mb", "frame_rate", "streams", "files", "pictures", "model", "accelerator")

PARAMS = {
    "paths": Param(
        [f"{OURS}{VOLUME}"],
        type="array",
        items={"type": "string", "pattern": "^(/|s3://)[^,]*$|^volume:[A-Za-z_][A-Za-z0-9_]*$"},
        minItems=1,
        uniqueItems=True,
        title="Paths",
        description="Each a folder where the programs run (/mnt/beegfs), an ONTAP volume of this SVM (volume:NAME), or "
        "a bucket (s3://bucket/prefix).",
    ),
    "tests": Param(TESTS, type="array", items={"enum": TESTS}, examples=TESTS, minItems=1, title="Tests"),
    "compute": places_param(title="Compute"),
    "aws_conn_id": Param("aws_default", type="string", title="Connection of buckets"),
    "size_mib": Param(
        1024,
        type="integer",
        minimum=16,
        title="Size (MiB)",
        description="Of the file. Choose it greater than the storage's own cache to measure the disks behind it.",
        section="Files",
    ),
    "seconds": Param(10, type="number", exclusiveMinimum=0, title="Seconds of a test", section="Files"),
    "files": Param(2000, type="integer", minimum=1, title="Small files", section="Files"),
    "frame_mb": Param(12.7, type="number", exclusiveMinimum=0, title="Frame (MB)", section="Frames"),
    "frame_rate": Param(24, type="integer", minimum=1, title="Frames a second", section="Frames"),
    "streams": Param(2, type="integer", minimum=1, title="Streams", section="Frames"),
    "pictures": Param(512, type="integer", minimum=1, title="Pictures of the loader", section="Training"),
    "model": Param("resnet50", enum=["resnet50", "unet3d", "cosmoflow"], title="Model", section="Training"),
    "accelerator": Param("a100", type="string", enum=["a100", "h100"], title="Accelerator", section="Training"),
    "samples_per_s": Param(
        0,
        type="number",
        minimum=0,
        title="Samples a second of your training",
        description="That one GPU takes: the report then says how many of yours a path feeds. 0: not asked.",
        section="Training",
    ),
}


@task(task_display_name="Paths")
def paths(params: Any = None, dag_run: Any = None) -> list[dict[str, Any]]:
    """What each measurement is started with."""
    key = names.run_key(dag_run.dag_id, dag_run.run_id, dag_run.run_after)
    return [_started(path, key, params) for path in params["paths"]]


def _started(path: str, key: str, params: Any) -> dict[str, Any]:
    flags = {name: params[name] for name in FLAGS} | {"tests": ",".join(params["tests"]), "mark": key}
    mounts = {"results": RESULTS}
    if path.startswith(OURS):
        mounts["measured"] = {"junction_path": names.junction_path(path.removeprefix(OURS))}
        flags |= {"path": "{measured}", "shown": path}
    else:
        flags |= {"path": path}
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in flags.items()]
    bucket = params["aws_conn_id"] if path.startswith("s3://") else None
    return {"arguments": [*arguments, "--results={results}"], "mounts": mounts, "aws_conn_id": bucket}


with DAG(
    dag_id="storage_proof",
    description="Measure mounted paths and buckets as training uses them, side by side and over time",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=1,
    default_args={"retries": RETRIES},
    tags=["measure", "storage"],
    params=PARAMS,
):
    volume = OntapVolumeEnsureOperator(
        task_id="volume",
        volume=VOLUME,
        size_bytes=4 * 1024**3,
        junction_path=names.junction_path(VOLUME),
        unix_permissions="777",
        comment="ontap-mlops storage proof",
    )
    chosen = paths()
    measure = WorkloadOperator.partial(
        task_id="measure",
        program="tasks.storage.measure",
        compute="{{ params.compute }}",
        time_limit=timedelta(hours=2),
        map_index_template="{{ params.paths[ti.map_index] }}",
        max_active_tis_per_dagrun=1,  # two at once would measure each other
    ).expand_kwargs(chosen)
    report = WorkloadOperator(
        task_id="report",
        program="tasks.storage.report",
        arguments=[
            "--results={results}",
            "--output={results}/reports/{{ run_id | replace(':', '') | replace('+', '_') }}",
            "--experiment={{ dag.dag_id }}",
            "--run-name={{ run_id }}",
            "--paths={{ params.paths | join(',') }}",
            "--samples-per-s={{ params.samples_per_s }}",
        ],
        mounts={"results": RESULTS},
        mlflow_conn_id="mlflow_default",
        compute="{{ params.compute }}",
        trigger_rule=TriggerRule.ALL_DONE,
    )
    measured = EmptyOperator(task_id="measured", doc_md="Fail the run where a path was not measured.")
    volume >> chosen >> measure >> report
    [measure, report] >> measured
