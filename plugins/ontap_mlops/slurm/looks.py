"""What Slurm tells of one job, and what the job has left, as values."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ontap_mlops.slurm.errors import InvalidRequest

WAITING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT")
GOING = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING")


@dataclass(frozen=True)
class Look:
    """``state`` in Slurm's words, "" where neither controller nor accounting knows the job. Times since 1970."""

    job: str
    state: str
    reason: str = ""
    restarts: int = 0
    waits_since: float | None = None
    exit_code: int | None = None
    signal: int = 0
    memory: str = ""
    node: str = ""
    stopping: bool = False

    @property
    def waiting(self) -> bool:
        return self.state in WAITING

    @property
    def active(self) -> bool:
        return self.waiting or self.state in GOING


@dataclass(frozen=True)
class Ending:
    """What a job left: the program's own exit code and seconds, None where it was cut off; and the end of its log.

    Where Slurm could not start the program it is not ``launched``, and the code is that of srun.
    """

    exit_code: int | None
    seconds: float | None
    log: str
    launched: bool = True


def parsed(text: str) -> Look:
    """What the script of ``Jobs.look`` has printed, as Slurm 22.05 to 25 word it."""
    stopping = "stopping=yes" in text.splitlines()
    job = re.search(r"^id=(\d+)", text, re.MULTILINE)
    if job is None:
        raise InvalidRequest(f"Slurm's answer names no job: {text[:200]!r}")
    from_accounting = re.search(r"^account=(.*)$", text, re.MULTILINE)
    if from_accounting:
        _, state, code, memory, node = from_accounting[1].split("|")[:5]
        exit_code, _, signal = code.partition(":")
        return Look(
            job[1],
            state.split()[0],  # "CANCELLED by 1000"
            exit_code=int(exit_code),
            signal=int(signal or 0),
            memory=memory,
            node=node,
            stopping=stopping,
        )
    fields = dict(re.findall(r"\b([A-Z]\w+)=(\S+)", text))
    if "JobState" not in fields:
        return Look(job[1], "", stopping=stopping)
    exit_code, _, signal = fields.get("ExitCode", "0:0").partition(":")
    memory = re.search(r"\bmem=(\w+(?:\.\d+\w+)?)", fields.get("ReqTRES") or fields.get("TRES") or "")
    node = fields.get("NodeList", "")
    return Look(
        job[1],
        fields["JobState"].split(",")[0],
        reason=fields.get("Reason", "").replace("None", "").replace("_", " "),
        restarts=int(fields.get("Restarts", 0)),
        waits_since=_time(fields.get("SubmitTime")),
        exit_code=int(exit_code),
        signal=int(signal or 0),
        memory=memory[1] if memory else "",
        node="" if node == "(null)" else node,
        stopping=stopping,
    )


def _time(text: str | None) -> float | None:
    return float(text) if text and text.isdigit() else None
