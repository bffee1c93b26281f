"""A value is what the flag says, else what RUN_FILE says, else the flag's default."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.common import program, run_file
from tasks.common.cli import Flags
from tasks.common.program import BadInput
from tests.tasks.run_files import write_run_file


def parse(*arguments: str) -> Any:
    flags = Flags("A program.")
    flags.data("what is read")
    flags.output("what is written")
    flags.add_argument("--learning-rate", type=float, default=0.1)
    flags.add_argument("--epochs", type=int)
    flags.add_argument("--engine", choices=("pandas", "dask"), default="dask")
    flags.add_argument("--days", action="append", default=[])
    flags.add_argument("--quick", action="store_true")
    flags.tracking()
    return flags.parse(arguments)


@pytest.fixture
def of_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RUN_FILE", str(tmp_path / "run.json"))
    return lambda *given, **fields: write_run_file(tmp_path / "run.json", *given, **fields)


@pytest.fixture(autouse=True)
def no_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RUN_FILE", raising=False)


def test_by_hand_flags_and_defaults_decide():
    options = parse("--data=/d", "--output=/o", "--epochs=3", "--days=a", "--days=b", "--tag=x=y")
    assert (options.data, options.output, options.epochs, options.learning_rate) == ("/d", "/o", 3, 0.1)
    assert (options.days, options.quick, options.tags, options.run) == (["a", "b"], False, {"x": "y"}, None)
    assert (options.experiment, options.run_name) == (None, None)


def test_of_a_run_no_flag_is_needed(of_run):
    of_run(
        {"learning_rate": 0.5, "epochs": 7, "engine": "pandas", "days": "a,b", "quick": True},
        step="score",
        data="s3://b/data",
        folders={"workspace": "/ws"},
    )
    options = parse()
    assert (options.data, options.output) == ("s3://b/data", "/ws/.mlops/run")
    assert (options.learning_rate, options.epochs, options.engine) == (0.5, 7, "pandas")
    assert (options.days, options.quick) == (["a,b"], True)
    assert (options.experiment, options.run_name) == ("a_dag", "r1-score")
    assert options.tags == {
        "run_key": "r1",
        "dataset_version": "v1",
        "snapshot_uuid": "s-1",
        "code_commit": "c0ffee",
        "airflow_run": "a_dag/manual__1",
    }


def test_a_flag_counts_more_than_the_run_and_the_run_more_than_the_default(of_run):
    of_run({"epochs": 7, "learning_rate": None, "days": "a"}, data="/d", folders={"workspace": "/ws"})
    options = parse("--epochs=1", "--days=z", "--output=/mine", "--tag=code_commit=other", "--run-name=n")
    assert (options.epochs, options.days, options.output) == (1, ["z"], "/mine")
    assert options.learning_rate == 0.1, "null is no value"
    assert (options.tags["code_commit"], options.tags["run_key"], options.run_name) == ("other", "r1", "n")


def test_what_nobody_says_is_one_sentence(of_run, tmp_path, monkeypatch):
    of_run(data="/d")
    with pytest.raises(BadInput, match="--output is not given, and RUN_FILE does not say it either"):
        parse()
    monkeypatch.delenv("RUN_FILE")
    with pytest.raises(BadInput, match="--data is not given, and there is no RUN_FILE that would say it"):
        parse("--output=/o")


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"epochs": "many"}, "RUN_FILE gives 'many' for --epochs, which that flag does not take"),
        ({"epochs": True}, "RUN_FILE gives True for --epochs"),
        ({"quick": "yes"}, "RUN_FILE gives 'yes' for --quick"),
        ({"engine": "abacus"}, "RUN_FILE gives 'abacus' for --engine; choose from pandas, dask"),
        ({"engine": ["dask"]}, r"RUN_FILE gives \['dask'\] for --engine"),
    ],
)
def test_a_parameter_that_the_flag_would_refuse_is_refused(of_run, parameters, sentence):
    of_run(parameters, data="/d", folders={"workspace": "/ws"})
    with pytest.raises(BadInput, match=sentence):
        parse()


def test_a_wrong_flag_is_one_sentence_and_bad_input(capsys):
    assert program.exit_code(lambda: vars(parse("--epochs=many"))) == 2
    assert capsys.readouterr().err == "argument --epochs: invalid int value: 'many'; see --help.\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"RUN_FILE names .*run.json, which cannot be read \(No such file or directory\)"),
        ("{", "is not JSON"),
        ("[]", "holds list, not an object"),
        ('{"schema": 1}', "has None as its 'run'"),
        ('{"schema": 9, "record": {}}', "it has schema 9 of a newer release, this one reads 1"),
        ('{"schema": 1, "run": {}, "folders": []}', r"has \[\] as its 'folders'"),
        ('{"schema": 1, "run": {}, "champion": {"version": 3}}', "names a champion without its folder"),
    ],
)
def test_a_run_file_that_says_something_else_is_bad_input(tmp_path, monkeypatch, capsys, content, sentence):
    file = tmp_path / "run.json"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("RUN_FILE", str(file))
    with pytest.raises(BadInput, match=sentence):
        parse("--data=/d", "--output=/o")
    assert program.exit_code(lambda: vars(parse("--data=/d", "--output=/o"))) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_newer_run_file_is_read_and_what_is_unknown_let_pass(of_run):
    path = of_run(data="/d", folders={"workspace": "/ws"}, champion={"folder": "/m/r0", "version": 2, "new": 1})
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 2, "weather": "fair"}))
    assert parse().data == "/d"
    run = run_file.read()
    assert run is not None and run.champion == run_file.Champion("/m/r0", 2)
    assert run.rest["weather"] == "fair"
