"""
# Roll a model out to edge sites

**What.** Has the inference servers of many edge sites serve a model version, each from the volume beside it and without
a copy of its own. `place` puts it into the repository on the model volume; then in three stages, one site, ten per
cent, the rest, each site `bring`s its volume up to date (FlexCache, SnapMirror or sync: `config/edge_sites.yaml`),
`verify`s the version there by its digest, and `serve`s it, proven by inference. Between two stages the health rule
decides. At the end, `activate` makes servers that restart serve the version too.

**When it runs.** When triggered, by hand or by `edge_inference`. Run it again at any time: sites that serve the version
are left alone, and those that could not be reached are caught up.

**What it needs.** Connections `mlflow_default`, `ontap_default`, and for each site those of its ONTAP and its server.
To make SVMs peers, an administrator of both; where they are peers already, an account of each SVM will do.

**What it leaves behind.** For each site a volume `<model>_models_at_<site>`; what it serves, and served before, as a
tag of the registered model in MLflow.

**If it fails.** A stage that is not healthy fails the run with the sentence of each site, no further site is changed,
and `put_back` returns those that the run has changed to what they served before. To undo a roll-out that went well,
choose *Put back*: one action for all sites. Cleared, every task goes on from what it finds.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param

from ontap_mlops import edge_sites
from ontap_mlops.operators.edge import (
    ACTIONS,
    STAGES,
    EdgeActivateOperator,
    EdgeChangedOperator,
    EdgePlaceOperator,
    EdgeStageOperator,
    EdgeVersionOperator,
)
from ontap_mlops.pipelines.edge import at_each

WHAT = "{{ params.what }}"

if edge_sites.usable():
    with DAG(
        dag_id="model_rollout",
        description="Roll a model version out to edge sites: staged, verified by digest, put back by one action",
        doc_md=__doc__,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        max_active_runs=1,
        tags=["deploy", "edge"],
        params={
            "model": Param(type="string", minLength=1, title="Model", description="Name in MLflow."),
            "what": Param("roll_out", type="string", enum=list(ACTIONS), values_display=ACTIONS, title="What to do"),
            "version": Param(
                None,
                type=["null", "integer"],
                minimum=1,
                title="Version",
                description="Empty: the champion; to put back, the newest version that any site serves.",
            ),
            "groups": Param(
                [],
                type="array",
                items={"type": "string", "enum": edge_sites.groups()},
                examples=edge_sites.groups(),
                title="Groups of sites",
                description="Empty: all sites.",
                section="Sites",
            ),
            "share": Param(
                0.1,
                type="number",
                exclusiveMinimum=0,
                maximum=1,
                title="Second stage",
                description="Share of all sites, rounded up. The first stage is one site, the third the rest.",
                section="Sites",
            ),
            "failures": Param(
                0.0,
                type="number",
                minimum=0,
                maximum=1,
                title="Failures allowed",
                description="Share of a stage's sites that may fail. A site that cannot be reached has not failed.",
                section="Health rule",
            ),
            "health": Param(
                5.0,
                type="number",
                exclusiveMinimum=0,
                title="Answer within (seconds)",
                description="Longest time for one inference, at each site.",
                section="Health rule",
            ),
        },
    ):
        version = EdgeVersionOperator(
            task_id="version", model="{{ params.model }}", version="{{ params.version or '' }}", what=WHAT
        )
        place = EdgePlaceOperator(task_id="place", what=WHAT)
        judging = {
            "what": WHAT,
            "groups": "{{ params.groups | join(',') }}",
            "share": "{{ params.share }}",
            "failures": "{{ params.failures }}",
        }

        version >> place
        before, judged = place, []
        for number, stage in enumerate(STAGES):
            rule = "all_done" if number else "all_success"
            sites = EdgeStageOperator(task_id=f"{stage}_sites", stage=number, trigger_rule=rule, **judging)
            group = at_each(stage, sites, health="{{ params.health }}")
            before >> sites >> group
            before = group
            judged += [sites] if number else []
        judge = EdgeStageOperator(task_id="judge", stage=len(STAGES), trigger_rule="all_done", **judging)
        activate = EdgeActivateOperator(task_id="activate", what=WHAT)
        # What a restart serves comes to copies too; through a cache it is there by itself.
        settle = at_each("settle", judge, serve=False)
        done = EmptyOperator(
            task_id="done", trigger_rule="none_failed", doc_md="Nothing: it fails the run with a stage."
        )
        before >> judge >> activate >> settle >> done

        changed = EdgeChangedOperator(task_id="changed", what=WHAT, trigger_rule="one_failed")
        [*judged, judge] >> changed >> at_each("put_back", changed, bring=False, health="{{ params.health }}")
