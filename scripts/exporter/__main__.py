"""What this product has and does, for Prometheus.

``python -m scripts.exporter``: ``/metrics`` shows dataset versions, snapshots, space, clones and caches on ONTAP, what
could be reclaimed, which model version serves, Airflow's runs and queues, the GPUs of projects and the newest
workloads; ``/targets`` is for ``http_sd_configs``: the Dask clusters that programs run now, wherever their ports are.

Without a token it listens for this machine only. docs/monitoring.md has the details.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ontap_mlops import settings
from scripts import beside_airflow
from scripts.exporter import pages, subjects
from scripts.exporter.looking import Watch

PORT = 9108


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=settings.workloads_dir(), help="of the local workloads")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--token-file", type=Path, help="holds the token that the pages ask for")
    for name, what in subjects.LEFT_OUT.items():
        parser.add_argument(f"--no-{name}", action="store_true", help=what)
    options = parser.parse_args()
    token = pages.token_in(options.token_file)
    beside_airflow.find_connections()
    left_out = [name for name in subjects.LEFT_OUT if getattr(options, f"no_{name}")]
    watch = Watch(subjects.chosen(left_out))
    with pages.server(options.folder, options.host, options.port, watch, token=token) as serving:
        watch.start()
        print(f"http://{options.host}:{serving.server_port}/metrics", flush=True)
        serving.serve_forever()


if __name__ == "__main__":
    main()
