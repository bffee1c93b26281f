"""What counts as a row, and that nothing is dropped without being counted."""

from __future__ import annotations

import gzip

import numpy as np
import pandas
import pytest

from tasks.common.data import Store, open_source
from tasks.common.program import BadInput
from tasks.ctr import reading
from tasks.ctr.blocks import batches, count
from tasks.ctr.columns import CATEGORICAL, MISSING, NAMES, NUMERIC
from tasks.ctr.days import find_days, parts_of
from tasks.ctr.parse import parse
from tasks.ctr.reading import Part, lines_of

GOOD = "1\t" + "\t".join(["5", "", "-2", "2147483647", *["0"] * 9, *["0a1b2c3d"] * 25, ""])


def columns(text: str) -> list[str]:
    return text.split("\t")


def changed(place: int, value: str) -> str:
    fields = columns(GOOD)
    fields[place] = value
    return "\t".join(fields)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\t".join(columns(GOOD)[:-1]),
        GOOD + "\tdeadbeef",
        changed(0, "2"),
        changed(0, ""),
        changed(1, "1.5"),
        changed(1, "-"),
        changed(1, "2147483648"),
        changed(1, "99999999999999999999"),
        changed(20, "0a1b2c3"),
        changed(20, "0a1b2c3d4"),
        changed(20, "0a1b2c3g"),
        changed(39, "0a1b2c3dx"),
        "\x00" * 50,
    ],
)
@pytest.mark.parametrize("end", ["\n", ""])
def test_a_line_that_is_no_row_is_counted_and_its_neighbours_are_kept(line, end):
    if not line and not end:
        return
    rows = parse(f"{GOOD}\n{GOOD}\n{line}{end}".encode() + (f"{GOOD}\n".encode() if end else b""))
    assert rows.malformed.count == 1
    assert len(rows.labels) == rows.lines - 1 == (3 if end else 2)
    assert rows.bad_lines.tolist() == [2]
    assert rows.malformed.examples == (line[:120].encode().decode().replace("\t", "\\t") + "..." * (len(line) > 120),)


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_values_missing_values_and_line_ends_are_read(end):
    rows = parse(f"{GOOD}{end}".encode(), categorical=True)
    assert rows.labels.tolist() == [1] and rows.malformed.count == 0
    assert rows.numeric[0, :4].tolist() == [5, MISSING, -2, 2147483647]
    assert rows.categorical[0, 0] == 0x0A1B2C3D
    assert rows.present[0].tolist() == [True] * 25 + [False]


def test_a_generated_day_reads_as_pandas_reads_it(clicks):
    text = (clicks / "day_1").read_bytes()
    rows = parse(text, categorical=True)
    frame = pandas.read_csv(clicks / "day_1", sep="\t", header=None, names=NAMES, dtype=dict.fromkeys(CATEGORICAL, str))
    assert rows.malformed.count == 0 and rows.labels.tolist() == frame["label"].tolist()
    numeric = frame[list(NUMERIC)].fillna(MISSING).to_numpy(np.int64)
    assert np.array_equal(rows.numeric, numeric)
    found = rows.categorical[:, 2], rows.present[:, 2]
    hashes = [f"{value:08x}" if there else "" for value, there in zip(*found, strict=True)]
    assert hashes == frame["C3"].fillna("").tolist()


@pytest.mark.parametrize("part_bytes", [1000, 4096, 70_000])
def test_parts_hold_every_line_once_however_they_are_cut(clicks, part_bytes, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK", 1500)
    (day,) = find_days(str(clicks), ["day_1"])
    parts = parts_of(day, part_bytes)
    assert len(parts) > 10
    assert b"".join(b"".join(lines_of(part)) for part in parts) == (clicks / "day_1").read_bytes()


def test_compressed_days_read_like_plain_ones(clicks, tmp_path):
    (tmp_path / "day_1.gz").write_bytes(gzip.compress((clicks / "day_1").read_bytes(), 1))
    plain, packed = (find_days(str(folder), ["day_1"])[0] for folder in (clicks, tmp_path))
    (one,), (other,) = (parts_of(day, 1 << 30) for day in (plain, packed))
    assert np.array_equal(*(np.concatenate([b.values for b in batches(part)]) for part in (one, other)))
    assert count(other).rows == count(one).rows


def test_a_damaged_archive_is_bad_input(clicks, tmp_path):
    (tmp_path / "day_1.gz").write_bytes(gzip.compress((clicks / "day_1").read_bytes(), 1)[:100_000])
    (part,) = parts_of(find_days(str(tmp_path))[0], 1 << 30)
    with pytest.raises(BadInput, match=r"day_1.gz .* is damaged"):
        count(part)


def test_a_file_without_line_ends_does_not_fill_the_memory(tmp_path):
    (tmp_path / "day_0").write_bytes(b"x" * (20 << 20))
    (day,) = find_days(str(tmp_path))
    pieces = [len(lines) for lines in lines_of(parts_of(day, 1 << 30)[0])]
    assert max(pieces) <= reading.CHUNK + (1 << 20)
    assert count(parts_of(day, 1 << 30)[0]).malformed.count == len(pieces)


def test_days_are_found_in_order_and_only_once(tmp_path):
    for number, name in enumerate(("day_10", "day_2.gz", "day_1.tsv", "README.md", "truth/day_1.json", "train.txt")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        rows = f"{changed(1, str(number))}\n".encode()
        (tmp_path / name).write_bytes(gzip.compress(rows) if name.endswith(".gz") else rows)
    assert [day.name for day in find_days(str(tmp_path))] == ["day_1", "day_2", "day_10", "train"]
    assert [day.name for day in find_days(str(tmp_path), ["train,day_1", "day_2"])] == ["day_1", "day_2", "train"]
    with pytest.raises(BadInput, match="There is no day_3 .* there are day_1, day_2, day_10, train"):
        find_days(str(tmp_path), ["day_3"])
    (tmp_path / "day_2").write_text(f"{changed(1, '99')}\n")
    with pytest.raises(BadInput, match="day_2 is there more than once"):
        find_days(str(tmp_path))


def test_a_file_that_became_shorter_is_an_error(clicks):
    (day,) = find_days(str(clicks), ["day_1"])
    store: Store = open_source(str(clicks))
    with pytest.raises(OSError, match="became shorter"):
        reading.read_range(store, "day_1", day.size - 10, 20)
    assert Part(day.url, day.files[0], 0, day.size) == parts_of(day, 1 << 30)[0]
