"""Airflow's database at the installed version, with a pool for each place and a connection to each service.

    python -m scripts.embedded.database FOLDER

Runs in Airflow's own environment. One process for all, since starting Airflow's command line takes seconds.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from ontap_mlops.config_file import ConfigError
from scripts.embedded import connections, environment
from scripts.embedded.layout import Layout
from scripts.embedded.ports import load
from scripts.pools import pools


def main(local: str) -> None:
    from airflow.utils.session import create_session

    migrate()
    layout = Layout(Path(local))
    ports, kept = load(layout), layout.airflow / "connections.json"
    with create_session() as session:
        wanted = environment.connections(layout, ports)
        for sentence in connections.write(wanted, environment.s3_endpoints(ports), kept, session):
            print(sentence, flush=True)


def migrate() -> None:
    """Bring Airflow's tables to the installed version and make the places' pools. SystemExit where a file is wrong."""
    from airflow.cli.cli_parser import get_parser

    try:
        made = pools()
    except ConfigError as error:
        sys.exit(f"Airflow's pools could not be made: {error}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pools.json"
        file.write_text(json.dumps(made))
        for command in (["db", "migrate"], ["pools", "import", str(file)]):
            arguments = get_parser().parse_args(command)
            arguments.func(arguments)


if __name__ == "__main__":
    main(sys.argv[1])
