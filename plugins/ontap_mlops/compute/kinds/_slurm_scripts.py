"""What Slurm is handed of a workload: options of sbatch, and the files of the job's folder."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ontap_mlops.compute.workload import PlaceRefused, Workload

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# Slurm itself may run it several times: whoever is preempted, or loses its node, starts again. On a busy node srun may
# not get the program started in time (cred_expire): what never began is tried again, and its code is no program's.
# Where Slurm has put the job back, its next start may be under way: nothing is tried again here, and the secrets stay.
# What was told to stop is ended after its grace by the job itself: whoever told it may be dead by then. `there` lists
# the folder, since a look for one name may be answered from memory; `read` waits without a process that could be left.
_BATCH = r"""#!/bin/bash -l
home={home}
[ "$(cat "$home/token" 2>/dev/null)" = "$1" ] || exit 0
cd "$home" || exit 1
[ ! -e stopping ] || exit 143
echo "$SLURM_JOB_ID" >job
rm -f ended begun failed
start=${{SLURM_RESTART_COUNT:-0}}
[ $start = 0 ] || echo "WARNING: Slurm starts it again (start $((start + 1)))"
goes_on() {{
  case $(scontrol --oneliner show job "$SLURM_JOB_ID" 2>/dev/null) in
    *" JobState=RUNNING "*" Restarts=$start "*) ;;
    *) false ;;
  esac
}}
there() {{ local found=("$1"*); [ "${{found[0]}}" = "$1" ]; }}
end_in_time() {{
  exec 8<> <(:)
  until there stopping; do read -rt 5 -u 8; done
  read -rt {grace} -u 8
  scancel "$SLURM_JOB_ID" || kill $$
}}
{prepare}
. ./environment || exit 1
export SLURM_EXPORT_ENV=ALL
export MASTER_PORT=$((20000 + (SLURM_JOB_ID * 8 + start) % 12000))
end_in_time & watcher=$!; disown
for try in 1 2 3 4 5; do
  began=$(date +%s)
  {launcher} --quiet {step} "$home/task.sh"
  code=$?
  [ $code = 0 ] || ! there failed || code=$(cat failed)
  launched=yes
  [ $code = 0 ] || there begun || launched=no
  [ $launched = no ] && [ ! -e stopping ] && goes_on || break
  sleep $try
done
echo "code=$code seconds=$(($(date +%s) - began)) launched=$launched" >ended.new && mv ended.new ended
goes_on && rm -f environment
kill -KILL $watcher
exit $code
"""

# For many processes: the variables that torchrun would set, so that the program's own exit code is seen. When one fails
# Slurm ends the others and tells the highest code of all, which may be that of one it has ended: the first decides.
# The shell outlives SIGTERM, since Slurm would kill what it leaves behind. It keeps silent of how its program ended:
# the last words are the program's.
_TASK = r"""#!/bin/bash
echo "$SLURM_JOB_ID.$SLURM_STEP_ID" >{home}/begun
{ranks}cd {working_directory} || exit 1
{run}
"""
_ONE = "exec {command}"
_OF_MANY = """trap : TERM
exec 3>&2 2>/dev/null
{command} 2>&3 3>&-
code=$?
[ $code = 0 ] || (set -C; echo $code >{home}/failed) 2>/dev/null
exit $code"""
_RANKS = """export RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID WORLD_SIZE=$SLURM_NTASKS
export MASTER_ADDR=$SLURM_LAUNCH_NODE_IPADDR
"""


def files(
    workload: Workload,
    *,
    home: str,
    command: Sequence[str],
    prepare: Sequence[str],
    working_directory: str,
    environment: Mapping[str, str],
    folders: Mapping[str, str],
    grace_s: float,
    launcher: Sequence[str] = (),
) -> dict[str, bytes]:
    """Content by name. ``command`` starts the program, less its own time limit.

    ``launcher`` starts what follows it instead of srun, whose options it takes, in a step of another job.
    """
    cpus = _cpus(workload)
    step = [f"--ntasks={workload.processes}", "--kill-on-bad-exit=1", *([f"--cpus-per-task={cpus}"] if cpus else [])]
    if workload.time_limit_s:
        # Slurm's own limits are whole minutes.
        command = ["timeout", f"--kill-after={max(grace_s, 1):g}", f"{workload.time_limit_s:g}", *command]
    run = workload.run_at(folders)
    batch = _BATCH.format(
        home=shlex.quote(home),
        prepare="\n".join(prepare),
        step=shlex.join(step),
        launcher=shlex.join(launcher or ("srun",)),
        grace=f"{max(grace_s, 1):g}",
    )
    task = _TASK.format(
        home=shlex.quote(home),
        ranks=_RANKS if workload.processes > 1 else "",
        working_directory=shlex.quote(working_directory),
        run=(_OF_MANY if workload.processes > 1 else _ONE).format(command=shlex.join(command), home=shlex.quote(home)),
    )
    made = {
        "batch.sh": batch,
        "task.sh": task,
        "environment": _exports(workload, environment),
        "spec.json": json.dumps(_spec(workload, command)),
        **({} if run is None else {"run.json": json.dumps(run)}),
    }
    return {name: text.encode() for name, text in made.items()}


def options(workload: Workload, *, gpu: str, shard: str, shards_per_gpu: int) -> list[str]:
    """sbatch's options for what it needs. Raises PlaceRefused for GPUs that the place does not give."""
    processes, cpus, memory = workload.processes, _cpus(workload), workload.resources.memory_gib
    made = [f"--ntasks={processes}", "--open-mode=append", "--requeue", "--export=NONE"]
    if cpus:
        made.append(f"--cpus-per-task={cpus}")
    if memory and processes == 1:
        made.append(f"--mem={math.ceil(memory * 1024)}M")
    elif memory:
        made.append(f"--mem-per-cpu={math.ceil(memory * 1024 / (cpus or 1))}M")
    if workload.time_limit_s:
        minutes = math.ceil(workload.time_limit_s / 60)
        made.append(f"--time={minutes}")
    return [*made, *_gpus(workload, gpu, shard, shards_per_gpu)]


def _gpus(workload: Workload, gpu: str, shard: str, shards_per_gpu: int) -> list[str]:
    share, whole = workload.resources.share, workload.resources.whole_gpus
    if (share or whole) and not gpu:
        raise PlaceRefused(
            f"workload {workload.name} asks for {workload.resources.gpus:g} GPUs and the place has none; name a place "
            "with GPUs, or set gpu: of this one to what `sinfo --format %G` calls them"
        )
    if whole:
        return [f"--gres={gpu}:{whole}"] if workload.processes == 1 else [f"--gpus-per-task={_kind(gpu)}{whole}"]
    if not share:
        return []
    if not shards_per_gpu:
        raise PlaceRefused(
            f"workload {workload.name} asks for {share:g} of a GPU and the place gives whole ones only; set its "
            "shards_per_gpu to the number of shards that each GPU of the cluster has"
        )
    shards = math.ceil(share * shards_per_gpu - 1e-9) * workload.processes
    # Shards cannot be asked for by task, so that all tasks stay on the node that has them.
    return [f"--gres={shard}:{shards}", *(["--nodes=1"] if workload.processes > 1 else [])]


def _kind(gpu: str) -> str:
    """``gpu:a100`` names a type, which the options that count by task take without the word before it."""
    _, _, kind = gpu.partition(":")
    return f"{kind}:" if kind else ""


def _cpus(workload: Workload) -> int | None:
    return math.ceil(workload.resources.cpus) if workload.resources.cpus else None


def _exports(workload: Workload, environment: Mapping[str, str]) -> str:
    for name in environment:
        if not _VARIABLE.fullmatch(name):
            raise PlaceRefused(f"workload {workload.name}: {name!r} cannot be the name of an environment variable")
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())


def _spec(workload: Workload, command: Sequence[str]) -> dict[str, Any]:
    return {
        "name": workload.name,
        "program": workload.program,
        "project": workload.project,
        "labels": dict(workload.labels),
        "command": list(command),
        "time_limit_s": workload.time_limit_s,
        "memory_gib": workload.resources.memory_gib,
    }
