"""What Slurm's states mean for a workload."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from ontap_mlops.compute.workload import BAD_INPUT, State, Status
from ontap_mlops.slurm.looks import Ending, Look

SENTENCE = 500  # characters of a program's last line that are kept
_OUT_OF_MEMORY = re.compile(
    r"exceeded (job|step)? ?memory limit|oom[-_ ]kill|out[ -]of[ -]memory handler", re.IGNORECASE
)
_OF_SLURM = re.compile(r"^(srun|slurmstepd|slurmd)\b[^:]*: (error: )?")
# Those of real time (from 34 on) nobody ends a program with: such a number is an exit code of its own.
_SIGNALS = {one.value for one in signal.Signals if one < signal.SIGRTMIN}
# Why a job waits for ever, unless somebody changes it or the cluster.
_HOPELESS = {
    "BadConstraints": "no node has the features it asks for",
    "PartitionNodeLimit": "the partition does not let a job have that many nodes",
    "PartitionTimeLimit": "the partition allows less time than its limit",
    "InvalidAccount": "its account was removed",
    "InvalidQOS": "its QOS was removed",
    "AccountNotAllowed": "the partition does not serve its account",
    "QOSNotAllowed": "the partition does not serve its QOS",
    "launch failed requeued held": "it could not be started, and is held; `scontrol release` lets it go on",
    "JobHeldUser": "somebody holds it; `scontrol release` lets it go on",
    "JobHeldAdmin": "an administrator holds it",
    "AssocMaxWallDurationPerJobLimit": "its account allows less time than its limit",
    "QOSMaxWallDurationPerJobLimit": "its QOS allows less time than its limit",
}
_NODE = "its node {node} failed and Slurm did not start it again; a retry may find another node"
_ENDINGS = {
    "NODE_FAIL": _NODE,
    "BOOT_FAIL": "its node {node} could not be booted; a retry may find another node",
    "LAUNCH_FAILED": "its node {node} could not start it; a retry may find another node",
    "RECONFIG_FAIL": "its node {node} could not be set up for it; a retry may find another node",
    "DEADLINE": "it could not end before the deadline it was submitted with",
    "REVOKED": "another cluster of the federation took it",
}


@dataclass(frozen=True)
class Limits:
    """What the job was given, as its sentences say it."""

    time_s: float | None
    memory: str


def waiting(look: Look, preemptions: int) -> Status:
    """``preemptions``: how often it has already had to give way."""
    told = []
    if preemptions:
        times = {1: "once", 2: "twice"}.get(preemptions, f"{preemptions} times")
        told.append(f"it was preempted {times} by jobs of higher priority and waits to start again")
    elif look.restarts:
        told.append(f"Slurm put it back into the queue (it has started {look.restarts} times)")
    reason = look.reason.split(",")[0]
    if reason:
        hopeless = next((why for word, why in _HOPELESS.items() if reason == word), "")
        told.append(f"job {look.job} waits: {look.reason}" + (f", for ever: {hopeless}" if hopeless else ""))
    return Status(state=State.PENDING, message="; ".join(told), stopping=look.stopping, pending_since=look.waits_since)


def ended(look: Look, ending: Ending, limits: Limits) -> Status:
    """What became of a job that neither runs nor waits."""
    code = ending.exit_code if ending.exit_code is not None else _honest(look.exit_code)
    if look.stopping or (look.state == "CANCELLED" and not _killed_for_memory(ending)):
        by = "it was cancelled" if look.stopping else f"job {look.job} was cancelled at the cluster, by scancel"
        return Status(state=State.CANCELLED, exit_code=code, message=by)
    if look.state == "COMPLETED":
        return Status(state=State.SUCCEEDED, exit_code=0)
    if look.state == "TIMEOUT" or _over_its_own(ending, limits):
        return _out_of_time(code, limits)
    if look.state == "OUT_OF_MEMORY" or _killed_for_memory(ending):
        return _failed(code, _out_of_memory(limits))
    if look.state == "PREEMPTED":
        return _failed(
            code, "it was preempted by jobs of higher priority and not started again; a retry submits it anew"
        )
    if look.state in _ENDINGS:
        return _failed(code, _ENDINGS[look.state].format(node=look.node or "(unknown)"))
    return _by_exit_code(look, ending, code)


def _by_exit_code(look: Look, ending: Ending, code: int | None) -> Status:
    last = last_sentence(ending.log)
    if not look.state and ending.exit_code is None:
        return _failed(
            None,
            f"nobody saw how job {look.job} ended: neither Slurm's controller nor its accounting knows it any more",
        )
    if ending.exit_code == 0 and not look.state:
        return Status(state=State.SUCCEEDED, exit_code=0)
    if ending.exit_code is None and last == "":
        signalled = f" by signal {look.signal}" if look.signal else ""
        return _failed(None, f"job {look.job} ended as {look.state}{signalled} before the program said anything")
    if ending.exit_code is None:  # what Slurm itself says of the exit must not be taken for the program's word
        return _failed(None, f"job {look.job} was cut off ({look.state}); its last line was: {last}")
    if not ending.launched and code:
        return _failed(None, f"its node {look.node or '(unknown)'} could not start it: {_of_srun(ending.log)}")
    if code is not None and (name := _signal(code - 128)):
        return _failed(code, f"it was killed by {name}; its last line was: {last}")
    if code == BAD_INPUT:
        return _failed(code, last or "it ended with exit code 2 and printed nothing")
    return _failed(code, last or f"it ended with exit code {code} and printed nothing")


def last_sentence(log: str) -> str:
    """The program's, not what Slurm adds to the log when it has ended."""
    lines = [line.strip() for line in log.replace("\r", "\n").splitlines()]
    return next((line[-SENTENCE:] for line in reversed(lines) if line and not _OF_SLURM.match(line)), "")


def _out_of_time(code: int | None, limits: Limits) -> Status:
    limit = f" of {limits.time_s:g} s" if limits.time_s else " at the cluster"
    message = f"it was stopped at its time limit{limit}"
    return Status(state=State.FAILED, exit_code=_honest(code), message=message, out_of_time=True)


def _out_of_memory(limits: Limits) -> str:
    had = f": it had {limits.memory}" if limits.memory else ""
    return f"it was killed because it used more memory than it had{had}; give it more by program_resources memory_gib"


def _killed_for_memory(ending: Ending) -> bool:
    return _OUT_OF_MEMORY.search(ending.log) is not None and ending.exit_code not in (0, BAD_INPUT)


def _over_its_own(ending: Ending, limits: Limits) -> bool:
    """``timeout`` ends with 124, or as killed when the program would not stop."""
    if limits.time_s is None or ending.seconds is None:
        return False
    return ending.exit_code in (124, 137) and ending.seconds >= int(limits.time_s) - 1


def _failed(code: int | None, message: str) -> Status:
    return Status(state=State.FAILED, exit_code=code, message=message)


def _honest(code: int | None) -> int | None:
    """Only the program itself may say that no retry helps."""
    return None if code == BAD_INPUT else code


def _signal(number: int) -> str:
    """Return its name, "" for what is no signal that would end a program."""
    return signal.Signals(number).name if number in _SIGNALS else ""


def _of_srun(log: str) -> str:
    said = [line.strip() for line in log.splitlines() if _OF_SLURM.match(line.strip())]
    telling = [line for line in said if "failed" in line] or said
    return _OF_SLURM.sub("", telling[-1]) if telling else "srun said nothing; a retry may find another node"
