"""Run the tests: the quick ones first, then the journeys and, beside them, what else starts real services.

python -m scripts.tests                  everything that needs no GPU, no cluster and no cloud
python -m scripts.tests quick            without Airflow, browser and Triton
python -m scripts.tests services         those that start Triton, MLflow or Prometheus, without a scheduler
python -m scripts.tests faults           every ONTAP operator under every fault, killed between calls; prints the table
python -m scripts.tests slurm            those that run jobs on a real Slurm, which they start here
python -m scripts.tests clients          those that run NetApp's own clients and other people's against the emulator
python -m scripts.tests compose          those that run the images that `make images` built, with podman or docker
python -m scripts.tests package          those that install the wheel into an empty environment and run examples/
python -m scripts.tests postgresql       those of DAGs and of what reaches Airflow's database, on a real PostgreSQL
python -m scripts.tests kubernetes       those that use the Kubernetes cluster that KUBECONFIG names; part of all where
                                         it is set
python -m scripts.tests journey          only those in which the real scheduler runs the DAGs; `browser` likewise
python -m scripts.tests journey tyre     only tests/journey/test_tyre.py; `--postgresql`: with Airflow's database there

A few tests that failed are run once more, in a process and with services of their own. Those that pass then fail
nothing, but are named at the end: a test that sometimes fails shows a fault that is still to be found.

Ends with where the time went: each suite beside the seconds it may take on two cores, and its slowest files.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from scripts.equipment import postgresql

ROOT = Path(__file__).resolve().parent.parent
SLOWEST = 5  # files that are named
SLOW_S = 5  # faster files are not worth a line
TESTS_FAILED = 1
NO_TESTS_COLLECTED = 5
FEW = 3  # more failures than these have one cause, and would take long to see again


@dataclass(frozen=True)
class Suite:
    """Tests that run in one pytest process (or several side by side) and share what they start."""

    title: str
    marks: str
    budget_s: int
    """Seconds that they may take on two idle cores; more is said, but is no failure."""
    arguments: tuple[str, ...] = ()
    installs: tuple[str, ...] = ()
    """What scripts/environment.py is told to install first, beyond what `make` does."""
    environment: tuple[tuple[str, str], ...] = ()
    """Variables that its tests look at."""
    postgresql: bool = False
    """Whether Airflow's database is a PostgreSQL server that is started for it, instead of SQLite."""
    beside: bool = False
    """Whether it runs beside the journeys, which leave half of two cores idle; it gives way to them."""


@dataclass(frozen=True)
class Result:
    suite: Suite
    passed: bool
    seconds: float
    counts: str
    files: dict[str, float]
    unsteady: tuple[str, ...] = ()
    """Tests that failed and passed when they were run again."""


QUICK = Suite(
    "quick tests",
    "not (kubernetes or journey or browser or triton or package or clients or compose or slurm)",
    720,
    ("-n", "3", "--dist", "loadfile"),
)
SERVICES = Suite("tests with real services", "triton and not journey", 360, beside=True)
# Whole, it is not part of `make test`, which plays a sample of it among the quick tests.
FAULTS = Suite(
    "faults",
    "not journey",
    1800,
    ("-n", "2", "--dist", "loadgroup", "tests/faults"),
    environment=(("ONTAP_FAULTS", "all"),),
)
# Two processes, each with a cluster of its own: the time goes by waiting for Slurm.
SLURM = Suite(
    "a real Slurm", "slurm and not journey", 240, ("-n", "2", "--dist", "loadfile", "tests/slurm"), beside=True
)
CLIENTS = Suite("real clients", "clients", 300, installs=("--clients",), beside=True)
PACKAGE = Suite("the wheel in an empty environment", "package", 240, beside=True)
POSTGRESQL = Suite(
    "DAGs and rows on PostgreSQL",
    "not (kubernetes or journey or browser or triton or package or clients or compose or slurm)",
    120,
    (
        "tests/database",
        "tests/dags",
        "tests/examples",
        "tests/scripts/test_connections.py",
        "tests/services/calls/test_call_store.py",
        "tests/services/calls/test_call_mentions.py",
        "tests/services/dialog/test_store.py",
    ),
    postgresql=True,
    beside=True,
)
# Two processes, each with namespaces of its own: the time goes by waiting for pods.
KUBERNETES = Suite(
    "tests on a Kubernetes cluster",
    "kubernetes",
    1200,
    ("-n", "2", "--dist", "loadfile", "tests/kubernetes"),
    beside=True,
)
# Not part of `make test`: gigabytes have to be built first. The services wait a lot; the images are looked into
# meanwhile.
COMPOSE = Suite(
    "images and what runs of them",
    "compose",
    480,
    ("-n", "2", "--dist", "loadfile", "tests/compose", "tests/docker/test_built_images.py"),
)
JOURNEY = Suite("journeys", "journey", 1200)
BROWSER = Suite("browser tests", "browser", 240)
# One process, so that both work on one set of services.
STACK = Suite("journeys and browser tests", "journey or browser", JOURNEY.budget_s + BROWSER.budget_s)
SUITES = {
    "all": [QUICK, SERVICES, SLURM, POSTGRESQL, CLIENTS, PACKAGE, STACK],
    "quick": [QUICK],
    "services": [SERVICES],
    "faults": [FAULTS],
    "slurm": [SLURM],
    "clients": [CLIENTS],
    "compose": [COMPOSE],
    "package": [PACKAGE],
    "postgresql": [POSTGRESQL],
    "kubernetes": [KUBERNETES],
    "journey": [JOURNEY],
    "browser": [BROWSER],
}


def all_of(suites: Sequence[Suite]) -> list[Result]:
    """Run them in this order, those that may beside the last one.

    A failure in one hides nothing of what the next would say.
    """
    beside = [suite for suite in suites if suite.beside]
    *first, last = [suite for suite in suites if not suite.beside]
    results = [run(suite, []) for suite in first]
    with ThreadPoolExecutor(1) as lane, tempfile.TemporaryFile() as said:
        others = lane.submit(lambda: [run(suite, [], said.fileno()) for suite in beside])
        results += [run(last, []), *others.result()]
        said.seek(0)
        print(said.read().decode(errors="replace"), end="", flush=True)
    return results


def run(suite: Suite, paths: list[str], said: int | None = None) -> Result:
    """Run one suite with pytest, whose own words are shown as they come, or go to the file ``said``."""
    print(f"== {suite.title}" + (", beside it" if said else ""), flush=True)
    started = time.monotonic()
    gives_way = ["nice", "-n", "10"] if said else []
    installing = [*gives_way, sys.executable, "scripts/environment.py", *suite.installs]
    if suite.installs and subprocess.run(installing, cwd=ROOT, stdout=said, stderr=said).returncode:
        return Result(suite, False, time.monotonic() - started, "its clients could not be installed", {})
    # Tests must not see, or write into, a user's own Airflow, cluster or cloud.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AWS_", "MLFLOW_"))}
    with tempfile.TemporaryDirectory(prefix="ontap-mlops-tests-") as home, database(suite) as told:
        if told is None:
            return Result(suite, True, time.monotonic() - started, "left out", {})
        report = Path(home) / "report.xml"
        # The older family of reports is the one that names files.
        options = ["-m", suite.marks, *suite.arguments, "-o", "junit_family=xunit1", "-o", f"cache_dir={home}/cache"]
        command = [*gives_way, sys.executable, "-m", "pytest", "-q", *options, *paths]
        environment = kept | dict(suite.environment) | told | {"AIRFLOW_HOME": home}

        def pytest(*more: str) -> int:
            return subprocess.run([*command, *more], cwd=ROOT, env=environment, stdout=said, stderr=said).returncode

        code = pytest(f"--junitxml={report}")
        counts, files = read(report)
        unsteady = failed(report) if code == TESTS_FAILED else ()
        if unsteady and len(unsteady) <= FEW:
            print(f"== once more: {', '.join(unsteady)}", flush=True)
            code = TESTS_FAILED if pytest("--last-failed", "--last-failed-no-failures", "none") else 0
        unsteady = () if code else unsteady
    return Result(suite, code in (0, NO_TESTS_COLLECTED), time.monotonic() - started, counts, files, unsteady)


@contextlib.contextmanager
def database(suite: Suite) -> Iterator[dict[str, str] | None]:
    """Give the variables that name the suite's database while it is there; None, and a sentence, where it cannot be."""
    reason = postgresql.unavailable() if suite.postgresql else None
    if reason:
        print(f"== left out: {suite.title}, since {reason}", flush=True)
        yield None
    elif suite.postgresql:
        with postgresql.server() as url:
            yield {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url, "ONTAP_MLOPS_TEST_POSTGRESQL": url}
    else:
        yield {}


def read(report: Path) -> tuple[str, dict[str, float]]:
    """Return how many tests there were, in words, and the seconds of each file, slowest first."""
    if not report.exists():
        return "ended before it had a result", {}
    suite = ElementTree.parse(report).getroot()[0]  # noqa: S314 - pytest has just written it
    number = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
    passed = number["tests"] - number["failures"] - number["errors"] - number["skipped"]
    failed = number["failures"] + number["errors"]
    told = [f"{passed} passed", *([f"{failed} failed"] if failed else [])]
    told += [f"{number['skipped']} skipped"] if number["skipped"] else []
    files: dict[str, float] = {}
    for case in suite.iter("testcase"):
        name = case.get("file") or case.get("classname") or "?"
        files[name] = files.get(name, 0) + float(case.get("time", 0))
    return ", ".join(told), dict(sorted(files.items(), key=lambda item: -item[1]))


def failed(report: Path) -> tuple[str, ...]:
    """Return the tests that failed, as ``file::name``; none where pytest left no report."""
    if not report.exists():
        return ()
    cases = ElementTree.parse(report).iter("testcase")  # noqa: S314 - pytest has just written it
    bad = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    return tuple(dict.fromkeys(f"{case.get('file') or case.get('classname')}::{case.get('name')}" for case in bad))


def account(results: list[Result], total_s: float) -> str:
    """Say where the time went, and how it all ended, as plain lines."""
    lines = ["== where the time went"]
    for result in results:
        over = ", over it" if result.seconds > result.suite.budget_s else ""
        shared = ", here beside others" if len(results) > 1 and result.suite.beside else ""
        budget = f"of {result.suite.budget_s} s on two idle cores{shared or over}"
        state = "passed" if result.passed else "FAILED"
        lines.append(f"{result.seconds:6.0f} s  {result.suite.title}: {state}, {budget} ({result.counts})")
        slow = [(name, seconds) for name, seconds in result.files.items() if seconds >= SLOW_S]
        lines += [f"  {seconds:6.0f} s  {name}" for name, seconds in slow[:SLOWEST]]
    lines += [f"== UNSTEADY, passed only when run again: {name}" for result in results for name in result.unsteady]
    bad = [result.suite.title for result in results if not result.passed]
    lines.append(f"== {', '.join(bad)} FAILED, {total_s:.0f} s" if bad else f"== all passed in {total_s:.0f} s")
    return "\n".join(lines)


def chosen(name: str) -> list[Suite]:
    """Return the suites of this name; those on a cluster need one. SystemExit where only they are asked for."""
    if os.environ.get("KUBECONFIG"):
        return [*SUITES[name], KUBERNETES] if name == "all" else SUITES[name]
    if name == "kubernetes":
        raise SystemExit(
            "KUBECONFIG names no cluster; set it to the kubeconfig of one on which namespaces may be made."
        )
    if name == "all":
        print(f"== left out: {KUBERNETES.title}, since KUBECONFIG names no cluster", flush=True)
    return SUITES[name]


def journey(name: str) -> str:
    """Return the file of the journey of this name; SystemExit names those there are."""
    known = {path.stem.removeprefix("test_"): path for path in (ROOT / "tests" / "journey").glob("test_*.py")}
    if name not in known:
        raise SystemExit(f"No journey is called {name!r}; there are {', '.join(sorted(known))}.")
    return str(known[name].relative_to(ROOT))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", nargs="?", choices=SUITES, default="all")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of journeys; all unless said")
    parser.add_argument("--postgresql", action="store_true", help="with Airflow's database on a PostgreSQL of its own")
    options = parser.parse_args()
    if options.names and options.suite != "journey":
        parser.error("only journeys are chosen by name")
    started = time.monotonic()
    suites = chosen(options.suite)
    if options.postgresql:
        suites = [replace(suite, postgresql=True) for suite in suites]
    results = all_of(suites) if len(suites) > 1 else [run(suites[0], [journey(name) for name in options.names])]
    print(account(results, time.monotonic() - started))
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
