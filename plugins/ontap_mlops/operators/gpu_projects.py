"""Operators on GPU projects: given to a place's scheduler, and the published scenarios of fair sharing played there."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from ontap_mlops.compute import playing
from ontap_mlops.compute.kinds.base import BasePlace
from ontap_mlops.compute.playing import NamedPlace, Stage
from ontap_mlops.compute.workload import PlaceRefused
from ontap_mlops.config_file import ConfigError
from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.context import needed, result_of, run_key
from ontap_mlops.operators.waiting import WaitingOperator
from ontap_mlops.operators.workload import WorkloadOperator
from ontap_mlops.projects import config, use
from ontap_mlops.projects.changes import ProjectsRefused
from ontap_mlops.projects.jobs import Job
from ontap_mlops.projects.scenarios import QUOTAS, SCENARIOS, Scenario, scenario

if TYPE_CHECKING:
    from airflow.sdk import Context

APPLY = "apply"
NONE = "none"
UP_TO = {NONE: "none: apply the projects only"} | {
    one.section: f"{'4.8' if number == 1 else f'4.8 to {one.section}'}: {one.title}"
    for number, one in enumerate(SCENARIOS, 1)
}
"""What can be chosen to be played, and how a form shows it: each scenario goes on from those before it."""

log = logging.getLogger(__name__)


def task_of(section: str) -> str:
    """Return the task id of a scenario."""
    return f"scenario_{section.replace('.', '_')}"


class GpuProjectsApplyOperator(MlopsOperator):
    """Give the projects of config/projects.yaml to the scheduler of a place: make, change and remove what differs.

    Done again, it changes nothing. What was not made from the file is neither changed nor removed.

    :param place: of config/compute.yaml.
    :param plan_only: only show what differs; text of a template counts by what it says.
    :return: ``place``, ``changes`` (a sentence each) and ``made`` (false where it only showed them).
    """

    template_fields: Sequence[str] = ("place", "plan_only")

    def __init__(self, *, place: str, plan_only: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.place = place
        self.plan_only = plan_only

    def execute(self, context: Context) -> dict[str, Any]:
        dry = str(self.plan_only).strip().lower() == "true"
        with _refused(), NamedPlace(self.place).client() as place:
            changes = place.projects().plan()
            for change in changes:
                self.log.info("%s%s", "Would " if dry else "", change.sentence)
                if not dry:
                    change.make()
        if not changes:
            self.log.info("%s has the projects as projects.yaml says them", self.place)
        return {"place": self.place, "changes": [change.sentence for change in changes], "made": not dry}


class GpuScenariosCheckOperator(MlopsOperator):
    """Make sure that the published scenarios can be played at a place: their quotas, and nobody else on the GPUs.

    Use as the setup of :class:`GpuScenariosRemoveOperator`. Where nothing is to be played, or the projects were only
    shown and not made, the task is skipped, and with it the scenarios.

    :param place: of config/compute.yaml.
    :param up_to: the last section that is played, ``none`` for none.
    """

    template_fields: Sequence[str] = ("place", "up_to")

    def __init__(self, *, place: str, up_to: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.place = place
        self.up_to = up_to

    def execute(self, context: Context) -> None:
        if self.up_to == NONE or not needed(context, APPLY)["made"]:
            self.skip_because(context, "No scenario is played: the run only applies or shows the projects.", note=False)
        with _refused(), NamedPlace(self.place).client() as place:
            _stage(place, context).check()


class GpuScenarioPlayOperator(WaitingOperator):
    """Play one published scenario on a place's scheduler, and compare who has which GPUs with the published table.

    Submits what the scenario submits, ends what it ends, and waits, without a worker slot, until the scheduler has come
    to rest. Fails where its allocation is another than the published one, with a sentence for each team. What was
    submitted goes on running for the next scenario, until :class:`GpuScenariosRemoveOperator` ends it. A try that was
    cut off is gone on with.

    :param place: of config/compute.yaml.
    :param section: of the report: 4.8, 4.9 or 4.10. Each goes on from those before it.
    :param up_to: the last section that is played; a later one is skipped.
    :return: ``section``, ``title``, ``at`` (seconds since 1970), ``teams`` (GPUs and queue beside the published ones),
        ``use`` (of GPUs by project) and ``differences``.
    """

    template_fields: Sequence[str] = ("place", "up_to")
    hook_class = "ontap_mlops.compute.playing.NamedPlace"
    look = "ontap_mlops.compute.playing.look"
    service = "the scheduler"

    def __init__(self, *, place: str, section: str, up_to: str, poll_interval_s: float = 2.0, **kwargs: Any) -> None:
        super().__init__(poll_interval_s=poll_interval_s, **kwargs)
        self.place = place
        self.section = section
        self.up_to = up_to

    @property
    def hook(self) -> NamedPlace:
        return NamedPlace(self.place)

    def where(self) -> dict[str, Any]:
        return {"place": self.place}

    def execute(self, context: Context) -> Any:
        if not self._is_wanted():
            self.skip_because(context, f"Only the scenarios up to {self.up_to} are played.", note=False)
        with _refused():
            return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        with _refused():
            return super().execute_complete(context, event)

    def begin(self, client: BasePlace, context: Context) -> dict[str, Any]:
        one = scenario(self.section)
        self.log.info("%s %s", one.section, one.title)
        stage = _stage(client, context)
        stage.begin(one)
        return {"prefix": stage.prefix, "section": self.section}

    def finish(self, client: BasePlace, payload: Any, context: Context) -> dict[str, Any]:
        one, jobs = scenario(self.section), [Job(**row) for row in payload["jobs"]]
        for line in playing.table(one, jobs).splitlines():
            self.log.info("%s", line)
        used = use.measured(config.projects(), client.projects().jobs())
        found = {
            "section": one.section,
            "title": one.title,
            "at": time.time(),
            "teams": teams(one, jobs),
            "use": [dataclasses.asdict(row) for row in used],
            "differences": payload["differences"],
        }
        if payload["differences"]:
            context["ti"].xcom_push(key="return_value", value=found)  # the report shows it all the same
            raise AirflowFailException(f"Not as published in {one.section}: {'; '.join(payload['differences'])}")
        return found

    def _is_wanted(self) -> bool:
        known = list(UP_TO)
        if self.up_to not in known:
            raise AirflowFailException(f"up_to is {self.up_to!r}; give one of {', '.join(known)}")
        return known.index(self.section) <= known.index(self.up_to)


class GpuScenariosRemoveOperator(MlopsOperator):
    """End and remove all that the run's scenarios have submitted, and wait until the scheduler has its GPUs back.

    Use as the teardown of :class:`GpuScenariosCheckOperator`, so that it runs whatever became of the scenarios.

    :param place: of config/compute.yaml.
    """

    template_fields: Sequence[str] = ("place",)

    def __init__(self, *, place: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.place = place

    def execute(self, context: Context) -> None:
        with _refused(), NamedPlace(self.place).client() as place:
            _stage(place, context).clear()


class GpuProjectsReportOperator(WorkloadOperator):
    """Keep what was found with an MLflow run: a page on the use of GPUs for each scenario, and figures by project.

    Where none was played, the page shows how things stand now. Fails, after the pages are kept, where a scenario has
    allocated otherwise than published or was not played to its end.

    :param place: of config/compute.yaml, whose GPUs these are; ``compute`` is where the pages are written.
    :param up_to: the last section that was to be played.
    :return: what the program says: ``place``, ``changes``, ``scenarios``, ``pages`` and the MLflow run.
    """

    template_fields: Sequence[str] = (*WorkloadOperator.template_fields, "place", "up_to")

    def __init__(self, *, place: str, up_to: str, **kwargs: Any) -> None:
        super().__init__(program="tasks.projects.report", **kwargs)
        self.place = place
        self.up_to = up_to

    def run_facts(self, context: Context) -> dict[str, Any]:
        run, applied = context["dag_run"], needed(context, APPLY)
        wanted = [section for section in self._sections() if applied["made"]]
        results = {section: result_of(context, task_of(section)) for section in wanted}
        played = [result for result in results.values() if isinstance(result, Mapping)]
        problems = [f"{one['section']}: {text}" for one in played for text in one["differences"]]
        problems += [f"{section} was not played to its end" for section, result in results.items() if not result]
        facts = {"place": self.place, "changes": applied["changes"], "scenarios": played, "pages": self._pages(played)}
        return {
            "schema": 1,
            "run": {"run_key": run_key(context), "dag_id": run.dag_id, "run_id": run.run_id},
            "facts": {**facts, "problems": problems},
        }

    def _sections(self) -> list[str]:
        known = list(UP_TO)
        return known[1 : known.index(self.up_to) + 1]

    def _pages(self, played: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        known = config.projects()
        if played:
            rows = {one["section"]: [use.Use(**row) for row in one["use"]] for one in played}
            return {
                f"gpus-{one['section']}.html": use.page(self.place, known, rows[one["section"]], one["at"])
                for one in played
            }
        with NamedPlace(self.place).client() as place:
            now = use.measured(known, place.projects().jobs())
        return {"gpus.html": use.page(self.place, known, now)}


def gpu_places() -> list[str]:
    """Return the names of the places whose schedulers know GPU projects; none where a file is wrong.

    Whoever runs something says what is wrong with it.
    """
    from ontap_mlops.compute import places

    try:
        known = places.places()
    except ConfigError as error:
        log.warning("No place with GPU projects can be chosen: %s", error)
        return []
    return [name for name, place in known.items() if _knows_projects(place)]


def teams(one: Scenario, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Return a row for each team: GPUs and queue, each beside the published one."""
    return [
        {
            "project": project,
            "quota": quota,
            "gpus": round(playing.allocated(jobs, project), 3),
            "published": one.allocated[project],
            "queued": playing.queued(jobs, project),
            "published_queued": one.queued.get(project, 0),
        }
        for project, quota in QUOTAS.items()
    ]


def _knows_projects(place: BasePlace) -> bool:
    try:
        place.projects()
    except (PlaceRefused, ConfigError):
        return False
    return True


def _stage(place: BasePlace, context: Context) -> Stage:
    """The stage of this run: what it has submitted is known by the run's key."""
    return Stage(place, f"{run_key(context).replace('_', '-')}-", lambda line: log.info("%s", line))


@contextmanager
def _refused() -> Iterator[None]:
    """What will be refused again fails at once."""
    try:
        yield
    except (PlaceRefused, ProjectsRefused, ConfigError) as error:
        raise AirflowFailException(str(error)) from None
