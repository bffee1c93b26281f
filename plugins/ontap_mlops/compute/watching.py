"""One look at a workload, for whoever waits for it: a task in its worker, or a trigger that knows only plain values."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ontap_mlops.compute import places
from ontap_mlops.compute.following import DASHBOARD, LogFollower
from ontap_mlops.compute.workload import PlaceElsewhere, Runner, State, Status

GivenPlace = str | Mapping[str, Any]
"""A name in compute.yaml, or the values of such an entry."""


def look(
    place: GivenPlace, workload: str, host: str | None = None, cursor: Sequence[Any] = (None, "")
) -> dict[str, Any]:
    """Return state and new log lines, as the answer of a ``PollingTrigger``'s probe.

    The payload holds place, workload, host, state, exit_code, message, out_of_time, ``overdue`` and ``began_at``.
    ``overdue`` is true when it waits for room for longer than the place's ``pending_limit_s``, which ends the wait, or
    when the place has given it up for want of room; ``began_at`` is when it was first seen not to wait (seconds since
    1970). The fact ``dashboard`` is a page that the program serves about itself. Raises PlaceElsewhere on another host
    than the workload's.
    """
    runner = runner_of(place, workload, host)
    status = runner.status(workload)
    late = status.state is State.PENDING and _is_overdue(status, places.place(place).pending_limit_s)
    overdue = late or status.no_room
    began_at = cursor[2] if len(cursor) > 2 else None
    if began_at is None and status.state not in (State.PENDING, State.MISSING):
        began_at = time.time()
    follower = LogFollower(runner, workload, cursor[:2])
    lines = list(follower.lines(last=not status.state.active))
    pages = [page[1] for line in lines if (page := DASHBOARD.search(line))]
    return {
        "done": overdue or not status.state.active,
        "payload": {
            "place": place,
            "workload": workload,
            "host": host,
            "state": status.state.value,
            "exit_code": status.exit_code,
            "message": status.message,
            "overdue": overdue,
            "out_of_time": status.out_of_time,
            "began_at": began_at,
        },
        "lines": lines,
        "cursor": [*follower.position, began_at],
        "facts": {"dashboard": pages[-1]} if pages else {},
    }


def cancel(place: GivenPlace, workload: str, host: str | None = None) -> None:
    """Stop it, and let go of it where the place keeps nothing. Raises PlaceElsewhere on another host than its own."""
    runner = runner_of(place, workload, host)
    runner.cancel(workload)
    if not places.place(place).keeps_ended:
        runner.remove(workload)


def runner_of(place: GivenPlace, workload: str, host: str | None) -> Runner:
    """Return the runner under which it was submitted. Raises PlaceElsewhere where this host is not the one."""
    runner = places.runner(place)
    if host is not None and runner.host not in (None, host):
        raise PlaceElsewhere(
            f"workload {workload} runs at place {places.title(place)!r} of host {host}, which host {runner.host} "
            f"cannot reach: retry the task on {host}, clear it when nothing of it runs there, or name a place that "
            "every host reaches"
        )
    return runner


def _is_overdue(status: Status, limit_s: float | None) -> bool:
    since = status.pending_since
    return limit_s is not None and since is not None and time.time() - since > limit_s
