"""The tasks of a site, mapped over the sites that a step before names."""

from __future__ import annotations

from typing import Any

from airflow.sdk import task_group

from ontap_mlops.operators.edge import EdgeSiteBringOperator, EdgeSiteServeOperator, EdgeSiteVerifyOperator


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
