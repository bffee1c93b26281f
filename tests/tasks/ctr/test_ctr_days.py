"""Which files are days: by their content, once, whole, and with what a training needs."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tasks.common import manifest
from tasks.common.program import BadInput
from tasks.ctr import convert, reading
from tasks.ctr.blocks import batches, count
from tasks.ctr.days import find_days, listing, parts_of
from tests.lake import Lake

ROWS = 300


def rows(day: int, number: int = ROWS) -> list[bytes]:
    """Rows of both labels, other ones for each day."""
    found = []
    for row in range(number):
        values = [(day * 7919 + row * 31 + column) % 1000 for column in range(13)]
        fields = [row % 3 == 0, *(value or "" for value in values), *[f"{row:08x}"] * 26]
        found.append("\t".join(str(int(field)) if isinstance(field, bool) else str(field) for field in fields).encode())
    return found


def text(lines: list[bytes], end: bytes = b"\n") -> bytes:
    return b"".join(line + end for line in lines)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One good day."""
    (tmp_path / "clicks").mkdir()
    (tmp_path / "clicks/day_0").write_bytes(text(rows(0)))
    return tmp_path / "clicks"


def names(folder: Path, *wanted: str) -> list[str]:
    return [day.name for day in find_days(str(folder), wanted)]


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


UNLABELLED = [row.split(b"\t", 1)[1] for row in rows(5)]
NO_DAYS: dict[str, tuple[str, bytes, str]] = {
    "prose": ("readme.txt", b"Two files, columns separated by tabs.\n", "readme.txt holds no row of a click log"),
    "prose in a folder": ("docs/licence.txt", b"Do as you like.\n\n", "docs/licence.txt holds no row"),
    "compressed prose": ("notes.txt.gz", gzip.compress(b"Notes\n"), "notes.txt.gz holds no row"),
    "comma-separated": ("export.txt", text([b"1,2,3", b"0,5,6"]), "export.txt holds no row"),
    "another table": ("prices.tsv", text([b"a\tb", b"1\t2"]), "prices.tsv holds no row"),
    "test set": ("test.txt", text(UNLABELLED), "test.txt has no label: this is the test set, of 39 columns"),
    "test set of a day": ("day_9", text(UNLABELLED), "day_9 has no label: this is the test set"),
    "compressed test set": ("test.txt.gz", gzip.compress(text(UNLABELLED)), "test.txt.gz has no label"),
    "test set with CRLF": ("test.tsv", text(UNLABELLED, b"\r\n"), "test.tsv has no label"),
    "empty": ("day_1", b"", "day_1 has no rows: it is empty"),
    "empty archive": ("day_1.gz", gzip.compress(b""), "day_1.gz has no rows: it is empty"),
    "archive of 0 bytes": ("day_1.gz", b"", "day_1.gz has no rows: it is empty"),
    "blank lines": ("day_1", b"\n\n \r\n\n", "day_1 has no rows: all its lines are blank"),
    "mark alone": ("day_1.tsv", b"\xef\xbb\xbf", "day_1.tsv has no rows: it is empty"),
}


@pytest.mark.parametrize("kind", NO_DAYS)
def test_what_is_no_day_is_passed_over_with_its_reason(folder, kind, capsys):
    name, content, reason = NO_DAYS[kind]
    write(folder / name, content)
    assert names(folder) == ["day_0"]
    said = capsys.readouterr().err
    assert f"Passed over under {folder}: {reason}" in said


@pytest.mark.parametrize("kind", NO_DAYS)
def test_what_is_no_day_is_bad_input_where_it_is_named_or_all_there_is(folder, kind):
    name, content, reason = NO_DAYS[kind]
    write(folder / name, content)
    day = name.rpartition("/")[2].split(".")[0]
    with pytest.raises(BadInput, match="There is no click log to read under .*" + reason):
        names(folder, day)
    (folder / "day_0").unlink()
    with pytest.raises(BadInput, match=reason):
        names(folder)


@pytest.mark.parametrize(
    "name",
    [
        ".ipynb_checkpoints/train-checkpoint.txt",
        ".day_0.swp.txt",
        "._train.txt",
        "__MACOSX/day_1",
        "sub/.hidden/day_2",
        ".Trash-0/files/day_0",
        ".day_1.parquet",
        "~$train.txt",
        "day_1~",
        "day_1.txt~/day_2",
    ],
)
def test_hidden_files_are_no_days(folder, name, capsys):
    write(folder / name, text(rows(1)))
    assert names(folder) == ["day_0"]
    assert "1 hidden file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    ["day_1.zip", "day_1.bz2", "train.txt.zst", "day_2.gz.part", "day_3.gz.crdownload", "train.csv", "test.csv.xz"],
)
def test_a_day_in_a_form_that_is_not_read_is_told(folder, name, capsys):
    write(folder / name, b"PK\x03\x04")
    assert names(folder) == ["day_0"]
    assert f"Passed over under {folder}: {name} is neither text, .gz nor Parquet" in capsys.readouterr().err
    assert names(folder, "day_0") == ["day_0"] and not capsys.readouterr().err
    (folder / "day_0").unlink()
    with pytest.raises(BadInput, match=f"There are no click logs under .*; {name} is neither text"):
        names(folder)


@pytest.mark.parametrize("name", ["truth/day_0.json", "README.md", "day_0.md5", "statistics.csv.md"])
def test_other_files_are_nobodys_business(folder, name, capsys):
    write(folder / name, b"{}")
    assert names(folder) == ["day_0"] and not capsys.readouterr().err


def test_many_reasons_are_counted_not_all_told(folder, capsys):
    for number in range(9):
        write(folder / f"note{number}.txt", b"x")
    assert names(folder) == ["day_0"]
    said = capsys.readouterr().err
    assert "note4.txt" in said and "and 4 others" in said and "note5.txt" not in said


def relabelled(label: bytes) -> bytes:
    return text([label + row[1:] for row in rows(1)])


@pytest.mark.parametrize("label", [b"1.0", b"-1", b"2", b"yes", b"", b"+1", b" 1"])
def test_labels_that_are_not_0_or_1_are_shown(folder, label):
    write(folder / "day_1", relabelled(label))
    with pytest.raises(
        BadInput, match="None of the first 300 lines of day_1 under .* is a row .* label of 0 or 1"
    ) as told:
        names(folder)
    assert f'"{label.decode()}\\t' in str(told.value)


def test_a_published_name_with_other_content_is_not_passed_over(folder):
    """An error page that was saved in place of a day must not make a training smaller."""
    write(folder / "day_1", b"<html>\n<title>403 Forbidden</title>\n</html>\n")
    with pytest.raises(BadInput, match='None of the first 3 lines of day_1 .* such as "<html>"'):
        names(folder)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_text_in_utf_16_is_one_sentence(folder, encoding):
    write(folder / "day_1", text(rows(1)).decode().encode(encoding))
    with pytest.raises(BadInput, match="day_1 under .* is text in UTF-16; save it as UTF-8"):
        names(folder)


def test_an_archive_whose_name_does_not_say_so_is_one_sentence(folder):
    write(folder / "day_1", gzip.compress(text(rows(1))))
    with pytest.raises(BadInput, match="day_1 under .* is compressed by gzip and not named so: add .gz"):
        names(folder)


@pytest.mark.parametrize(
    "content",
    [b"no archive at all\n", gzip.compress(text(rows(1)))[:5], gzip.compress(text(rows(1)))[:3000]],
    ids=["none at all", "cut off in its head", "cut off in its body"],  # the head holds the time of day
)
def test_a_damaged_archive_is_named(folder, content):
    write(folder / "day_1.gz", content)
    with pytest.raises(BadInput, match=r"day_1.gz under .* is damaged"):
        [count(part) for day in find_days(str(folder)) for part in parts_of(day, 1 << 20)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_byte_order_mark_costs_no_row(tmp_path, end, packed):
    content = b"\xef\xbb\xbf" + text(rows(0), end)
    write(tmp_path / ("day_0.gz" if packed else "day_0"), gzip.compress(content) if packed else content)
    (day,) = find_days(str(tmp_path))
    parts = parts_of(day, 1 << 14)
    found = [count(part) for part in parts]
    assert (sum(c.rows for c in found), sum(c.malformed.count for c in found)) == (ROWS, 0)
    assert len(parts) > 1 or packed


def test_a_copy_of_a_day_is_left_out_and_both_are_named(folder, capsys):
    shutil.copy(folder / "day_0", folder / "day_0 (1).txt")
    write(folder / "day_1", text(rows(1)))
    assert names(folder) == ["day_0", "day_1"]
    assert f"day_0 (1).txt under {folder} is a copy of day_0 and left out" in capsys.readouterr().err
    assert names(folder, "day_0 (1)") == ["day_0 (1)"], "alone it is a day"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("backup.txt", text([*rows(0), *rows(3, 50)])),
        ("backup.txt", text(rows(0, 200))),
        ("backup.txt.gz", gzip.compress(text(rows(0)))),
        ("backup.txt", text(rows(0), b"\r\n")),
        ("backup.txt", b"label\tI1\n" + text(rows(0))),
    ],
)
def test_the_same_rows_in_other_bytes_are_bad_input(folder, name, content):
    write(folder / name, content)
    with pytest.raises(BadInput, match=rf"(day_0|{name}) under .* begins with the same rows as (day_0|{name})"):
        names(folder)
    assert names(folder, "day_0") == ["day_0"]


def test_days_of_one_name_are_told_only_where_both_are_days(folder):
    write(folder / "train.txt", text(rows(6)))
    write(folder / "docs/train.txt", b"about train.txt\n")
    assert names(folder) == ["day_0", "train"]
    write(folder / "docs/train.txt", text(rows(4)))
    with pytest.raises(BadInput, match=r"train is there more than once .*\(docs/train.txt, train.txt\)"):
        names(folder)


def test_a_days_content_decides_what_a_training_goes_on_from(folder):
    before = listing(find_days(str(folder)))
    content = (folder / "day_0").read_bytes()
    (folder / "day_0").write_bytes(content[:-9] + b"ffffffff\n")
    assert listing(find_days(str(folder))) != before
    (folder / "day_0").write_bytes(content)
    assert listing(find_days(str(folder))) == before


def test_an_object_store_is_read_by_the_same_rules(folder, lake: Lake, capsys):
    for name, content in {
        "day_0": (folder / "day_0").read_bytes(),
        "copy.txt": (folder / "day_0").read_bytes(),
        ".ipynb_checkpoints/day_0": b"x",
        "readme.txt": b"read me\n",
        "test.txt.gz": gzip.compress(text(UNLABELLED)),
        "day_1": b"",
    }.items():
        lake.client.put_object(Bucket="lake", Key=f"ctr/{name}", Body=content)
    assert [day.name for day in find_days("s3://lake/ctr")] == ["copy"]
    said = capsys.readouterr().err
    for part in ("day_0 under s3://lake/ctr is a copy of copy.txt", "1 hidden file", "readme.txt holds no row"):
        assert part in said
    assert "test.txt.gz has no label" in said and "day_1 has no rows: it is empty" in said


# Days that convert has written


@pytest.fixture
def converted(run, folder: Path, tmp_path: Path) -> Callable[..., tuple[int, Path]]:
    """Converts the folder; exit code and where to."""

    def call(*flags: str) -> tuple[int, Path]:
        code, _ = run(convert.main, f"--data={folder}", f"--output={tmp_path / 'pq'}", "--processes=1", *flags)
        return code, tmp_path / "pq"

    return call


SPOILT = text([*rows(1, 200), *(row[:-9] for row in rows(2, 100))])


def test_a_refused_day_keeps_no_parts_and_is_passed_over_by_name(folder, converted, capsys):
    write(folder / "day_1", SPOILT)
    write(folder / "day_2", text(rows(2)))
    code, output = converted()
    assert code == 2
    assert "100 of 300 rows" in capsys.readouterr().err.strip().splitlines()[-1]
    assert sorted(path.parent.name for path in output.rglob("*.parquet")) == ["day_0", "day_2"], (
        "the others are converted"
    )
    assert names(output) == ["day_0", "day_2"]
    assert "day_1 was refused by convert (100 of 300 rows" in capsys.readouterr().err
    with pytest.raises(BadInput, match="day_1 was refused by convert"):
        names(output, "day_1")


def test_a_refused_day_that_is_mended_is_converted(folder, converted):
    write(folder / "day_1", SPOILT)
    assert converted()[0] == 2
    assert converted("--malformed-share=0.5")[0] == 0
    write(folder / "day_1", text(rows(1)))
    code, output = converted()
    assert code == 0 and names(output) == ["day_0", "day_1"]


def test_a_damaged_archive_is_refused_and_keeps_no_parts(folder, converted, monkeypatch):
    monkeypatch.setattr(convert, "PART_BYTES", 1 << 14)
    monkeypatch.setattr(reading, "CHUNK", 1 << 14)
    write(folder / "day_1.gz", gzip.compress(text(rows(1, 3000)), 1)[:-20])
    code, output = converted()
    assert code == 2 and not list((output / "day_1").glob("*.parquet"))


class _Killed(BaseException):
    """Ends a program in the middle, as SIGKILL does: nothing tidies up after it."""


def killed_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """End the conversion when so many parts are written."""
    written = []
    writing = convert._convert

    def counting(*arguments):
        if len(written) == number:
            raise _Killed
        written.append(writing(*arguments))
        return written[-1]

    monkeypatch.setattr(convert, "PART_BYTES", 1 << 14)
    monkeypatch.setattr(convert, "_convert", counting)


@pytest.mark.parametrize("parts", [0, 1, 3])
def test_a_day_whose_conversion_was_killed_is_not_trained_on_and_convert_goes_on(folder, converted, monkeypatch, parts):
    with monkeypatch.context() as killing:
        killed_at(killing, parts)
        with pytest.raises(_Killed):
            converted()
    output = folder.parent / "pq"
    with pytest.raises(BadInput, match=r"day_0 under .* run tasks.ctr.convert again"):
        names(output)
    monkeypatch.setattr(convert, "PART_BYTES", 1 << 14)
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*.parquet")}
    assert len(before) == parts and converted()[0] == 0
    assert all(path.stat().st_mtime_ns == time for path, time in before.items()), "what was there is taken over"
    (day,) = find_days(str(output))
    assert sum(count(part).rows for part in parts_of(day, 1 << 20)) == ROWS


def test_a_day_not_yet_begun_when_convert_was_killed_is_missed(folder, converted, monkeypatch):
    write(folder / "day_1", text(rows(1, 10)))
    with monkeypatch.context() as killing:
        killed_at(killing, len(parts_of(find_days(str(folder))[0], 1 << 14)))
        with pytest.raises(_Killed):
            converted()
    with pytest.raises(BadInput, match="day_1 under .* is not converted to its end"):
        names(folder.parent / "pq")
    assert names(folder.parent / "pq", "day_0") == ["day_0"]


def test_a_day_converted_anew_counts_only_when_it_is_whole(folder, converted, monkeypatch):
    assert converted()[0] == 0
    write(folder / "day_0", text(rows(8)))
    with monkeypatch.context() as killing:
        killed_at(killing, 1)
        with pytest.raises(_Killed):
            converted()
    with pytest.raises(BadInput, match="run tasks.ctr.convert again"):
        names(folder.parent / "pq")


SPOILING: dict[str, Callable[[Path], None]] = {
    "no statistics": lambda output: (output / "statistics/day_0.json").unlink(),
    "statistics cut short": lambda output: (output / "statistics/day_0.json").write_text('{"source": "x", "tot'),
    "a part too many": lambda output: shutil.copy(output / "day_0/part-00000.parquet", output / "day_0/part-9.parquet"),
    "the last part gone": lambda output: max((output / "day_0").iterdir()).unlink(),
    "a part cut short": lambda output: (output / "day_0/part-00001.parquet").write_bytes(b"PAR1"),
    "all parts gone": lambda output: shutil.rmtree(output / "day_0"),
    "renamed": lambda output: (output / "day_0").rename(output / "day_5"),
}


@pytest.mark.parametrize("what", SPOILING)
def test_a_converted_day_counts_only_as_convert_left_it(folder, converted, monkeypatch, what):
    monkeypatch.setattr(convert, "PART_BYTES", 1 << 14)
    _, output = converted()
    SPOILING[what](output)
    with pytest.raises(BadInput, match="convert"):
        find_days(str(output))
    if what != "renamed":
        code, output = converted()
        assert code == 0 and names(output) == ["day_0"], "convert mends it"


def test_a_part_of_another_source_is_found(folder, converted, monkeypatch, tmp_path):
    monkeypatch.setattr(convert, "PART_BYTES", 1 << 14)
    _, output = converted()
    first, second = output / "day_0/part-00001.parquet", output / "day_0/part-00002.parquet"
    content = first.read_bytes(), second.read_bytes()
    first.write_bytes(content[1]), second.write_bytes(content[0])
    with pytest.raises(BadInput, match="part-00001.parquet under .* was made from another day than the rest"):
        parts_of(find_days(str(output))[0], 1 << 20)


def test_a_day_that_has_left_the_source_is_told(folder, converted, capsys):
    write(folder / "day_1", text(rows(1)))
    converted()
    assert "Also under" not in capsys.readouterr().err
    (folder / "day_1").unlink()
    _, output = converted()
    assert f"Also under {output}, and not from {folder}: day_1." in capsys.readouterr().err


def test_a_day_that_is_not_there_is_asked_for(folder, converted):
    write(folder / "day_1", SPOILT)
    _, output = converted()
    for place, listed in ((folder, "day_0, day_1"), (output, "day_0, day_1")):
        with pytest.raises(BadInput, match=f"There is no day_9 under .*; there are {listed}[.]$"):
            names(place, "day_9")


def test_the_folder_of_one_converted_day_is_explained(converted):
    _, output = converted()
    with pytest.raises(BadInput, match="name the folder that it writes to"):
        names(output / "day_0")


def test_a_source_written_anew_with_its_size_is_converted_again(folder, converted, run):
    assert converted()[0] == 0
    content = (folder / "day_0").read_bytes()
    (folder / "day_0").write_bytes(content.replace(b"\t7\t", b"\t8\t"))
    code, output = converted()
    assert code == 0
    values = [b.values for part in parts_of(find_days(str(output))[0], 1 << 20) for b in batches(part)]
    assert not (np.concatenate(values) == 7).any()


def test_a_source_with_a_digest_is_known_wherever_it_lies(folder, tmp_path, run):
    """A clone's files have other times; the manifest of their version says that they are the same."""
    for name in ("one", "two"):
        shutil.copytree(folder, tmp_path / name / "data")
        digest = "ab" * 32
        facts = {"files": [{"path": "day_0", "size": (folder / "day_0").stat().st_size, "sha256": digest}]}
        write(tmp_path / name / manifest.FOLDER / manifest.NAME, json.dumps(facts).encode())
        flags = (f"--data={tmp_path / name / 'data'}", f"--output={tmp_path / 'pq'}", "--processes=1")
        code, result = run(convert.main, *flags)
        assert (code, result["converted"]) == (0, int(name == "one"))
        (tmp_path / name / "data/day_0").touch()


def test_copies_are_found_among_converted_days_too(folder, converted, capsys, tmp_path, run):
    _, output = converted()
    (tmp_path / "other").mkdir()
    shutil.copy(folder / "day_0", tmp_path / "other/day_7")
    assert run(convert.main, f"--data={tmp_path / 'other'}", f"--output={output}", "--processes=1")[0] == 0
    assert names(output) == ["day_0"]
    assert f"day_7/part-00000.parquet under {output} is a copy of day_0/part-00000.parquet" in capsys.readouterr().err
