"""What local workloads do, what is near its limit on ONTAP, and who uses which GPUs, for Prometheus.

``python -m scripts.exporter``: ``/metrics`` shows the newest workloads, the snapshots of volumes, the caches of sites
and the GPUs of projects; ``/targets`` is for ``http_sd_configs``: the Dask clusters that programs run now, wherever
their ports are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.registry import Collector

from ontap_mlops import settings
from scripts import beside_airflow
from scripts.exporter import dask_targets
from scripts.exporter.projects import ProjectCollector
from scripts.exporter.storage import StorageCollector
from scripts.exporter.workloads import WorkloadCollector

PORT = 9108


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """A line for each scrape would fill a log with nothing."""


def server(
    folder: Path, host: str = "127.0.0.1", port: int = PORT, storage: Collector | None = None, *more: Collector
) -> WSGIServer:
    """Return the listening server; port 0 takes any free one."""
    registry = CollectorRegistry()
    for collector in filter(None, (WorkloadCollector(folder), storage, *more)):
        registry.register(collector)
    metrics = make_wsgi_app(registry)

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return metrics(environ, start_response)
        if path == "/targets":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(dask_targets.targets(folder)).encode()]
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"There are /metrics and /targets.\n"]

    return make_server(host, port, application, server_class=_Server, handler_class=_Quiet)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=settings.workloads_dir(), help="of the local workloads")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--no-storage", action="store_true", help="ask no ONTAP: tell of workloads only")
    options = parser.parse_args()
    beside_airflow.find_connections()
    storage = None
    if not options.no_storage:
        storage = StorageCollector().start()
    with server(options.folder, options.host, options.port, storage, ProjectCollector().start()) as serving:
        print(f"http://{options.host}:{serving.server_port}/metrics", flush=True)
        serving.serve_forever()


if __name__ == "__main__":
    main()
