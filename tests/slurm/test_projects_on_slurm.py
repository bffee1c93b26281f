"""GPU projects on a real Slurm: applied once, held to, shared fairly; no GPU is given twice, and nothing is left."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from ontap_mlops.compute.kinds.slurm import SlurmPlace
from ontap_mlops.compute.replaying import Replay
from ontap_mlops.compute.workload import PlaceRefused, Resources, State, Workload
from ontap_mlops.operators.gpu_projects import (
    GpuProjectsApplyOperator,
    GpuProjectsReportOperator,
    GpuScenarioPlayOperator,
    GpuScenariosCheckOperator,
    GpuScenariosRemoveOperator,
    task_of,
)
from ontap_mlops.projects import slurm_accounts, use
from ontap_mlops.projects.changes import ProjectsRefused, make_all
from ontap_mlops.projects.config import Projects, projects
from ontap_mlops.projects.slurm_queue import SlurmQueue
from tests.slurm.conftest import Site, ended, wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAMS = Path(__file__).parent / "programs"
NOBODY = Projects.of({"gpus": 16, "projects": {}}, "a test")


@pytest.fixture
def place(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmPlace]:
    """The place with the projects that we ship; the cluster knows none before and none after."""
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(REPOSITORY / "config"))
    here = site.place(working_directory=str(REPOSITORY), python=sys.executable, grace_s=2)
    yield here
    for name in (*site.names, "mlops-share-team-b"):
        site.say("scancel", "--quiet", f"--name={name}")
    wait_until(lambda: not here.projects().jobs(), what="the end of the projects' jobs")
    make_all(SlurmQueue(here.cluster(), NOBODY).plan(), lambda sentence: None)
    assert "team-" not in site.say("sacctmgr", "--noheader", "show", "account"), "nothing is left of the projects"


def apply(place: SlurmPlace) -> list[str]:
    said: list[str] = []
    make_all(place.projects().plan(), said.append)
    return said


def hold(site: Site, place: SlurmPlace, gpus: float, project: str, **fields: Any) -> str:
    arguments = ("--seconds", "600")
    asked = site.workload(*arguments, program="tasks.projects.hold", resources=Resources(gpus=gpus), **fields)
    place.runner().submit(place.completed(replace(asked, project=project)))
    return asked.name


def running(place: SlurmPlace, *names: str) -> Any:
    def all_run() -> bool:
        found = {job.name for job in place.projects().jobs() if job.running}
        return set(names) <= found

    return wait_until(all_run, what=f"that {names} run")


def devices(site: Site) -> dict[tuple[str, str], list[str]]:
    """Jobs by the GPU (node and index) that Slurm has given them, all of one moment."""
    given: dict[tuple[str, str], list[str]] = defaultdict(list)
    for told in site.say("scontrol", "--details", "--oneliner", "show", "job").splitlines():
        if "JobState=RUNNING" not in told:
            continue
        (job,) = re.findall(r"^JobId=(\d+)", told)
        for node, indices in re.findall(r"\bNodes=(\w+) CPU_IDs=\S+ Mem=\S+ GRES=gpu\S*\(IDX:([\d,-]+)\)", told):
            for span in indices.split(","):
                first, _, last = span.partition("-")
                for index in range(int(first), int(last or first) + 1):
                    given[node, str(index)].append(job)
    return given


@pytest.mark.timeout(1800)
def test_the_published_tables_come_out_and_no_gpu_is_given_twice(site: Site, place: SlurmPlace) -> None:
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if "GPUs/quota" in line:
            given = devices(site)
            assert all(len(jobs) == 1 for jobs in given.values()), (given, said)
            assert len(given) == 16, ("all of them are in use", given, said)

    Replay(place, say, steady_s=3).run()
    tables = [line for line in said if "GPUs/quota" in line]
    assert len(tables) == 3
    assert site.queue() == []


def test_applied_twice_changes_nothing_and_a_project_that_goes_is_removed(place: SlurmPlace) -> None:
    assert "make account team-a (Fairshare=4)" in apply(place)
    assert apply(place) == []
    shipped = projects().model_dump()
    shipped["projects"]["team-a"] |= {"limit": 6, "over_quota_weight": 2}
    del shipped["projects"]["team-d"]
    shipped["projects"]["team-e"] = {"quota": 8}
    other = SlurmQueue(place.cluster(), Projects.of(shipped, "a test"))
    planned = [change.sentence for change in other.plan()]
    assert "set Fairshare=2, GrpTRES=gres/gpu=6 of account team-a" in planned
    assert "remove account team-d, which no project has any more" in planned
    make_all(other.plan(), lambda sentence: None)
    assert other.plan() == []


def test_an_account_of_somebody_else_is_left_alone(site: Site, place: SlurmPlace) -> None:
    site.say("sacctmgr", "--immediate", "add", "account", "team-a", "Description=theirs")
    try:
        with pytest.raises(ProjectsRefused, match=r"has account team-a already, .* \(its description is 'theirs'\)"):
            place.projects().plan()
    finally:
        site.say("sacctmgr", "--immediate", "delete", "account", "team-a")


def test_quotas_beyond_the_cluster_are_refused_before_anything_is_made(place: SlurmPlace) -> None:
    many = Projects.of({"gpus": 32, "projects": {"team-a": {"quota": 32}}}, "a test")
    with pytest.raises(ProjectsRefused, match=r"guarantees 32 GPUs and this Slurm has 16: correct gpus and quotas"):
        SlurmQueue(place.cluster(), many).plan()


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("PreemptType", "preempt/none", r"says PreemptType=preempt/none, and preempt/qos is needed"),
        ("AccountingStorageEnforce", "associations", r"without limits and QOS enforced nobody's quota holds"),
        ("PriorityWeightQOS", "0", r"says PriorityWeightQOS=0"),
    ],
)
def test_a_slurm_that_cannot_hold_to_quotas_says_what_is_missing(place, key: str, value: str, sentence: str) -> None:
    facts = slurm_accounts.read(place.cluster())
    wrong = replace(facts, settings={**facts.settings, key: value})
    with pytest.raises(ProjectsRefused, match=sentence):
        slurm_accounts.plan(projects(), place.cluster(), wrong)


def test_shares_of_one_project_fill_one_gpu_and_the_rest_of_it_is_idle(site: Site, place: SlurmPlace) -> None:
    apply(place)
    names = [hold(site, place, share, "team-b", interactive=True) for share in (0.5, 0.3)]
    running(place, *names)
    row = next(row for row in use.measured(projects(), place.projects().jobs()) if row.project == "team-b")
    assert (row.allocated, round(row.idle, 3)) == (1, 0.2)
    log = wait_until(lambda: place.runner().logs(names[0])[0], what="its log")
    assert "holding GPUs" in log
    third = hold(site, place, 0.4, "team-b", interactive=True)
    running(place, third)
    held = [job for job in place.projects().jobs() if job.held]
    assert len(held) == 2, "what does not fit takes another GPU"


def test_an_interactive_workload_on_a_share_ends_at_its_limit(site: Site, place: SlurmPlace) -> None:
    apply(place)
    name = hold(site, place, 0.5, "team-b", interactive=True, time_limit_s=4)
    status = ended(place.runner(), name)
    assert status.out_of_time
    assert status.state is State.FAILED


def test_a_share_gets_its_grace_when_it_is_cancelled(site: Site, place: SlurmPlace) -> None:
    apply(place)
    here = SlurmPlace(**{**place.model_dump(), "working_directory": str(PROGRAMS), "grace_s": 60})
    asked = site.workload("checkpoint", "say=up", "sleep=600", resources=Resources(gpus=0.5), interactive=True)
    runner = here.runner()
    runner.submit(here.completed(replace(asked, project="team-b")))
    wait_until(lambda: "up" in runner.logs(asked.name)[0], what="its start")
    runner.cancel(asked.name)
    assert runner.status(asked.name).state is State.CANCELLED
    assert "checkpoint written" in runner.logs(asked.name)[0]


def test_what_waits_beyond_a_quota_claims_it_when_it_is_free_again(site: Site, place: SlurmPlace) -> None:
    """team-d, less beyond its quota for its weight, takes what team-b leaves, and gives it back at once."""
    apply(place)
    first = hold(site, place, 2, "team-b")
    running(place, first, hold(site, place, 4, "team-a"), hold(site, place, 8, "team-d"))
    beyond = hold(site, place, 2, "team-d")
    running(place, beyond)
    more, late = hold(site, place, 2, "team-d"), hold(site, place, 2, "team-b")
    place.runner().cancel(first)
    running(place, more)
    place.projects().settle()
    running(place, late)
    jobs = {job.name: job for job in place.projects().jobs()}
    assert not jobs[late].over
    assert [jobs[name].running for name in (beyond, more)].count(False) == 1, "one of the two has given way"


def test_a_share_for_several_processes_is_refused_in_one_sentence(site: Site, place: SlurmPlace) -> None:
    apply(place)
    with pytest.raises(PlaceRefused, match=r"asks for 0\.5 of a GPU for each of 2 processes"):
        hold(site, place, 0.5, "team-b", processes=2)


def test_where_the_place_names_an_account_itself_projects_are_not_asked(place: SlurmPlace) -> None:
    own = SlurmPlace(**{**place.model_dump(), "account": "root"})
    assert own.project_of(Workload(name="w", program="p", project="team-a")) is None


@pytest.mark.timeout(1800)
def test_the_tasks_of_the_dag_play_the_published_scenarios_and_leave_nothing(
    site: Site, place: SlurmPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "projects.yaml").write_text((REPOSITORY / "config" / "projects.yaml").read_text())
    (tmp_path / "compute.yaml").write_text(yaml.safe_dump({"places": {"slurm": place.model_dump(mode="json")}}))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    results: dict[str, Any] = {}
    context: Any = {
        "ti": SimpleNamespace(task_id="t", xcom_pull=lambda task_ids, key: results.get(task_ids), xcom_push=print),
        "dag_run": SimpleNamespace(dag_id="gpu_projects", run_id="r", run_after=datetime(2026, 7, 1, tzinfo=UTC)),
    }
    wanted = {"place": "slurm", "up_to": "4.10"}
    shown = GpuProjectsApplyOperator(task_id="apply", place="slurm", plan_only=True).execute(context)
    results["apply"] = GpuProjectsApplyOperator(task_id="apply", place="slurm").execute(context)
    assert shown["changes"] == results["apply"]["changes"] != []
    GpuScenariosCheckOperator(task_id="check", **wanted).execute(context)
    try:
        for section in ("4.8", "4.9", "4.10"):
            played = GpuScenarioPlayOperator(task_id=task_of(section), section=section, deferrable=False, **wanted)
            results[task_of(section)] = played.execute(context)
            assert sum(row["allocated"] for row in results[task_of(section)]["use"]) == 16
    finally:
        GpuScenariosRemoveOperator(task_id="remove", place="slurm").execute(context)
    facts = GpuProjectsReportOperator(task_id="report", compute="slurm", **wanted).run_facts(context)["facts"]
    assert facts["problems"] == [] and len(facts["pages"]) == 3
    assert site.queue() == []
