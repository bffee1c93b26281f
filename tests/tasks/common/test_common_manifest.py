"""What check wrote is found beside the data, in a folder and in a bucket."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tasks.common import manifest
from tasks.common.data import Entry, open_target
from tasks.common.program import BadInput
from tasks.data import check
from tests.lake import Lake


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    (tmp_path / "data/a").mkdir(parents=True)
    (tmp_path / "data/a/one.csv").write_text("x,y\n1,2\n")
    (tmp_path / "data/two.png").write_bytes(b"no image")
    check.check(check.parse([f"--volume={tmp_path}", "--corrupt-share=1", "--source=s3://lake/things"]))
    return tmp_path


def test_every_file_has_its_digest_and_the_source_is_told(volume: Path):
    found = manifest.of(f"{volume}/data/")
    content = (volume / "data/a/one.csv").read_bytes()
    assert found.sha256(Entry("a/one.csv", len(content), 0)) == hashlib.sha256(content).hexdigest()
    assert (found.source, found.schema, found.corrupt) == ("s3://lake/things", 1, {"two.png"})
    assert found.facts["tables"] == [{"columns": ["x", "y"], "files": 1}]


def test_a_file_of_another_size_or_none_has_no_digest(volume: Path):
    found = manifest.of(f"{volume}/data")
    assert found.sha256(Entry("a/one.csv", 1, 0)) is None
    assert found.sha256(Entry("a/none.csv", 8, 0)) is None


def test_it_is_read_through_a_bucket_as_well(volume: Path, lake: Lake):
    store = open_target("s3://lake/version1")
    for path in (volume / "data/two.png", volume / ".mlops/manifest.json"):
        store.write(path.relative_to(volume).as_posix(), path.read_bytes())
    assert manifest.of("s3://lake/version1/data") == manifest.of(f"{volume}/data")


@pytest.mark.parametrize("url", ["{}", "{}/other", "/nowhere/data", "data"])
def test_other_data_has_none(volume: Path, url: str):
    assert manifest.of(url.format(volume)) == manifest.EMPTY


def test_a_newer_manifest_is_read_and_unknown_fields_let_pass(volume: Path):
    path = volume / ".mlops/manifest.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "schema": 2, "weather": {"sun": 1}}))
    assert len(manifest.of(f"{volume}/data").files) == 2


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"files": [{"path": "a"}]}'])
def test_what_is_no_manifest_is_one_sentence(volume: Path, text: str):
    (volume / ".mlops/manifest.json").write_text(text)
    with pytest.raises(BadInput, match="manifest.json is not a manifest that this release can read"):
        manifest.of(f"{volume}/data")
