"""No DAG: holds every entry of `config/datasets.yaml` to its rules, so that Airflow lists a mistake as an import error.

The other files here leave a wrong entry out, so that a mistake in one dataset stops no other.
"""

from __future__ import annotations

from ontap_mlops import registry

registry.datasets()
