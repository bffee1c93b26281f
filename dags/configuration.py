"""No DAG: holds `config/datasets.yaml` and `config/sites.yaml` to their rules: a mistake is an import error in Airflow.

The other files here leave a wrong entry out, so that a mistake in one dataset or site stops no other.
"""

from __future__ import annotations

from ontap_mlops import registry, sites

registry.datasets()
sites.sites()
