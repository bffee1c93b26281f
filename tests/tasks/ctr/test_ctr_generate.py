"""The made days: the same bytes for the same seed, and a truth that no model beats."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tasks.common.metrics import judge
from tasks.ctr import generate, synthetic
from tasks.ctr.columns import MISSING
from tasks.ctr.parse import parse
from tests.lake import Lake

ROWS = 30_000


@pytest.fixture(scope="module")
def world():
    return synthetic.world(1, 0, 0.25, 0.05)


def test_a_block_is_the_same_whenever_it_is_made(world):
    again = synthetic.world(1, 0, 0.25, 0.05)
    assert bytes(synthetic.block(world, 3, 500)[0]) == bytes(synthetic.block(again, 3, 500)[0])
    others = [synthetic.block(world, 4, 500), synthetic.block(synthetic.world(2, 0, 0.25, 0.05), 3, 500)]
    others.append(synthetic.block(synthetic.world(1, 1, 0.25, 0.05), 3, 500))
    assert len({bytes(text) for text, _ in [synthetic.block(world, 3, 500), *others]}) == 4


def test_the_rows_look_like_the_published_ones(world):
    rows = parse(synthetic.block(world, 0, ROWS)[0], categorical=True)
    assert rows.malformed.count == 0 and len(rows.labels) == ROWS
    assert abs(rows.labels.mean() - 0.25) < 0.02
    missing = (rows.numeric == MISSING).mean(axis=0)
    assert abs(missing[0] - 0.45) < 0.02 and missing[1] == 0 and abs(missing[11] - 0.76) < 0.02
    held = rows.numeric[:, 4][rows.numeric[:, 4] != MISSING]
    assert held.max() > 50 * np.median(held), "heavy tails"
    distinct = [len(np.unique(rows.categorical[rows.present[:, c], c])) for c in (2, 8, 19)]
    assert distinct[0] > 10_000 and distinct[1:] == [3, 4]


def test_the_truth_is_what_the_true_chances_achieve(world):
    """Rows judged by the very chances they were drawn with come out as the truth says, within their luck."""
    _numeric, _hashes, numeric_odds, odds, chance = synthetic._draw(world, 0, 60_000)
    probability = 1 / (1 + np.exp(-odds - world.intercept))
    labels = chance < probability
    truth = synthetic.block(world, 0, 60_000)[1].figures()
    best = judge(probability, labels)
    for name, field in {"auc": "roc_auc", "accuracy": "accuracy", "log_loss": "log_loss"}.items():
        assert abs(truth["all_columns"][name] - getattr(best, field)) < 0.006
    by_numeric = judge(1 / (1 + np.exp(-numeric_odds - world.intercept)), labels)
    assert abs(truth["numeric_columns"]["auc"] - by_numeric.roc_auc) < 0.006
    assert truth["numeric_columns"]["auc"] < truth["all_columns"]["auc"] - 0.01


def test_days_drift_apart():
    first, last = (synthetic.world(1, day, 0.25, 0.05) for day in (0, 9))
    assert np.abs(first.effects - last.effects).max() > 0.1
    still = synthetic.world(1, 9, 0.25, 0.0)
    assert np.array_equal(still.effects, first.effects) and still.intercept == first.intercept


def test_the_program_makes_each_day_once_and_whole(run, tmp_path):
    flags = (f"--output={tmp_path / 'days'}", "--rows=70000", "--processes=1")
    code, result = run(generate.main, *flags, "--days=1", "--processes=2")
    assert code == 0 and result["made"] == 1
    text = (tmp_path / "days" / "day_0").read_bytes()
    assert parse(text).lines == 70_000
    code, result = run(generate.main, *flags, "--days=1")
    assert code == 0 and result["made"] == 0
    (tmp_path / "days" / "day_0").unlink()
    code, result = run(generate.main, *flags, "--days=1")
    assert result["made"] == 1 and (tmp_path / "days" / "day_0").read_bytes() == text
    assert run(generate.main, *flags, "--days=1", "--seed=9")[0] == 2
    assert not list((tmp_path / "days").glob(".*")), "no part files are left"


def test_days_go_to_a_bucket(run, tmp_path, monkeypatch):
    (tmp_path / "s3").mkdir()
    lake = Lake(tmp_path / "s3")
    lake.start()
    try:
        for name, value in lake.environment.items():
            monkeypatch.setenv(name, value)
        lake.client.create_bucket(Bucket="lake")
        code, result = run(generate.main, "--output=s3://lake/clicks", "--rows=2000", "--processes=1")
        found = lake.contents("clicks")
    finally:
        lake.stop()
    assert code == 0 and set(found) == {"day_0", "truth/day_0.json"}
    assert json.loads(found["truth/day_0.json"])["truth"] == result["truth"]["day_0"]
    assert parse(found["day_0"]).lines == 2000
