"""Lists the versions of a dataset, or tells which one was current at a time: the answer a DAG run of that time gets.

python -m scripts.versions --dataset tyre_images
python -m scripts.versions --dataset tyre_images --as-of 2026-11-20T06:00:00Z

The answer on stdout is JSON and nothing else; what Airflow logs while it looks up the connection goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime

from ontap_mlops import registry
from scripts import beside_airflow


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True, help="name in config/datasets.yaml")
    parser.add_argument("--as-of", type=_time, help="ISO 8601 time; without a zone, UTC")
    asked = parser.parse_args(arguments)
    beside_airflow.find_connections()

    with redirect_stdout(sys.stderr):
        from airflow.sdk.exceptions import AirflowNotFoundException

        from ontap_mlops.hooks.ontap import OntapHook
        from ontap_mlops.ontap import dataset_versions
        from ontap_mlops.ontap.errors import OntapError

        try:
            dataset = registry.dataset(asked.dataset)
            hook = OntapHook(dataset.ontap_conn_id)
            with hook.client() as client:
                versions = dataset_versions.list_versions(
                    client,
                    svm=hook.svm(dataset.svm),
                    volume=dataset.volume,
                    dataset=dataset.name,
                    adopt=dataset_versions.Adoption(*dataset.adopted),
                )
        except (OSError, ValueError, OntapError, AirflowNotFoundException) as error:
            print(error, file=sys.stderr)
            return 2
    if asked.as_of is None:
        print(json.dumps([version.to_json() for version in versions], indent=2))
        return 0
    current = dataset_versions.current_at(versions, asked.as_of)
    if current is None:
        print(f"Dataset {dataset.name} had no version at {asked.as_of.isoformat()}.", file=sys.stderr)
        return 2
    print(json.dumps(current.to_json(), indent=2))
    return 0


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
