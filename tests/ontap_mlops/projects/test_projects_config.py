"""What projects.yaml may say, and the sentence for what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ontap_mlops.compute import places
from ontap_mlops.compute.workload import Resources, Workload
from ontap_mlops.config_file import ConfigError
from ontap_mlops.projects import config

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    return (tmp_path / "projects.yaml").write_text


def workload(**fields: object) -> Workload:
    return Workload(name="w", program="p", interactive=True, **fields)  # type: ignore[arg-type]


def test_the_file_we_ship_has_the_published_quotas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(REPOSITORY / "config"))
    assert {project.name: project.quota for project in config.projects().all()} == {
        "team-a": 4,
        "team-b": 2,
        "team-c": 2,
        "team-d": 8,
    }


def test_quotas_that_do_not_add_up_are_one_sentence_with_file_and_sum(write) -> None:
    write("gpus: 16\nprojects:\n  team-a: {quota: 4}\n  team-b: {quota: 13}\n")
    with pytest.raises(
        ConfigError,
        match=r"projects\.yaml:1: the quotas add up to 17 GPUs and the cluster has 16: 4 \(team-a\) \+ 13 \(team-b\)",
    ):
        config.projects()


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("{quota: 4, limit: 2}", r"projects\.yaml:3: limit is 2, less than the quota of 4 GPUs"),
        ("{quota: -1}", r"projects\.yaml:3: .*-1 is below 0"),
        ("{quota: 4, qouta: 4}", r"unknown key 'qouta'"),
        ("{limit: 4}", r"the key 'quota' is missing"),
        ("{quota: 4, interactive: {time_limit_s: 0}}", r"0 is not above 0"),
    ],
)
def test_a_mistake_in_an_entry_names_its_line(write, entry: str, sentence: str) -> None:
    write(f"gpus: 4\nprojects:\n  team-a: {entry}\n")
    with pytest.raises(ConfigError, match=sentence):
        config.projects()


def test_a_name_that_no_scheduler_would_take_is_refused(write) -> None:
    write("gpus: 4\nprojects:\n  Team_A: {quota: 4}\n")
    with pytest.raises(ConfigError, match=r"'Team_A' does not fit: up to 40 of a-z, 0-9 and -"):
        config.projects()


def test_the_weight_is_the_quota_unless_said(write) -> None:
    write("gpus: 4\nprojects:\n  a: {quota: 4}\n  b: {quota: 0}\n  c: {quota: 0, over_quota_weight: 2.5}\n")
    assert [project.weight for project in config.projects().all()] == [4, 1, 2.5]


def test_a_changed_file_is_read_again(write) -> None:
    write("gpus: 4\nprojects:\n  a: {quota: 4}\n")
    assert config.names() == ["a"]
    write("gpus: 4\nprojects:\n  a: {quota: 3}\n  b: {quota: 1}\n")
    assert config.names() == ["a", "b"]


def test_without_a_file_any_project_may_be_named_and_none_is_known(write, tmp_path: Path) -> None:
    assert config.names() == []
    done = places.place({"kind": "local"}).completed(Workload(name="w", program="p", project="theirs"))
    assert done.project == "theirs"
    with pytest.raises(ConfigError, match=r"projects\.yaml: there is no such file"):
        config.projects()


def test_a_workload_of_an_unknown_project_is_refused_with_those_there_are(write) -> None:
    write("gpus: 4\nprojects:\n  team-a: {quota: 4}\n")
    with pytest.raises(ConfigError, match=r"no GPU project 'team-x' in .*projects\.yaml; .* there are: team-a"):
        places.place({"kind": "local"}).completed(workload(project="team-x"))


def test_an_interactive_workload_ends_by_the_limit_of_its_project(write) -> None:
    write("gpus: 4\nprojects:\n  team-a: {quota: 4, interactive: {time_limit_s: 600}}\n")
    here = places.place({"kind": "local", "project": "team-a", "interactive_limit_s": 9999})
    assert here.completed(workload()).time_limit_s == 600
    assert here.completed(workload(time_limit_s=60)).time_limit_s == 60
    assert here.completed(workload(time_limit_s=6000)).time_limit_s == 600, "nobody outlasts the project's limit"
    batch = Workload(name="w", program="p", project="team-a", resources=Resources(gpus=1))
    assert here.completed(batch).time_limit_s is None, "unattended work has none"
