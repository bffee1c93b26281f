"""A person is found however they are written, in every version, reading what is the same in many of them once."""

from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tasks.common.program import BadInput
from tasks.data import check
from tasks.governance import person, search
from tests.tasks.run_files import write_run_file

JANE = ["Jane Doe", "jane.doe@example.com", "+1 617 555 0142", "C-10442"]


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("spoke to JANE  DOE today", "1 (name)"),
        ("Doe, Jane;44", "1 (name)"),
        ("mailto:Jane.Doe@Example.com>", "2 (e-mail address)"),
        ("tel +16175550142", "3 (telephone or other number)"),
        ("(617) 555-0142", ""),
        ("1 (617) 555-0142,", "3 (telephone or other number)"),
        ("customer c-10442.", "4 (id)"),
        ("C-104421", ""),
        ("mary-jane doering", ""),
        ("xjane.doe@example.com", ""),
        ("916175550142", ""),
    ],
)
def test_an_identifier_is_found_however_it_is_written_and_never_within_another(line: str, label: str) -> None:
    hits = list(person.places([line], person.identifiers(JANE), most=5))
    assert hits[-1:] == ([(label, "line 1")] if label else [])


@pytest.mark.parametrize(("given", "sentence"), [([], "No identifier"), (["Jo"], "Identifier 1 has 2 characters")])
def test_what_means_nobody_or_everybody_is_refused_without_being_repeated(given: list[str], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence) as refused:
        person.identifiers(given)
    assert "Jo" not in str(refused.value)


def freeze(volume: Path, name: str) -> dict[str, Any]:
    """The volume as it is now, checked and as a snapshot."""
    digest = check.check(check.parse([f"--volume={volume}", "--allow-personal-data"]))["digest"]
    shutil.copytree(volume, volume / ".snapshot" / name, ignore=shutil.ignore_patterns(".snapshot"))
    return {"id": name, "snapshot": name, "digest": digest, "created_at": "", "locked_until": None, "clones": []}


@pytest.fixture
def site(tmp_path: Path) -> dict[str, Any]:
    """Three versions: Jane comes with the second, in four files, and stays; the third is locked."""
    volume = tmp_path / "volume"
    data = volume / "data"
    data.mkdir(parents=True)
    (data / "towns.csv").write_text("id,town\n1,Boston\n")
    versions = [freeze(volume, "v1")]
    (data / "calls.csv").write_text("id,text\n1,hello\n2,Jane Doe called\n")
    (data / "day_1.gz").write_bytes(gzip.compress(b"x\njane.doe@example.com\n"))
    with zipfile.ZipFile(data / "letter.docx", "w") as letter:
        letter.writestr("word/document.xml", "<w:p><w:t>Dear </w:t><w:t>Jane Doe</w:t></w:p>")
    (data / "C-10442.wav").write_bytes(b"RIFF")
    versions.append(freeze(volume, "v2"))
    (data / "more.csv").write_text("id\n1\n")
    versions.append({**freeze(volume, "v3"), "locked_until": "2036-01-01T00:00:00+00:00", "clones": ["mlops_exp_r1"]})
    (tmp_path / "index").mkdir()
    served = [{"snapshot": "i1", "version": "v1"}, {"snapshot": "i2", "version": "v2"}]
    (tmp_path / "index" / "serving.json").write_text(json.dumps(served))
    dataset = {"name": "calls", "key": "data_calls", "source": "s3://lake/calls/", "versions": versions}
    model = {"model": "calls", "dataset": "calls", "locked_until": None, "snapshot": "s"}
    models = [
        {**model, "version": 1, "dataset_version": "v1", "state": "registered"},
        {**model, "version": 2, "dataset_version": "v2", "state": "registered"},
        {**model, "version": 3, "dataset_version": "v3", "state": "serving"},
    ]
    return {
        "facts": {"asked_at": "now", "datasets": [dataset], "models": models, "indexes": ["index"]},
        "folders": {"data_calls": str(volume), "index": str(tmp_path / "index"), "output": str(tmp_path / "out")},
    }


def searched(site: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("RUN_FILE", str(write_run_file(tmp_path / "run.json", **site)))
    monkeypatch.setenv(search.SUBJECT, json.dumps(JANE))
    monkeypatch.setattr("sys.argv", ["search"])
    return search.main()


def test_files_versions_models_and_indexes_are_named_and_what_has_to_be_done(site, tmp_path, monkeypatch) -> None:
    result = searched(site, tmp_path, monkeypatch)
    assert (result["versions"], result["models"], result["files"]) == (["v2", "v3"], ["calls 2", "calls 3"], 4)
    whole = json.loads((tmp_path / "out" / "data_subject" / "r1.json").read_text())
    told = {each["path"]: (each["found"][0]["place"], each["versions"]) for each in whole["files"]}
    assert told == {
        "C-10442.wav": ("the name of the file", ["v2", "v3"]),
        "calls.csv": ("line 3", ["v2", "v3"]),
        "day_1.gz": ("line 2", ["v2", "v3"]),
        "letter.docx": ("line 1", ["v2", "v3"]),
    }
    assert [each["snapshot"] for each in whole["indexes"]] == ["i2"]
    to_do = "\n".join(whole["to_do"])
    assert "Remove the data from its source, s3://lake/calls/" in to_do
    assert "Train calls again on a version without it: version 3 serves" in to_do
    assert "Retire version 2 of calls" in to_do and "Remove snapshot v2 of version v2" in to_do
    assert "Version v3 of calls is locked until 2036-01-01T00:00:00+00:00: nobody can remove it before" in to_do
    assert "Its clones go first: mlops_exp_r1." in to_do
    assert whole["not_searched"] == {"files of type .wav": 1} and result["complete"] is False


def test_what_is_the_same_in_many_versions_is_read_once(site, tmp_path, monkeypatch) -> None:
    read: list[Path] = []
    lines = search.lines
    monkeypatch.setattr(search, "lines", lambda path: read.append(path) or lines(path))
    result = searched(site, tmp_path, monkeypatch)
    assert sorted(path.name for path in read) == sorted({path.name for path in read})
    assert (result["contents_read"], result["files_listed"], len(read)) == (6, 1 + 5 + 6, 6)


def test_the_reports_tell_no_identifier(site, tmp_path, monkeypatch) -> None:
    searched(site, tmp_path, monkeypatch)
    for path in (tmp_path / "out").rglob("*.*"):
        told = path.read_text().replace("C-10442.wav", "")
        assert not any(each in told for each in JANE), path


def test_a_version_with_the_manifest_of_another_is_read_by_itself(site, tmp_path, monkeypatch) -> None:
    """As of a snapshot that a person took after files were written by hand."""
    root = Path(site["folders"]["data_calls"], ".snapshot", "v1")
    (root / "data" / "towns.csv").write_text("id,town\n1,Jane Doe\n")
    site["facts"]["datasets"][0]["versions"][0]["digest"] = ""
    assert "v1" in searched(site, tmp_path, monkeypatch)["versions"]


def test_a_version_that_cannot_be_read_is_told_and_the_rest_is_searched(site, tmp_path, monkeypatch) -> None:
    shutil.rmtree(Path(site["folders"]["data_calls"], ".snapshot", "v3"))
    result = searched(site, tmp_path, monkeypatch)
    assert (result["versions"], result["complete"]) == (["v2"], False)
    page = (tmp_path / "out" / "data_subject" / "r1.html").read_text()
    assert "Not searched" in page and "calls v3" in page
