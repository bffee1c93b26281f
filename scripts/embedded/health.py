"""Ask each service a real question: does it answer, and is what it answers right?"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scripts.embedded import secrets
from scripts.embedded.catalog import SERVICES, Ports
from scripts.embedded.environment import ADMIN, HOST
from scripts.embedded.layout import Layout, authorities

HEALTHY = "healthy"
WAITING = "waiting for its model volume"
WAITING_FOR_INDEX = "waiting for an index: run the DAG documents"
GOOD = (HEALTHY, WAITING, WAITING_FOR_INDEX)
_TIMEOUT_S = 5


def of_programs(layout: Layout, ports: Ports, names: list[str]) -> dict[str, str]:
    """Return ``healthy``, or in words what is wrong, for each program of these services."""
    with ThreadPoolExecutor(len(names) or 1) as pool:
        answers = pool.map(lambda name: _CHECKS[name](layout, ports), names)
        return {program: said for answer in answers for program, said in answer.items()}


def _get(url: str, **options: Any) -> tuple[int, bytes]:
    headers, context = options.get("headers", {}), options.get("context")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the address of one of our services
        with opener.open(request, timeout=_TIMEOUT_S) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def _asked(question: Callable[[], str]) -> str:
    try:
        return question()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"no answer ({getattr(error, 'reason', error)})"


def _ontap(layout: Layout, ports: Ports) -> dict[str, str]:
    return {"ontap": _cluster("ontap", secrets.get(layout, secrets.ONTAP_ADMIN), layout.ontap, ports)}


def _ontap_remote(layout: Layout, ports: Ports) -> dict[str, str]:
    password = secrets.get(layout, secrets.ONTAP_REMOTE_ADMIN)
    return {"ontap_remote": _cluster("ontap_remote", password, layout.ontap_remote, ports)}


def _cluster(name: str, password: str, folder: Path, ports: Ports) -> str:
    def question() -> str:
        login = base64.b64encode(f"{ADMIN}:{password}".encode()).decode()
        context = ssl.create_default_context(cafile=str(authorities(folder)))
        url = f"{SERVICES[name].url(ports)}/api/cluster?fields=version"
        code, _ = _get(url, headers={"Authorization": f"Basic {login}"}, context=context)
        return HEALTHY if code == 200 else f"answers {code} to GET /api/cluster"

    return _asked(question)


def _lake(layout: Layout, ports: Ports) -> dict[str, str]:
    def question() -> str:
        code, _ = _get(SERVICES["lake"].url(ports))
        # Unsigned, the request must be refused: a lake open to everybody would be wrong.
        return HEALTHY if code == 403 else f"answers {code} to an unsigned request instead of 403"

    return {"lake": _asked(question)}


def _mlflow(layout: Layout, ports: Ports) -> dict[str, str]:
    def question() -> str:
        code, _ = _get(f"{SERVICES['mlflow'].url(ports)}/health")
        return HEALTHY if code == 200 else f"answers {code} to GET /health"

    return {"mlflow": _asked(question)}


def _triton(layout: Layout, ports: Ports) -> dict[str, str]:
    def question() -> str:
        if not layout.model_repository.is_dir():
            return WAITING
        code, _ = _get(f"{SERVICES['triton'].url(ports)}/v2/health/ready")
        return HEALTHY if code == 200 else f"answers {code} to GET /v2/health/ready"

    return {"triton": _asked(question)}


def _dialog(layout: Layout, ports: Ports) -> dict[str, str]:
    def stubs() -> str:
        code, _ = _get(f"http://{HOST}:{ports['dialog_stubs']}/weatherstack/current")
        return HEALTHY if code == 200 else f"answers {code} to GET /weatherstack/current"

    return {"dialog": _says_ok(SERVICES["dialog"].url(ports)), "dialog-stubs": _asked(stubs)}


def _calls(layout: Layout, ports: Ports) -> dict[str, str]:
    return {"calls": _says_ok(SERVICES["calls"].url(ports))}


def _documents(layout: Layout, ports: Ports) -> dict[str, str]:
    def question() -> str:
        code, body = _get(f"{SERVICES['documents'].url(ports)}/health")
        # Before the first index serves, there is nothing that it could do.
        waits = code == 503 and b"serves yet" in body
        return WAITING_FOR_INDEX if waits else HEALTHY if code == 200 else f"answers {code} to GET /health"

    return {"documents": _asked(question)}


def _says_ok(url: str) -> str:
    """Ask one of services/ for its health."""

    def question() -> str:
        code, _ = _get(f"{url}/health")
        return HEALTHY if code == 200 else f"answers {code} to GET /health"

    return _asked(question)


def _airflow(layout: Layout, ports: Ports) -> dict[str, str]:
    programs = {"airflow-scheduler": "scheduler", "airflow-dag-processor": "dag_processor"}
    programs["airflow-triggerer"] = "triggerer"
    said = "no answer"
    with contextlib.suppress(OSError, ValueError):
        code, body = _get(f"{SERVICES['airflow'].url(ports)}/api/v2/monitor/health")
        if code == 200:
            parts = json.loads(body)
            states = {p: (parts.get(part) or {}).get("status") or "no heartbeat yet" for p, part in programs.items()}
            return {"airflow-api-server": HEALTHY, **states}
        said = f"answers {code} to GET /api/v2/monitor/health"
    return {"airflow-api-server": said, **dict.fromkeys(programs, "known when the API server answers")}


_CHECKS = {
    "ontap": _ontap,
    "lake": _lake,
    "mlflow": _mlflow,
    "triton": _triton,
    "ontap_remote": _ontap_remote,
    "airflow": _airflow,
    "dialog": _dialog,
    "calls": _calls,
    "documents": _documents,
}
