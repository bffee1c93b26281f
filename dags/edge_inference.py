"""
# Edge inference on shared storage

**What.** Measures what it costs that edge servers read models and samples from a shared volume. `prepare` lays out the
network of a model version with samples that its training held out; `quantise` makes INT8 of it; `gate` lets INT8 count
only at 99 % of FP32's quality, by the accuracy mode of MLCommons' LoadGen. Then LoadGen measures each cell of the
matrix, {FP32, INT8} x {SingleStream, Offline, MultiStream} x {1, 2 servers}, on the shared volume and on the local disk
turn and turn about, and `report` says the difference with its interval.

**When it runs.** When triggered. Tick *Roll out* to have `model_rollout` bring the champion to the edge sites after it.

**What it needs.** Connections `ontap_default` and `mlflow_default`; a place to compute with mlcommons-loadgen and
onnxruntime on which little else runs, since other work makes the intervals wide.

**What it leaves behind.** A folder of the run on the volume `edge_matrix`: networks, samples, LoadGen's own logs, and
the report as Markdown, HTML, JSON and picture in `report/`.

**If it fails.** A run that LoadGen calls INVALID is said with LoadGen's reason and is in no figure; it fails nothing.
Clear the failed task: a cell that is measured stays.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param

from ontap_mlops import edge_sites, names
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.edge import EdgeVersionOperator
from ontap_mlops.operators.edge_matrix import MATRIX, EdgeCellsOperator, EdgeProgramOperator
from ontap_mlops.operators.places import places_param
from ontap_mlops.operators.volumes import OntapVolumeEnsureOperator

SIZE = 4 * 1024**3
SCENARIOS = ["single_stream", "offline", "multi_stream"]

with DAG(
    dag_id="edge_inference",
    description="Quantise a model, gate it, and measure local disk against shared volume with MLCommons' LoadGen",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    max_active_runs=1,
    default_args={"retries": RETRIES},
    tags=["edge", "measure"],
    params={
        "model": Param("tyre", type="string", minLength=1, title="Model", description="Name in MLflow."),
        "workload": Param(
            "tyre",
            type="string",
            enum=["tyre", "chest", "faces"],
            title="Workload",
            description="Which system's model it is: how its samples are made and judged.",
        ),
        "version": Param(
            None, type=["null", "integer"], minimum=1, title="Version", description="Empty: the champion."
        ),
        "scenarios": Param(
            SCENARIOS,
            type="array",
            items={"type": "string", "enum": SCENARIOS},
            examples=SCENARIOS,
            minItems=1,
            title="Scenarios",
            description="Multi-stream needs 662 queries of 8 samples in each run: minutes for a large network.",
            section="Measuring",
        ),
        "repeats": Param(5, type="integer", minimum=2, title="Repeats", section="Measuring"),
        "seconds": Param(
            1.0, type="number", exclusiveMinimum=0, title="Seconds of a run, at least", section="Measuring"
        ),
        "samples": Param(64, type="integer", minimum=8, title="Samples", section="Measuring"),
        "bound_ms": Param(
            0,
            type="number",
            minimum=0,
            title="Streams within (ms)",
            description="Also search how many streams keep within this bound, the older multi-stream's figure "
            "(published: 50). It takes many minutes. 0: not.",
            section="Measuring",
        ),
        "compute": places_param(title="Compute", section="Measuring"),
        "roll_out": Param(False, type="boolean", title="Roll the champion out", section="Afterwards"),
    },
):
    at = {"compute": "{{ params.compute }}"}
    version = EdgeVersionOperator(task_id="version", model="{{ params.model }}", version="{{ params.version or '' }}")
    volume = OntapVolumeEnsureOperator(
        task_id="volume",
        volume=MATRIX,
        size_bytes=SIZE,
        junction_path=names.junction_path(MATRIX),
        unix_permissions="777",
        comment="ontap-mlops edge matrix",
    )
    sampled = {"workload": "{{ params.workload }}", "samples": "{{ params.samples }}"}
    prepare = EdgeProgramOperator(task_id="prepare", program="prepare", reads=True, flags=sampled, **at)
    quantise = EdgeProgramOperator(task_id="quantise", program="quantise", **at)
    gate = EdgeProgramOperator(
        task_id="gate", program="gate", flags={"scenarios": "{{ params.scenarios | join(',') }}"}, **at
    )
    cells = EdgeCellsOperator(task_id="cells", gate="gate")
    measure = EdgeProgramOperator.partial(
        task_id="measure",
        program="measure",
        flags={
            "repeats": "{{ params.repeats }}",
            "seconds": "{{ params.seconds }}",
            "bound_ms": "{{ params.bound_ms }}",
        },
        time_limit=timedelta(hours=3),
        map_index_template="{{ task.cell }}",
        max_active_tis_per_dagrun=1,  # two at once would measure each other
        **at,
    ).expand(cell=cells.output)
    report = EdgeProgramOperator(task_id="report", program="report", **at)
    version >> volume >> prepare >> quantise >> gate >> cells >> measure >> report
    if edge_sites.usable():
        wanted = ShortCircuitOperator(
            task_id="roll_out_wanted",
            python_callable=lambda params: bool(params["roll_out"]),
            doc_md="Go on where *Roll out* is ticked.",
        )
        roll_out = TriggerDagRunOperator(
            task_id="roll_out",
            trigger_dag_id="model_rollout",
            conf={"model": "{{ params.model }}"},
            doc_md="Bring the version to the edge sites.",
        )
        report >> wanted >> roll_out
