"""Programs on a real Slurm: what they get, how they end, what is said of it, and what is left."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ontap_mlops.compute.kinds.slurm import SlurmRunner
from ontap_mlops.compute.workload import Mount, PlaceRefused, PlaceUnavailable, Resources, State
from scripts.equipment.slurm_cluster import Cluster
from tests.slurm.conftest import Site, ended, wait_until

SECRET = "not 'for' $everybody\nsecond line"


@pytest.fixture(scope="module", autouse=True)
def minute(cluster: Cluster, shared: Path) -> Iterator[tuple[SlurmRunner, str]]:
    """A job with the least limit that Slurm knows, which runs while the other tests do."""
    site = Site(cluster, shared)
    runner = site.runner(options=["--time=1"])
    workload = site.workload("say=up", "sleep=300", name="one-minute")
    runner.submit(workload)
    yield runner, workload.name
    runner.cancel(workload.name)


def test_a_program_gets_its_variables_and_folders_and_its_log_and_result_come_back(site: Site, tmp_path: Path):
    (tmp_path / "tyres").mkdir()
    runner = site.runner(namespace_roots={"default": str(tmp_path)}, environment={"HF_HOME": "/models"})
    workload = site.workload(
        "say=wheel in {data}",
        "tell=HF_HOME,STEP,TOKEN,CUDA_VISIBLE_DEVICES,OMP_NUM_THREADS",
        mounts={"data": Mount(svm="svm1", junction_path="/tyres")},
        environment={"STEP": "train"},
        secrets={"TOKEN": SECRET},
        run={"folder": "{data}/x"},
        resources=Resources(cpus=2, memory_gib=0.5, gpus=2),
    )
    assert runner.submit(workload) == workload.name
    assert ended(runner, workload.name).state is State.SUCCEEDED
    text, cursor = runner.logs(workload.name)
    assert text == f"wheel in {tmp_path}/tyres\n"
    assert runner.logs(workload.name, cursor) == ("", cursor)
    told = runner.result(workload.name)
    assert told["TOKEN"] == SECRET and told["STEP"] == "train" and told["HF_HOME"] == "/models"
    assert len(told["CUDA_VISIBLE_DEVICES"].split(",")) == 2 and told["OMP_NUM_THREADS"] == "2"
    assert told["run"] == {"folder": f"{tmp_path}/tyres/x"}
    runner.remove(workload.name)
    assert runner.status(workload.name).state is State.MISSING and not (site.shared / workload.name).exists()


def test_secrets_are_readable_by_the_owner_only_are_not_shown_by_slurm_and_go_when_the_job_is_over(site: Site):
    runner = site.runner()
    go_on = site.shared / "secrets-go-on"
    workload = site.workload(f"until={go_on}", secrets={"TOKEN": "open-sesame"})
    runner.submit(workload)
    file = site.shared / workload.name / "environment"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    wait_until(lambda: runner.status(workload.name).state is State.RUNNING)
    number = site.number(workload.name)
    shown = site.say("scontrol", "show", "job", "--details", number)
    shown += site.say("scontrol", "write", "batch_script", number, "-")
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    go_on.touch()
    assert ended(runner, workload.name).state is State.SUCCEEDED
    assert "open-sesame" not in shown and not any(b"open-sesame" in command for command in commands)
    assert not file.exists()
    assert all(b"open-sesame" not in path.read_bytes() for path in file.parent.iterdir())


def test_secrets_go_with_the_program_although_nobody_looks_after_it_any_more(site: Site):
    workload = site.workload("say=done", secrets={"TOKEN": "open-sesame"})
    site.runner().submit(workload)
    file = site.shared / workload.name / "environment"
    wait_until(lambda: not file.exists(), what="that the secrets are gone")
    assert (site.shared / workload.name / "ended").exists()


def test_secrets_of_what_was_cut_off_and_never_looked_after_go_when_something_new_starts(site: Site, tmp_path: Path):
    runner, go_on = site.runner(), tmp_path / "go-on"
    cut_off, going = (site.workload("say=up", f"until={go_on}", secrets={"TOKEN": "x"}) for _ in range(2))
    for workload in (cut_off, going):
        runner.submit(workload)
        wait_until(lambda name=workload.name: "up" in runner.logs(name)[0])
    site.say("scancel", "--full", "--signal=KILL", site.number(cut_off.name))
    wait_until(lambda: cut_off.name not in site.queue())
    files = [site.shared / workload.name / "environment" for workload in (cut_off, going)]
    for file in files:
        before = file.stat().st_mtime - 3 * 86400
        os.utime(file, (before, before))
    runner.submit(site.workload("say=new"))
    assert [file.exists() for file in files] == [False, True], "what runs may start again and needs them then"
    go_on.touch()
    assert ended(runner, going.name).state is State.SUCCEEDED


def test_submitting_a_name_again_joins_it_and_fresh_runs_an_ended_one_anew(site: Site, tmp_path: Path):
    runner, mark, enough = site.runner(), tmp_path / "runs", tmp_path / "enough"
    workload = site.workload(f"mark={mark}", f"until={enough}")
    for _ in range(3):
        runner.submit(workload)
    runner.submit(workload, fresh=True)
    enough.touch()
    ended(runner, workload.name)
    runner.submit(workload)
    assert len(mark.read_text().split()) == 1, "joined, running and ended"
    runner.submit(workload, fresh=True)
    ended(runner, workload.name)
    assert len(set(mark.read_text().split())) == 2


def test_bad_input_ends_with_the_programs_own_sentence(site: Site):
    runner = site.runner()
    workload = site.workload("say=There is no column 'price'.", "exit=2")
    runner.submit(workload)
    status = ended(runner, workload.name)
    assert (status.state, status.exit_code, status.message) == (State.FAILED, 2, "There is no column 'price'.")


def test_what_a_busy_node_did_not_get_started_in_time_is_started_again(site: Site, tmp_path: Path):
    """srun then fails, and ends with the last byte of Slurm's error 4007."""
    expired = "srun: error: Task launch for StepId=1.0 failed on node node1: Job credential expired"
    once = f'srun() {{ [ -e {tmp_path}/tried ] && {{ command srun "$@"; return; }}; touch {tmp_path}/tried; '
    runner, mark = site.runner(prepare=[f'{once} echo "{expired}"; return 167; }}']), tmp_path / "starts"
    workload = site.workload(f"mark={mark}", "say=Not now.", "exit=3")
    runner.submit(workload)
    status = ended(runner, workload.name)
    assert (status.state, status.exit_code, status.message) == (State.FAILED, 3, "Not now.")
    assert expired in runner.logs(workload.name)[0] and len(mark.read_text().split()) == 1, "what began does not again"


def test_a_program_over_its_time_is_stopped_after_seconds_though_slurm_counts_minutes(site: Site):
    runner = site.runner(grace_s=1)
    workload = site.workload("deaf", "sleep=60", time_limit_s=1)
    runner.submit(workload)
    status = ended(runner, workload.name)
    assert status.state is State.FAILED and status.out_of_time
    assert status.message == "it was stopped at its time limit of 1 s"


def test_out_of_memory_is_said_with_the_limit(site: Site):
    runner = site.runner()
    workload = site.workload("use=600", resources=Resources(memory_gib=0.25))
    runner.submit(workload)
    status = ended(runner, workload.name)
    assert status.state is State.FAILED and status.exit_code != 2
    assert "used more memory than it had: it had 0.25 GiB" in status.message


def test_two_processes_find_each_other(site: Site):
    runner = site.runner()
    workload = site.workload("sum", processes=2, resources=Resources(gpus=1, cpus=1, memory_gib=2))
    runner.submit(workload)
    assert "2 gres" in _tres(site, workload.name) or "gres/gpu=2" in _tres(site, workload.name)
    status = ended(runner, workload.name, 600)
    assert status.state is State.SUCCEEDED, runner.logs(workload.name)[0]
    assert runner.result(workload.name) == {"sum": 3.0, "processes": 2}


def test_when_one_process_of_two_fails_the_other_ends_and_its_sentence_is_told(site: Site):
    runner = site.runner()
    workload = site.workload("slow=1", "say=Two of these cannot work.", "exit=2", processes=2)
    runner.submit(workload)
    status = ended(runner, workload.name)
    assert status.exit_code == 2 and status.message == "Two of these cannot work."


def test_a_share_of_a_gpu_is_a_number_of_shards(site: Site):
    runner = site.runner()
    workload = site.workload("tell=SLURM_SHARDS_ON_NODE", resources=Resources(gpus=0.25))
    runner.submit(workload)
    assert ended(runner, workload.name).state is State.SUCCEEDED
    assert "gres/shard=3" in _tres(site, workload.name), "a quarter of ten, and no less"


def _tres(site: Site, name: str) -> str:
    return site.say("scontrol", "show", "job", site.number(name))


@pytest.mark.parametrize(
    ("place", "resources", "sentence"),
    [
        ({"account": "nobody"}, {}, "Invalid account or account/partition combination specified; `sacctmgr show"),
        ({"partition": "night"}, {}, "invalid partition specified: night; .*`sinfo` lists the partitions"),
        ({"qos": "best"}, {}, "Invalid qos specification; `sacctmgr"),
        ({}, {"gpus": 99}, "Requested node configuration is not available; no node is that large"),
        ({}, {"memory_gib": 9999}, "no node is that large"),
        ({"gpu": "npu"}, {"gpus": 1}, "the cluster has no such GPUs or shards"),
        ({"gpu": ""}, {"gpus": 1}, "asks for 1 GPUs and the place has none"),
        ({"shards_per_gpu": 0}, {"gpus": 0.5}, "asks for 0.5 of a GPU and the place gives whole ones only"),
        ({"container": ["apptainer", "exec", "{image}"]}, {}, "names no image"),
        ({"slurm_conf": "/nowhere/slurm.conf"}, {}, "there is no /nowhere/slurm.conf on .*; correct slurm_conf"),
        ({"commands": "bin"}, {}, "commands is 'bin'; give a folder's whole path"),
        ({"options": "--constraint=dgx"}, {}, "Invalid feature specification; correct the place's options"),
        ({"options": "--colour=red"}, {}, "correct the place's options"),
    ],
)
def test_what_the_cluster_can_never_run_is_refused_in_one_sentence(site: Site, place, resources, sentence):
    workload = site.workload("say=never", resources=Resources(**resources))
    with pytest.raises(PlaceRefused, match=sentence) as caught:
        site.runner(**place).submit(workload)
    assert "\n" not in str(caught.value)
    assert not (site.shared / workload.name).exists() and workload.name not in site.queue()


def test_what_is_not_there_is_temporary(site: Site, tmp_path: Path):
    mounted = site.workload("say=never", mounts={"data": Mount(svm="svm1", junction_path="/gone")})
    with pytest.raises(PlaceUnavailable, match=f"the folder {tmp_path}/gone is not there; check that the volume"):
        site.runner(namespace_roots={"default": str(tmp_path)}).submit(mounted)
    with pytest.raises(PlaceRefused, match="where the namespace of SVM 'svm1' is mounted"):
        site.runner().submit(mounted)
    elsewhere = site.runner(folder=str(tmp_path / "unmounted"))
    for ask in (lambda: elsewhere.submit(site.workload("say=never")), lambda: elsewhere.status("job-1")):
        with pytest.raises(PlaceUnavailable, match="the shared folder .*unmounted is not there"):
            ask()


def test_a_cancelled_program_gets_its_grace_and_a_deaf_one_is_killed(site: Site):
    runner = site.runner(grace_s=3)
    good, deaf = site.workload("checkpoint", "say=up", "sleep=60"), site.workload("deaf", "say=up", "sleep=60")
    for workload in (good, deaf):
        runner.submit(workload)
    for workload in (good, deaf):
        wait_until(lambda name=workload.name: "up" in runner.logs(name)[0])
        runner.cancel(workload.name)
        status = runner.status(workload.name)
        assert (status.state, status.message) == (State.CANCELLED, "it was cancelled")
        assert not (site.shared / workload.name / "environment").exists()
    assert "checkpoint written" in runner.logs(good.name)[0]
    assert not {good.name, deaf.name} & set(site.queue())


def test_what_has_not_begun_when_it_is_cancelled_never_does(site: Site, tmp_path: Path):
    """Slurm runs the job, and the place's own preparations take their time: there is no process to tell yet."""
    runner, mark = site.runner(prepare=[f"touch {tmp_path}/preparing; sleep 300"]), tmp_path / "starts"
    workload = site.workload(f"mark={mark}")
    runner.submit(workload)
    wait_until((tmp_path / "preparing").exists, what="its preparation")
    runner.cancel(workload.name)
    assert runner.status(workload.name).state is State.CANCELLED and not mark.exists()


def test_what_the_controller_has_forgotten_the_accounting_tells(site: Site, tmp_path: Path):
    runner = site.runner()
    workload = site.workload("say=gone wrong", "exit=7")
    runner.submit(workload)
    ended(runner, workload.name)
    forgetful = tmp_path / "scontrol"
    forgetful.write_text("#!/bin/sh\necho 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1\n")
    forgetful.chmod(0o755)
    later = site.runner(commands=str(tmp_path))
    wait_until(lambda: "FAILED" in site.say("sacct", "-X", "-n", f"--jobs={site.number(workload.name)}"))
    status = later.status(workload.name)
    assert (status.state, status.exit_code, status.message) == (State.FAILED, 7, "gone wrong")


def test_folders_of_programs_that_ended_long_ago_go_when_something_new_starts(site: Site):
    runner = site.runner(keep_days=1)
    old, new = site.workload("say=old"), site.workload("say=new")
    runner.submit(old)
    ended(runner, old.name)
    long_ago = (site.shared / old.name / "ended").stat().st_mtime - 3 * 86400
    os.utime(site.shared / old.name / "ended", (long_ago, long_ago))
    runner.submit(new)
    assert not (site.shared / old.name).exists()


def test_slurms_own_time_limit_is_said_as_one(minute: tuple[SlurmRunner, str]):
    runner, name = minute
    status = ended(runner, name, 600)
    assert status.out_of_time and status.message == "it was stopped at its time limit at the cluster"
