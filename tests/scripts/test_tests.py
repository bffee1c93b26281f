"""What `make test` says at its end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import tests
from scripts.tests import Result, Suite

REPORT = """<?xml version="1.0"?><testsuites><testsuite tests="4" failures="1" errors="0" skipped="1">
<testcase classname="tests.a.test_one" file="tests/a/test_one.py" name="t1" time="1.5"/>
<testcase classname="tests.a.test_one" file="tests/a/test_one.py" name="t2" time="2.0"/>
<testcase classname="tests.b.test_two" file="tests/b/test_two.py" name="t3" time="9.0"/>
<testcase classname="tests.b.test_two" file="tests/b/test_two.py" name="t4" time="0.0"/>
</testsuite></testsuites>"""
SUITE = Suite("some tests", "quick", budget_s=60)


def test_the_time_of_each_file_is_read_from_the_report(tmp_path: Path):
    (tmp_path / "report.xml").write_text(REPORT)
    counts, files = tests.read(tmp_path / "report.xml")
    assert counts == "2 passed, 1 failed, 1 skipped"
    assert files == {"tests/b/test_two.py": 9.0, "tests/a/test_one.py": 3.5}
    assert next(iter(files)) == "tests/b/test_two.py", "the slowest first"


def test_a_pytest_that_ends_without_a_report_is_told(tmp_path: Path):
    assert tests.read(tmp_path / "report.xml") == ("ended before it had a result", {})


def test_the_account_names_suites_slow_files_and_the_end():
    fast = Result(SUITE, True, 50, "3 passed", {"tests/slow.py": 30, "tests/fast.py": 0.1})
    lines = tests.account([fast], 50).splitlines()
    assert lines[1] == "    50 s  some tests: passed, of 60 s on two idle cores (3 passed)"
    assert lines[2].split() == ["30", "s", "tests/slow.py"] and lines[-1] == "== all passed in 50 s"
    slow = Result(SUITE, False, 61, "1 failed", {})
    lines = tests.account([fast, slow], 70).splitlines()
    assert "FAILED, of 60 s on two idle cores, over it (1 failed)" in lines[-2]
    assert lines[-1] == "== some tests FAILED, 70 s"


def test_what_may_runs_beside_the_last_suite_and_is_shown_after_it(tmp_path: Path, monkeypatch, capfd):
    """Each suite's tests wait for what another of them writes: one after the other they would never end."""
    waits = """
import pathlib, time
def test_it():
    print({title!r}, flush=True)
    (pathlib.Path({folder!r}) / {writes!r}).touch()
    deadline = time.monotonic() + 120
    while not (pathlib.Path({folder!r}) / {reads!r}).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
"""
    suites = []
    for title, writes, reads, beside in (("the last", "one", "two", False), ("beside", "two", "one", True)):
        file = tmp_path / f"test_{writes}.py"
        file.write_text(waits.format(title=title, folder=str(tmp_path), writes=writes, reads=reads))
        options = ("-s", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", str(tmp_path), str(file))
        suites.append(Suite(title, "not other", 60, options, beside=beside))
    results = tests.all_of(suites)
    assert [(result.suite.title, result.passed, result.counts) for result in results] == [
        ("the last", True, "1 passed"),
        ("beside", True, "1 passed"),
    ]
    told = capfd.readouterr().out
    assert told.index("== beside, beside it") < told.index("\nbeside\n") and told.index("the last\n") < told.index(
        "\nbeside\n"
    )


def small_suite(folder: Path, *bodies: str) -> Suite:
    file = folder / "test_small.py"
    file.write_text("import pathlib\n" + "\n".join(f"def test_{n}():\n    {body}" for n, body in enumerate(bodies)))
    return Suite("small", "not other", 60, ("-c", "/dev/null", "--rootdir", str(folder), str(file)))


def fails_first(mark: Path) -> str:
    return f"mark = pathlib.Path({str(mark)!r}); seen = mark.exists(); mark.touch(); assert seen"


def test_a_test_that_passes_when_run_again_is_named_and_fails_nothing(tmp_path: Path):
    once = tmp_path / "passing ran"
    suite = small_suite(tmp_path, fails_first(tmp_path / "mark"), f"pathlib.Path({str(once)!r}).touch(exist_ok=False)")
    result = tests.run(suite, [])
    assert result.passed and result.counts == "1 passed, 1 failed", "what passed is not run again"
    assert result.unsteady == ("test_small.py::test_0",)
    told = tests.account([result], 1).splitlines()
    assert told[-2:] == ["== UNSTEADY, passed only when run again: test_small.py::test_0", "== all passed in 1 s"]


def test_a_test_that_fails_twice_fails_the_suite(tmp_path: Path):
    result = tests.run(small_suite(tmp_path, "assert False", fails_first(tmp_path / "mark")), [])
    assert not result.passed and result.unsteady == ()
    assert tests.account([result], 1).splitlines()[-1] == "== small FAILED, 1 s"


def test_many_failures_are_not_run_again(tmp_path: Path):
    result = tests.run(small_suite(tmp_path, *(fails_first(tmp_path / f"mark {n}") for n in range(tests.FEW + 1))), [])
    assert not result.passed and result.counts == "0 passed, 4 failed"


def test_every_test_belongs_to_one_suite_of_all():
    """By the marks that pyproject.toml knows, each alone and in the pairs that are used."""
    from _pytest.mark.expression import Expression

    for marks in (
        set(),
        {"triton"},
        {"browser"},
        {"journey"},
        {"journey", "triton"},
        {"package"},
        {"clients"},
        {"slurm"},
    ):
        once = [suite for suite in tests.SUITES["all"] if not suite.postgresql]
        chosen = [suite.title for suite in once if Expression.compile(suite.marks).evaluate(marks.__contains__)]
        assert len(chosen) == 1, (marks, chosen)


def test_tests_on_a_cluster_are_run_where_there_is_one(monkeypatch, capsys):
    monkeypatch.setenv("KUBECONFIG", "/some/kubeconfig")
    assert tests.KUBERNETES in tests.chosen("all") and capsys.readouterr().out == ""
    assert tests.KUBERNETES not in tests.chosen("quick")
    monkeypatch.delenv("KUBECONFIG")
    assert tests.KUBERNETES not in tests.chosen("all")
    assert "left out: tests on a Kubernetes cluster, since KUBECONFIG names no cluster" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="KUBECONFIG names no cluster"):
        tests.chosen("kubernetes")


def test_a_suite_on_postgresql_finds_a_database_that_is_gone_afterwards():
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import OperationalError

    if reason := tests.postgresql.unavailable():
        pytest.skip(reason)
    with tests.database(Suite("some", "quick", 60, postgresql=True)) as told:
        url = told["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
        with create_engine(url).connect() as connection:
            assert "PostgreSQL" in connection.execute(text("SELECT version()")).scalar_one()
    with pytest.raises(OperationalError):
        create_engine(url).connect()
    with tests.database(SUITE) as told:
        assert told == {}


def test_without_postgresql_its_suite_is_left_out_with_the_reason(monkeypatch, capsys):
    monkeypatch.setattr(tests.postgresql, "unavailable", lambda: "PostgreSQL is not installed")
    result = tests.run(tests.POSTGRESQL, [])
    assert (result.passed, result.counts) == (True, "left out")
    assert "left out: DAGs and rows on PostgreSQL, since PostgreSQL is not installed" in capsys.readouterr().out


def test_a_journey_is_chosen_by_its_name():
    assert re.fullmatch(r"tests/journey/test_kills\.py", tests.journey("kills"))
    with pytest.raises(SystemExit, match="No journey is called 'tour'; there are .*kills"):
        tests.journey("tour")
