"""Jobs that are known by a name and a folder: submitted once, looked at, ended, and read.

Each job has a folder ``<shared folder>/<name>/`` that the submitting host and the nodes see:

===============  ======================================================================================================
``token``        which submission this folder is of; the job of any other ends at once when it starts
``job``          its number, written by whoever submitted it and by the job itself when it starts
``environment``  variables and secrets, readable by the owner only; removed by the job at its end, or by whoever
                 looks after one that was cut off
``batch.sh``     what Slurm runs; ``task.sh`` what each process of it runs
``log``          what all of them print
``spec.json``    what was asked for (no secrets)
``run.json``     the record of the run (RUN_FILE), ``result.json`` the result, ``progress.json`` how far it is
``failed``       exit code of the first process that failed, where there are several
``begun``        there when a process of it has started: the step that it runs in, which may be one of another job
``ended``        exit code of the program, for how many seconds it ran, and whether Slurm had started it at all
``stopping``     there when it was told to stop; holds the time by which it is to have ended, or is told again
===============  ======================================================================================================

A worker may die between any two commands: a job found by name whose comment holds the folder's token is the one.
"""

from __future__ import annotations

import io
import re
import secrets
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ontap_mlops.slurm.command import Slurm
from ontap_mlops.slurm.errors import SlurmError, SlurmTemporaryError, Unreachable, complaint
from ontap_mlops.slurm.looks import Ending, Look, parsed

MARK = "ontap-mlops"  # how our jobs' comments begin
LOG_TAIL = 8192
SECOND_WORD_S = 120  # after the grace: whoever looks then tells a job again that was told to stop
NO_FOLDER, NOTHING, SLURM_SAYS, LOCKED, NO_MOUNT = 73, 74, 75, 76, 77  # exit codes of the scripts below

# What is asked of the same name comes one after another. A job of ours whose token is not the folder's belongs to a
# submission whose answer was lost and that was given up: it is cancelled. A refused submission leaves no folder, so
# that a job that Slurm took all the same ends when it starts. At last, secrets go of jobs that were cut off a day ago
# and that nobody has looked at since, and folders of those that ended long ago.
_SUBMIT = r"""
folder=$1 name=$2 token=$3 fresh=$4 keep_days=$5 lock=$6 mounts=$7; shift 7
[ -d "$folder" ] || exit 73
mkdir -p "$folder/.locks" && exec 9>"$folder/.locks/$lock" && flock -w 60 9 || exit 76
home=$folder/$name
jobs=$(squeue --me --noheader --name="$name" --format='%A %k') || exit 75
wanted=$(cat "$home/token" 2>/dev/null)
while read -r id comment; do
  case $comment in
    "") ;;
    "ontap-mlops:$wanted") echo "$id" >"$home/job"; echo "joined $id"; exit 0 ;;
    ontap-mlops:*) scancel "$id" || exit 75 ;;
  esac
done <<JOBS
$jobs
JOBS
if [ "$fresh" = no ] && [ -s "$home/job" ]; then echo "joined $(cat "$home/job")"; exit 0; fi
IFS='
'; set -f
for mount in $mounts; do [ -d "$mount" ] || { echo "$mount"; exit 77; }; done
rm -rf "$home" && mkdir -m 700 "$home" && tar -x -C "$home" || exit 1
if id=$(sbatch --parsable "$@" "$home/batch.sh" "$token"); then
  echo "${id%%;*}" >"$home/job.new" && mv "$home/job.new" "$home/job"; echo "submitted ${id%%;*}"
else
  rm -rf "$home"; exit 75
fi
active=" $(squeue --me --noheader --format=%A | tr '\n' ' ') " || exit 0
find "$folder" -mindepth 2 -maxdepth 2 -name environment -mtime +0 | while read -r old; do
  case $active in *" $(cat "${old%/environment}/job" 2>/dev/null) "*) ;; *) rm -f "$old" ;; esac
done
[ "$keep_days" = 0 ] || find "$folder" -mindepth 2 -maxdepth 2 -name ended -mtime "+$keep_days" | while read -r old; do
  rm -rf "${old%/ended}"
done
"""

# `scontrol` asks the controller for one job; what it has forgotten the accounting may still know.
_LOOK = r"""
folder=$1 name=$2
[ -d "$folder" ] || exit 73
cd "$folder/$name" 2>/dev/null || exit 74
token=$(cat token 2>/dev/null)
id=$(cat job 2>/dev/null)
if [ -z "$id" ]; then
  jobs=$(squeue --me --noheader --name="$name" --format='%A %k') || exit 75
  id=$(echo "$jobs" | sed -n "s/ ontap-mlops:$token\$//p" | tail -n 1)
  [ -n "$id" ] || exit 74
fi
echo "id=$id"
if [ -e stopping ]; then
  echo "stopping=yes"
  [ "$(cat stopping)" -gt "$(date +%s)" ] || scancel "$id" 2>/dev/null
fi
said=$(scontrol --oneliner show job "$id" 2>&1); code=$?
case $code$said in
  0*"Comment=ontap-mlops:$token"*) echo "$said" ;;
  0*|*"Invalid job id"*)
    said=$(sacct --noheader --parsable2 --allocations --jobs="$id" --format=JobName,State,ExitCode,ReqMem,NodeList 2>&1)
    code=$?
    case $said in
      *"accounting storage is disabled"*) ;;
      "$name|"*) echo "account=$said" ;;
      *) [ $code = 0 ] || { echo "$said" >&2; exit 75; } ;;
    esac ;;
  *) echo "$said" >&2; exit 75 ;;
esac
"""

_ENDING = r"""
cd "$1" 2>/dev/null || exit 74
rm -f environment
cat ended 2>/dev/null || echo
echo ---
[ ! -e log ] || tail -c "$2" log
"""


@dataclass(frozen=True)
class Jobs:
    """Every call raises SlurmError; ``folder`` is the shared one."""

    slurm: Slurm
    folder: str

    def submit(
        self,
        name: str,
        files: Mapping[str, bytes],
        options: Sequence[str],
        *,
        fresh: bool = False,
        mounts: Sequence[str] = (),
        keep_days: float = 0,
    ) -> str:
        """Submit ``batch.sh`` of ``files``, or join the job of this name; return its number.

        The script gets the submission's token as its argument, and must end at once where its folder holds another.
        ``mounts`` are folders that must be there. Raises SlurmTemporaryError or SlurmPermanentError; then nothing runs,
        nor will.
        """
        token = secrets.token_hex(8)
        asked = f"submitting job {name}"
        sbatch = [f"--job-name={name}", f"--comment={MARK}:{token}", f"--output={self.folder}/{name}/log"]
        answer = self.slurm.run(
            asked,
            _SUBMIT,
            *(self.folder, name, token, "yes" if fresh else "no", f"{keep_days:.0f}", _lock_of(name)),
            *("\n".join(mounts), *sbatch, *options),
            given=_archive({"token": token.encode(), **files}),
        )
        if answer.code == NO_MOUNT:
            raise SlurmTemporaryError(
                f"{asked} on {self.slurm.host.name}: the folder {answer.text.strip()} is not there; check that the "
                "volume is mounted in its SVM's namespace and the namespace on that host and on the nodes"
            )
        if answer.code:
            raise self._error(asked, answer.code, answer.errors)
        return answer.text.split()[1]

    def look(self, name: str) -> Look | None:
        """Return None where nothing of this name was submitted."""
        answer = self.slurm.run(f"asking for job {name}", _LOOK, self.folder, name)
        if answer.code == NOTHING:
            return None
        if answer.code:
            raise self._error(f"asking for job {name}", answer.code, answer.errors)
        return parsed(answer.text)

    def ending(self, name: str) -> Ending:
        """Read what an ended job left, and remove its secrets."""
        answer = self.slurm.run(f"reading how job {name} ended", _ENDING, f"{self.folder}/{name}", str(LOG_TAIL))
        ended, _, log = answer.text.partition("\n---\n")
        told = dict(re.findall(r"(\w+)=(\w+)", ended))
        code, seconds, launched = told.get("code"), told.get("seconds"), told.get("launched") != "no"
        return Ending(int(code) if code else None, float(seconds) if seconds else None, log, launched)

    def preemptions(self, job: str) -> int:
        """How often the accounting says that this job had to give way to others; 0 without accounting."""
        asked = f"asking how often job {job} was preempted"
        script = 'sacct --noheader --parsable2 --allocations --duplicates --jobs="$1" --format=State'
        answer = self.slurm.run(asked, script, job)
        return answer.text.split().count("PREEMPTED") if answer.code == 0 else 0

    def requeue(self, job: str) -> None:
        self.slurm.say(f"putting job {job} back into the queue", "scontrol", "requeue", job)

    def read(self, name: str, file: str, offset: int, size: int) -> bytes:
        """Bytes of a job's file from ``offset`` on, at most ``size``; b"" where there are none."""
        script = '[ -d "$1" ] || exit 73; [ ! -e "$2" ] || tail -c "+$3" "$2" | head -c "$4"'
        path = f"{self.folder}/{name}/{file}"
        asked = f"reading {path}"
        answer = self.slurm.run(asked, script, self.folder, path, str(offset + 1), str(size))
        if answer.code:
            raise self._error(asked, answer.code, answer.errors)
        return answer.output

    def cancel(self, name: str, grace_s: float) -> None:
        """SIGTERM to the processes, and after the grace Slurm's own end. Returns when nothing of it runs."""
        found = self.look(name)
        if found is None or not found.active:
            return
        gently = grace_s > 0 and not found.waiting
        self._signal(name, found.job, "TERM" if gently else "", grace_s)
        if gently and not self._over(name, grace_s):
            self._signal(name, found.job, "", 0)
        if not self._over(name, 120):
            raise Unreachable(
                f"job {found.job} ({name}) was cancelled on {self.slurm.host.name} and its node does not say that it "
                "has ended; `scontrol show job` says what it waits for"
            )
        self.ending(name)

    def remove(self, name: str) -> None:
        """Remove the folder of a job that is over."""
        answer = self.slurm.run(f"removing job {name}", 'rm -rf "$1"', f"{self.folder}/{name}")
        if answer.code:
            raise self._error(f"removing job {name}", answer.code, answer.errors)

    def _signal(self, name: str, job: str, signal: str, grace_s: float) -> None:
        """Signal the processes, or without one let Slurm end all of the job. Marked first: what ends is no success.

        Where no process has begun, Slurm ends it too. scancel says nothing of a step that has just ended.
        """
        script = (
            f'cd "$1" 2>/dev/null || exit {NOTHING}; echo $(($(date +%s) + $4)) >stopping || exit\n'
            "step=$(cat begun 2>/dev/null)\n"
            'if [ -n "$3" ] && [ -n "$step" ]; then scancel "--signal=$3" "$step"; else scancel "$2"; fi'
        )
        by = f"{grace_s + SECOND_WORD_S:.0f}"
        answer = self.slurm.run(f"cancelling job {name}", script, f"{self.folder}/{name}", job, signal, by)
        over = answer.code > 0 and re.fullmatch(r"\s*|.*(already complet|Invalid job id).*", answer.errors, re.DOTALL)
        if answer.code and not over:
            raise self._error(f"cancelling job {name}", answer.code, answer.errors)

    def _over(self, name: str, seconds: float) -> bool:
        deadline, pause = time.monotonic() + seconds, 0.2
        while True:
            found = self.look(name)
            if found is None or not found.active:
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(pause)
            pause = min(pause * 1.5, 2)

    def _error(self, asked: str, code: int, said: str) -> SlurmError:
        host = self.slurm.host.name
        if code == NO_FOLDER:
            return SlurmTemporaryError(
                f"{asked}: the shared folder {self.folder} is not there on {host}; make it, or have it mounted there "
                "and on the nodes"
            )
        if code == LOCKED:
            return SlurmTemporaryError(f"{asked}: {self.folder}/.locks on {host} cannot be locked: {said.strip()}")
        return complaint(asked, said, host)


def _lock_of(name: str) -> str:
    """One of 16 files, so that none is left for each job that ever was."""
    return format(sum(name.encode()) % 16, "x")


def _archive(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), int(time.time())
            member.mode = 0o700 if name.endswith(".sh") else 0o600
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()
