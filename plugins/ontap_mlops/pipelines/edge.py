"""The tasks of a site, mapped over the sites that a step before names."""

from __future__ import annotations

from typing import Any

from airflow.sdk import task_group

from ontap_mlops.operators.edge import EdgeSiteBringOperator, EdgeSiteServeOperator, EdgeSiteVerifyOperator
from ontap_mlops.operators.edge_inputs import (
    EdgeInputsBringOperator,
    EdgeInputsClearOperator,
    EdgeInputsGatherOperator,
    EdgeInputsHeldOperator,
)


def at_each(group_id: str, named: Any, *, bring: bool = True, serve: bool = True, health: str = "") -> Any:
    """Return the group of tasks that ``bring``, ``verify`` and ``serve`` a version at each of the sites.

    :param named: the task that returns a list of sites, as a :class:`EdgeStageOperator`.
    :param bring: without it, what is at the site is taken as it is.
    :param serve: without it, what the site serves is not changed.
    :param health: longest time for an inference, in seconds.
    """

    @task_group(group_id=group_id)
    def at_site(site: Any) -> None:
        verify = EdgeSiteVerifyOperator(task_id="verify", site=site)
        if bring:
            EdgeSiteBringOperator(task_id="bring", site=site) >> verify
        if serve:
            within: dict[str, Any] = {"health": health} if health else {}
            verify >> EdgeSiteServeOperator(task_id="serve", site=site, verified=verify.task_id, **within)

    return at_site.expand(site=named.output)


def gather_at_each(group_id: str, named: Any) -> Any:
    """Return the group of tasks that ``bring`` and ``gather`` the inputs of each of the sites."""

    @task_group(group_id=group_id)
    def at_site(site: Any) -> None:
        EdgeInputsBringOperator(task_id="bring", site=site) >> EdgeInputsGatherOperator(task_id="gather", site=site)

    return at_site.expand(site=named.output)


def clear_at_each(group_id: str, named: Any) -> Any:
    """Return the group of tasks that ask which batches are ``held`` by the version, and ``clear`` them at the site."""

    @task_group(group_id=group_id)
    def at_site(site: Any) -> None:
        held = EdgeInputsHeldOperator(task_id="held", site=site)
        held >> EdgeInputsClearOperator(task_id="clear", site=site, held=held.task_id)

    return at_site.expand(site=named.output)
