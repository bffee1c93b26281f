"""What one workload asks of its scheduler and of Airflow, and how real schedulers take many at once.

    python tests/bench/bench_scale.py                             # a Slurm of its own, and SageMaker on this machine
    python tests/bench/bench_scale.py --count 200 --seconds 480 --pace 1 --places slurm --no-login-shells
    KUBECONFIG=... python tests/bench/bench_scale.py --places kubernetes --image IMAGE

Submits ``--count`` programs that sleep, looks at each in turns until all have ended, reads their results and removes
them, and counts what was asked: HTTP requests for Kubernetes and SageMaker, commands of Slurm for Slurm; and the
processor time that this took here and, where the scheduler's controller runs on this machine, there. docs/scale.md
reckons with the figures, which go to bench/scale.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(HOUSE), str(HOUSE / "plugins")]

from ontap_mlops.compute.following import LogFollower  # noqa: E402
from ontap_mlops.compute.workload import State, Workload  # noqa: E402

PROGRAM = "import time\nprint('begun', flush=True)\ntime.sleep({seconds})\n"
LIMIT_S = 1500
PAUSE_S = 5  # between two rounds of looks


class Counter:
    """How often something was asked, and a share of it since the last question."""

    def __init__(self) -> None:
        self.asked = 0
        self._told = 0

    def since(self) -> int:
        now, self._told = self.asked - self._told, self.asked
        return now

    def counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.asked += 1
            return function(*args, **kwargs)

        return call


class Spent:
    """Processor time in milliseconds since the last question: of us with our children, and of the controller."""

    def __init__(self, controller: str) -> None:
        self.controller = controller
        self._told = (0.0, 0.0)

    def since(self, number: int) -> dict[str, float]:
        """Return it for each of ``number``; 0 of a controller that is not on this machine."""
        own = os.times()
        now = own.user + own.system + own.children_user + own.children_system, self._of_the_controller()
        spent = [(after - before) * 1000 / number for after, before in zip(now, self._told, strict=True)]
        self._told = now
        return {"asker_ms": round(spent[0], 1), "controller_ms": round(spent[1], 1)}

    def _of_the_controller(self) -> float:
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it ended meanwhile
                name, _, fields = stat.read_text().partition("(")[2].rpartition(") ")
                if name == self.controller[:15]:
                    ticks += sum(map(int, fields.split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20, help="for which each program runs")
    bare = "Slurm begins programs without a login shell: of one machine that begins them all it is most of the work"
    parser.add_argument("--no-login-shells", action="store_true", help=bare)
    parser.add_argument("--pace", type=float, default=0, help="seconds between two submissions: one machine begins all")
    parser.add_argument(
        "--places", nargs="+", default=["slurm", "sagemaker", *(["kubernetes"] if kubernetes() else [])]
    )
    parser.add_argument("--image", default="localhost/ontap-mlops-tasks:latest", help="for Kubernetes")
    parser.add_argument("--output", type=Path, default=HOUSE / "bench" / "scale.json")
    options = parser.parse_args()
    known = json.loads(options.output.read_text()) if options.output.exists() else {}
    with tempfile.TemporaryDirectory(prefix="mlops-scale-") as name:
        folder = Path(name)
        (folder / "sleeper.py").write_text(PROGRAM.format(seconds=options.seconds))
        for place in options.places:
            with PLACES[place](folder, options) as (runner, counter, program):
                known[place] = measure(runner, counter, program, options, Spent(CONTROLLERS.get(place, "")))
            print(place, json.dumps(known[place]), flush=True)
    known["airflow"] = of_airflow()
    print("airflow", json.dumps(known["airflow"]))
    options.output.write_text(json.dumps(known, indent=2) + "\n")
    return 0


def measure(
    runner: Any, counter: Counter, program: dict[str, Any], options: argparse.Namespace, spent: Spent
) -> dict[str, Any]:
    names = [f"scale-{number}" for number in range(options.count)]
    begun = time.monotonic()
    counter.since()
    spent.since(1)
    submitted_s = 0.0
    for name in names:
        asked = time.monotonic()
        runner.submit(Workload(name=name, **program))
        submitted_s += time.monotonic() - asked
        time.sleep(options.pace)
    submits = counter.since()
    costs = {"submit": spent.since(len(names))}
    looks, active, most, seconds, failed = 0, set(names), 0, [], []
    followers = {name: LogFollower(runner, name) for name in names}
    while active:
        if time.monotonic() - begun > LIMIT_S:
            raise SystemExit(f"{len(active)} of {options.count} have not ended after {LIMIT_S} s")
        running = 0
        for name in sorted(active):
            asked = time.monotonic()
            status = runner.status(name)
            list(followers[name].lines(last=not status.state.active))
            seconds.append(time.monotonic() - asked)
            looks += 1
            running += status.state is State.RUNNING
            if not status.state.active:
                if status.state is not State.SUCCEEDED:
                    failed.append(f"{name}: {status.message or status.state}")
                    print(failed[-1], file=sys.stderr, flush=True)
                active.discard(name)
        most = max(most, running)
        time.sleep(PAUSE_S)
    looked = counter.since()
    costs["look"] = spent.since(looks)
    ended_s = time.monotonic() - begun
    for name in names:
        runner.result(name)
        runner.remove(name)
    costs["end"] = spent.since(len(names))
    return {
        "count": options.count,
        "most_running_at_once": most,
        "failed": failed,
        "asked_each_submit": round(submits / len(names), 2),
        "asked_each_look": round(looked / looks, 2),
        "asked_each_end": round(counter.since() / len(names), 2),
        "submit_s": round(submitted_s / len(names), 4),
        "look_s": round(statistics.median(seconds), 4),
        "all_ended_s": round(ended_s, 1),
        "processor_time_each": costs,
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


@contextmanager
def slurm(folder: Path, options: argparse.Namespace) -> Iterator[Any]:
    from ontap_mlops.compute.kinds.slurm import SlurmPlace
    from ontap_mlops.slurm import command
    from scripts.equipment.slurm_cluster import Cluster, free_ports

    # Sockets lie in it, so its path must be short.
    # Processors that are not there: the programs sleep. One machine begins what many nodes would, and may take long.
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="mlops-slurm-")), free_ports(5), cpus=128, patient=True)
    cluster.up()
    counter = Counter()
    command.ThisHost.run = counter.counted(command.ThisHost.run)  # type: ignore[method-assign]
    shared = folder / "shared"
    shared.mkdir()
    try:
        place = SlurmPlace(
            kind="slurm",
            folder=str(shared),
            slurm_conf=str(cluster.conf),
            python=sys.executable,
            working_directory=str(folder),
            grace_s=5,
            time_limit_s=1200,
            options=("--export=NIL",) if options.no_login_shells else (),
        )
        resources = {"cpus": 0.1, "memory_gib": 0.05}
        yield place.runner(), counter, {"program": "sleeper", "resources": _resources(**resources)}
    finally:
        cluster.down()


@contextmanager
def on_kubernetes(folder: Path, options: argparse.Namespace) -> Iterator[Any]:
    import secrets

    from ontap_mlops.compute.kinds.kubernetes.place import KubernetesPlace
    from ontap_mlops.compute.kinds.kubernetes.runner import KubernetesRunner
    from tests.kubernetes.conftest import connect

    namespace = f"ontap-mlops-scale-{secrets.token_hex(3)}"
    admin = connect()
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    cluster, counter = connect(namespace), Counter()
    pool = cluster.client.rest_client
    pool.request = counter.counted(pool.request)
    facts = {"kind": "kubernetes", "image": options.image, "pull_policy": "IfNotPresent", "grace_s": 2}
    try:
        program = {
            "program": "timeit",
            "arguments": ("-n", "1", "-r", "1", f"__import__('time').sleep({options.seconds})"),
        }
        program["resources"] = _resources(cpus=0.005, memory_gib=0.03)
        yield KubernetesRunner(KubernetesPlace.model_validate(facts), lambda: cluster), counter, program
    finally:
        admin.delete("Namespace", namespace)


@contextmanager
def sagemaker(folder: Path, options: argparse.Namespace) -> Iterator[Any]:
    from ontap_mlops.compute import connections
    from ontap_mlops.compute.kinds.sagemaker import SageMakerPlace
    from tests.aws.local_aws import IMAGE, ROLE, local_aws

    counter = Counter()
    with local_aws(folder / "aws") as aws:

        def client(conn_id: str, service: str, region: str | None = None) -> Any:
            made = clients.get(service)
            if made is None:
                made = clients[service] = aws.client(service, aws.url if service == "sagemaker" else "")
                made.meta.events.register("before-send", lambda **_: counter.counted(lambda: None)())
            return made

        clients: dict[str, Any] = {}
        connections.aws_client = client
        os.environ["PYTHONPATH"] = str(folder)
        facts = {"kind": "sagemaker", "role_arn": ROLE, "image": IMAGE, "staging": "s3://staging/jobs"}
        arguments = ("-n", "1", "-r", "1", f"__import__('time').sleep({options.seconds})")
        program = {"program": "timeit", "arguments": arguments, "secrets": {"KEY": "value"}}
        yield SageMakerPlace.model_validate(facts).runner(), counter, program


def _resources(**facts: float) -> Any:
    from ontap_mlops.compute.workload import Resources

    return Resources(**facts)


def of_airflow() -> dict[str, Any]:
    """What one deferred workload writes into Airflow's database, by running its task with a store that counts."""
    os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="mlops-scale-airflow-"))
    from datetime import UTC, datetime
    from types import SimpleNamespace

    from airflow.sdk.bases.operator import ExecutorSafeguard
    from airflow.sdk.exceptions import TaskDeferred

    from ontap_mlops.operators.workload import WorkloadOperator
    from ontap_mlops.triggers.polling import PollingTrigger

    stored, pushed = Counter(), Counter()

    class Store(dict):
        def set(self, key: str, value: Any) -> None:
            stored.asked += 1
            self[key] = json.loads(json.dumps(value))

    with tempfile.TemporaryDirectory() as name:
        os.environ["AIRFLOW__ONTAP_MLOPS__WORKLOADS_DIR"] = f"{name}/workloads"
        (Path(name) / "sleeper.py").write_text(PROGRAM.format(seconds=0.5))
        place = {"kind": "local", "working_directory": name, "grace_s": 1}
        task = WorkloadOperator(task_id="train", program="sleeper", compute=place, deferrable=True, first_wait_s=0)
        ExecutorSafeguard.tracker.set(task)
        ti = SimpleNamespace(max_tries=1, map_index=-1, stats_tags={}, xcom_push=pushed.counted(lambda *_, **__: None))
        run = SimpleNamespace(dag_id="d", run_id="r", run_after=datetime(2026, 1, 1, tzinfo=UTC))
        context: Any = {"ti": ti, "dag_run": run, "task_state_store": Store()}
        try:
            task.execute(context)
            raise SystemExit("the task was not deferred")
        except TaskDeferred as left:
            trigger = left.trigger
            assert isinstance(trigger, PollingTrigger)
            row = len(json.dumps(trigger.serialize()))
            import asyncio

            async def fired() -> Any:
                return await anext(aiter(trigger.run()))

            event = asyncio.run(fired())
            task.execute_complete(context, json.loads(json.dumps(event.payload)), **(left.kwargs or {}))
    return {"state_writes": stored.asked, "xcom_writes": pushed.asked, "trigger_row_bytes": row}


def kubernetes() -> bool:
    return bool(os.environ.get("KUBECONFIG"))


PLACES: dict[str, Callable[..., Any]] = {"slurm": slurm, "sagemaker": sagemaker, "kubernetes": on_kubernetes}
CONTROLLERS = {"slurm": "slurmctld", "kubernetes": "kube-apiserver"}

if __name__ == "__main__":
    sys.exit(main())
