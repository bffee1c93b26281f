"""Other sites, and the storage services of clouds: whatever sites.yaml and the connections name beside home."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from ontap_mlops import sites
from ontap_mlops.hooks.ontap import OntapHook
from ontap_mlops.ontap import cluster, peers
from scripts import roles
from scripts.preflight import Check, Failed, ontap, rights

CLOUDS = {
    "Copy and Sync": "copy_sync.CopySyncHook",
    "Azure NetApp Files": "azure_netapp.AzureNetAppHook",
    "Google Cloud NetApp Volumes": "google_netapp.GoogleNetAppHook",
}
"""What people call it, to the hook of ``ontap_mlops.hooks``, whose usual connection is looked at where there is one."""


def checks(home_conn_id: str) -> list[Check]:
    """Make and change nothing anywhere."""
    found: list[Check] = []
    for site in _sites():
        reached = f"site {site.name}, {site.ontap_conn_id}"
        found += [
            Check(reached, partial(_site, site), "cache_dataset, replicate, fail_over"),
            Check(f"clocks of site {site.name}", partial(_clocks, site), "replicate, fail_over", reached),
            Check(f"peers of site {site.name}", partial(_peers, site, home_conn_id), "replicate", reached),
        ]
    return found + [
        Check(f"{name}, {hook.default_conn_name}", partial(_tested, hook), f"operators on {name}")
        for name, hook in _clouds()
    ]


def report_rights(*, dag_id: str | None, say: Callable[[str], None] = print) -> int:
    """The same as of home's account, of the operators' calls to another cluster; how many checks failed."""
    return sum(
        rights.report(site.ontap_conn_id, dag_id=dag_id, say=say, where=roles.THERE, at=f"{site.name}: ")
        for site in _sites()
        if _there(site.ontap_conn_id)
    )


def _sites() -> list[sites.Site]:
    """None where the file cannot be read, which has a line of its own."""
    try:
        return [site for _, site in sorted(sites.usable().items())]
    except ValueError:
        return []


def _site(site: sites.Site) -> str:
    if not _there(site.ontap_conn_id):
        raise Failed(f"there is no connection {site.ontap_conn_id!r}; add it, or remove the site from sites.yaml")
    with OntapHook(site.ontap_conn_id).client() as client:
        cluster.svm_uuid(client, svm=site.svm)
    return f"SVM {site.svm} is there"


def _clocks(site: sites.Site) -> str:
    with OntapHook(site.ontap_conn_id).client() as client:
        return ontap.clocks(client)


def _peers(site: sites.Site, home_conn_id: str) -> str:
    """A cache or a copy can be wanted of one site and not of another, so none is no failure."""
    home = OntapHook(home_conn_id).svm()
    with OntapHook(site.ontap_conn_id).client() as client:
        found = peers.find_svm_peer(client, svm=site.svm, peer_svm=home)
    if found is None:
        return f"SVM {site.svm} is no peer of {home} yet: nothing can be cached or copied there (docs/fail-over.md)"
    if found.state != "peered":
        raise Failed(f"SVM {site.svm} is no peer of {home}: the relationship is {found.state}; accept it there")
    return f"SVM {site.svm} is a peer of {home}, for {' and '.join(found.applications)}"


def _clouds() -> list[tuple[str, type[Any]]]:
    found = [(name, _hook(path)) for name, path in CLOUDS.items()]
    return [(name, hook) for name, hook in found if _there(hook.default_conn_name)]


def _hook(path: str) -> type[Any]:
    module, name = path.split(".")
    return getattr(import_module(f"ontap_mlops.hooks.{module}"), name)


def _tested(hook: type[Any]) -> str:
    worked, sentence = hook().test_connection()
    if not worked:
        raise Failed(sentence)
    return sentence


def _there(conn_id: str) -> bool:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return False
    return True
