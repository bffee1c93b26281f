"""
# JupyterLab

**What.** JupyterLab in a pod of a Kubernetes cluster, for one person, over a writable copy of one dataset version (a
FlexClone: there within seconds, without room until it is written to). The version and the dataset never change.

**When it runs.** When triggered: to make one, which also moves the end, the image or the size of one that is there, or
to end one now. Every day by itself: to end those whose time is over.

**What it needs.** A place of kind `kubernetes` in `config/compute.yaml` whose `namespaces` reach the dataset's SVM, a
version of the dataset, and an image with JupyterLab.

**What it leaves behind.** The copy, a claim on it, and the server with its Service and a Secret. The task `lab` returns
where the server is and which Secret has the token, which is in no log. To end it deletes all of that, **with what was
written**: at its time, the server and the claim by this DAG, and the copy by the next ingest on its SVM.

**If it fails.** Where the image cannot be pulled or no node has room, `lab` says so in the cluster's words, and the
server is withdrawn; the copy stays, and another run goes on with it. `end_claim` tries again while a pod still stops.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.standard.operators.python import BranchPythonOperator
from airflow.sdk import DAG, Param

from ontap_mlops import registry
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.kubernetes_claims import KubernetesClaimDeleteOperator
from ontap_mlops.operators.kubernetes_servers import (
    KubernetesServerDeleteOperator,
    KubernetesWorkspaceCollectOperator,
    KubernetesWorkspaceEnsureOperator,
)
from ontap_mlops.operators.kubernetes_volumes import KubernetesVolumeMountOperator
from ontap_mlops.operators.personal_workspaces import PersonalWorkspaceOperator
from ontap_mlops.operators.places import kubernetes_places

WHAT = {"make": "Make one, or change one", "end": "End one now", "collect": "End those whose time is over"}
FIRST = {"make": "copy", "end": "find", "collect": "collect"}
DATASETS, PLACES = sorted(registry.usable()), kubernetes_places()
if DATASETS and PLACES:
    at = {"place": "{{ params.place }}"}
    whose = {"dataset": "{{ params.dataset }}", "name": "{{ params.name }}", "person": "{{ params.person or '' }}"}
    with DAG(
        dag_id="jupyterlab",
        description="JupyterLab on Kubernetes over a copy of a dataset version, for some days",
        doc_md=__doc__,
        schedule="@daily",
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        default_args={"retries": RETRIES},
        tags=["storage"],
        params={
            "what": Param("collect", type="string", enum=list(WHAT), values_display=WHAT, title="What to do"),
            "place": Param(PLACES[0], type="string", enum=PLACES, title="Place", description="Of kind kubernetes."),
            "dataset": Param(DATASETS[0], type="string", enum=DATASETS, title="Dataset"),
            "name": Param(
                "lab",
                type="string",
                pattern="^[a-z0-9]+(_[a-z0-9]+)*$",
                maxLength=24,
                title="Name",
                description="Of the workspace: a-z, 0-9 and _; one person may have several.",
            ),
            "person": Param(
                None, type=["null", "string"], title="For whom", description="A login; empty: who triggers the run."
            ),
            "days": Param(
                7,
                type="number",
                exclusiveMinimum=0,
                title="Days",
                description="From now on; then it is removed with all that is in it.",
                section="Make one",
            ),
            "version": Param(
                None,
                type=["null", "string"],
                title="Version",
                description="Empty: the newest, or the one that it is on.",
                section="Make one",
            ),
            "image": Param(
                "quay.io/jupyter/scipy-notebook", type="string", minLength=1, title="Image", section="Make one"
            ),
            "cpus": Param(1, type="number", exclusiveMinimum=0, title="Processors", section="Make one"),
            "memory_gib": Param(2, type="number", exclusiveMinimum=0, title="Memory in GiB", section="Make one"),
            "gpus": Param(0, type="integer", minimum=0, title="GPUs", section="Make one"),
        },
    ):
        what = BranchPythonOperator(task_id="what", python_callable=lambda params: FIRST[params["what"]])

        copy = PersonalWorkspaceOperator(
            task_id="copy", action="make", days="{{ params.days }}", version="{{ params.version or '' }}", **whose
        )
        claim = KubernetesVolumeMountOperator(task_id="claim", claim=copy.output, junction_path=copy.output, **at)
        lab = KubernetesWorkspaceEnsureOperator(
            task_id="lab",
            workspace=claim.output,
            claim=claim.output,
            image="{{ params.image }}",
            days="{{ params.days }}",
            cpus="{{ params.cpus }}",
            memory_gib="{{ params.memory_gib }}",
            gpus="{{ params.gpus }}",
            dataset_version=copy.output,
            **at,
        )
        what >> copy >> claim >> lab

        find = PersonalWorkspaceOperator(task_id="find", action="show", **whose)
        end_lab = KubernetesServerDeleteOperator(task_id="end_lab", server=find.output, **at)
        end_claim = KubernetesClaimDeleteOperator(task_id="end_claim", claim=find.output, **at)
        what >> find >> end_lab >> end_claim >> PersonalWorkspaceOperator(task_id="end_copy", action="end", **whose)

        collect = KubernetesWorkspaceCollectOperator(task_id="collect", **at)
        collected = KubernetesClaimDeleteOperator.partial(task_id="collected_claims", **at)
        what >> collect >> collected.expand(claim=collect.output)
