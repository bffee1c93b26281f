"""What the click-through system fills its lake with, and what its demo tells."""

from __future__ import annotations

from pathlib import Path

from scripts import demo, lake
from scripts.services import Stack
from scripts.systems import ctr


def days(stack: Stack) -> list[str]:
    keys = (each.key for each in lake.bucket(stack).objects.filter(Prefix="ctr/day_"))
    return sorted(key.removeprefix("ctr/") for key in keys)


def test_each_demo_adds_a_day_and_leaves_the_others_as_they_are(tmp_path: Path, apart: None):
    stack = Stack(tmp_path)
    stack.up(["lake"])
    try:
        assert ctr.SYSTEM.fill_lake(stack, 1, demo.options(["ctr", "--rows=200"]))["made"] == 2
        assert days(stack) == ["day_0", "day_1"]
        before = {each.key: each.last_modified for each in lake.bucket(stack).objects.all()}
        assert ctr.SYSTEM.fill_lake(stack, 2, demo.options(["ctr", "--rows=300"]))["made"] == 1
        assert days(stack) == ["day_0", "day_1", "day_2"]
        after = {each.key: each.last_modified for each in lake.bucket(stack).objects.all()}
        assert before.items() <= after.items()
    finally:
        stack.down()


def test_the_summary_is_a_table_with_a_line_for_each_engine():
    row = {"rows": 1_500_000, "load_s": 2.0, "train_s": 8.25, "seconds": 10.25, "ratio": 1.0, "rows_per_s": 146341.5}
    row |= {"peak_gib": 1.5, "accuracy": 0.8, "auc": 0.75}
    facts = {
        "run_key": "r20261121t120000z0123abcd",
        "dataset_version": {"id": "v1", "files": 4, "bytes": 10**9},
        "engines": [{"engine": "pandas", **row}, {"engine": "dask", **row, "ratio": 3.5}],
        "best": {"engine": "dask"},
        "best_possible": {"accuracy": 0.81, "auc": 0.76},
        "decision": {"decision": "promote", "reason": "no model is deployed yet"},
        "scores": {"rows": 2_000_000},
        "frozen": {"name": "mlops_r1"},
        "links": {"airflow_run": "http://a", "comparison": "http://m"},
        "password_file": ".local/secrets/airflow_admin",
    }
    lines = ctr.SYSTEM.text(facts).splitlines()
    head, pandas, dask = lines[3:6]
    assert [line.split()[0] for line in (pandas, dask)] == ["pandas", "dask"]
    ratio = head.index("ratio") + len("ratio")
    assert (pandas[:ratio].split()[-1], dask[:ratio].split()[-1]) == ("1.00", "3.50"), "each under its name"
    assert lines[6].endswith("0.8100      0.7600") and len(lines[6]) == len(head)
    assert "Best: dask. Promoted: no model is deployed yet" in lines
    assert max(map(len, lines)) <= 120
