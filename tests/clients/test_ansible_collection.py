"""NetApp's Ansible collection: a playbook over every emulated resource, each step twice.

The steps are plain Ansible in playbook/*.yml. Each is done, which changes something, and done again, which does not. A
step tagged ``read`` changes nothing at all, and one tagged ``once`` cannot know that it was done before.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

TIMEOUT_S = 540
# All steps are done for the first test; that takes a minute and a half on two idle cores, and much longer on busy ones.
pytestmark = [pytest.mark.clients, pytest.mark.timeout(TIMEOUT_S + 60)]
FILES = sorted(Path(__file__).with_name("playbook").glob("*.yml"))
STEPS = {f"{file.stem}: {step['name']}": step for file in FILES for step in yaml.safe_load(file.read_text())}
AGAIN = " (again)"


def twice(step: dict[str, Any]) -> bool:
    return step.get("tags") not in ("read", "once")


def write_playbook(folder: Path, system: Any, subjects: list[str]) -> Path:
    """Each file of steps on a host of its own, all of them this machine, side by side."""
    for subject in subjects:
        tasks = []
        for name, step in STEPS.items():
            if name.startswith(f"{subject}: "):
                task = step | {"name": name, "ignore_errors": True}
                tasks += [task, task | {"name": name + AGAIN}] if twice(step) else [task]
        (folder / f"{subject}.json").write_text(json.dumps(tasks))
    login = {"hostname": system.host, "http_port": system.port, "username": "admin", "password": system.password}
    play = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "strategy": "free",
        "collections": ["netapp.ontap"],
        "module_defaults": {"group/netapp.ontap.netapp_ontap": login | {"https": True, "validate_certs": True}},
        "tasks": [{"name": "steps", "include_tasks": "{{ inventory_hostname }}.json"}],
    }
    (folder / "playbook.json").write_text(json.dumps([play]))
    return folder / "playbook.json"


@pytest.fixture(scope="module")
def results(system, programs, request) -> dict[str, dict[str, Any]]:
    """What Ansible says of each step of the files that the chosen tests are of."""
    asked = " ".join(item.nodeid for item in request.session.items)
    subjects = [file.stem for file in FILES if f"[{file.stem}: " in asked]
    playbook = write_playbook(programs.home, system, subjects)
    done = programs.run(
        "ansible-playbook",
        *("--inventory", ",".join([*subjects, ""]), "--forks", str(len(subjects)), playbook),
        timeout_s=TIMEOUT_S,
        ANSIBLE_HOME=str(programs.home / "ansible"),
        ANSIBLE_LOCAL_TEMP=str(programs.home / "ansible" / "tmp"),
        ANSIBLE_REMOTE_TEMP=str(programs.home / "ansible" / "remote"),
        ANSIBLE_STDOUT_CALLBACK="ansible.posix.json",
        ANSIBLE_PIPELINING="1",
        ANSIBLE_PYTHON_INTERPRETER=str(programs.folder / "python"),
        ANSIBLE_DEPRECATION_WARNINGS="0",
    )
    assert done.stdout.lstrip().startswith("{"), done.stdout[-2000:] + done.stderr[-2000:]
    tasks = json.loads(done.stdout)["plays"][0]["tasks"]
    return {task["task"]["name"]: result for task in tasks for result in task["hosts"].values()}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_changes_what_it_says_and_nothing_the_second_time(results, name):
    step, first = STEPS[name], results[name]
    assert not first.get("failed"), first.get("msg", first)
    assert first["changed"] is (step.get("tags") != "read"), first
    if twice(step):
        again = results[name + AGAIN]
        assert not again.get("failed"), again.get("msg", again)
        assert again["changed"] is False, again


def test_every_emulated_collection_is_touched_by_a_step():
    """What no module speaks of is touched by plain REST; a new resource needs a step."""
    from emulator.coverage import URLS

    collections = {route.path.strip("/") for route in URLS if route.method == "GET" and "{" not in route.path}
    facts = set(STEPS["svms: facts gathered"]["na_ontap_rest_info"]["gather_subset"])
    assert sorted(collections - facts) == []
