"""What Slurm's states and complaints mean, from the words of its versions."""

from __future__ import annotations

import pytest

from ontap_mlops.compute.kinds import _slurm_scripts as scripts
from ontap_mlops.compute.kinds import _slurm_verdict as verdict
from ontap_mlops.compute.kinds._slurm_verdict import Limits
from ontap_mlops.compute.workload import Resources, State, Workload
from ontap_mlops.slurm.errors import (
    CommandMissing,
    InvalidRequest,
    OverLimit,
    SlurmTemporaryError,
    Unreachable,
    complaint,
)
from ontap_mlops.slurm.looks import Ending, Look, parsed

SHOWN_22 = (
    "id=41\nJobId=41 JobName=r1-train UserId=root(0) GroupId=root(0) MCS_label=N/A Priority=0 Nice=0 Account=vision "
    "QOS=normal JobState=PENDING Reason=ReqNodeNotAvail,_UnavailableNodes:node1 Dependency=(null) Requeue=1 Restarts=2 "
    "BatchFlag=1 Reboot=0 ExitCode=0:0 SubmitTime=1795750000 NodeList=(null) TRES=cpu=2,mem=64G,node=1,gres/gpu=1 "
    "Command=/shared/jobs/r1-train/batch.sh 0a WorkDir=/a folder/x Comment=ontap-mlops:0a \n"
)
SHOWN_24 = (
    "stopping=yes\nid=7\nJobId=7 JobName=r1-train JobState=RUNNING Reason=None Restarts=0 ExitCode=0:0 SubmitTime=1 "
    "NodeList=gpu01 ReqTRES=cpu=2,mem=65536M,node=1 AllocTRES=cpu=2,mem=65536M Comment=ontap-mlops:0a\n"
)


def test_a_waiting_job_is_read_as_slurm_22_shows_it():
    look = parsed(SHOWN_22)
    assert (look.job, look.state, look.restarts, look.memory, look.node) == ("41", "PENDING", 2, "64G", "")
    assert look.reason == "ReqNodeNotAvail, UnavailableNodes:node1" and look.waits_since == 1795750000.0
    assert look.waiting and look.active and not look.stopping
    status = verdict.waiting(look, preemptions=0)
    assert status.state is State.PENDING and status.pending_since == 1795750000.0
    assert "it has started 2 times" in status.message and "job 41 waits: ReqNodeNotAvail" in status.message


def test_a_running_job_is_read_as_slurm_24_shows_it():
    look = parsed(SHOWN_24)
    assert (look.state, look.reason, look.memory, look.node) == ("RUNNING", "", "65536M", "gpu01")
    assert look.active and not look.waiting and look.stopping


def test_what_only_the_accounting_knows_is_read():
    look = parsed("id=7\naccount=r1-train|CANCELLED by 1000|0:15|64G|node[1-2]\n")
    assert (look.state, look.exit_code, look.signal, look.node) == ("CANCELLED", 0, 15, "node[1-2]")
    assert parsed("id=7\n").state == "", "neither knows it"


@pytest.mark.parametrize("reason", ["BadConstraints", "PartitionTimeLimit", "launch failed requeued held"])
def test_what_will_wait_for_ever_says_so(reason: str):
    status = verdict.waiting(Look("7", "PENDING", reason=reason), preemptions=0)
    assert status.state is State.PENDING and "for ever: " in status.message


def test_preempted_three_times_is_said():
    message = verdict.waiting(Look("7", "PENDING", reason="BeginTime", restarts=3), preemptions=3).message
    assert message.startswith("it was preempted 3 times by jobs of higher priority and waits to start again")


CUT_OFF = Ending(None, None, "epoch 3\nslurmstepd: error: *** JOB 7 ON node1 CANCELLED ***\n")
LIMITS = Limits(time_s=None, memory="64 GiB")


@pytest.mark.parametrize(
    ("look", "ending", "state", "code", "message"),
    [
        (Look("7", "COMPLETED"), Ending(0, 9, "done\n"), State.SUCCEEDED, 0, ""),
        (Look("7", "FAILED"), Ending(2, 9, "No column.\nsrun: error: x\n"), State.FAILED, 2, "No column."),
        (Look("7", "FAILED"), Ending(167, 9, "step 4\n"), State.FAILED, 167, "step 4"),
        (
            Look("7", "FAILED", node="node2"),
            Ending(
                167,
                9,
                "srun: error: Task launch for StepId=7.0 failed on node node2: Job credential expired\n"
                "srun: Job step aborted\n",
                launched=False,
            ),
            State.FAILED,
            None,
            "its node node2 could not start it: Task launch for StepId=7.0 failed on node node2: Job credential "
            "expired",
        ),
        (Look("7", "FAILED"), Ending(1, 9, ""), State.FAILED, 1, "it ended with exit code 1 and printed nothing"),
        (
            Look("7", "FAILED"),
            Ending(139, 9, "step 4\n"),
            State.FAILED,
            139,
            "killed by SIGSEGV; its last line was: st",
        ),
        (Look("7", "OUT_OF_MEMORY", exit_code=0), CUT_OFF, State.FAILED, 0, "more memory than it had: it had 64 GiB"),
        (
            Look("7", "FAILED"),
            Ending(137, 9, "slurmstepd: error: Detected 1 oom_kill event\n"),
            State.FAILED,
            137,
            "memory",
        ),
        (Look("7", "TIMEOUT", exit_code=0), CUT_OFF, State.FAILED, 0, "stopped at its time limit at the cluster"),
        (Look("7", "NODE_FAIL", node="gpu01"), CUT_OFF, State.FAILED, None, "its node gpu01 failed"),
        (Look("7", "BOOT_FAIL", node="gpu01"), CUT_OFF, State.FAILED, None, "its node gpu01 could not be booted"),
        (Look("7", "PREEMPTED"), CUT_OFF, State.FAILED, None, "it was preempted by jobs of higher priority"),
        (Look("7", "DEADLINE"), CUT_OFF, State.FAILED, None, "before the deadline"),
        (Look("7", "CANCELLED"), CUT_OFF, State.CANCELLED, None, "cancelled at the cluster, by scancel"),
        (Look("7", "COMPLETED", stopping=True), Ending(0, 9, ""), State.CANCELLED, 0, "it was cancelled"),
        (Look("7", "FAILED", exit_code=2), CUT_OFF, State.FAILED, None, "job 7 was cut off .FAILED.; .*: epoch 3"),
        (Look("7", ""), Ending(0, 9, ""), State.SUCCEEDED, 0, ""),
        (Look("7", ""), Ending(None, None, ""), State.FAILED, None, "nobody saw how job 7 ended"),
    ],
)
def test_every_end_has_its_state_and_sentence(look, ending, state, code, message):
    import re

    status = verdict.ended(look, ending, LIMITS)
    assert (status.state, status.exit_code) == (state, code)
    assert re.search(message, status.message), status.message


def test_an_exit_code_that_slurm_made_up_is_never_bad_input():
    """2 means that no retry can help: only the program itself may say so."""
    for state in ("TIMEOUT", "NODE_FAIL", "FAILED", "PREEMPTED", "OUT_OF_MEMORY", ""):
        assert verdict.ended(Look("7", state, exit_code=2), CUT_OFF, LIMITS).exit_code != 2, state


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
            Unreachable,
        ),
        ("squeue: error: slurm_load_jobs: Zero Bytes were transmitted or received", Unreachable),
        ('sbatch: error: Munge encode failed: Failed to access "/run/munge/munge.socket.2"', Unreachable),
        (
            "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit)",
            OverLimit,
        ),
        (
            "sbatch: error: Batch job submission failed: User's group not permitted to use this partition",
            InvalidRequest,
        ),
        ("sbatch: error: Batch job submission failed: Requested time limit is invalid (missing)", InvalidRequest),
        ("slurm: line 3: sbatch: not found", CommandMissing),
        ("sbatch: error: something that nobody has seen", SlurmTemporaryError),
    ],
)
def test_a_complaint_has_a_class_and_is_one_sentence(said: str, kind: type[Exception]):
    error = complaint("submitting job x", said, "login1")
    assert type(error) is kind
    assert str(error).startswith("submitting job x on login1: ") and "\n" not in str(error)


def test_memory_and_gpus_of_many_processes_are_asked_for_by_task():
    workload = Workload(name="x", program="p", processes=4, resources=Resources(cpus=2, memory_gib=8, gpus=1))
    asked = scripts.options(workload, gpu="gpu:a100", shard="shard", shards_per_gpu=0)
    assert {"--ntasks=4", "--cpus-per-task=2", "--mem-per-cpu=4096M", "--gpus-per-task=a100:1"} <= set(asked)
