"""Each alert fires in its case and only there, by Prometheus' own tester, and says what to do; each has a runbook."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

HOUSE = Path(__file__).parents[2]
RULES = HOUSE / "docker" / "prometheus" / "rules.yml"
RUNBOOKS = HOUSE / "docs" / "runbooks.md"
GROUPS = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}
DAY = 86400

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="There is no promtool here; it comes with Prometheus."
)

# Values of two hours, one a minute from 1970 on: "7" is 7 all the time, anything else is promtool's notation. So that
# `time() - since` can be long, times of long ago are below zero.
WELL = {
    'up{job="workloads"}': "1",
    "ontap_mlops_volume_snapshots{ontap_conn_id='o',svm='s',volume='v'}": "800",
    "ontap_mlops_volume_snapshots_limit{ontap_conn_id='o',svm='s'}": "1023",
    "ontap_mlops_site_cache_committed_bytes{site='w'}": "50",
    "ontap_mlops_site_cache_budget_bytes{site='w'}": "100",
    "ontap_mlops_dataset_newest_version_timestamp_seconds{dataset='d'}": "0",
    "ontap_mlops_dataset_used_bytes{dataset='d'}": "50",
    "ontap_mlops_dataset_size_bytes{dataset='d'}": "100",
    "ontap_mlops_workspace_oldest_kept_timestamp_seconds{svm='s'}": "0",
    "ontap_mlops_reclaimable_bytes{ontap_conn_id='o',svm='s',kind='clone'}": "5",
    "ontap_mlops_source_up{source='ontap',name='o'}": "1",
    "ontap_mlops_source_age_seconds{source='ontap',name='o'}": "60",
    "ontap_mlops_dag_run_end_timestamp_seconds{dag_id='g',state='failed'}": "100",
    "ontap_mlops_dag_run_end_timestamp_seconds{dag_id='g',state='success'}": "200",
    "ontap_mlops_dag_run_duration_seconds{dag_id='g',state='success'}": "120",
    "ontap_mlops_dag_run_mean_duration_seconds{dag_id='g',state='success'}": "100",
    "ontap_mlops_dag_oldest_waiting_run_timestamp_seconds{dag_id='g'}": "0+60x120",
    "ontap_mlops_pool_slots{pool='compute_p',place='p',state='open'}": "0",
    "ontap_mlops_pool_slots{pool='compute_p',place='p',state='queued'}": "0",
    "ontap_mlops_task_instances{state='up_for_retry'}": "2",
    "ontap_mlops_dag_import_errors": "0",
    "ontap_mlops_airflow_component_up{component='scheduler'}": "1",
    "ontap_mlops_cache_requested_blocks_total{site='w',dataset='d',version='v'}": "0+100x120",
    "ontap_mlops_cache_missed_blocks_total{site='w',dataset='d',version='v'}": "0+10x120",
    "ontap_mlops_deployment_up{model='m',version='3'}": "1",
    "ontap_mlops_deployment_state{model='m',version='3',state='serving'}": "1",
    "ontap_mlops_workload_state{workload='w',state='succeeded'}": "1",
    "ontap_mlops_workload_progress_time_seconds{workload='w'}": "0+60x120",
    "dask_scheduler_tasks_suspicious_total{instance='i',workload='w'}": "0",
    "nv_inference_request_failure{model='m'}": "3",
    "ontap_mlops_gpu_project_waiting{place='p',project='a'}": "1",
    "ontap_mlops_gpu_project_allocated{place='p',project='a'}": "4",
    "ontap_mlops_gpu_project_waited_for{place='p',project='a'}": "1",
    "ontap_mlops_gpu_project_quota{place='p',project='a'}": "4",
}
_ENGINE = "program='tasks.ctr.train',workload='%s',engine='%s'"


def _engines(workload: str, engine: str, accuracy: str) -> dict[str, str]:
    labels = _ENGINE % (workload, engine)
    return {
        f"ontap_mlops_workload_start_time_seconds{{{labels}}}": "5",
        f"ontap_mlops_workload_state{{{labels},state='succeeded'}}": "1",
        f"ontap_mlops_workload_result{{{labels},name='metrics.accuracy'}}": accuracy,
    }


# What is different from all being well, for each alert; and which others fire with it.
CASES: dict[str, dict[str, str | None]] = {
    "SnapshotsNearLimit": {"ontap_mlops_volume_snapshots{ontap_conn_id='o',svm='s',volume='v'}": "950"},
    "SnapshotsAtLimit": {"ontap_mlops_volume_snapshots{ontap_conn_id='o',svm='s',volume='v'}": "1010"},
    "CacheBudgetNearlyUsed": {"ontap_mlops_site_cache_committed_bytes{site='w'}": "95"},
    "NoNewDatasetVersion": {
        "ontap_mlops_dataset_newest_version_timestamp_seconds{dataset='d'}": str(-9 * DAY)
    },
    "DatasetVolumeNearlyFull": {"ontap_mlops_dataset_used_bytes{dataset='d'}": "95"},
    "WorkspaceKeptLong": {"ontap_mlops_workspace_oldest_kept_timestamp_seconds{svm='s'}": str(-15 * DAY)},
    "MuchReclaimable": {"ontap_mlops_reclaimable_bytes{ontap_conn_id='o',svm='s',kind='clone'}": "2000000000000"},
    "SourceNotSeen": {"ontap_mlops_source_up{source='ontap',name='o'}": "0"},
    "FiguresOld": {"ontap_mlops_source_age_seconds{source='ontap',name='o'}": "4000"},
    "ExporterDown": {'up{job="workloads"}': None},
    "RunFailed": {"ontap_mlops_dag_run_end_timestamp_seconds{dag_id='g',state='success'}": None},
    "RunTakesLong": {"ontap_mlops_dag_run_duration_seconds{dag_id='g',state='success'}": "301"},
    "RunWaitsLong": {"ontap_mlops_dag_oldest_waiting_run_timestamp_seconds{dag_id='g'}": "0"},
    "PlaceFull": {"ontap_mlops_pool_slots{pool='compute_p',place='p',state='queued'}": "2"},
    "TasksWaitForRetry": {"ontap_mlops_task_instances{state='up_for_retry'}": "11"},
    "DagNotRead": {"ontap_mlops_dag_import_errors": "1"},
    "AirflowProcessDown": {"ontap_mlops_airflow_component_up{component='scheduler'}": "0"},
    "CacheCold": {"ontap_mlops_cache_missed_blocks_total{site='w',dataset='d',version='v'}": "0+60x120"},
    "ChampionNotServing": {"ontap_mlops_deployment_up{model='m',version='3'}": "0"},
    "DeploymentUnfinished": {
        "ontap_mlops_deployment_state{model='m',version='4',state='loading'}": "1"
    },
    "WorkloadFailed": {
        "ontap_mlops_workload_state{workload='f',state='failed'}": "1",
        "ontap_mlops_workload_start_time_seconds{workload='f'}": "5",
    },
    "WorkloadStalled": {"ontap_mlops_workload_progress_time_seconds{workload='w'}": "0"},
    "EnginesDisagree": {**_engines("a", "pandas", "0.7"), **_engines("b", "dask", "0.8")},
    "DaskTasksLost": {"dask_scheduler_tasks_suspicious_total{instance='i',workload='w'}": "0+1x120"},
    "PredictionsFail": {"nv_inference_request_failure{model='m'}": "0+1x120"},
    "GpuQuotaNotGiven": {"ontap_mlops_gpu_project_allocated{place='p',project='a'}": "3"},
}  # fmt: skip
ALSO = {"SnapshotsAtLimit": {"SnapshotsNearLimit"}, "MuchReclaimable": set(), "ExporterDown": set()}


def _test(name: str, fires: set[str], changed: dict[str, str | None]) -> dict[str, Any]:
    series = {name: value for name, value in {**WELL, **changed}.items() if value is not None}
    data = [{"series": each, "values": value if "x" in value else f"{value}+0x120"} for each, value in series.items()]
    firing = [{"labels": f'{{alertname="{each}"}}', "value": 1} for each in sorted(fires)]
    asked = {"expr": 'group by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "110m", "exp_samples": firing}
    return {"name": name, "interval": "1m", "input_series": data, "promql_expr_test": [asked]}


@needs_promtool
def test_each_alert_fires_in_its_case_and_no_other_does(tmp_path: Path) -> None:
    assert CASES.keys() == ALERTS.keys(), "each alert has a case"
    tests = [_test("all is well", set(), {})]
    tests += [_test(name, {name, *ALSO.get(name, ())}, changed) for name, changed in CASES.items()]
    file = tmp_path / "alerts.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    ran = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True)
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-4000:]


@needs_promtool
def test_the_rules_and_the_configuration_that_we_ship_are_valid() -> None:
    for what, name in (("rules", "rules.yml"), ("config", "prometheus.yml")):
        ran = subprocess.run(
            ["promtool", "check", what, str(RULES.with_name(name))], capture_output=True, text=True
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_is_wrong_and_what_to_do_and_where_there_is_more(name: str) -> None:
    rule = ALERTS[name]
    told = rule["annotations"]
    assert set(told) == {"summary", "description", "runbook"}
    assert all(told[each].endswith(".") for each in ("summary", "description"))
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert told["runbook"] == f"docs/runbooks.md#{name.lower()}"


def test_the_runbooks_are_those_of_the_alerts_and_name_their_severity() -> None:
    parts = re.split(r"^## ", RUNBOOKS.read_text(), flags=re.MULTILINE)[1:]
    pages = {part.splitlines()[0]: part for part in parts}
    assert [*pages] == [*ALERTS], "in the order of the rules"
    for name, page in pages.items():
        assert f"*{ALERTS[name]['labels']['severity']}*" in page, name
        assert all(f"**{word}**" in page for word in ("Means.", "Look.", "Do.")), name
