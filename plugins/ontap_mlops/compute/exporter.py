"""What local workloads do and measured, for Prometheus: ``python -m ontap_mlops.compute.exporter --port 9108``.

``/metrics`` tells, of the newest workloads: their state, how long they ran, how far they are and every number of their
results. ``/targets`` is for ``http_sd_configs``: the schedulers and workers of the Dask clusters that programs run now,
wherever their ports are.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from ontap_mlops import settings
from ontap_mlops.compute.following import DASHBOARD
from ontap_mlops.compute.local import LocalRunner
from ontap_mlops.compute.workload import State

PORT = 9108
NEWEST = 200  # workloads shown, so that a month's do not become thousands of series
ANSWER_TIMEOUT_S = 2.0

_HELP = {
    "state": "1 for the state the workload is in.",
    "start_time_seconds": "When it started, in seconds since 1970.",
    "seconds": "How long it ran, or has been running.",
    "progress_done": "How much of its present step is done, in the unit of the label.",
    "progress_total": "How much there is to do in its present step.",
    "progress_time_seconds": "When it last told its progress, in seconds since 1970.",
    "result": "A number of its result, such as metrics.roc_auc.",
}

_WORKER_PAGE = re.compile(r"/proxy/(\d+)/([^/\"]+)/status")

Labels = dict[str, str]
Sample = tuple[str, Labels, float]


def page(folder: Path, newest: int = NEWEST) -> str:
    """All metrics in Prometheus' text format."""
    found: dict[str, list[str]] = {name: [] for name in _HELP}
    for home in homes(folder, newest):
        for name, labels, value in samples(folder, home):
            found[name].append(f"ontap_mlops_workload_{name}{{{_labels(labels)}}} {value:.17g}")
    lines = []
    for name, text in _HELP.items():
        head = f"ontap_mlops_workload_{name}"
        lines += [f"# HELP {head} {text}", f"# TYPE {head} gauge", *found[name]]
    return "\n".join(lines) + "\n"


def homes(folder: Path, newest: int = NEWEST) -> list[Path]:
    """Folders of the workloads started last, the oldest of them first."""
    started = []
    for spec in folder.glob("*/spec.json"):
        try:
            started.append((spec.stat().st_mtime, spec.parent))
        except FileNotFoundError:  # forgotten meanwhile
            continue
    return [home for _, home in sorted(started)][-newest:]


def samples(folder: Path, home: Path) -> Iterator[Sample]:
    spec = _json(home / "spec.json")
    labels = {"workload": home.name, "program": _program(spec), "engine": _flag(spec, "--engine")}
    status = LocalRunner(folder=folder).status(home.name)
    ended = {} if status.state.active else _json(home / "status.json")
    started = ended.get("started_at") or _modified(home / "spec.json")
    yield "state", labels | {"state": status.state}, 1
    yield "start_time_seconds", labels, started
    if status.state.active or ended:
        yield "seconds", labels, (ended.get("ended_at") or time.time()) - started
    if status.state is State.RUNNING and (progress := _json(home / "progress.json")):
        step = labels | {"what": progress["what"], "unit": progress["unit"]}
        yield "progress_time_seconds", step, progress["at"]
        yield "progress_done", step, progress["done"]
        if progress["total"] is not None:
            yield "progress_total", step, progress["total"]
    for name, value in _numbers(_json(home / "result.json")):
        yield "result", labels | {"name": name}, value


def targets(folder: Path, newest: int = NEWEST) -> list[dict[str, Any]]:
    """In the form of Prometheus' HTTP service discovery."""
    found = []
    for home in homes(folder, newest):
        if not LocalRunner(folder=folder).status(home.name).state.active:
            continue
        pages = DASHBOARD.findall((home / "log").read_text(errors="replace")) if (home / "log").exists() else []
        if not pages:
            continue
        scheduler = urlsplit(pages[-1]).netloc
        labels = {"workload": home.name, "program": _program(_json(home / "spec.json"))}
        found.append({"targets": [scheduler], "labels": labels | {"component": "scheduler"}})
        if workers := _workers(scheduler):
            found.append({"targets": workers, "labels": labels | {"component": "worker"}})
    return found


def _workers(scheduler: str) -> list[str]:
    """``host:port`` of the pages of a Dask scheduler's workers; none when it does not answer.

    From its list for people: ``/json/identity.json`` has them too, but fails (distributed 2026.8) once a worker has
    told what it spent its time on.
    """
    try:
        with urlopen(f"http://{scheduler}/info/main/workers.html", timeout=ANSWER_TIMEOUT_S) as answer:
            listed = answer.read().decode(errors="replace")
    except OSError:
        return []
    return sorted(f"{host}:{port}" for port, host in _WORKER_PAGE.findall(listed))


def _program(spec: dict[str, Any]) -> str:
    """The module behind the last ``-m``; before it may stand a launcher of several processes."""
    command = spec.get("command", [])
    found = [after for flag, after in itertools.pairwise(command) if flag == "-m"]
    return next((name for name in found if not name.startswith("torch.")), "")


def _flag(spec: dict[str, Any], name: str) -> str:
    """Value of a flag given as ``--name=value`` or ``--name value``."""
    command = spec.get("command", [])
    for part, after in zip(command, [*command[1:], ""], strict=True):
        if part == name:
            return after
        if part.startswith(f"{name}="):
            return part.partition("=")[2]
    return ""


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, int | float):
        yield name, float(value)


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _labels(labels: Labels) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return re.sub(r'[\\"]', r"\\\g<0>", value).replace("\n", r"\n")


def server(folder: Path, host: str = "127.0.0.1", port: int = PORT) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer("text/plain; version=0.0.4; charset=utf-8", page(folder))
            elif self.path == "/targets":
                self._answer("application/json", json.dumps(targets(folder)))
            else:
                self.send_error(404, "there are /metrics and /targets")

        def _answer(self, kind: str, text: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:
            """A line for each scrape would fill a log with nothing."""

    return ThreadingHTTPServer((host, port), Handler)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=settings.workloads_dir(), help="of the local workloads")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    options = parser.parse_args()
    with server(options.folder, options.host, options.port) as serving:
        print(f"http://{options.host}:{serving.server_port}/metrics", flush=True)
        serving.serve_forever()


if __name__ == "__main__":
    main()
