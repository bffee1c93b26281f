"""A model is promoted only when somebody has looked at its data, and what was found is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.common.program import BadInput
from tasks.data import check
from tasks.governance import scan
from tests.tasks.run_files import RUN

VERSION = RUN["dataset_version"]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("id,town\n1,Boston\n")
    return tmp_path


def checked(workspace: Path) -> dict[str, Any]:
    """As ingest leaves it: the manifest on the volume, and the version's record with the digest of it."""
    found = check.check(check.parse([f"--volume={workspace}", "--allow-personal-data"]))
    return {**VERSION, "digest": found["digest"]}


def with_a_person(workspace: Path) -> None:
    (workspace / "data" / "b.txt").write_text("Ask jane.doe@example.com\n")


def test_what_ingest_has_checked_is_not_read_again(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = checked(workspace)
    monkeypatch.setattr(check, "inspected", lambda *_: pytest.fail("the files were read"))
    found = scan.of_version(workspace, version, allowed=False)
    assert found == {
        "by": "check",
        "digest": version["digest"],
        "files": 1,
        "personal_data": {},
        "allowed": False,
    }


def test_a_version_without_a_manifest_is_looked_at_now(workspace: Path) -> None:
    found = scan.of_version(workspace, {**VERSION, "digest": ""}, allowed=False)
    assert (found["by"], found["files"], found["personal_data"]) == ("promotion", 1, {})
    assert found["digest"] == checked(workspace)["digest"], "the digest that a check would have given"


def test_the_manifest_of_other_data_is_no_scan(workspace: Path) -> None:
    """A snapshot that a person took after files were added by hand has the manifest of the ingest before."""
    checked(workspace)
    with_a_person(workspace)
    for digest in ("", VERSION["digest"]):
        with pytest.raises(BadInput, match="holds personal data that is not allowed: e-mail addresses in 1 files"):
            scan.of_version(workspace, {**VERSION, "digest": digest}, allowed=False)


@pytest.mark.parametrize("known", [True, False], ids=["by ingest", "now"])
def test_personal_data_is_refused_with_file_and_what_to_do_unless_it_is_allowed(workspace: Path, known: bool) -> None:
    with_a_person(workspace)
    version = checked(workspace) if known else {**VERSION, "digest": ""}
    with pytest.raises(BadInput) as refused:
        scan.of_version(workspace, version, allowed=False)
    assert str(refused.value) == (
        "The model is not promoted: dataset version v1 of tyre_images, which it was trained on, holds personal data "
        "that is not allowed: e-mail addresses in 1 files (b.txt). Train on a version without it, or allow it (check: "
        "allow_personal_data in datasets.yaml)."
    )
    assert scan.of_version(workspace, version, allowed=True)["personal_data"] == {"e-mail addresses": 1}


def test_data_that_is_not_there_to_be_scanned_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="dataset version v1 has no scan, and its folder data is not in"):
        scan.of_version(tmp_path, VERSION, allowed=True)
