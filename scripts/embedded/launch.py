"""Become one program of the embedded services: ``python -m scripts.embedded.launch PROGRAM FOLDER``.

The supervisor starts this, so that no password stands in its configuration, and so that a program first waits for or
makes what it needs.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from scripts.embedded import catalog, environment, ports, secrets
from scripts.embedded.environment import ADMIN
from scripts.embedded.layout import ROOT, Layout

INSTANCE_VARIABLE = "MLOPS_INSTANCE"
_WAIT_S = 0.3


def main(name: str, local: str) -> None:
    layout = Layout(Path(local))
    program, chosen_ports = catalog.program(name), ports.load(layout)
    env = program.variables(layout, chosen_ports) | {INSTANCE_VARIABLE: layout.instance}
    if name == "triton":
        make_model_repository(layout)
    if name.startswith("airflow-"):
        write_passwords(layout)
        migrate(layout, env, chosen_ports)
    os.chdir(ROOT)
    command = program.command(layout, chosen_ports)
    os.execvpe(command[0], command, env)  # noqa: S606 - the very command of the catalog


def make_model_repository(layout: Layout) -> None:
    """Wait for the model volume, which the provisioning DAG makes, then make its folder for Triton to start on."""
    volume = layout.model_repository.parent
    if not volume.is_dir():
        print(f"waiting for the model volume at {volume}; the DAG provision_ontap makes it", flush=True)
    while not volume.is_dir():
        time.sleep(_WAIT_S)
    layout.model_repository.mkdir(exist_ok=True)


def write_passwords(layout: Layout) -> None:
    """Write the file that Airflow's simple login reads, so that the password is ours to tell, not found in a log."""
    file = layout.airflow / "passwords.json"
    text = json.dumps({ADMIN: secrets.get(layout, secrets.AIRFLOW_ADMIN)}) + "\n"
    if file.exists() and file.read_text() == text:
        return
    draft = file.with_name(f".passwords.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(file)


def migrate(layout: Layout, env: dict[str, str], chosen_ports: dict[str, int]) -> None:
    """Bring Airflow's database to the installed version, with the pools of config/compute.yaml and the connections.

    Once for each version, content of that file and set of addresses, by whichever of Airflow's programs comes first.
    """
    done = layout.airflow / "database-version"
    places = Path(env["AIRFLOW__ONTAP_MLOPS__CONFIG_DIR"]) / "compute.yaml"
    with (layout.airflow / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        digest = hashlib.sha256(places.read_bytes()).hexdigest() if places.exists() else "none"
        addresses = environment.connections_digest(layout, chosen_ports)
        current = f"{version('apache-airflow-core')} {digest} {addresses}"
        if (layout.airflow / "airflow.db").exists() and done.exists() and done.read_text() == current:
            return
        if subprocess.run(
            [sys.executable, "-m", "scripts.embedded.database", str(layout.local)], env=env, cwd=ROOT
        ).returncode:
            sys.exit("Airflow's database could not be made; the lines above say why.")
        done.write_text(current)


if __name__ == "__main__":
    main(*sys.argv[1:])
