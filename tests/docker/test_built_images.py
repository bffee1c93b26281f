"""The images as they are built: what is in them and what is not, and that their services start, answer and end.

`make images` builds them. Where there is no program that runs containers, or one is not built, its tests say so and are
skipped.
"""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scripts.image_tools import Tool, tool_of_this_machine
from scripts.images import NAMES, tag_of
from scripts.package_sources import pip_config, pip_settings
from tests.dags.inventory import EVERY

pytestmark = pytest.mark.compose

BASE = "docker.io/library/python:3.11-slim-bookworm"
GRACE_S = 300  # for a machine under load; what does not listen never ends by itself
READY_S = 600
KILLED = 137


@pytest.fixture(scope="module")
def tool() -> Tool:
    try:
        found = tool_of_this_machine()
    except SystemExit as error:
        pytest.skip(str(error))
    if found.name == "buildah":
        pytest.skip("buildah builds images and runs no services; install podman or docker.")
    return found


@pytest.fixture(params=NAMES)
def image(request: pytest.FixtureRequest, tool: Tool) -> str:
    return built(tool, request.param)


def built(tool: Tool, name: str) -> str:
    tag = tag_of(name)
    if call(tool, "image", "inspect", tag).returncode:
        pytest.skip(f"{tag} is not built; `make images` builds it.")
    return tag


def call(tool: Tool, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*tool.command, *arguments], capture_output=True, text=True, timeout=900)


def inside(tool: Tool, tag: str, *command: str, options: tuple[str, ...] = ()) -> str:
    """What a command prints that runs in a container of the image which may write nothing and reach nobody."""
    hardened = ["--read-only", "--cap-drop", "all", "--network", "none", "--entrypoint", command[0], *options]
    done = subprocess.run([*tool.run(), *hardened, tag, *command[1:]], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return done.stdout


def settings(tool: Tool, tag: str) -> dict:
    (found,) = json.loads(call(tool, "image", "inspect", tag).stdout)
    return found


def test_it_says_what_it_is_and_runs_as_nobody_special(tool: Tool, image: str):
    found = settings(tool, image)
    labels = {name.rpartition(".")[2]: text for name, text in found["Config"]["Labels"].items()}
    assert labels["title"] == image.partition(":")[0]
    assert (
        re.fullmatch(r"\d+\.\d+\.\d+", labels["version"]) and labels["revision"] and labels["licenses"] == "Apache-2.0"
    )
    assert found["Config"]["User"] == "10001:10001"
    # Docker has it among what a container is configured by, podman beside that.
    check = found.get("Healthcheck") or found["Config"].get("Healthcheck") or {"Test": ["NONE"]}
    assert check["Test"][0] == ("NONE" if "tasks" in image else "CMD")


def test_it_holds_no_compiler_no_cache_and_no_setting_of_the_machine_that_built_it(tool: Tool, image: str):
    """What differs from the base image is ours: the base has this machine's own settings where it is a stand-in."""
    tools = inside(tool, image, "sh", "-c", "command -v gcc cc g++ c++ clang ld make rustc cargo; true")
    assert tools == ""
    ours = [line[2:] for line in call(tool, "image", "diff", image, BASE).stdout.splitlines() if line[:1] in "AC"]
    assert any(path.startswith("/opt/") for path in ours)
    unwanted = re.compile(
        r"pip\.conf$|uv\.toml$|/\.cache(/|$)|\.whl$|/\.git(/|$)|\.env$|\.pem$|\.key$|^/build(/|$)|\.netrc$"
    )
    kept = re.compile(r"site-packages/")  # what libraries bring along, also for their tests
    assert [path for path in ours if unwanted.search(path) and not kept.search(path)] == []


def test_no_file_and_no_step_of_it_names_where_its_packages_came_from(tool: Tool, image: str):
    told = pip_settings(pip_config())
    sources = [word for name, value in told.items() if name != "cert" for word in value.split()]
    if not sources:
        pytest.skip("pip is told nothing of packages' sources on this machine.")
    history = call(tool, "history", "--no-trunc", "--format", "{{.CreatedBy}}", image).stdout
    variables = json.dumps(settings(tool, image)["Config"])
    looked = inside(
        tool,
        image,
        "sh",
        "-c",
        "grep -rIlF -f - /opt --include='*.json' --include='*.toml' --include='*.cfg' "
        "--include=RECORD --include=METADATA <<E\n" + "\n".join(sources) + "\nE\ntrue",
        options=("--tmpfs", "/tmp"),
    )
    assert looked == ""
    assert [word for word in sources if word in history or word in variables] == []


@pytest.mark.parametrize("name", ["tasks", "worker"])
def test_pytorch_has_no_cuda(tool: Tool, name: str):
    look = "cd /opt/programs/lib/python3.11/site-packages; ls; grep '^cuda' torch/version.py"
    told = inside(tool, built(tool, name), "sh", "-c", look)
    assert re.search(r"(?m)^cuda\b.*= None$", told)
    assert not re.search(r"(?m)^(nvidia|triton|cuda_)", told)


EVERY_PROGRAM = """
import contextlib, importlib, inspect, io, json, pkgutil, runpy, sys, tasks
missing, silent, helped = set(), {}, []
for found in pkgutil.walk_packages(tasks.__path__, "tasks."):
    try:
        module = importlib.import_module(found.name)
    except ModuleNotFoundError as error:
        missing.add(error.name)
        continue
    if found.ispkg or '__name__ == "__main__"' not in inspect.getsource(module):
        continue
    sys.argv, said, code = [found.name, "--help"], io.StringIO(), None
    sys.modules.pop(found.name)
    try:
        with contextlib.redirect_stdout(said):
            runpy.run_module(found.name, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    if code or "usage:" not in said.getvalue():
        silent[found.name] = said.getvalue()[-300:]
    helped.append(found.name)
print(json.dumps([sorted(missing), silent, helped]))
"""


def test_every_program_has_what_it_imports_and_says_how_it_is_called(tool: Tool):
    told = inside(tool, built(tool, "tasks"), "python", "-c", EVERY_PROGRAM, options=("--tmpfs", "/tmp"))
    missing, silent, helped = json.loads(told.splitlines()[-1])
    # What one of them finds beside it in SageMaker's archive, and what only its engine for GPUs asks for.
    assert set(missing) <= {"preprocessing", "cudf", "cuml", "dask_cuda", "dask_cudf"}
    assert silent == {}
    assert {f"tasks.{system}.train" for system in ("tyre", "ctr", "chest", "lane")} <= set(helped)


def test_airflow_itself_has_no_pytorch(tool: Tool):
    assert "torch\n" not in inside(
        tool, built(tool, "airflow"), "sh", "-c", "ls /opt/airflow/venv/lib/python3.11/site-packages"
    )


@contextmanager
def running(tool: Tool, tag: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[str]:
    """A container in the background that may write only where it is let."""
    name = f"mlops-test-{secrets.token_hex(4)}"
    hardened = [
        "--read-only",
        "--cap-drop",
        "all",
        "--network",
        "none",
        "--tmpfs",
        "/tmp:exec",
        "--name",
        name,
        "--detach",
    ]
    started = subprocess.run(
        [*[word for word in tool.run() if word != "--rm"], *hardened, *options, tag, *command],
        capture_output=True,
        text=True,
    )
    assert started.returncode == 0, started.stderr
    try:
        yield name
    finally:
        call(tool, "rm", "--force", "--volumes", name)


def wait_healthy(tool: Tool, name: str) -> None:
    until = time.monotonic() + READY_S
    while (asked := call(tool, "healthcheck", "run", name)).returncode:
        logs = call(tool, "logs", name)
        assert time.monotonic() < until, asked.stdout + asked.stderr + logs.stdout[-3000:] + logs.stderr[-3000:]
        time.sleep(0.5)


def exit_code_when_told_to_stop(tool: Tool, name: str) -> int:
    call(tool, "stop", "--time", str(GRACE_S), name)
    return int(call(tool, "inspect", "--format", "{{.State.ExitCode}}", name).stdout)


def volume(path: str) -> tuple[str, str]:
    """A new volume, which belongs to whom the folder of the image belongs."""
    return "--volume", path


DATA = "/var/lib/ontap-mlops"
SERVICES = {
    "emulator": (volume("/ontap"), ()),
    "lake": (
        (*volume(f"{DATA}/lake"), "--env", "NANIO_ACCESS_KEY=tester", "--env", f"NANIO_SECRET_KEY={'s' * 32}"),
        (),
    ),
    "mlflow": (volume(f"{DATA}/mlflow"), ()),
    **{name: (volume(f"{DATA}/{name}"), ()) for name in ("dialog", "calls", "documents")},
    # It copies its Python backend's program to /tmp and runs it from there.
    "triton": (volume("/models"), ()),
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_answers_and_ends_when_told(tool: Tool, name: str):
    options, command = SERVICES[name]
    with running(tool, built(tool, name), *options, command=command) as container:
        wait_healthy(tool, container)
        assert exit_code_when_told_to_stop(tool, container) != KILLED


HEALTH = "/opt/ontap-mlops/docker/airflow/health.py"
AIRFLOW = (
    *volume("/opt/airflow/logs"),
    *("--env", "AIRFLOW_HOME=/tmp/airflow", "--env", "AIRFLOW__CORE__EXECUTOR=LocalExecutor"),
    *("--env", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=sqlite:////tmp/airflow.db"),
)


def test_a_program_of_airflow_lives_and_ends_when_told(tool: Tool):
    """The heartbeat is the sign of life of three of them."""
    command = ("bash", "-c", "airflow db migrate && exec airflow dag-processor")
    with running(tool, built(tool, "airflow"), *AIRFLOW, command=command) as container:
        until = time.monotonic() + READY_S
        while (asked := call(tool, "exec", container, "python", HEALTH, "airflow", "dag-processor")).returncode:
            assert time.monotonic() < until, asked.stderr + call(tool, "logs", container).stdout[-3000:]
            time.sleep(1)
        assert exit_code_when_told_to_stop(tool, container) != KILLED


def test_a_worker_that_answers_no_ping_is_not_well(tool: Tool):
    """With the image's own Celery, through a broker that is only in memory and has no worker."""
    asked = f"python {HEALTH} airflow celery worker 2>&1; echo exit code $?"
    options = ("--env", "AIRFLOW__CELERY__BROKER_URL=memory://", "--tmpfs", "/tmp")
    told = inside(tool, built(tool, "airflow"), "sh", "-c", asked, options=options)
    assert "does not answer a ping through its broker" in told and told.endswith("exit code 1\n")


def test_airflow_finds_its_provider_and_every_dag(tool: Tool):
    look = (
        "import json; from airflow.dag_processing.dagbag import DagBag; bag = DagBag(); "
        "print(json.dumps([sorted(bag.dags), bag.import_errors]))"
    )
    prepared = f"airflow db migrate > /dev/null && python -c '{look}' | tail -1"
    dags, errors = json.loads(inside(tool, built(tool, "airflow"), "bash", "-c", prepared, options=AIRFLOW))
    assert errors == {}
    assert EVERY <= set(dags)


DATA_HUB = """
import json, warnings
warnings.simplefilter("ignore")
from fastapi.testclient import TestClient
from ontap_mlops.ui.app import create_app
with TestClient(create_app()) as stranger:
    asked = {path: stranger.get(path) for path in ("/", "/static/hub.css", "/static/hub.js", "/static/icon.svg")}
print(json.dumps({path: [answer.status_code, answer.headers["content-type"]] for path, answer in asked.items()}))
"""


def test_the_data_hub_has_its_pages_style_and_script(tool: Tool):
    """To a stranger it gives no page but the one that says so, which is made like the others."""
    told = json.loads(inside(tool, built(tool, "airflow"), "python", "-c", DATA_HUB, options=AIRFLOW).splitlines()[-1])
    status, kind = told.pop("/")
    assert status == 401 and kind.startswith("text/html")
    assert {status for status, _ in told.values()} == {200}, told


def test_a_program_of_ours_ends_when_told_also_before_it_listens_for_that(tool: Tool):
    with running(tool, built(tool, "tasks"), command=("python", "-c", "import time; time.sleep(3600)")) as container:
        assert exit_code_when_told_to_stop(tool, container) != KILLED
