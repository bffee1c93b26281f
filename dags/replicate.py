"""
# Replicate a dataset

**What.** Keeps a copy of a dataset at another site, by SnapMirror: makes the SVMs peers, ensures the mirror, brings
what is new (all of it the first time, then only what changed), and shows the copy to clients of the site, read-only,
as a folder and as a bucket. Every snapshot comes with its name, so each dataset version has the same id there: choose
the *Site* in a training DAG to train on it.

**When it runs.** When triggered; run it again to update. With a *Schedule* ONTAP updates by itself between the runs.

**What it needs.** The connections of the dataset and of the site (`config/sites.yaml`). To make SVMs peers, both
logins must be a cluster administrator's; where they are peers already, an account of the SVM will do. The S3 keys of
the site go where `provision_ontap` puts those of other SVMs.

**What it leaves behind.** A volume of the dataset's name at the site, a SnapMirror relationship, an S3 server with a
user there. What a failed training has kept at the site is removed after `[ontap_mlops] keep_failed_workspaces_days`.

**If it fails.** The sentence names both ends. Clear the failed task: a transfer that runs is joined, not begun again.
A copy that is failed over is not updated; run `fail_over` with *Back to home* first.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param

from ontap_mlops import locations, registry, sites
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.copies import OntapCopyShowOperator
from ontap_mlops.operators.mirrors import OntapMirrorEnsureOperator
from ontap_mlops.operators.peers import OntapSvmPeerEnsureOperator
from ontap_mlops.operators.s3 import OntapS3ProvisionOperator
from ontap_mlops.operators.transfers import OntapMirrorUpdateOperator
from ontap_mlops.operators.workspaces import WorkspaceCollectOperator

DATASETS, SITES = list(registry.usable()), list(sites.usable())
if DATASETS and SITES:
    with DAG(
        dag_id="replicate",
        description="Keep a copy of a dataset at another site: peers, mirror, first or next transfer",
        doc_md=__doc__,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        default_args={
            "retries": RETRIES,
            "ontap_conn_id": locations.of_site("ontap_conn_id"),
            "source_conn_id": locations.of_dataset("ontap_conn_id"),
            "svm": locations.of_site("svm"),
            "source_svm": locations.of_dataset("svm"),
        },
        tags=["sites"],
        params={
            "dataset": Param(DATASETS[0], type="string", enum=DATASETS, title="Dataset"),
            "site": Param(SITES[0], type="string", enum=SITES, title="Site", description="Where the copy is kept."),
            "policy": Param(
                "MirrorAllSnapshots",
                type="string",
                minLength=1,
                title="Policy",
                description="SnapMirror policy of the site's cluster. It must bring all snapshots: a dataset version "
                "is one; Asynchronous brings labelled ones only.",
                section="Mirror",
            ),
            "schedule": Param(
                None,
                type=["null", "string"],
                title="Schedule",
                description="Name of a schedule of the site's cluster, such as hourly. Empty: the policy decides.",
                section="Mirror",
            ),
        },
    ):
        volume = locations.of_dataset("volume")
        peer = OntapSvmPeerEnsureOperator(task_id="peer", applications=["snapmirror"])
        mirror = OntapMirrorEnsureOperator(
            task_id="mirror",
            volume=volume,
            policy="{{ params.policy }}",
            schedule="{{ params.schedule or '' }}",
            comment="ontap-mlops dataset {{ params.dataset }}",
        )
        update = OntapMirrorUpdateOperator(task_id="update", mirror_volume=volume)
        keys = OntapS3ProvisionOperator(
            task_id="keys",
            user="mlops",
            group="mlops",
            policy="mlops-full-access",
            buckets={},
            secret_suffix=locations.of_site("keys_suffix"),
        )
        show = OntapCopyShowOperator(task_id="show", dataset="{{ params.dataset }}", volume=volume)
        collect = WorkspaceCollectOperator(task_id="collect_workspaces")
        peer >> mirror >> update >> keys >> show >> collect
