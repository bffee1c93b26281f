"""Which port each service listens on, all on 127.0.0.1: the usual one, or a free one where that is taken."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable

from scripts.embedded.layout import Layout

USUAL = {
    "airflow": 8080,
    "mlflow": 5000,
    "ontap": 8443,
    "ontap_s3": 9000,
    "lake": 9100,
    "triton_http": 8100,
    "triton_grpc": 8101,
    "triton_metrics": 8102,
    "ontap_remote": 8543,
    "ontap_remote_s3": 9200,
    "dialog": 8600,
    "dialog_stubs": 8700,
    "calls": 8650,
    "documents": 8660,
}
TRIED_ABOVE = 200


def load(layout: Layout) -> dict[str, int]:
    """Return the ports kept from the last start; {} before the first."""
    file = layout.local / "ports.json"
    return json.loads(file.read_text()) if file.exists() else {}


def choose(layout: Layout, in_use_by_us: Iterable[str]) -> tuple[dict[str, int], list[str]]:
    """Return the port of every service, kept for the next time, and a sentence for each that could not have its own.

    Ports of services that run already (``in_use_by_us``) stay as they are.
    """
    kept, settings = load(layout), layout.settings()
    ports = {name: kept[name] for name in in_use_by_us if name in kept}
    sentences = []
    for name, usual in USUAL.items():
        if name in ports:
            continue
        wanted = kept.get(name) or int(settings.get(f"ONTAP_MLOPS_PORT_{name.upper()}", usual))
        ports[name] = _free_from(wanted, set(ports.values()))
        if ports[name] != wanted:
            sentences.append(f"Port {wanted} is taken by another program; {name} listens on {ports[name]} instead.")
    (layout.local / "ports.json").write_text(json.dumps({name: ports[name] for name in USUAL}, indent=1))
    return ports, sentences


def _free_from(wanted: int, taken: set[int]) -> int:
    for port in range(wanted, wanted + TRIED_ABOVE):
        if port not in taken and _is_free(port):
            return port
    raise SystemExit(f"No port from {wanted} to {wanted + TRIED_ABOVE - 1} is free on 127.0.0.1; end what uses them.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
