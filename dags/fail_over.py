"""
# Fail over

**What.** Makes the copy of a dataset at another site the one that is written, or brings it back home.

* *To the site, planned*: the last update, a look whether home has gone on being written, then the mirror is broken
  off.
* *To the site, home is lost*: the mirror is broken off as it is; the log says how old the copy is.
* *Back to home*: what was written at the site goes home by a mirror in the other direction (a reverse resync), the
  site is closed to writers, the last of it follows, home is opened, and the mirror to the site goes on as before.

After a fail over the site's volume is writable, mounted and seen through its S3 bucket. Ingest and promotion follow
when the dataset's entry names the site: docs/fail-over.md shows the two lines.

**When it runs.** When triggered.

**What it needs.** A copy that `replicate` has made. To go back: home reachable, and peers that allow mirrors in both
directions.

**What it leaves behind.** To the site: a mirror that is broken off. Back: everything as `replicate` has left it.

**If it fails.** Nothing is overwritten that exists nowhere else: before a volume is, the two are compared, and what
only one has is named. Clear the failed task or start the run again: `look` finds out what is left to do, and the other
tasks are skipped.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param, chain

from ontap_mlops import locations, registry, sites
from ontap_mlops.operators.base import RETRIES
from ontap_mlops.operators.copies import OntapCopyCheckOperator, OntapCopyHideOperator, OntapCopyShowOperator
from ontap_mlops.operators.fail_over import DIRECTIONS, HOW, ONLY_AT_HOME, FailOverLookOperator, when_left
from ontap_mlops.operators.mirrors import OntapMirrorBreakOperator
from ontap_mlops.operators.transfers import OntapMirrorReverseOperator, OntapMirrorUpdateOperator

DATASETS, SITES = list(registry.usable()), list(sites.usable())
if DATASETS and SITES:
    VOLUME = locations.of_dataset("volume")
    HOME = {"conn_id": locations.of_dataset("ontap_conn_id"), "svm": locations.of_dataset("svm")}
    SITE = {"conn_id": locations.of_site("ontap_conn_id"), "svm": locations.of_site("svm")}
    at_site = {"ontap_conn_id": SITE["conn_id"], "svm": SITE["svm"]}
    at_home = {"ontap_conn_id": HOME["conn_id"], "svm": HOME["svm"]}
    from_home = {"source_conn_id": HOME["conn_id"], "source_svm": HOME["svm"]}
    from_site = {"source_conn_id": SITE["conn_id"], "source_svm": SITE["svm"]}
    shown = {"dataset": "{{ params.dataset }}", "volume": VOLUME}
    with DAG(
        dag_id="fail_over",
        description="Write a dataset at another site, or bring it back home",
        doc_md=__doc__,
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        max_active_runs=1,
        default_args={"retries": RETRIES, "pre_execute": when_left, "trigger_rule": "none_failed"},
        tags=["sites"],
        params={
            "dataset": Param(DATASETS[0], type="string", enum=DATASETS, title="Dataset"),
            "site": Param(SITES[0], type="string", enum=SITES, title="Site"),
            "direction": Param(
                "to_site", type="string", enum=list(DIRECTIONS), values_display=DIRECTIONS, title="Direction"
            ),
            "how": Param(
                "planned", type="string", enum=list(HOW), values_display=HOW, title="How", section="To the site"
            ),
            "only_at_home": Param(
                "refuse",
                type="string",
                enum=list(ONLY_AT_HOME),
                values_display=ONLY_AT_HOME,
                title="What only home has",
                description="Written at home and not yet at the site when it failed over, or since.",
                section="Back to home",
            ),
        },
    ):
        look = FailOverLookOperator(
            task_id="look",
            pre_execute=None,
            direction="{{ params.direction }}",
            how="{{ params.how }}",
            site="{{ params.site }}",
            **shown,
            **at_site,
            **from_home,
        )
        to_site = [
            OntapMirrorUpdateOperator(task_id="update", mirror_volume=VOLUME, **at_site),
            OntapCopyCheckOperator(
                task_id="settled",
                volume=VOLUME,
                advice="Home is still being written: pause what writes there, then clear update and all after it.",
                **at_home,
                **from_site,
            ),
            OntapMirrorBreakOperator(task_id="break_off", mirror_volume=VOLUME, abort_transfer=True, **at_site),
            OntapCopyShowOperator(task_id="show_at_site", **shown, **at_site),
        ]
        back = [
            OntapCopyCheckOperator(
                task_id="kept_at_home",
                volume=VOLUME,
                only_here="{{ params.only_at_home }}",
                advice="Copy it to the site first, or start this again with What only home has: discard it.",
                **at_home,
                **from_site,
            ),
            OntapMirrorReverseOperator(task_id="turn", mirror_volume=VOLUME, lose_changes=True, **at_home, **from_site),
            OntapCopyHideOperator(task_id="hide_at_site", volume=VOLUME, **at_site),
            OntapMirrorUpdateOperator(task_id="last_update", mirror_volume=VOLUME, **at_home),
            OntapMirrorBreakOperator(task_id="break_off_home", mirror_volume=VOLUME, **at_home),
            OntapCopyShowOperator(task_id="show_at_home", **shown, **at_home),
            OntapCopyCheckOperator(
                task_id="kept_at_site",
                volume=VOLUME,
                advice="It was written while the site was closed: look at it before anything else.",
                **at_site,
                **from_home,
            ),
            OntapMirrorReverseOperator(task_id="turn_again", mirror_volume=VOLUME, **at_site, **from_home),
            OntapCopyShowOperator(task_id="show_copy", **shown, **at_site),
        ]
        chain(look, *to_site)
        chain(look, *back)
