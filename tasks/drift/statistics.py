"""Whether two samples differ: by more than chance, and by enough to matter. Each test needs both.

With many rows the least difference is beyond chance, and with few rows large ones are by chance. So a column counts as
changed where the p-value of Kolmogorov and Smirnov's test, corrected for the number of columns (Bonferroni), is below
``alpha`` and its statistic, the greatest distance between the two cumulative distributions, is at least ``effect``. An
embedding counts as changed where a classifier tells new rows from old ones: the lower end of the interval of its ROC
AUC (DeLong), on rows that it was not fitted to, is at least ``separation``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tasks.common.metrics import Booleans, Floats

FOLDS, COMPONENTS = 5, 32
ROWS_OF_STRATUM, MOST_STRATA = 50, 10


@dataclass(frozen=True)
class Column:
    """``distance`` is the statistic of Kolmogorov and Smirnov, 0 to 1; ``p`` its p-value by the number of tests."""

    name: str
    distance: float
    p: float
    before: float
    after: float
    drifted: bool


@dataclass(frozen=True)
class Interval:
    """A figure with the two ends of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Concept:
    """How much worse or better the champion is, above 0 where better, and how much of that its inputs do not explain.

    ``before`` and ``after`` are means of the figure, ``expected`` what the mean would be on the new rows if each were
    as right as old rows of the same chance were.
    """

    before: float
    after: float
    expected: float
    change: Interval
    unexplained: Interval
    rows_before: int
    rows_after: int


def compare_columns(
    before: Mapping[str, Floats], after: Mapping[str, Floats], *, alpha: float, effect: float, tests: int = 0
) -> list[Column]:
    """Compare columns [N] and [M] of the same names, the most changed first.

    :param tests: how many are made in all, if more than these columns.
    """
    count = max(tests, len(before))
    found = []
    for name, old in before.items():
        new = after[name]
        told = stats.ks_2samp(old, new, method="asymp")
        p = min(1.0, float(told.pvalue) * count)
        drifted = p < alpha and told.statistic >= effect
        found.append(Column(name, float(told.statistic), p, float(np.mean(old)), float(np.mean(new)), bool(drifted)))
    return sorted(found, key=lambda column: -column.distance)


def tell_apart(before: Floats, after: Floats, *, alpha: float, seed: int = 1) -> Interval:
    """ROC AUC of a linear classifier of old rows [N, width] and new rows [M, width]: 0.5 where they are alike."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    values = np.concatenate([before, after]).astype(np.float64)
    is_new = np.arange(len(values)) >= len(before)
    width = min(COMPONENTS, values.shape[1], len(values) * (FOLDS - 1) // FOLDS - 1)
    classifier = make_pipeline(
        StandardScaler(),
        PCA(width, random_state=seed),
        LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000),
    )
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    scores = cross_val_predict(classifier, values, is_new, cv=folds, method="decision_function")
    return auc_interval(scores, is_new, alpha)


def auc_interval(scores: Floats, positives: Booleans, alpha: float) -> Interval:
    """ROC AUC of scores [N] with the interval of DeLong: each row's share of the others that it is rightly beside."""
    ranks = stats.rankdata(scores)
    hits, misses = int(positives.sum()), int((~positives).sum())
    of_hits = (ranks[positives] - stats.rankdata(scores[positives])) / misses
    of_misses = 1 - (ranks[~positives] - stats.rankdata(scores[~positives])) / hits
    auc = float(of_hits.mean())
    spread = np.sqrt(of_hits.var(ddof=1) / hits + of_misses.var(ddof=1) / misses)
    reach = float(stats.norm.ppf(1 - alpha / 2) * spread)
    return Interval(auc, max(0.0, auc - reach), min(1.0, auc + reach))


def compare_concept(
    before: tuple[Floats, Floats], after: tuple[Floats, Floats], *, better: int, alpha: float
) -> Concept:
    """Compare how right the champion was, from its chances [N] and figures [N] of old and of new labelled rows.

    Where inputs change, a champion may be less right without being wrong about anything: it says so itself, by its
    chances. So old rows are put in strata of equal numbers by their chances, and the new rows of each stratum are
    compared with the old ones of it. What is left is ``unexplained``: the relation of inputs and labels has changed.
    """
    (chances, figures), (new_chances, new_figures) = before, after
    edges = _edges(chances)
    old_strata, new_strata = np.searchsorted(edges, chances, "right"), np.searchsorted(edges, new_chances, "right")
    expected, variance = 0.0, 0.0
    for stratum in range(len(edges) + 1):
        old, new = figures[old_strata == stratum], new_figures[new_strata == stratum]
        if not len(new):
            continue
        share = len(new) / len(new_figures)
        expected += share * float(old.mean())
        variance += share**2 * (_variance(old, figures) / len(old) + _variance(new, new_figures) / len(new))
    plain = _variance(figures, figures) / len(figures) + _variance(new_figures, new_figures) / len(new_figures)
    reach = float(stats.norm.ppf(1 - alpha / 2))
    mean, now = float(figures.mean()), float(new_figures.mean())
    return Concept(
        before=mean,
        after=now,
        expected=expected,
        change=_around(better * (now - mean), reach * float(np.sqrt(plain))),
        unexplained=_around(better * (now - expected), reach * float(np.sqrt(variance))),
        rows_before=len(figures),
        rows_after=len(new_figures),
    )


def _edges(chances: Floats) -> Floats:
    """Between the strata; each has at least some tens of old rows, so that their mean is worth something."""
    strata = int(np.clip(len(chances) // ROWS_OF_STRATUM, 1, MOST_STRATA))
    inner: Sequence[float] = np.linspace(0, 1, strata + 1)[1:-1].tolist()
    edges = np.unique(np.quantile(chances, inner)) if inner else np.empty(0)
    return edges[edges > chances.min()] if len(edges) else edges


def _variance(values: Floats, whole: Floats) -> float:
    """Return the variance of some values, or of all where these are too few to have one of their own."""
    return float(values.var(ddof=1)) if len(values) >= 10 else float(whole.var(ddof=1))


def _around(value: float, reach: float) -> Interval:
    return Interval(value, value - reach, value + reach)
