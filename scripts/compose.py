"""The services of docker-compose.yaml: build, start in order, look at, stop.

    python -m scripts.compose up        build what is missing, start all, wait until each is healthy, print links
    python -m scripts.compose status    a line for each container
    python -m scripts.compose down      stop and remove the containers; --volumes: with all data and passwords
    python -m scripts.compose samples  draw photographs of tyres into the lake, where `ingest_tyre_images` finds them
    python -m scripts.compose password  print that of Airflow's user admin, of `grafana`, or the token of `dialog`
    python -m scripts.compose airflow dags list      Airflow's own command line in these services

With Docker this is `docker compose`. Where its daemon does not answer, podman-compose makes the containers of the same
file, and they are started here in the order of their health, which podman does not wait for.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from scripts.composing import engines, lake
from scripts.composing.file import ROOT, ComposeFile

ENV, EXAMPLE = ROOT / ".env", ROOT / ".env.example"
READY_S = 900
SAMPLES = 400
PASSWORDS = {"airflow": ("api-server", "admin"), "grafana": ("grafana", "admin"), "dialog": ("dialog", "token")}
"""Which service has it, in which file; the name of those of an account is that of its user, admin."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    up = actions.add_parser("up")
    up.add_argument("--no-build", action="store_true", help="take the images that are there")
    down = actions.add_parser("down")
    down.add_argument("--volumes", action="store_true", help="remove all data, logs and passwords too")
    actions.add_parser("status")
    samples = actions.add_parser("samples")
    samples.add_argument("--count", type=int, default=SAMPLES, help=f"photographs; {SAMPLES} unless said")
    actions.add_parser("password").add_argument("of", nargs="?", choices=PASSWORDS, default="airflow")
    actions.add_parser("airflow").add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    with engines.find(ComposeFile.load(settings())) as engine:
        if options.action == "up":
            return start(engine, build=not options.no_build)
        if options.action == "down":
            engine.down(volumes=options.volumes)
            return 0
        if options.action == "password":
            service, file = PASSWORDS[options.of]
            print(engine.output(service, "cat", f"/run/secrets/{file}"))
            return 0
        if options.action == "samples":
            lake.fill(engine, options.count)
            return 0
        if options.action == "airflow":
            return engine.run("scheduler", ["airflow", *options.arguments])
        return status(engine)


def settings() -> Path:
    """Return the file of settings; it is made from the example where there is none."""
    if not ENV.exists():
        shutil.copy(EXAMPLE, ENV)
        print(f"{ENV.name} is made from {EXAMPLE.name}; change it as you like.", flush=True)
    return ENV


def start(engine: engines.Engine, *, build: bool) -> int:
    begun = time.monotonic()
    built = [sys.executable, "-m", "scripts.images", *engine.file.targets()]
    if build and (code := subprocess.run(built, cwd=ROOT).returncode):
        return code
    engine.up(READY_S)
    print(f"All services are healthy ({time.monotonic() - begun:.0f} s).")
    for service, address in engine.file.addresses().items():
        print(f"  {service:<12} {address}")
    print("Airflow's user is admin; `make compose-password` prints the password.")
    return 0


def status(engine: engines.Engine) -> int:
    """Show each container; the exit code is 0 only when all that should run is healthy."""
    good = True
    for service in engine.file.in_order():
        said = engine.health(service)
        good = good and said in engines.GOOD
        print(f"{service:<14} {said}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
