"""Starting a task's workload at the first place that takes it, so that any later try finds it again.

A job is what is written down, in plain values, before anything starts: place, workload, host, generation, round.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ontap_mlops.compute import places, watching
from ontap_mlops.compute.watching import GivenPlace
from ontap_mlops.compute.workload import PlaceRefused, PlaceUnavailable, Runner, Workload

log = logging.getLogger(__name__)
Job = dict[str, Any]
_LONGEST = 63
RESULT = "result"  # of a job: what its program handed back, where its place has forgotten it


class Submission:
    """One task's jobs. ``store`` (get, set) outlives the worker; None where nothing does.

    ``generation`` is the same for all automatic tries, and another after a user cleared the task. Each generation's
    workload has a name of its own: what still cancels the one before, such as a trigger that goes, misses the new one.
    """

    def __init__(self, store: Any, key: str, generation: int) -> None:
        self.store, self.key, self.generation = store, key, generation
        self.job: Job | None = None

    def start(self, workload: Workload, order: Sequence[GivenPlace]) -> Job:
        """Run it at the first of these places that takes it. Raises PlaceUnavailable when none does."""
        runners, before = places.runners(order), self._before()
        again = self._is_mine(before)
        if not again:
            self._begin(workload, runners, before)
        return self._offer(workload, runners, again, [])

    def move_on(self, workload: Workload, order: Sequence[GivenPlace], job: Job) -> Job:
        """Withdraw what has found no room, and offer it to the places after its own."""
        place = job["place"]
        runner = runner_of(job)
        why = runner.status(job["workload"]).message
        log.warning(
            "Place %s has had no room for %s; it is withdrawn. %s", places.title(place), job["workload"], why or ""
        )
        runner.cancel(job["workload"])
        runner.remove(job["workload"])
        rest = list(order)[list(order).index(place) + 1 :] if place in order else []
        limit = places.place(place).pending_limit_s or 0
        refusals = [f"{places.title(place)}: no room within {limit:g} s" + (f" ({why})" if why else "")]
        return self._offer(workload, places.runners(rest) if rest else [], True, refusals)

    def settle(self, job: Job) -> dict[str, Any]:
        """Return the result of a job that ended well; where its place keeps nothing, all else of it goes.

        The result is written down before, so that a worker's death in between loses nothing.
        """
        if RESULT in job:
            result = job[RESULT]
        else:
            result = runner_of(job).result(job["workload"])
            if places.place(job["place"]).keeps_ended:
                return result
            job = {**job, RESULT: result}
            if self.store is not None:
                self.store.set(self.key, job)
        self.job = job
        forget(job)
        return result

    def _offer(
        self, workload: Workload, runners: list[tuple[GivenPlace, Runner]], again: bool, refusals: list[str]
    ) -> Job:
        for place, runner in runners:
            try:
                return self._submit_at(place, runner, workload, again)
            except PlaceUnavailable as error:
                log.warning("Place %s does not take %s: %s", places.title(place), workload.name, error)
                refusals.append(f"{places.title(place)}: {error}")
        raise PlaceUnavailable(f"No place takes workload {workload.name}. " + "; ".join(refusals))

    def _submit_at(self, place: GivenPlace, runner: Runner, workload: Workload, again: bool) -> Job:
        """Write down which workload is meant, then start it: dying in between leaves a name that nothing runs under."""
        before = self._before()
        mine = self._is_mine(before)
        number = before.get("round", 1) if mine else before.get("round", 0) + 1
        workload = places.place(place).completed(dataclasses.replace(workload, name=named(workload.name, number)))
        job: Job = {
            "place": place if isinstance(place, str) else dict(place),
            "workload": workload.name,
            "host": runner.host,
            "generation": self.generation,
            "round": number,
        }
        if self.store is not None:
            self.store.set(self.key, job)
        self.job = job
        runner.submit(workload, fresh=again)
        log.info("Workload %s runs %s at %s", workload.name, workload.program, places.title(place))
        return job

    def _before(self) -> Job:
        """What the store knows; {} where it knows nothing."""
        stored = self.store.get(self.key) if self.store is not None else None
        return stored if isinstance(stored, dict) else {}

    def _is_mine(self, job: Mapping[str, Any]) -> bool:
        return job.get("generation") == self.generation

    def _begin(self, workload: Workload, runners: list[tuple[GivenPlace, Runner]], before: Job) -> None:
        """Make sure that nothing from before a user's clear runs on, or is taken for this try's.

        Without a store nobody can tell a clear from a retry: then what runs is joined.
        """
        if before:
            self._clear_former(before)
        name = named(workload.name, before.get("round", 0) + 1)
        for place, runner in runners:
            try:
                _clear_away(name, place, runner, running=self.store is not None)
            except PlaceUnavailable as error:
                log.warning("What may still run at place %s is not stopped: %s", places.title(place), error)

    def _clear_former(self, job: Job) -> None:
        """Where the former job's place cannot be reached, the user's clear decides."""
        try:
            _clear_away(job["workload"], job["place"], runner_of(job), running=True)
        except (PlaceRefused, PlaceUnavailable) as error:
            log.warning("What ran before this task was cleared is not stopped: %s", error)


def at(job: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of ``watching.look`` and ``watching.cancel``."""
    return {"place": job["place"], "workload": job["workload"], "host": job.get("host")}


def runner_of(job: Mapping[str, Any]) -> Runner:
    """Raises PlaceElsewhere where only another host can reach it."""
    return watching.runner_of(**at(job))


def forget(job: Mapping[str, Any]) -> None:
    """Remove what ended where its place keeps nothing; what cannot be removed now stays until somebody does."""
    if places.place(job["place"]).keeps_ended:
        return
    try:
        runner_of(job).remove(job["workload"])
    except (PlaceRefused, PlaceUnavailable) as error:
        log.warning("What is left of %s at %s stays there: %s", job["workload"], places.title(job["place"]), error)


def named(name: str, number: int) -> str:
    """Name of a workload in this round: its own in the first, with the round's number behind it in a later one."""
    if number == 1:
        return name
    suffix = f"-c{number}"
    if len(name) + len(suffix) > _LONGEST:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name[: _LONGEST - len(suffix) - 9]}-{digest}"
    return name + suffix


def _clear_away(name: str, place: GivenPlace, runner: Runner, *, running: bool) -> None:
    status = runner.status(name)
    if status.state.active and not (running or status.stopping):
        return
    if status.state.active:
        log.info("Stopping workload %s at %s, which was started before", name, places.title(place))
        runner.cancel(name)
    runner.remove(name)
