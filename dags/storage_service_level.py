"""
# Storage service level

**What.** Gives a volume a service level of `config/service_levels.yaml` for a while: the QoS policy and the tiering
policy that the level names. Nobody is disconnected, and no data moves unless the level itself says that it may. When
the time is over, the volume gets back what it had before.

**When it runs.** When triggered: with a dataset or a volume, the level, and until when or for how many hours. Several
runs may hold the same level of a volume; it ends with the last of them. While a run holds another level, a new one is
refused, and the sentence says until when.

**What it needs.** Connection `ontap_default`, or the dataset's own. Tiering needs an aggregate with an object store:
where there is none, the log says that the tiering stays as it was.

**What it leaves behind.** Nothing: what was before is written on the volume, as tags, and taken away at the end. A
volume that was moved stays where it is.

**End it early.** Mark the task `keep` as success: `put_back` runs at once. A level whose run was lost is put back by
the next run on that SVM.

**If it fails.** The sentence of `give` says what is missing; nothing is changed then. Clear `put_back` to try that
again.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param

from ontap_mlops import registry, service_levels
from ontap_mlops.operators.service_levels import OntapServiceLevelOperator, OntapServiceLevelPutBackOperator
from ontap_mlops.operators.until import WaitUntilOperator

TARGET = {
    "dataset": "{{ params.dataset or '' }}",
    "volume": "{{ params.volume or '' }}",
    "svm": "{{ params.svm or '' }}",
}

with DAG(
    dag_id="storage_service_level",
    description="A volume's QoS and tiering for a while, and then what it had before",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    tags=["storage"],
    params={
        "level": Param(
            type="string", enum=sorted(service_levels.usable()), title="Level", description="service_levels.yaml."
        ),
        "dataset": Param(
            None,
            type=["null", "string"],
            enum=[None, *sorted(registry.usable())],
            title="Dataset",
            description="Or a volume.",
        ),
        "volume": Param(None, type=["null", "string"], title="Volume", description="In place of a dataset: its name."),
        "svm": Param(
            None, type=["null", "string"], title="SVM", description="Of the volume; empty for that of the connection."
        ),
        "hours": Param(
            8, type=["null", "number"], exclusiveMinimum=0, title="For how many hours", description="Or until when."
        ),
        "until": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Until",
            description="With its zone, in place of the hours: these are not looked at then.",
        ),
    },
):
    give = OntapServiceLevelOperator(
        task_id="give",
        level="{{ params.level }}",
        until="{{ params.until or '' }}",
        hours="{{ '' if params.until else params.hours or '' }}",
        **TARGET,
    ).as_setup()
    keep = WaitUntilOperator(task_id="keep", until=give.output)
    put_back = OntapServiceLevelPutBackOperator(task_id="put_back", **TARGET).as_teardown(
        setups=give, on_failure_fail_dagrun=True
    )
    # A run that ends with nothing but teardowns counts as a success, whatever failed before (decision 13).
    done = EmptyOperator(task_id="done", doc_md="Nothing: it fails the run when anything before it has failed.")
    give >> keep >> [put_back, done]
