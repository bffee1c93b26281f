"""Operators on a volume's service level: give it one for a while, and put back what it had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ontap_mlops import registry, service_levels
from ontap_mlops.operators.base import OntapOperator
from ontap_mlops.operators.context import run_key
from ontap_mlops.operators.until import moment_of
from ontap_mlops.operators.waiting import OntapWaitingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ontap_mlops.ontap.client import Client
    from ontap_mlops.ontap.service_levels import Held, Terms


class _Target:
    """One volume, by its name or by the dataset that is on it."""

    def __init__(self, operator: Any) -> None:
        if bool(operator.dataset) == bool(operator.volume):
            raise ValueError(
                f"dataset is {operator.dataset!r} and volume is {operator.volume!r}: name one of the two, and only one"
            )
        if operator.dataset:
            found = registry.as_dataset(operator.dataset)
            operator.ontap_conn_id = found.ontap_conn_id
            self.svm, self.volume = operator.hook.svm(found.svm), found.volume
        else:
            self.svm, self.volume = operator.hook.svm(operator.svm), operator.volume


class OntapServiceLevelOperator(OntapWaitingOperator):
    """Give a volume a service level of service_levels.yaml for a while: its QoS policy and its tiering.

    No data moves, unless the level names aggregates and says that volumes may be moved to them. What the volume had
    before is kept on the volume, so a retry, and runs that want the same level, put back the right thing. While another
    run holds another level, the task fails at once and says until when.

    Use as setup, with :class:`OntapServiceLevelPutBackOperator` as its teardown.

    :param level: name in service_levels.yaml.
    :param dataset: name in datasets.yaml: its volume, on its own connection. Or give ``volume``.
    :param volume: name.
    :param svm: of ``volume``; the connection's own if not given.
    :param until: ISO 8601 time with its zone.
    :param hours: in place of ``until``: so long from the run's own time on.
    :return: ``level``, ``until``, ``svm``, ``volume``, ``aggregates``, ``qos_policy``, ``tiering``, ``before`` (with
        ``qos_policy`` and ``tiering``) and ``remarks``: what of the level could not be had, in words.
    """

    look = "ontap_mlops.ontap.service_levels.look"

    template_fields: Sequence[str] = ("level", "dataset", "volume", "svm", "until", "hours")

    def __init__(
        self,
        *,
        level: str,
        dataset: str | registry.Dataset | Mapping[str, Any] = "",
        volume: str = "",
        svm: str | None = None,
        until: str = "",
        hours: float | str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.level = level
        self.dataset = registry.as_argument(dataset)
        self.volume = volume
        self.svm = svm
        self.until = until
        self.hours = hours

    def execute(self, context: Context) -> Any:
        _Target(self)  # settles the connection before the base makes a client
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        _Target(self)
        return super().execute_complete(context, event)

    def begin(self, client: Client, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import moves
        from ontap_mlops.ontap import service_levels as ontap_levels

        end = self._end(context)
        if end <= datetime.now(UTC):
            raise ValueError(f"The service level {self.level!r} was asked for until {end.isoformat()}, which is past.")
        held, _, _ = self._take(client, context)
        level, stays = service_levels.level(self.level), {"aggregate": None}
        if not level.aggregates or not level.may_move:
            return stays
        tiers = level.tiering not in (None, "none")
        aggregate = ontap_levels.destination(client, held=held, patterns=level.aggregates, tiers=tiers)
        return moves.begin(client, svm=held.svm, name=held.name, aggregate=aggregate) if aggregate else stays

    def finish(self, client: Client, payload: Any, context: Context) -> dict[str, Any]:
        """Taken again: on another aggregate, tiering may be possible that was not before."""
        held, qos_before, remarks = self._take(client, context)
        level, policy = service_levels.level(self.level), _policy(held.tiering)
        if level.aggregates and not level.may_move:
            remarks = [*remarks, f"It stays on {', '.join(held.aggregates)}: level {level.name} moves no volume."]
        for remark in remarks:
            self.log.warning("%s", remark)
        before = {"qos_policy": qos_before, "tiering": _policy(held.before or held.tiering)}
        self.log.info(
            "Volume %s has level %s until %s: QoS %s (before: %s), tiering %s (before: %s)",
            *(held.name, level.name, self._end(context).isoformat(), level.qos_policy, qos_before),
            *(policy, before["tiering"]),
        )
        return {
            "level": level.name,
            "until": self._end(context).isoformat(),
            "svm": held.svm,
            "volume": held.name,
            "aggregates": list(held.aggregates),
            "qos_policy": level.qos_policy,
            "tiering": policy,
            "before": before,
            "remarks": remarks,
        }

    def _take(self, client: Client, context: Context) -> tuple[Held, str, list[str]]:
        from ontap_mlops.ontap import service_levels as ontap_levels

        target, end = _Target(self), self._end(context)
        return ontap_levels.take(
            client, svm=target.svm, volume=target.volume, terms=_terms(self.level), holder=run_key(context), until=end
        )

    def _end(self, context: Context) -> datetime:
        """The same on every try, in UTC and whole seconds."""
        if bool(self.until) == bool(self.hours):
            raise ValueError(f"until is {self.until!r} and hours is {self.hours!r}: give one of the two, and only one")
        if self.until:
            moment = moment_of(self.until)
        else:
            moment = context["dag_run"].run_after + timedelta(hours=float(self.hours))
        return moment.astimezone(UTC).replace(microsecond=0)


class OntapServiceLevelPutBackOperator(OntapOperator):
    """Put back what a volume had before this run gave it a service level; do nothing where it gave it none.

    The level stays as long as another run holds it, and what somebody else set meanwhile stays too. A volume that was
    moved stays where it is. Levels whose time is over, left behind by runs that were lost, are put back as well.

    :param dataset: name in datasets.yaml: its volume, on its own connection. Or give ``volume``.
    :param volume: name.
    :param svm: of ``volume``; the connection's own if not given.
    :return: ``qos_policy`` and ``tiering`` that the volume has now, None when it is gone; ``overdue``, the names of
        other volumes that were put back.
    """

    template_fields: Sequence[str] = ("dataset", "volume", "svm")

    def __init__(
        self,
        *,
        dataset: str | registry.Dataset | Mapping[str, Any] = "",
        volume: str = "",
        svm: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = registry.as_argument(dataset)
        self.volume = volume
        self.svm = svm

    def execute(self, context: Context) -> dict[str, Any]:
        from ontap_mlops.ontap import cluster
        from ontap_mlops.ontap import service_levels as ontap_levels

        target, holder = _Target(self), run_key(context)
        with self.hook.client() as client:
            now = ontap_levels.give_back(client, svm=target.svm, volume=target.volume, holder=holder)
            late = ontap_levels.overdue(client, svm=target.svm, now=cluster.now(client))
            for volume, lost in late:
                self.log.info("Volume %s: the level that run %s took is overdue and is put back", volume, lost)
                ontap_levels.give_back(client, svm=target.svm, volume=volume, holder=lost)
        held, policy = now if now else (None, None)
        self.log.info("Volume %s has QoS policy %s", target.volume, policy or "none (the volume is gone)")
        return {
            "qos_policy": policy,
            "tiering": _policy(held.tiering) if held else None,
            "overdue": sorted({volume for volume, _ in late}),
        }


def _terms(name: str) -> Terms:
    from ontap_mlops.ontap.service_levels import Terms

    level = service_levels.level(name)
    return Terms(level=level.name, qos_policy=level.qos_policy, tiering=level.tiering, cooling_days=level.cooling_days)


def _policy(words: str) -> str:
    return words.partition("/")[0]
