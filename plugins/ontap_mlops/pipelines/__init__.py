"""The pipeline kit: what every training pipeline has, made of ordinary Airflow parts.

A DAG file names its :class:`System`, its own Params and its programs, and puts them in order::

    @training_dag(SYSTEM, doc_md=__doc__, description="...", params=PARAMS)
    def tyre_quality(run: Run) -> None:
        train = run.program("train")
        train >> run.judge("evaluate", training=train) >> run.promote() >> run.serve_online(prove="predict")

The kit adds what all of them share: schedule and catch-up rules, the common Params, the choice of the dataset version,
the workspace and its removal, the claim on what serves and its release, the summary.
"""

from ontap_mlops.pipelines.dag import training_dag
from ontap_mlops.pipelines.params import network_params
from ontap_mlops.pipelines.run import Run
from ontap_mlops.pipelines.system import System

__all__ = ["Run", "System", "network_params", "training_dag"]
