"""A Dask cluster that is made for one program: its scheduler here, its workers jobs of Slurm or pods, gone after it.

What jobs are like is said in Dask's own configuration for dask-jobqueue, such as DASK_JOBQUEUE__SLURM__CORES. Pods are
made by whoever runs the program, once it says that it waits for them.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.common.program import BadInput, TryAgain
from tasks.common.progress import say

if TYPE_CHECKING:
    from distributed import Client

MADE = re.compile(r"(slurm|kubernetes):([1-9]\d*)")
_WAIT_S = 600.0  # until the first worker has come, where DASK_CLUSTER_WAIT_S says nothing
_NEVER = ("Invalid account", "nvalid partition", "Invalid qos", "configuration is not available", "Invalid generic")


def made(scheduler: str, dashboard: str, scratch: str | None) -> AbstractContextManager[Client]:
    """Return the cluster that ``slurm:N`` or ``kubernetes:N`` asks for. Raises BadInput and TryAgain when entered."""
    return (on_kubernetes if scheduler.startswith("kubernetes:") else on_slurm)(scheduler, dashboard, scratch)


@contextmanager
def on_slurm(scheduler: str, dashboard: str, scratch: str | None) -> Iterator[Client]:
    """Yield a client of a cluster whose workers are jobs; they end with the block, or when this process is gone.

    They speak TLS with keys made for this cluster. Raises BadInput for what Slurm can never run, TryAgain where no
    worker has come in time.
    """
    import dask
    from dask_jobqueue import SLURMCluster  # also reads its own configuration
    from distributed import Client

    wanted = int(scheduler.partition(":")[2])
    options = dask.config.get("jobqueue.slurm.scheduler-options", None) or {}
    shared = dask.config.get("jobqueue.slurm.shared-temp-directory", None)
    with (
        tempfile.TemporaryDirectory(prefix="dask-", dir=shared, ignore_cleanup_errors=True) as folder,
        SLURMCluster(
            security=True,
            protocol="tls://",
            shared_temp_directory=shared,
            log_directory=folder,
            local_directory=scratch,
            scheduler_options={**options, "dashboard_address": dashboard},
        ) as cluster,
        Client(cluster) as client,
    ):
        _check(cluster.job_script(), Path(folder))
        cluster.scale(wanted)
        _wait(client, wanted, "Slurm", lambda: f"{_last_words(Path(folder))}; `squeue` says what they wait for")
        yield client


@contextmanager
def on_kubernetes(scheduler: str, dashboard: str, scratch: str | None) -> Iterator[Client]:
    """Yield a client of a cluster whose workers are pods; they end with the block, or when this process is gone.

    The place has put address, port and keys into the environment, and makes the pods once the file is there that
    DASK_CLUSTER_READY_FILE names. Raises BadInput outside such a place, TryAgain where no worker has come in time.
    """
    from distributed import Client, LocalCluster, Security

    host, port, ready = (os.environ.get(f"DASK_CLUSTER_{name}") for name in ("HOST", "PORT", "READY_FILE"))
    if not (host and port and ready):
        raise BadInput(
            f"--scheduler {scheduler} is for programs at a place of kind dask with cluster: {{kind: kubernetes}}, "
            "which makes their workers; name one, or use local:N."
        )
    wanted, file = int(scheduler.partition(":")[2]), Path(ready)
    with (
        LocalCluster(
            n_workers=0,
            host=host,
            scheduler_port=int(port),
            protocol="tls://",
            security=Security(),  # keys are in the environment
            dashboard_address=dashboard,
            local_directory=scratch,
            silence_logs=40,
        ) as cluster,
        Client(cluster) as client,
    ):
        try:
            file.touch()
            _wait(client, wanted, "Kubernetes", lambda: "; `kubectl describe pods` says what they wait for")
            yield client
        finally:
            file.unlink(missing_ok=True)


def _check(script: str, folder: Path) -> None:
    """Ask Slurm whether it would take such a worker: dask-jobqueue only logs that it does not."""
    file = folder / "worker.sh"
    file.write_text(script)
    try:
        asked = subprocess.run(["sbatch", "--test-only", str(file)], capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TryAgain(f"Slurm takes no Dask workers: {error}.") from None
    if asked.returncode:
        lines = [line.strip() for line in asked.stderr.splitlines() if line.strip()]
        telling = next((line for line in lines if "fail" in line or "error" in line), "sbatch says nothing")
        sentence = f"Slurm takes no Dask workers: {telling}."
        raise BadInput(sentence) if any(word in telling for word in _NEVER) else TryAgain(sentence)


def _wait(client: Client, wanted: int, whose: str, why: Callable[[], str]) -> None:
    """Begin with those that have come in time, if there are any."""
    seconds = float(os.environ.get("DASK_CLUSTER_WAIT_S") or _WAIT_S)
    say(f"Waiting for {wanted} Dask workers from {whose}, for {seconds:g} s at most")
    try:
        client.wait_for_workers(wanted, timeout=seconds)
    except TimeoutError:
        come = len(client.scheduler_info(n_workers=-1)["workers"])
        if not come:
            raise TryAgain(f"{whose} has started none of {wanted} Dask workers within {seconds:g} s{why()}.") from None
        say(f"WARNING: only {come} of {wanted} Dask workers have come; it begins with them")


def _last_words(folder: Path) -> str:
    written: list[Any] = [path.read_text(errors="replace").strip().splitlines() for path in folder.glob("*.err")]
    return next((f", whose last line was: {lines[-1][-300:]}" for lines in written if lines), "")
