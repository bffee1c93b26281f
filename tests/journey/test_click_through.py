"""Click logs become versions; one run compares engines on one of them, deploys the best model and scores every row.

Read from top to bottom; each test goes on from where the one before it stopped.
"""

from __future__ import annotations

import time
from datetime import timedelta

import pyarrow.parquet
import pytest

from scripts import lake
from scripts.follow import RunFailed, follow
from tests.journey.world import TODAY, noon

pytestmark = [pytest.mark.journey, pytest.mark.timeout(1500)]

INGEST, TRAIN = "ingest_ctr_days", "click_through"
ROWS = 20_000  # of each day
facts: dict = {}


@pytest.fixture(scope="module", autouse=True)
def own_time(world):
    yield
    world.kill({})
    world.set_clock(None)
    world.pause(TRAIN)


def results(world):
    """The volume as an NFS client sees it."""
    return world.stack.layout.namespace / "svm1" / "ctr_results"


def qos_policy(world, volume: str) -> str | None:
    found = world.records("/storage/volumes", name=volume, fields="name,qos.policy.name")[0]
    return found.get("qos", {}).get("policy", {}).get("name")


def wait_for(look, what: str, timeout_s: float = 120):
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"no {what} within {timeout_s:.0f} s"
        time.sleep(1)
    return found


def test_each_new_day_becomes_a_version(world):
    world.run_what_is_due(TRAIN)  # skipped: there is no version yet
    world.pause(TRAIN)
    lake.bucket(world.stack)
    for day in (0, 1):
        world.set_clock(noon(3 - day))
        options = ["--first-day", str(day), "--rows", str(ROWS), "--processes", "1"]
        lake.run_program(world.stack, "tasks.ctr.generate", "--output", "s3://lake/ctr/", *options)
        if day == 1:
            world.api.unpause(TRAIN)
        facts["ingest"] = world.run(INGEST)
        facts.setdefault("versions", []).append(world.api.xcom(INGEST, facts["ingest"], "freeze"))
    assert [version["files"] for version in facts["versions"]] == [2, 4], "each day and what is true of it"


def test_a_new_version_starts_a_run_that_compares_engines_and_scores_every_row(world):
    run_id = wait_for(lambda: world.api.run_started_by(TRAIN, facts["ingest"]), "run")
    follow(world.api, TRAIN, run_id)
    summary = facts["first"] = world.api.xcom(TRAIN, run_id, "summary")
    assert summary["dataset_version"]["id"] == facts["versions"][1]["id"]
    compared = {row["engine"]: row for row in summary["engines"]}
    assert set(compared) == {"pandas", "dask"}
    assert compared["pandas"]["rows"] == compared["dask"]["rows"] > ROWS
    assert all(row["seconds"] > 0 and row["rows_per_s"] > 0 and row["peak_gib"] > 0 for row in compared.values())
    assert abs(compared["pandas"]["accuracy"] - compared["dask"]["accuracy"]) < 0.02
    assert summary["decision"]["decision"] == "promote"
    assert summary["scores"]["rows"] == 2 * ROWS


def test_the_best_model_is_deployed_for_batch_scoring(world):
    summary = facts["first"]
    deployed = summary["deployment"]["model_version"]
    assert (deployed["model"], deployed["version"]) == ("click_through", 1)
    assert deployed["snapshot"] in world.snapshots("models")
    folder = world.stack.layout.namespace / "svm1" / "models" / deployed["folder"]
    assert (folder / "model.onnx").is_file()
    assert deployed["dataset_version"]["snapshot"] in world.snapshots("ctr_days")


def test_the_scores_are_on_the_volume_and_frozen(world):
    key = facts["first"]["run_key"]
    scores = [pyarrow.parquet.read_table(file) for file in sorted((results(world) / "scores" / key).glob("*.parquet"))]
    assert [table.num_rows for table in scores] == [ROWS, ROWS]
    assert f"mlops_{key}" in world.snapshots("ctr_results")
    frozen = results(world) / ".snapshot" / f"mlops_{key}" / "scores" / key
    assert len(list(frozen.glob("*.parquet"))) == 2


def test_nothing_of_the_run_stays_behind(world):
    assert world.workspaces() == set()
    assert qos_policy(world, "ctr_results") is None, "the policy of before the run is back"


def test_a_run_whose_workers_are_killed_ends_as_if_they_had_not_been(world):
    before = {tags["workload"] for tags in world.tracked_runs() if "workload" in tags}
    snapshots = world.snapshots("ctr_results")
    steps = {"raise_qos": "end", "convert": "end", "train": "middle", "compare": "end", "score": "middle"}
    world.kill({TRAIN: {**steps, "lower_qos": "end", "freeze": "end"}})
    run_id = world.run(TRAIN, {"promote": "never", "trees": 2, "depth": 4})
    world.kill({})
    tasks = {
        (task["task_id"], task.get("map_index", -1)): task["try_number"] for task in world.api.tasks(TRAIN, run_id)
    }
    assert tasks["train", 0] == tasks["train", 1] == tasks["raise_qos", -1] == 2, "each was killed once"
    key = world.api.xcom(TRAIN, run_id, "summary")["run_key"]
    made = [tags["workload"] for tags in world.tracked_runs() if tags.get("workload") not in before]
    assert sorted(made) == sorted([key, f"{key}-pandas", f"{key}-dask", f"{key}-score"]), "no run is made twice"
    assert set(world.snapshots("ctr_results")) - set(snapshots) == {f"mlops_{key}"}
    assert world.workspaces() == set()
    assert qos_policy(world, "ctr_results") is None


def test_a_run_that_cannot_succeed_fails_with_the_programs_sentence_and_leaves_nothing(world):
    with pytest.raises(RunFailed, match="There is no day_99 under .*; there are day_0, day_1"):
        world.run(TRAIN, {"days": "day_99", "engines": ["pandas"], "promote": "never"})
    assert world.workspaces() == set()
    assert qos_policy(world, "ctr_results") is None


def test_a_backfill_trains_a_date_on_the_days_of_that_date(world):
    world.set_clock(None)
    date = f"{TODAY - timedelta(days=2):%Y-%m-%d}"
    known = {run["dag_run_id"] for run in world.api.runs(TRAIN)}
    world.airflow(
        *("backfill", "create", "--dag-id", TRAIN, "--from-date", date, "--to-date", date),
        *("--dag-run-conf", '{"engines": ["pandas"], "trees": 2, "depth": 4}'),
    )
    new = lambda: [run["dag_run_id"] for run in world.api.runs(TRAIN) if run["dag_run_id"] not in known]  # noqa: E731
    (run_id,) = wait_for(new, "backfilled run")
    follow(world.api, TRAIN, run_id)
    summary = world.api.xcom(TRAIN, run_id, "summary")
    assert summary["dataset_version"]["id"] == facts["versions"][0]["id"]
    assert summary["engines"][0]["rows"] < ROWS, "one day, less the rows to judge by"
    assert summary["decision"]["decision"] == "keep"
    assert world.states(TRAIN, run_id)["deploy"] == "skipped"
    assert summary["scores"]["rows"] == ROWS, "by the deployed model"
