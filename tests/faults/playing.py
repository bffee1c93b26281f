"""Plays one scenario under one fault, at each of its calls, and judges how it ended."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from airflow.sdk.definitions.retry_policy import RetryAction

from ontap_mlops.ontap.errors import OntapError, OntapPermanentError, OntapTemporaryError
from tests.faults.site import Scenario, Site
from tests.faults.trouble import Interfering, Trouble
from tests.faults.wire import Call, Killed

MOST_TRIES = 40  # a worker is killed once; this ends a scenario that never would


class Without(Exception):
    """The task ended well, but without what it is for, and said why."""


@dataclass(frozen=True)
class Undisturbed:
    start: list[dict[str, Any]]
    end: Any
    held: list[dict[str, Any]]
    calls: list[Call]


@dataclass
class Cell:
    """How a scenario stood one fault. ``errors`` are those with which it ended where it did not survive, by name, with
    "without" where it failed nothing."""

    scenario: Scenario
    trouble: Trouble
    positions: int = 0
    survived: int = 0
    errors: set[str] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.positions:
            return "-"
        named = ", ".join(sorted(self.errors))
        return " / ".join([*(["survived"] if self.survived else []), *([named] if named else [])])


def undisturbed(site: Site, scenario: Scenario) -> Undisturbed:
    """Play the scenario as it should go."""
    begin(site, scenario)
    start = site.held()
    site.run(scenario.make(site))
    calls = list(site.wire.calls)
    assert calls, f"{scenario.title} makes no call: nothing can disturb it"
    return Undisturbed(start, scenario.end(site), site.held(), calls)


def begin(site: Site, scenario: Scenario) -> None:
    site.wire.forget()  # a fault that was not met: how often a wait looks is not the same each time
    if site.back(scenario):
        return
    site.empty(peered=scenario.peered and scenario.clusters == 2)
    scenario.prepare(site)
    if not scenario.mlflow:  # which remembers what was registered
        site.keep(scenario)
    site.wire.forget()


def play(site: Site, scenario: Scenario, trouble: Trouble, good: Undisturbed, most: int) -> Cell:
    """Disturb each call that the trouble can meet, or ``most`` of them; AssertionError says what broke."""
    cell = Cell(scenario, trouble)
    met = [call for call in good.calls if trouble.at(call)]
    met = unlike(met) if trouble.everywhere else met
    for call in chosen(met, most):
        begin(site, scenario)
        interference = trouble.kind(site, call.number)
        site.wire.interference = interference
        error = _attempt(site, scenario, f"{scenario.title}, {trouble.title} at {call}")
        cell.calls += site.wire.calls
        if interference.met is None and not error:
            continue  # it went another way, and met nothing
        cell.positions += 1
        _judge(site, scenario, trouble, good, interference, error)
        cell.survived += error is None
        cell.errors |= {_named(error)} if error else set()
    return cell


def _named(error: Exception) -> str:
    return "without" if isinstance(error, Without) else type(error).__name__


def unlike(calls: list[Call]) -> list[Call]:
    """Of calls before which everything stands the same, as between two that only read, the last."""
    return [call for call, after in zip_longest(calls, calls[1:]) if after is None or after.before != call.before]


def chosen(calls: list[Call], most: int) -> list[Call]:
    """All, or as many as may be: those that change something first, then evenly among the others."""
    if len(calls) <= most:
        return calls
    changing = [call for call in calls if call.changes]
    among = changing if len(changing) >= most else calls
    return [among[int(number * len(among) / most)] for number in range(most)]


def _attempt(site: Site, scenario: Scenario, where: str) -> Exception | None:
    """Try as often as the retry policy says; the error with which the task is failed for good, or None."""
    tries = 0
    for _ in range(MOST_TRIES):
        operator, site.try_number = scenario.make(site), tries + 1
        try:
            result = site.run(operator)
        except Killed:
            site.wire.dead = False  # another worker
            continue
        except Exception as error:
            tries += 1
            decided = operator.retry_policy.evaluate(error, tries, operator.retries + 1).action
            _check_decision(error, decided, where)
            if decided is RetryAction.FAIL or tries > operator.retries:
                return error
        else:
            said = scenario.without(site, result)
            return Without(said) if said else None
    raise AssertionError(f"{where}: it never ends")


def _check_decision(error: Exception, decided: RetryAction, where: str) -> None:
    if isinstance(error, OntapPermanentError):
        assert decided is RetryAction.FAIL, f"{where}: {error!r} is tried again in vain"
    if isinstance(error, OntapTemporaryError):
        assert decided is RetryAction.RETRY, f"{where}: {error!r} is not tried again"


def _judge(
    site: Site,
    scenario: Scenario,
    trouble: Trouble,
    good: Undisturbed,
    interference: Interfering,
    error: Exception | None,
) -> None:
    where = f"{scenario.title}, {trouble.title} at {interference.met}"
    if error is not None:
        allowed = bool(trouble.clear) if isinstance(error, Without) else isinstance(error, trouble.clear)
        assert allowed, f"{where}: ended with {error!r}"
        _check_sentence(site, error, where)
        _check_nothing_else(site, scenario, good, where)
        interference.repair()
        again = _attempt(site, scenario, f"{where}, put right")
        assert again is None, f"{where}: put right, it ended with {again!r}"
    else:
        interference.repair()
    end = scenario.end(site)
    assert end == good.end, f"{where}: ended otherwise than undisturbed:\n{difference(good.end, end)}"


def _check_sentence(site: Site, error: Exception, where: str) -> None:
    said = str(error)
    assert isinstance(error, OntapError | Without) and len(said.split()) > 5 and said.rstrip()[-1] in ".!?", (
        f"{where}: {said!r}"
    )
    assert "Traceback" not in said and "object at 0x" not in said, f"{where}: {said!r}"
    passwords = [cluster.emulator.password for cluster in site.clusters]
    assert not any(password in said for password in passwords), f"{where}: names a password"


def _check_nothing_else(site: Site, scenario: Scenario, good: Undisturbed, where: str) -> None:
    """Nothing lies about but what was there before, is there after an undisturbed run, or is meant to."""
    for now, before, after in zip(site.held(), good.start, good.held, strict=True):
        odd = {name for name in set(now) - set(before) - set(after) if not name.startswith(scenario.keeps)}
        assert not odd, f"{where}: leaves {', '.join(sorted(odd))}"


def difference(wanted: Any, found: Any) -> str:
    lines = [json.dumps(value, indent=1, sort_keys=True, default=str).splitlines() for value in (wanted, found)]
    return "\n".join(list(difflib.unified_diff(*lines, "undisturbed", "disturbed", lineterm="", n=4))[:60])
