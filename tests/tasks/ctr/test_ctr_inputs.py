"""What reaches the engines: the same good rows for each, of both labels, and every row that is none counted."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow
import pyarrow.parquet
import pytest

from tasks.common.program import BadInput
from tasks.ctr import compare, convert, score
from tasks.ctr.blocks import batches, count
from tasks.ctr.columns import LABEL, NUMERIC
from tasks.ctr.days import find_days, parts_of
from tasks.ctr.engines import rapids_engine
from tasks.ctr.selection import Piece, check_labels, select

FAST = ("--trees=2", "--depth=3", "--bins=8")
ENGINES = ("pandas", "dask")


def lines_of(clicks: Path, number: int = 1000) -> list[bytes]:
    return (clicks / "day_0").read_bytes().splitlines(keepends=True)[:number]


def with_label(line: bytes, label: int) -> bytes:
    return f"{label}".encode() + line[1:]


@pytest.fixture
def day(tmp_path: Path) -> Callable[[list[bytes]], Path]:
    def write(lines: list[bytes]) -> Path:
        (tmp_path / "days").mkdir(exist_ok=True)
        (tmp_path / "days/day_0").write_bytes(b"".join(lines))
        return tmp_path / "days"

    return write


def digest(output: Path) -> str:
    return json.loads((output / "model.json").read_text())["files"]["model.onnx"]


def last_line(capfd: Any) -> str:
    return capfd.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("label", [0, 1])
def test_one_label_to_train_on_is_bad_input_for_every_engine(clicks, day, trained, tmp_path, capfd, engine, label):
    lines = [with_label(line, label if place < 800 else place % 2) for place, line in enumerate(lines_of(clicks))]
    assert trained(day(lines), tmp_path / "run", f"--engine={engine}", "--test-rows=200", *FAST)[0] == 2
    assert f"All 800 training rows have the same label, {label}: a classifier needs both" in last_line(capfd)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("label", [0, 1])
def test_one_label_to_judge_by_is_bad_input_for_every_engine(clicks, day, trained, tmp_path, capfd, engine, label):
    lines = [with_label(line, label if place >= 800 else place % 2) for place, line in enumerate(lines_of(clicks))]
    assert trained(day(lines), tmp_path / "run", f"--engine={engine}", "--test-rows=200", *FAST)[0] == 2
    assert f"All 200 rows to judge by have the same label, {label}" in last_line(capfd)


@pytest.mark.parametrize("form", ["text", "parquet"])
@pytest.mark.parametrize("place", [0, 799, 800, 999])
def test_a_single_row_of_the_other_label_counts_for_its_own_side_only(clicks, day, run, tmp_path, form, place):
    folder = day([with_label(line, int(number == place)) for number, line in enumerate(lines_of(clicks))])
    if form == "parquet":
        assert run(convert.main, f"--data={folder}", f"--output={tmp_path / 'pq'}", "--processes=1")[0] == 0
        folder = tmp_path / "pq"
    parts = parts_of(find_days(str(folder))[0], 30_000)
    selection = select(parts, lambda indices: {index: count(parts[index]) for index in indices}, 0, 200)

    def labels(pieces: list[Piece]) -> set[int]:
        return {int(x) for p in pieces for b in batches(p.part) for x in b.labels[p.first : p.last]}

    assert labels(selection.train) == ({0, 1} if place < 800 else {0})
    with pytest.raises(BadInput, match="rows to judge by" if place < 800 else "training rows"):
        check_labels(selection)


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_a_day_too_short_to_hold_rows_out_is_bad_input(clicks, day, trained, tmp_path, capfd, rows):
    assert trained(day(lines_of(clicks, rows)), tmp_path / "run", *FAST)[0] == 2
    assert f"The data has {rows} rows, too few for" in last_line(capfd)


ODD = {
    "a return in a line": b"1\t2\rno row\n",
    "a quote": b'1\t"2\t3\n',
    "two quotes": b'"no row"\n',
    "a zero byte": b"\0\0\0\n",
    "a blank line": b"\n",
    "a line of 40 empty columns": b"\t" * 39 + b"\n",
    "a byte that is no ASCII": "1\té\n".encode("latin-1"),
    "an escape": b"1\t\x1b[2J\n",
}


@pytest.mark.parametrize("odd", ODD)
def test_all_engines_train_on_the_same_rows_whatever_lies_between_them(clicks, day, trained, tmp_path, capfd, odd):
    clean, found = lines_of(clicks), {}
    lines = list(clean)
    for place in (5, 300, 301):
        lines.insert(place, ODD[odd])
    for name, content in (("clean", clean), ("odd", lines)):
        for engine in ENGINES:
            flags = (f"--engine={engine}", "--malformed-share=0.01", "--test-rows=200", *FAST)
            code, result = trained(day(content), tmp_path / name / engine, *flags)
            assert code == 0 and result["rows"] == 800
            found[name, engine] = digest(tmp_path / name / engine), result["malformed"]
    for engine in ENGINES:
        assert found["odd", engine] == (found["clean", engine][0], 3)
    assert not {"\r", "\0", "\x1b"} & set(capfd.readouterr().err), "control characters are shown escaped"


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_what_convert_left_out_is_told_by_training_comparison_and_scores(
    clicks, day, run, trained, tmp_path, capfd, end
):
    """The end of a line is the last of what is shown of it: a return there would hide the sentence."""
    lines = [line.rstrip(b"\n") + end for line in lines_of(clicks)]
    for place in (3, 500):
        lines.insert(place, b"1\t2" + end)
    folder, output = day(lines), tmp_path / "pq"
    flags = (f"--data={folder}", f"--output={output}", "--processes=1", "--malformed-share=0.01")
    code, result = run(convert.main, *flags)
    assert (code, result["malformed"]) == (0, 2)
    said = 'rows under {} in day_0 are malformed, such as "1\\t2"; "1\\t2".'
    assert "Left out: 2 of 1002 " + said.format(folder) in capfd.readouterr().err.splitlines()
    reports = []
    for engine in ENGINES:
        code, result = trained(output, tmp_path / engine, f"--engine={engine}", "--test-rows=200", *FAST)
        assert (code, result["malformed"], result["malformed_examples"]) == (0, 2, ["1\\t2", "1\\t2"])
        assert f"Left out by convert: 2 malformed rows of {output}" in capfd.readouterr().err
        reports.append(tmp_path / engine)
    assert run(compare.main, f"--output={tmp_path / 'page'}", *reports)[0] == 0
    assert "Malformed rows left out: pandas: 2, dask: 2." in (tmp_path / "page/comparison.html").read_text()
    code, result = run(score.main, f"--data={output}", f"--model={reports[0]}", f"--output={tmp_path / 'scores'}")
    assert (code, result["malformed"]) == (0, 2)


# Parquet that others have written


def table(number: int = 300) -> dict[str, Any]:
    columns: dict[str, Any] = {LABEL: np.arange(number) % 3 == 0}
    columns[LABEL] = columns[LABEL].astype(np.int64)
    for place, name in enumerate(NUMERIC):
        values = (np.arange(number) * 7 + place * 31) % 100
        columns[name] = np.where(values % 5 == place % 5, np.nan, values)
    return columns


@pytest.fixture
def foreign(tmp_path: Path) -> Callable[..., Path]:
    def write(columns: Any, name: str = "day_0.parquet", **how: Any) -> Path:
        (tmp_path / "foreign").mkdir(exist_ok=True)
        made = columns if isinstance(columns, pyarrow.Table) else pyarrow.table(columns)
        pyarrow.parquet.write_table(made, tmp_path / "foreign" / name, **how)
        return tmp_path / "foreign"

    return write


def read(folder: Path) -> tuple[Any, Any, int]:
    found = [b for day in find_days(str(folder)) for part in parts_of(day, 1 << 10) for b in batches(part)]
    values, labels = np.concatenate([b.values for b in found]), np.concatenate([b.labels for b in found])
    return values, labels, sum(b.malformed.count for b in found)


WANTED = np.column_stack([np.nan_to_num(table()[name], nan=0) for name in NUMERIC])


def frame(kind: str) -> pyarrow.Table:
    return pyarrow.Table.from_pandas(pandas.DataFrame(table()).astype(dict.fromkeys(NUMERIC, kind)))


SAME_ROWS: dict[str, Callable[[], Any]] = {
    "NaN for missing": table,
    "32 bits": lambda: frame("float32"),
    "nullable integers": lambda: frame("Int64"),
    "nullable small integers": lambda: frame("Int16"),
    "labels as float": lambda: table() | {LABEL: table()[LABEL].astype(float)},
    "labels as bool": lambda: table() | {LABEL: table()[LABEL].astype(bool)},
    "dictionaries": lambda: table() | {n: pyarrow.array(table()[n]).dictionary_encode() for n in (LABEL, *NUMERIC)},
    "other columns too": lambda: {"day": ["monday"] * 300} | table() | {"C1": ["a"] * 300},
}


@pytest.mark.parametrize("form", SAME_ROWS)
def test_parquet_of_others_is_read_as_the_same_rows(foreign, form):
    values, labels, malformed = read(foreign(SAME_ROWS[form](), row_group_size=77))
    assert malformed == 0 and np.array_equal(values, WANTED)
    assert labels.tolist() == table()[LABEL].tolist()


def test_a_column_without_a_value_is_missing_throughout(foreign):
    values, _, malformed = read(foreign(table() | {"I4": pyarrow.nulls(300)}))
    assert malformed == 0 and not values[:, 3].any()


def changed(name: str, value: float) -> dict[str, Any]:
    columns = table()
    columns[name] = columns[name].astype(np.float64)
    columns[name][[7, 130]] = value
    return columns


@pytest.mark.parametrize("label", [2, -1, 0.5, np.nan, np.inf])
def test_labels_other_than_0_and_1_are_malformed_rows(foreign, label):
    values, labels, malformed = read(foreign(changed(LABEL, label)))
    assert malformed == 2 and len(labels) == len(values) == 298 and set(labels.tolist()) == {0, 1}


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1.5, 2.0**31, -(2.0**31), 1e300])
def test_numbers_that_are_no_integers_of_32_bits_are_malformed_rows(foreign, value):
    values, _, malformed = read(foreign(changed("I9", value)))
    assert malformed == 2 and np.array_equal(values, np.delete(WANTED, [7, 130], axis=0))


def test_a_large_integer_is_not_rounded_into_a_good_one(foreign):
    columns = table() | {"I1": np.full(300, 2**63 - 1)}
    columns["I1"][:100] = 2**31 - 1
    assert read(foreign(columns))[2] == 200


@pytest.mark.parametrize("engine", ENGINES)
def test_malformed_rows_of_parquet_are_counted_and_shown(foreign, trained, tmp_path, capfd, engine):
    folder = foreign(changed(LABEL, 3))
    flags = (f"--engine={engine}", "--test-rows=60", *FAST)
    assert trained(folder, tmp_path / "run", *flags)[0] == 2
    assert "2 of 300 rows" in (said := last_line(capfd)) and 'such as "3\\t49\\t' in said
    code, result = trained(folder, tmp_path / "run", *flags, "--malformed-share=0.01")
    assert code == 0 and (result["malformed"], result["rows"]) == (2, 238)


def test_parquet_of_others_trains_the_forest_of_the_same_text(foreign, clicks, day, trained, tmp_path):
    text = day(lines_of(clicks))
    rows = pandas.read_csv(text / "day_0", sep="\t", header=None, usecols=range(14), names=[LABEL, *NUMERIC])
    folder = foreign(pyarrow.Table.from_pandas(rows), row_group_size=300)
    for engine in ENGINES:
        for name, data in (("text", text), ("parquet", folder)):
            code, _ = trained(data, tmp_path / name / engine, f"--engine={engine}", "--test-rows=200", *FAST)
            assert code == 0
        assert digest(tmp_path / "text" / engine) == digest(tmp_path / "parquet" / engine)


def test_a_gpu_worker_reads_parquet_of_others_by_the_same_rules(foreign, monkeypatch):
    monkeypatch.setitem(sys.modules, "cudf", pandas)
    (part,) = parts_of(find_days(str(foreign(changed("I3", np.inf))))[0], 1 << 30)
    made = rapids_engine.read_piece(Piece(0, part, 0, 298), malformed=False)
    assert np.array_equal(made[list(NUMERIC)].to_numpy(), np.delete(WANTED, [7, 130], axis=0))


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "a column missing": (lambda: {k: v for k, v in table().items() if k != "I7"}, "has no column I7"),
    "no label": (lambda: {k: v for k, v in table().items() if k != LABEL}, "has no column label"),
    "text": (lambda: table() | {"I2": ["x"] * 300}, "has string in column I2, where numbers are expected"),
    "text in a dictionary": (
        lambda: table() | {"I2": pyarrow.array(["x"] * 300).dictionary_encode()},
        r"has dictionary<values=string.*> in column I2",
    ),
    "labels in words": (lambda: table() | {LABEL: ["yes"] * 300}, "has string in column label"),
    "times": (lambda: table() | {"I1": pandas.date_range("2026", periods=300)}, r"has timestamp\[.*\] in column I1"),
    "a column twice": (
        lambda: pyarrow.table([*table().values(), table()["I1"]], names=[*table(), "I1"]),
        "has 2 columns I1",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_parquet_without_the_columns_of_a_click_log_is_one_sentence(foreign, what):
    columns, reason = WRONG[what]
    with pytest.raises(BadInput, match=f"day_0.parquet under .* {reason}"):
        read(foreign(columns()))


def test_parquet_without_rows_is_no_day(foreign):
    columns = {name: values[:0] for name, values in table().items()}
    with pytest.raises(BadInput, match="day_0.parquet has no rows"):
        read(foreign(columns))
    assert len(read(foreign(table(), "day_1.parquet"))[1]) == 300


@pytest.mark.parametrize("kept", [0, 4, 400, -4])
def test_damaged_parquet_is_one_sentence(foreign, kept):
    file = foreign(table()) / "day_0.parquet"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(BadInput, match="day_0.parquet under .* is no Parquet file, or damaged"):
        read(file.parent)


def test_parquet_whose_pages_are_damaged_is_one_sentence(foreign):
    file = foreign(table()) / "day_0.parquet"
    content = bytearray(file.read_bytes())
    content[8:3000] = bytes(2992)
    file.write_bytes(content)
    with pytest.raises(BadInput, match="day_0.parquet under .* is no Parquet file, or damaged"):
        read(file.parent)


def test_a_copy_of_parquet_is_left_out(foreign, capsys):
    foreign(table())
    folder = foreign(table(), "day_0 - Copy.parquet")
    assert len(read(folder)[1]) == 300
    assert "is a copy of" in capsys.readouterr().err
