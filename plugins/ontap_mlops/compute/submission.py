"""Starting a task's workload at the first place that takes it, so that any later try finds it again.

A job is what is written down, in plain values, before anything starts: place, workload, host, generation, round, since
when it is there (``submitted_at``), and which places before it did not take it (``tried``: place, waited_s, why). While
it is ``offered`` nobody knows whether the place has it; while it is ``leaving`` it is being withdrawn from there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ontap_mlops.compute import places, watching
from ontap_mlops.compute.watching import GivenPlace
from ontap_mlops.compute.workload import PlaceRefused, PlaceUnavailable, Runner, State, Workload

log = logging.getLogger(__name__)
Job = dict[str, Any]
_LONGEST = 63
RESULT = "result"  # of a job: what its program handed back, where its place has forgotten it


class Submission:
    """One task's jobs. ``store`` (get, set) outlives the worker; None where nothing does.

    ``generation`` is the same for all automatic tries, and another after a user cleared the task. Each generation's
    workload has a name of its own: what still cancels the one before, such as a trigger that goes, misses the new one.
    ``tell`` is given, before it starts, what ``watching.cancel`` needs to end it: for others than this task.
    """

    def __init__(
        self, store: Any, key: str, generation: int, tell: Callable[[dict[str, Any]], object] | None = None
    ) -> None:
        self.store, self.key, self.generation, self.tell = store, key, generation, tell
        self.job: Job | None = None

    def start(self, workload: Workload, order: Sequence[GivenPlace]) -> Job:
        """Run it at the first of these places that takes it.

        Where a worker died on the way from one place to the next, this goes on with the next. Raises PlaceUnavailable
        when no place takes it now, PlaceRefused when every one has refused it for good.
        """
        runners, before = places.runners(order), self._before()
        again = self._is_mine(before)
        if not again:
            self._begin(workload, runners, before)
        elif before.get("leaving"):
            return self._leave(workload, order, before)
        elif before.get("offered") and before["place"] in order:
            rest = list(order).index(before["place"])
            return self._offer(workload, runners[rest:], True, before)
        return self._offer(workload, runners, again, {"doubtful": before.get("doubtful", ())})

    def move_on(self, workload: Workload, order: Sequence[GivenPlace], job: Job, why: str) -> Job:
        """Withdraw what has found no room, and offer it to the places after its own.

        What has found room at the last moment stays; then the job is returned as it is.
        """
        waited_s = round(time.time() - job.get("submitted_at", time.time()), 1)
        leaving = {**job, "leaving": {"waited_s": waited_s, "why": why}}
        self._write(leaving)
        moved = self._leave(workload, order, leaving)
        self._write(moved)
        return moved

    def _leave(self, workload: Workload, order: Sequence[GivenPlace], job: Job) -> Job:
        """Written down before: whoever finds the withdrawn workload gone goes on with the next place, not the first."""
        place, name, runner = job["place"], job["workload"], runner_of(job)
        leaving, stays = job["leaving"], {key: value for key, value in job.items() if key != "leaving"}
        status = runner.status(name)
        if status.state in (State.RUNNING, State.SUCCEEDED):
            log.info("Place %s has found room for %s after all", places.title(place), name)
            self.job = stays
            return stays
        log.warning("Place %s: %s; workload %s is withdrawn", places.title(place), leaving["why"], name)
        runner.cancel(name)
        if runner.status(name).state is State.SUCCEEDED:
            self.job = stays
            return stays
        runner.remove(name)
        rest = list(order)[list(order).index(place) + 1 :] if place in order else []
        tried = [*job.get("tried", ()), {"place": places.title(place), **leaving}]
        return self._offer(workload, places.runners(rest) if rest else [], True, {**stays, "tried": tried})

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
        self, workload: Workload, runners: list[tuple[GivenPlace, Runner]], again: bool, earlier: Mapping[str, Any]
    ) -> Job:
        tried, doubtful = list(earlier.get("tried", ())), list(earlier.get("doubtful", ()))
        refused = [bool(one.get("refused")) for one in tried]
        for place, runner in runners:
            try:
                return self._submit_at(place, runner, workload, again, tried, doubtful)
            except (PlaceRefused, PlaceUnavailable) as error:
                permanent = isinstance(error, PlaceRefused)
                if permanent and len(runners) == 1 and not tried:
                    raise
                log.warning("Place %s does not take %s: %s", places.title(place), workload.name, error)
                if not permanent and (started := self._started(place, runner, doubtful)) is not None:
                    return started
                refused.append(permanent)
                tried.append({"place": places.title(place), "waited_s": 0, "why": str(error), "refused": permanent})
        self._write({key: value for key, value in self._before().items() if key not in ("leaving", "offered")})
        told = "; ".join(f"{one['place']}: {one['why']}" for one in tried)
        kind = PlaceRefused if refused and all(refused) else PlaceUnavailable
        raise kind(f"No place takes workload {workload.name}. {told}")

    def _started(self, place: GivenPlace, runner: Runner, doubtful: list[GivenPlace]) -> Job | None:
        """The job, where the place took it although no answer came back; None where it did not.

        A place that cannot tell is remembered: when the program has ended elsewhere, what may run there is stopped.
        """
        job = self.job
        if job is None:
            return None
        try:
            return job if runner.status(job["workload"]).state.active else None
        except (PlaceRefused, PlaceUnavailable):
            doubtful.append(job["place"])
            return None

    def _submit_at(
        self,
        place: GivenPlace,
        runner: Runner,
        workload: Workload,
        again: bool,
        tried: list[dict[str, Any]],
        doubtful: list[GivenPlace],
    ) -> Job:
        """Write down which workload is meant, then start it: dying in between leaves a name that nothing runs under."""
        self.job = None
        before = self._before()
        mine = self._is_mine(before)
        number = before.get("round", 1) if mine else before.get("round", 0) + 1
        named_so = dataclasses.replace(
            workload, name=named(workload.name, number), run=_run_at(workload.run, place, tried)
        )
        completed = places.place(place).completed(named_so)
        job: Job = {
            "place": place if isinstance(place, str) else dict(place),
            "workload": completed.name,
            "host": runner.host,
            "generation": self.generation,
            "round": number,
            "submitted_at": time.time(),
            "tried": list(tried),
            "doubtful": [one for one in doubtful if one != place],
        }
        self._write({**job, "offered": True})
        self.job = job
        if self.tell is not None:
            self.tell(at(job))
        runner.submit(completed, fresh=again)
        log.info("Workload %s runs %s at %s", completed.name, completed.program, places.title(place))
        return job

    def _write(self, job: Mapping[str, Any]) -> None:
        if self.store is not None and job:
            self.store.set(self.key, dict(job))

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
            except (PlaceRefused, PlaceUnavailable) as error:
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


def placement(job: Mapping[str, Any], began_at: float | None = None) -> dict[str, Any]:
    """Where it ran, how many seconds it waited there (None: not known), and the places before, each with why not."""
    submitted_at = job.get("submitted_at")
    waited_s = None if began_at is None or submitted_at is None else max(0.0, round(began_at - submitted_at, 1))
    tried = [{key: one[key] for key in ("place", "waited_s", "why")} for one in job.get("tried", ())]
    return {"place": places.title(job["place"]), "waited_s": waited_s, "tried": tried}


def in_words(placement: Mapping[str, Any]) -> str:
    """A placement in one line."""
    waited = placement["waited_s"]
    here = placement["place"] if waited is None else f"{placement['place']}, after waiting {waited:g} s"
    before = "; ".join(f"{one['place']} ({one['waited_s']:g} s): {one['why']}" for one in placement["tried"])
    return f"Ran at {here}" + (f". Before it: {before}" if before else "")


def settle_doubts(job: Mapping[str, Any]) -> None:
    """Stop what may have begun at places that gave no answer when it was offered to them."""
    for place in job.get("doubtful", ()):
        try:
            _clear_away(job["workload"], place, places.runner(place), running=True)
        except (PlaceRefused, PlaceUnavailable) as error:
            log.warning("What may run at place %s is not stopped: %s", places.title(place), error)


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


def _run_at(run: Mapping[str, Any] | None, place: GivenPlace, tried: Sequence[Mapping[str, Any]]) -> Any:
    """The run's record with where the program runs, and which places did not take it."""
    if run is None:
        return None
    before = {"tried": [f"{one['place']}: {one['why']}" for one in tried]} if tried else {}
    return {**run, "place": places.title(place), **before}


def _clear_away(name: str, place: GivenPlace, runner: Runner, *, running: bool) -> None:
    status = runner.status(name)
    if status.state.active and not (running or status.stopping):
        return
    if status.state.active:
        log.info("Stopping workload %s at %s, which was started before", name, places.title(place))
        runner.cancel(name)
    runner.remove(name)
