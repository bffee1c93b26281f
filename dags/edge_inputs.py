"""
# Bring inputs of edge servers home

**What.** What edge servers were asked becomes a dataset version. The front of each server (`services.edge`) keeps every
input with the model's answer on the site's volume `<model>_inputs_at_<site>`, in closed batches. For each site that a
roll-out has brought the model to, `bring` has the volume there and its cache or mirror at home (FlexCache, SnapMirror
or sync: `config/edge_sites.yaml`), and `gather` verifies the batches by their digests and copies new ones to the source
of the dataset. `ingest` has `ingest_<dataset>` make a version of it; `held` asks that version which batches are whole
in it, file by file, and only those does `clear` remove at the site.

**When it runs.** When triggered. Run it once after the first roll-out too: it makes the sites' volumes.

**What it needs.** Connections `mlflow_default`, `ontap_default`, those of the sites' ONTAP and of the dataset's source;
`ingest_<dataset>` must not be paused. Places of sites of way *sync* write to that source themselves.

**What it leaves behind.** In the dataset a folder `<model>/<site>/<batch>/` with pictures, `inputs.jsonl` (time, model
version and answer of each) and `batch.json`; at home, for sites of the other two ways, a volume
`<model>_inputs_from_<site>`.

**If it fails.** Run it again, or clear the failed task: a batch is known by its id, and comes once. A site that cannot
be reached fails nothing; what it keeps is brought home by the next run. What is not surely in a version stays at the
site.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Param

from ontap_mlops import edge_sites, registry
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.edge_inputs import (
    SITES,
    VERSION,
    EdgeInputsEndOperator,
    EdgeInputsGatheredOperator,
    EdgeInputsSitesOperator,
    EdgeInputsVersionOperator,
)
from ontap_mlops.pipelines.edge import clear_at_each, gather_at_each

DATASET = "{{ params.dataset }}"

if edge_sites.usable():
    with DAG(
        dag_id="edge_inputs",
        description="What edge servers were asked comes home, becomes a dataset version, and only then goes there",
        doc_md=__doc__,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        max_active_runs=1,
        default_args={"retries": RETRIES},
        tags=["edge", "ingest"],
        params={
            "model": Param(type="string", minLength=1, title="Model", description="Name in MLflow."),
            "dataset": Param(
                "edge_inputs",
                type="string",
                enum=sorted({"edge_inputs", *registry.usable()}),
                title="Dataset",
                description="Whose source gets the inputs, each model's in a folder of its own.",
            ),
            "groups": Param(
                [],
                type="array",
                items={"type": "string", "enum": edge_sites.groups()},
                examples=edge_sites.groups(),
                title="Groups of sites",
                description="Empty: all sites.",
            ),
        },
    ):
        sites = EdgeInputsSitesOperator(
            task_id=SITES, model="{{ params.model }}", dataset=DATASET, groups="{{ params.groups | join(',') }}"
        )
        gathering = gather_at_each("gathering", sites)
        gathered = EdgeInputsGatheredOperator(task_id="gathered", gather="gathering.gather", trigger_rule="all_done")
        ingest = TriggerDagRunOperator(
            task_id="ingest",
            trigger_dag_id=f"ingest_{DATASET}",
            wait_for_completion=True,
            deferrable=True,
            poke_interval=5,
            fail_when_dag_is_paused=True,
            doc_md="Have the dataset's ingest make a version of what has come, and wait for it.",
        )
        version = EdgeInputsVersionOperator(task_id=VERSION, dataset=DATASET)
        clearing = clear_at_each("clearing", gathered)
        end = EdgeInputsEndOperator(
            task_id="end", first=("gathering.bring", "gathering.gather"), second=("clearing.held", "clearing.clear")
        )
        sites >> gathering >> gathered >> ingest >> version >> clearing >> end
