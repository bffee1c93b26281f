"""The configuration files of the Slurm that `slurm_cluster` starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """``port`` is the controller's; accounting, its database and the nodes follow. Memory and GPUs are of each node."""

    folder: Path
    port: int
    host: str
    nodes: Sequence[str]
    gpus: int
    shards: int
    cpus: int
    memory_mib: int
    patient: bool


def slurm_conf(layout: Layout) -> str:
    """Limits and QOS hold; what exceeds its memory is killed, without cgroups, by the node's own accounting."""
    run = layout.folder
    # A job must be launched before its credential expires, and one that was put back into the queue starts after that.
    launch_s, answer_s, node_s = (120, 30, 300) if layout.patient else (8, 5, 20)
    lines = [
        "ClusterName=test",
        f"SlurmctldHost={layout.host}(127.0.0.1)",
        f"SlurmctldPort={layout.port}",
        "SlurmUser=root",
        "SlurmdUser=root",
        "AuthType=auth/munge",
        f"AuthInfo=socket={run}/munge/socket,cred_expire={launch_s}",
        f"SlurmctldPidFile={run}/pid/slurmctld.pid",
        f"SlurmdPidFile={run}/pid/%n.pid",
        f"StateSaveLocation={run}/state",
        f"SlurmdSpoolDir={run}/spool/%n",
        f"SlurmctldLogFile={run}/log/slurmctld.log",
        f"SlurmdLogFile={run}/log/%n.log",
        # The nodes are said to be larger than this machine is.
        "SlurmdParameters=config_overrides",
        "ReturnToService=2",
        f"MessageTimeout={answer_s}",
        f"SlurmdTimeout={node_s}",
        "MinJobAge=60",
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "MpiDefault=none",
        "KillWait=2",
        "JobAcctGatherType=jobacct_gather/linux",
        "JobAcctGatherFrequency=task=1",
        "JobAcctGatherParams=OverMemoryKill",
        "SchedulerType=sched/backfill",
        "SchedulerParameters=sched_interval=1,bf_interval=1,preempt_youngest_first,requeue_delay=0",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_Core_Memory",
        "DefMemPerCPU=500",
        "GresTypes=gpu,shard",
        "PreemptType=preempt/qos",
        "PreemptMode=REQUEUE",
        "PriorityType=priority/multifactor",
        "PriorityCalcPeriod=1",
        "PriorityDecayHalfLife=0",
        "PriorityUsageResetPeriod=NONE",
        "PriorityWeightFairshare=1000",
        "PriorityWeightQOS=10000",
        "AccountingStorageType=accounting_storage/slurmdbd",
        "AccountingStorageHost=127.0.0.1",
        f"AccountingStoragePort={layout.port + 1}",
        f"AccountingStoragePass={run}/munge/socket",
        "AccountingStorageEnforce=associations,limits,qos",
        "AccountingStorageTRES=gres/gpu,gres/shard",
        "AccountingStoreFlags=job_comment",
        "PartitionName=gpu Nodes=ALL Default=YES MaxTime=UNLIMITED State=UP",
    ]
    size = f"CPUs={layout.cpus} RealMemory={layout.memory_mib} Gres=gpu:{layout.gpus}"
    size += f",shard:{layout.gpus * layout.shards}"
    for number, name in enumerate(layout.nodes):
        address = f"NodeHostname={layout.host} NodeAddr=127.0.0.1 Port={layout.port + 3 + number}"
        lines.append(f"NodeName={name} {address} {size}")
    return "\n".join(lines) + "\n"


def gres_conf(layout: Layout) -> str:
    lines = []
    for name in layout.nodes:
        devices = f"{layout.folder}/devices/{name}-gpu[0-{layout.gpus - 1}]"
        lines.append(f"NodeName={name} Name=gpu Flags=nvidia_gpu_env File={devices}")
        lines.append(f"NodeName={name} Name=shard Count={layout.gpus * layout.shards}")
    return "\n".join(lines) + "\n"


def slurmdbd_conf(layout: Layout) -> str:
    run = layout.folder
    lines = [
        "AuthType=auth/munge",
        f"AuthInfo=socket={run}/munge/socket",
        f"DbdHost={layout.host}",
        "DbdAddr=127.0.0.1",
        f"DbdPort={layout.port + 1}",
        "SlurmUser=root",
        "StorageType=accounting_storage/mysql",
        "StorageHost=127.0.0.1",
        f"StoragePort={layout.port + 2}",
        "StorageUser=slurm",
        "StoragePass=slurm",
        "StorageLoc=slurm_acct",
        f"LogFile={run}/log/slurmdbd.log",
        f"PidFile={run}/pid/slurmdbd.pid",
    ]
    return "\n".join(lines) + "\n"
