"""The jobs of projects in Slurm's queue, and the terms on which one more is submitted.

Slurm (seen with 22.05) gives a job a whole GPU although shards of it are in use, so shares of a GPU are given as KAI
Scheduler gives them: a *holder* job of the project takes a whole GPU, and shares run as steps inside it. Shares of one
project fill one GPU before the next is taken.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ontap_mlops.projects import jobs as facts
from ontap_mlops.projects import slurm_accounts
from ontap_mlops.projects.changes import Change
from ontap_mlops.projects.config import Project, Projects
from ontap_mlops.projects.jobs import Job
from ontap_mlops.projects.slurm_accounts import MARK, OVER, OVER_PRIORITY, PRIORITY, qos_of
from ontap_mlops.slurm.command import Slurm
from ontap_mlops.slurm.errors import SlurmError, complaint

_FIELDS = {
    "JobID": 24,
    "Account": 60,
    "QOS": 60,
    "State": 24,
    "WCKey": 80,
    "tres-alloc": 200,
    "SubmitTime": 24,
    "Reason": 60,
    "Name": 80,
}
SETTLE_EVERY_S = 30.0
_settled: dict[tuple[str, str], float] = {}
_RUNNING = ("RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "STOPPED")
_CHANGING = ("COMPLETING", "CONFIGURING")

# Holds one GPU until for three looks no share of it waits or runs; where Slurm does not answer it goes on holding.
_HOLD = r"""#!/bin/sh
idle=0
while [ $idle -lt 3 ]; do
  sleep 5
  shares=$(squeue --noheader --account="$SLURM_JOB_ACCOUNT" --format=%w) || continue
  if echo "$shares" | grep -q "^ontap-mlops share .* of $SLURM_JOB_ID\$"; then idle=0; else idle=$((idle + 1)); fi
done
"""

# Runs the program as a step of the holder. Where the holder had to give way, the program begins again with it.
_SHARE = r"""
trap : TERM
holder=$1; shift
unset SLURM_MEM_PER_CPU SLURM_MEM_PER_NODE SLURM_MEM_PER_GPU
while :; do
  case $(squeue --noheader --jobs="$holder" --format=%T 2>&1) in
    RUNNING)
      srun --jobid="$holder" --overlap --mem=0 "$@"; code=$?
      [ $code != 0 ] || exit 0
      sleep 1
      [ "$(squeue --noheader --jobs="$holder" --format=%T 2>&1)" != RUNNING ] || exit $code ;;
    ""|*"Invalid job id"*) echo "Job $holder, which held the GPU of which this has a share, is gone." >&2; exit 1 ;;
    *) sleep 2 ;;
  esac
done
"""


@dataclass(frozen=True)
class Terms:
    """How a job of a project is submitted: ``options`` for sbatch, and the words before its command, often none.

    A job with a ``launcher`` asks for no GPU of its own.
    """

    options: tuple[str, ...]
    launcher: tuple[str, ...] = ()


def queue(slurm: Slurm, projects: Projects) -> list[Job]:
    """Every job of these projects that waits or runs. Raises SlurmError."""
    accounts = ",".join(projects.projects)
    wanted = ",".join(f"{name}:{width}" for name, width in _FIELDS.items())
    command = ("squeue", "--noheader", f"--accounts={accounts}", f"--Format={wanted}")
    text = slurm.say("listing the jobs of projects", *command)
    return [_job(line) for line in text.splitlines() if line.strip()]


def _job(line: str) -> Job:
    row, start = {}, 0
    for name, width in _FIELDS.items():
        row[name], start = line[start : start + width].strip(), start + width
    gpus = float((re.findall(r"\bgres/gpu=(\d+)", row["tres-alloc"]) or ["0"])[0])
    share = re.fullmatch(rf"{MARK} share (\S+) of (\d+)", row["WCKey"])
    holds = row["WCKey"] == f"{MARK} holder"
    return Job(
        id=row["JobID"],
        name=row["Name"],
        project=row["Account"],
        gpus=float(share[1]) if share else 0.0 if holds else gpus,
        running=row["State"] in _RUNNING,
        changing=row["State"] in _CHANGING or row["Reason"] == "BeginTime",
        over=row["QOS"] == OVER,
        since=float(row["SubmitTime"]) if row["SubmitTime"].isdigit() else None,
        holder=share[2] if share else None,
        held=gpus if holds else 0.0,
        reason=row["Reason"].replace("None", ""),
    )


@dataclass(frozen=True)
class SlurmQueue:
    """The queue of one cluster for these projects. Every call raises SlurmError."""

    slurm: Slurm
    projects: Projects

    def plan(self) -> list[Change]:
        """Return what is to be done; nothing where Slurm has the projects. Raises ProjectsRefused."""
        return slurm_accounts.plan(self.projects, self.slurm, slurm_accounts.read(self.slurm))

    def jobs(self) -> list[Job]:
        return queue(self.slurm, self.projects)

    def admit(self, project: Project, gpus: float, *, interactive: bool = False) -> Terms:
        """Return the terms for one more job of ``gpus`` whole GPUs, or of a share of one (its holder is submitted).

        Within the quota while it has room, else beyond it, in line by how far beyond its project then is.
        """
        self.settle()
        known = queue(self.slurm, self.projects)
        nodes = project.nodes(interactive)
        where = [f"--constraint={'&'.join(nodes.values())}"] if nodes else []
        if 0 < gpus < 1:
            return self._share(project, known, gpus, where)
        return Terms((*self._side(project, known, gpus), *where))

    def settle(self) -> None:
        """Move waiting jobs to the side of their quota on which they belong by now, as far as that is permitted."""
        known = queue(self.slurm, self.projects)
        for project in self.projects.all():
            for job, over in facts.moves(project, known):
                line = self._nice(project, known, job.taken) if over else 0
                qos = OVER if over else qos_of(project.name)
                change = (f"JobId={job.id}", f"QOS={qos}", f"Nice={line}")
                try:
                    self.slurm.say(f"moving job {job.id} to QOS {qos}", "scontrol", "update", *change)
                except SlurmError:  # it has started meanwhile, or belongs to somebody else: then it stays as it is
                    continue

    def settle_now_and_then(self) -> None:
        """The same, unless this process has done so for this cluster within the last half minute."""
        cluster, now = (self.slurm.host.name, self.slurm.conf), time.monotonic()
        if now - _settled.get(cluster, -SETTLE_EVERY_S) >= SETTLE_EVERY_S:
            _settled[cluster] = now
            self.settle()

    def _side(self, project: Project, known: Sequence[Job], gpus: float) -> list[str]:
        over = not facts.standing(project, known).has_room(gpus)
        nice = self._nice(project, known, gpus) if over else 0
        qos = OVER if over else qos_of(project.name)
        return [f"--account={project.name}", f"--qos={qos}", *([f"--nice={nice}"] if nice else [])]

    def _nice(self, project: Project, known: Sequence[Job], gpus: float) -> int:
        """What is taken off its priority, never all that the QOS gives.

        Half a weight between two projects is more than fair share can give, which so orders only those that are close.
        """
        weights = self._weights()
        step = max(100, 2 * weights.get("PriorityWeightFairShare", 0))
        most = weights.get("PriorityWeightQOS", 0) * OVER_PRIORITY // PRIORITY - step
        line = facts.standing(project, known).place_in_line(gpus) + (1000 - project.priority) / 1000
        return max(1, min(most, round(step * line)))

    def _weights(self) -> dict[str, int]:
        said = self.slurm.say("reading Slurm's weights of priority", "scontrol", "show", "config")
        return {name: int(value) for name, value in re.findall(r"^(PriorityWeight\w+)\s*= (\d+)", said, re.MULTILINE)}

    def _share(self, project: Project, known: Sequence[Job], share: float, where: Sequence[str]) -> Terms:
        joined = facts.share_to_join(project, known, share)
        holder = joined.id if joined else self._hold(project, known, where)
        key = f"--wckey={MARK} share {share:g} of {holder}"
        own = (f"--account={project.name}", f"--qos={qos_of(project.name)}", f"--dependency=after:{holder}", key)
        return Terms(own, ("sh", "-c", _SHARE, "share", holder))

    def _hold(self, project: Project, known: Sequence[Job], where: Sequence[str]) -> str:
        cpus, memory_mib = self._slice()
        options = [
            *self._side(project, known, 1),
            *where,
            f"--job-name=mlops-share-{project.name}",
            f"--wckey={MARK} holder",
            "--gres=gpu:1",
            "--ntasks=1",
            f"--cpus-per-task={cpus}",
            f"--mem={memory_mib}",
            "--requeue",
            "--output=/dev/null",
        ]
        asked = f"taking a GPU for shares of project {project.name}"
        answer = self.slurm.run(asked, 'sbatch --parsable "$@"', *options, given=_HOLD.encode())
        if answer.code:
            raise complaint(asked, answer.errors, self.slurm.host.name)
        return answer.text.strip().partition(";")[0]

    def _slice(self) -> tuple[int, int]:
        """CPUs and MiB of memory that belong to one GPU: those of its node over the node's GPUs, the least of all."""
        said = self.slurm.say("reading Slurm's nodes", "sinfo", "--noheader", "--Node", "--format=%c|%m|%G")
        found = re.findall(r"^(\d+)\+?\|(\d+)\+?\|.*?\bgpu:(?:[A-Za-z]\w*:)?(\d+)", said, re.MULTILINE)
        slices = [(int(cpus) // int(gpus), int(memory) // int(gpus)) for cpus, memory, gpus in found if int(gpus)]
        cpus, memory = min(slices, default=(1, 1024))
        return max(1, cpus), max(1, memory)
