"""What follows from the tests: which kind of drift there is, whether that is an alarm, and the sentence that says so.

**Data drift**: the inputs have changed, or how sure the champion is of them. **Concept drift**: the champion is less
right on labelled new rows than its inputs explain, so that what is to be learned has changed. What cannot be told, with
too few rows or without labels, is no alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tasks.drift.sample import Pair, Sample
from tasks.drift.statistics import Column, Concept, Interval, compare_columns, compare_concept, tell_apart

DATA, CONCEPT, BOTH, NONE, NOT_KNOWN = "data", "concept", "data and concept", "none", "not known"
KINDS = (DATA, CONCEPT)
CHANCES = "champion's confidence"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """``alpha``: chance of a false alarm of each kind of test. ``effect``: least distance of a column's distributions.

    ``separation``: least ROC AUC of telling new rows from old ones. ``worse_by``: by how much the champion's figure has
    to be worse than its inputs explain. ``rows``: fewer new or old rows are not judged. ``alarm_on``: kinds of drift.
    """

    alpha: float = 0.001
    effect: float = 0.1
    separation: float = 0.6
    worse_by: float = 0.03
    rows: int = 100
    alarm_on: Sequence[str] = KINDS


@dataclass(frozen=True)
class Verdict:
    """``drift`` is one of the kinds above; ``not_judged`` are sentences on what could not be told."""

    drift: str
    alarm: bool
    reason: str
    columns: list[Column] = field(default_factory=list)
    confidence: Column | None = None
    separation: Interval | None = None
    concept: Concept | None = None
    not_judged: list[str] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """Return what fits into a task's result."""
        told: dict[str, Any] = {"drift": self.drift, "alarm": self.alarm, "reason": self.reason}
        changed = [column for column in self.columns if column.drifted]
        told["columns"] = {column.name: round(column.distance, 4) for column in (changed or self.columns)[:10]}
        if self.confidence:
            told["confidence"] = round(self.confidence.distance, 4)
        if self.separation:
            told["separation"] = _rounded(self.separation)
        if self.concept:
            told["figure"] = {name: round(getattr(self.concept, name), 6) for name in ("before", "after", "expected")}
            told |= {"change": _rounded(self.concept.change), "unexplained": _rounded(self.concept.unexplained)}
        return {**told, "not_judged": self.not_judged}


def judge(pair: Pair, limits: Limits) -> Verdict:
    """Make all tests that the rows allow, and say what they mean together."""
    before, after = pair.before, pair.after
    for sample, which in ((after, "new"), (before, "old")):
        if sample.rows < limits.rows:
            sentence = f"There are {sample.rows} {which} rows, and fewer than {limits.rows} are not judged."
            return Verdict(NOT_KNOWN, False, sentence, not_judged=[sentence])
    not_judged: list[str] = []
    changes = partial(compare_columns, alpha=limits.alpha, effect=limits.effect, tests=len(before.columns) + 1)
    columns = changes(before.columns, after.columns)
    confidence = _confidence(before, after, limits, changes, not_judged)
    separation = None
    if before.embedding is not None and after.embedding is not None:
        separation = tell_apart(before.embedding, after.embedding, alpha=limits.alpha)
    concept = _concept(pair, limits, not_judged)
    parts = _data_parts(columns, confidence, separation, limits)
    worse = concept is not None and concept.unexplained.high < -limits.worse_by
    drift = {(True, True): BOTH, (True, False): DATA, (False, True): CONCEPT}.get((bool(parts), worse), NONE)
    kinds = [kind for kind, found in ((DATA, bool(parts)), (CONCEPT, worse)) if found]
    alarm = any(kind in limits.alarm_on for kind in kinds)
    reason = _reason(drift, parts, concept, pair)
    return Verdict(drift, alarm, reason, columns, confidence, separation, concept, not_judged)


def _confidence(
    before: Sample, after: Sample, limits: Limits, changes: Callable[..., list[Column]], not_judged: list[str]
) -> Column | None:
    old, new = before.chances, after.chances
    if min(len(old), len(new)) < limits.rows:
        not_judged.append(
            f"The champion's confidence is not judged: {len(old)} old and {len(new)} new rows were not trained on, and "
            f"{limits.rows} are needed."
        )
        return None
    return changes({CHANCES: old}, {CHANCES: new})[0]


def _concept(pair: Pair, limits: Limits, not_judged: list[str]) -> Concept | None:
    old, new = pair.before.labelled, pair.after.labelled
    if min(old.sum(), new.sum()) < limits.rows:
        not_judged.append(
            f"Concept drift is not judged: {old.sum()} old and {new.sum()} new rows have a label and were not trained "
            f"on, and {limits.rows} are needed."
        )
        return None
    before, after = ((s.chances[rows], s.figures[rows]) for s, rows in ((pair.before, old), (pair.after, new)))
    return compare_concept(before, after, better=pair.better, alpha=limits.alpha)


def _data_parts(
    columns: Sequence[Column], confidence: Column | None, separation: Interval | None, limits: Limits
) -> list[str]:
    """Return what has changed of the inputs, in words."""
    changed = [f"{column.name} ({column.distance:.2f})" for column in columns if column.drifted]
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    parts = [f"{', '.join(changed[:3])}{more} of {len(columns)} columns"] if changed else []
    if separation and separation.low >= limits.separation:
        parts.append(f"new rows are told from old ones (AUC {separation.value:.2f}, at least {separation.low:.2f})")
    if confidence and confidence.drifted:
        parts.append(f"the champion's confidence ({confidence.distance:.2f})")
    return parts


def _reason(drift: str, parts: Sequence[str], concept: Concept | None, pair: Pair) -> str:
    told = [f"Data drift: {'; '.join(parts)}."] if parts else ["The inputs are as they were."]
    if concept is None:
        return " ".join(told)
    kind = "Concept drift" if CONCEPT in drift else "No concept drift"
    told.append(f"{kind}: {_figures(concept, pair)}.")
    return " ".join(told)


def _figures(concept: Concept, pair: Pair) -> str:
    left = concept.unexplained
    if left.high < 0:
        within = f"worse than expected by {-left.value:.3f} ({-left.high:.3f} to {-left.low:.3f})"
    else:
        within = f"{left.value:+.3f} of what is expected ({left.low:+.3f} to {left.high:+.3f}, above 0 is better)"
    now = f"{concept.after:.3f} now, {concept.expected:.3f} expected of these rows"
    return f"{pair.figure} {concept.before:.3f} then, {now}; {within}"


def _rounded(interval: Interval) -> list[float]:
    return [round(value, 4) for value in (interval.value, interval.low, interval.high)]
