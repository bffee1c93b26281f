"""What a transfer really took, kept by the task that made it: the planner learns from it, nobody has to wire it."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ontap_mlops import assets, ends
from ontap_mlops.operators.base import MlopsOperator
from ontap_mlops.operators.workload import WorkloadOperator, as_mount
from ontap_mlops.planning import Record, past
from ontap_mlops.planning.ways import SNAPMIRROR

if TYPE_CHECKING:
    from airflow.sdk import Context

REMEMBERED = 200  # events of an asset that are read


class _RecordsTransfer(MlopsOperator):
    """An operator that moves data and keeps how much, how fast and which way: an event of the asset ``transfers``.

    Beside it stands what the newest plan for the same route had said. What moved nothing, or took nobody knows how
    long, makes no event; what cannot be kept fails no task.
    """

    def __init__(self, *, inlets: Any = None, outlets: Any = None, **kwargs: Any) -> None:
        known = [*(inlets or ()), assets.PLANS, assets.TRANSFERS]
        super().__init__(inlets=known, outlets=[*(outlets or ()), assets.MOVED], **kwargs)

    def keep(
        self,
        context: Context,
        *,
        way: str,
        source: str,
        target: str,
        bytes_moved: float,
        seconds: float | None,
        transfer: str = "",
    ) -> None:
        """Keep one transfer.

        :param way: one of ``planning.ways.NAMES``.
        :param source: as ``ends.place`` reads it, or in any words; ``target`` likewise.
        :param transfer: what tells it from others, so that a task that finds it done keeps it no second time.
        """
        try:
            if bytes_moved <= 0 or seconds is None:
                return
            start, goal = ends.canonical(source), ends.canonical(target, is_target=True)
            if transfer and any(record.transfer == transfer for record in past_of(context)):
                return
            said = said_of(context, start, goal, way)
            record = made(
                context, way=way, source=start, target=goal, moved=bytes_moved, seconds=seconds, said=said, id_=transfer
            )
            context["outlet_events"][assets.MOVED].add(assets.TRANSFERS, extra={"transfer": record.to_json()})
        except Exception as error:  # the data has been moved, whatever becomes of this
            self.log.warning("What the transfer took could not be kept for the planner: %s", error)
            return
        self.log.info("Kept for the planner: %s", past.sentence(record))


class _RecordsMirror(_RecordsTransfer):
    """The same of a transfer of a mirror, which its last look tells in full."""

    def finish(self, client: Any, payload: Any, context: Context) -> Any:
        self.keep(
            context,
            way=SNAPMIRROR,
            source=payload["source"],
            target=payload["destination"],
            bytes_moved=payload["bytes"] or 0,
            seconds=payload["seconds"],
            transfer=payload["transfer"],
        )
        return payload


class _MovingWorkload(_RecordsTransfer, WorkloadOperator):
    """The same of a program whose result tells bytes and seconds. A subclass says in ``moved`` what they are."""

    def moved(self, result: Mapping[str, Any], context: Context) -> Mapping[str, Any] | None:
        """Return the arguments of ``keep``; None where it is not known between which ends it was."""
        raise NotImplementedError

    def execute(self, context: Context) -> Any:
        return self._kept(super().execute(context), context)

    def execute_complete(self, context: Context, event: dict[str, Any], job: dict[str, Any]) -> Any:
        return self._kept(super().execute_complete(context, event, job), context)

    def _kept(self, result: Any, context: Context) -> Any:
        if isinstance(result, Mapping) and (moved := self.moved(result, context)):
            self.keep(context, **moved)
        return result

    def end_of(self, path: str, context: Context) -> str:
        """Return an end as the planner knows it: of a folder ``{key}/...``, the volume that is mounted there."""
        key = path[1:].partition("}")[0] if path.startswith("{") else ""
        mount = self.run_mounts(context).get(key) if key else None
        if mount is None:
            return path
        where = as_mount(key, mount)
        return f"{where.svm}:{where.junction_path.strip('/').partition('/')[0]}"


def past_of(context: Context) -> list[Record]:
    """Return the newest recorded transfers; none where Airflow knows of none."""
    return past.read(extra.get("transfer") for extra in _newest(context, assets.TRANSFERS))


def said_of(context: Context, source: str, target: str, way: str) -> Mapping[str, Any]:
    """Return what the newest plan for this route said of this way; nothing without one."""
    called = functools.cache(ends.canonical)
    for extra in _newest(context, assets.PLANS):
        plan = extra.get("plan") or {}
        start, _, goal = str(plan.get("route", "")).partition(" -> ")
        if (called(start), called(goal, is_target=True)) == (source, target):
            return of_way(plan, way)
    return {}


def of_way(plan: Mapping[str, Any], way: str) -> Mapping[str, Any]:
    return next((each for each in plan.get("ways", ()) if each.get("name") == way), {})


def made(
    context: Context,
    *,
    way: str,
    source: str,
    target: str,
    moved: float,
    seconds: float,
    said: Mapping[str, Any],
    id_: str = "",
) -> Record:
    run = context["dag_run"]
    return Record(
        source=source,
        target=target,
        way=way,
        bytes=int(moved),
        seconds=float(seconds),
        ended_at=datetime.now(UTC).isoformat(timespec="seconds"),
        said_bytes=said.get("first_bytes"),
        said_s=said.get("first_s"),
        run=f"{run.dag_id}/{run.run_id}",
        transfer=id_,
    )


def _newest(context: Context, asset: Any) -> Sequence[Mapping[str, Any]]:
    events: Any = context.get("inlet_events")
    if not events or asset not in list(events):
        return []
    return [assets.told(event) for event in events[asset].ascending(False).limit(REMEMBERED)]
