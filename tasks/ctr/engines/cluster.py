"""The Dask cluster a program works on: in this process, on this machine, made on Slurm or Kubernetes, or one there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tasks.common.program import BadInput, TryAgain
from tasks.common.progress import say
from tasks.ctr.engines import made_cluster

if TYPE_CHECKING:
    from distributed import Client

IN_PROCESS = "in-process"
_CONNECT_S = 30
_LOST_WORKERS = 10  # a task that was on so many workers when they died is given up


def check(scheduler: str) -> None:
    """Raise BadInput for what is no address of a cluster."""
    if scheduler != IN_PROCESS and not re.fullmatch(
        r"(local|slurm|kubernetes):[1-9]\d*|(tcp|tls|ucx)://.+:\d+", scheduler
    ):
        raise BadInput(
            f"--scheduler {scheduler!r} is not in-process, local:N, slurm:N or kubernetes:N with N workers, or "
            "tcp://HOST:PORT."
        )


@contextmanager
def connected(scheduler: str, memory_limit: str, dashboard: str, scratch: str | None) -> Iterator[Client]:
    """Yield a client; a cluster made for it ends with the block.

    :param memory_limit: of all workers together, such as "4GB"; what does not fit goes to disk. "" for the machine's.
    :param dashboard: address to serve the cluster's pages on.
    :param scratch: folder for what does not fit in memory; the system's temporary one by default.
    """
    check(scheduler)
    import dask
    import distributed  # noqa: F401  loads its settings, which set() would otherwise take away again with ours

    settings: dict[str, Any] = {
        "distributed.scheduler.allowed-failures": _LOST_WORKERS,
        # A level's tables travel with each of its tasks, so that they are there again when a worker is lost.
        "distributed.admin.large-graph-warning-threshold": "1 GB",
        "distributed.worker.daemon": True,
    }
    with dask.config.set(settings):
        if scheduler == IN_PROCESS or scheduler.startswith("local:"):
            yield from _local(scheduler, memory_limit, dashboard, scratch)
        elif made_cluster.MADE.fullmatch(scheduler):
            with made_cluster.made(scheduler, dashboard, scratch) as client:
                _introduce(client, dashboard.rpartition(":")[0])
                yield client
        else:
            yield from _remote(scheduler)


def _local(scheduler: str, memory_limit: str, dashboard: str, scratch: str | None) -> Iterator[Client]:
    from dask.utils import parse_bytes
    from distributed import Client, LocalCluster

    cores = len(os.sched_getaffinity(0))
    in_process = scheduler == IN_PROCESS
    workers = 1 if in_process else int(scheduler.partition(":")[2])
    try:
        limit: Any = parse_bytes(memory_limit) // workers if memory_limit else "auto"
    except ValueError:
        raise BadInput(f"--memory-limit {memory_limit!r} is not a size such as 4GB or 500MiB.") from None
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=max(1, cores // workers),
            processes=not in_process,
            memory_limit=limit,
            host=None if in_process else "127.0.0.1",
            dashboard_address=dashboard,
            worker_dashboard_address="127.0.0.1:0",
            local_directory=scratch,
            silence_logs=40,
        ) as cluster,
        Client(cluster) as client,
    ):
        _introduce(client, dashboard.rpartition(":")[0])
        yield client


def _remote(scheduler: str) -> Iterator[Client]:
    import dask
    from distributed import Client

    # A client takes its certificates from Dask's own configuration.
    if scheduler.startswith("tls://") and not dask.config.get("distributed.comm.tls.ca-file", None):
        raise BadInput(
            f"--scheduler {scheduler} is encrypted, and no certificates are configured: set "
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ..__CLIENT__CERT and ..__CLIENT__KEY to their files."
        )
    try:
        client = Client(scheduler, timeout=_CONNECT_S)
    except OSError as error:
        raise TryAgain(f"No Dask scheduler answers at {scheduler} within {_CONNECT_S} s: {error}.") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_CONNECT_S)
        except TimeoutError as error:
            raise TryAgain(f"The Dask cluster at {scheduler} has no worker after {_CONNECT_S} s.") from error
        _introduce(client)
        yield client


def _introduce(client: Client, dashboard_host: str = "") -> None:
    """Log the cluster's pages, at the address they are served on where that is known."""
    link = client.dashboard_link
    if dashboard_host:
        link = f"http://{dashboard_host}:{urlsplit(link).port}/status"
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    threads = sum(worker["nthreads"] for worker in workers)
    memory = sum(worker["memory_limit"] or 0 for worker in workers) / 2**30
    say(f"Dask: {len(workers)} workers, {threads} threads, {memory:.1f} GiB; dashboard {link}")
