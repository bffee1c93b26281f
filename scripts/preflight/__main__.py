"""The command: see the package's docstring."""

from __future__ import annotations

import argparse
import sys

import scripts.preflight as preflight
from scripts import beside_airflow
from scripts.preflight import elsewhere, ontap, rights, services


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=preflight.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ontap-conn-id", default="ontap_default")
    parser.add_argument("--aws-conn-id", default="aws_default", help="of the data lake, where a dataset names no other")
    parser.add_argument("--mlflow-conn-id", default="mlflow_default")
    parser.add_argument("--inference-conn-id", default="inference_default")
    parser.add_argument("--read-only", action="store_true", help="make nothing on ONTAP")
    parser.add_argument("--dag", help="count as failed what the account may not do that this DAG does, such as ingest")
    options = parser.parse_args(arguments)
    beside_airflow.find_connections()

    failed = preflight.report(services.configuration())
    failed += ontap.report(options.ontap_conn_id, read_only=options.read_only)
    failed += rights.report(options.ontap_conn_id, dag_id=options.dag)
    failed += preflight.report(elsewhere.checks(options.ontap_conn_id))
    failed += elsewhere.report_rights(dag_id=options.dag)
    failed += preflight.report(services.checks(options.mlflow_conn_id, options.inference_conn_id))
    print(f"{failed} checks failed." if failed else "All checks passed.")
    return min(failed, 99)


if __name__ == "__main__":
    sys.exit(main())
