"""The report checks what lies in the snapshots, and says where; it is loud about what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.common.program import BadInput
from tasks.data import check
from tasks.governance import report
from tasks.governance.tracking import facts_of
from tasks.models.folders import digest_of
from tests.tasks.run_files import RUN, write_run_file

SAYS = {"part": "Who", "name": "Started by", "value": "jane <admin>", "where": "Airflow", "checked": "just now"}


@pytest.fixture
def site(tmp_path: Path) -> dict[str, Any]:
    """The volumes of data and model with their snapshots, and the record of a version of them."""
    volume = tmp_path / "live"
    (volume / "data").mkdir(parents=True)
    (volume / "data" / "a.csv").write_text("id\n1\n")
    found = check.check(check.parse([f"--volume={volume}"]))
    frozen = tmp_path / "data" / ".snapshot" / "mlops_v1"
    frozen.parent.mkdir(parents=True)
    volume.rename(frozen)
    models = tmp_path / "models" / ".snapshot" / "mlops_r1"
    (models / "r1").mkdir(parents=True)
    (models / "r1" / "model.onnx").write_bytes(b"network")
    (models / "r1" / "requirements.txt").write_text("onnxruntime==1.20\n")
    kept = models / "evidence" / "r1"
    kept.mkdir(parents=True)
    (kept / "run.json").write_text("{}")
    (kept / "index.json").write_text(json.dumps({"files": {"run.json": facts_of(kept / "run.json")}}))
    version = {**RUN["dataset_version"], "digest": found["digest"]}
    record = {"dataset_version": version, "svm": "svm1", "volume": "tyre_models", "snapshot": "mlops_r1"}
    record |= {"folder": "r1", "run_key": "r1", "digest": digest_of((models / "r1").iterdir())}
    return {"record": record, "frozen": frozen, "models": models, "root": tmp_path}


def written(site: dict[str, Any], monkeypatch: pytest.MonkeyPatch, *flags: str) -> dict[str, Any]:
    root = site["root"]
    facts = {"model": "tyre", "version": 3, "asked_at": "2026-11-28T00:00:00+00:00", "record": site["record"]}
    folders = {"data": str(root / "data"), "models": str(root / "models"), "output": str(root / "out")}
    facts["statements"] = [{**SAYS, "holds": True}]
    monkeypatch.setenv("RUN_FILE", str(write_run_file(root / "run.json", folders=folders, facts=facts)))
    monkeypatch.setattr("sys.argv", ["report", *flags])
    return report.main()


@pytest.mark.parametrize("flags", [(), ("--recompute",)], ids=["by manifest", "read again"])
def test_what_holds_is_told_with_where_it_was_checked(site, monkeypatch, flags) -> None:
    told = written(site, monkeypatch, *flags)
    assert (told["statements"], told["checked_now"]) == (5, 5)
    whole = json.loads(Path(told["json"]).read_text())
    digest = next(each for each in whole["statements"] if each["name"] == "Digest of all files")
    assert (digest["holds"], digest["where"]) == (True, "svm1:tyre_images, snapshot mlops_v1")
    assert ("every file read again" if flags else "by its manifest") in digest["value"]
    page = Path(told["html"]).read_text()
    assert "jane &lt;admin&gt;" in page and "<script" not in page and "http" not in page
    assert "All of these hold." in page and "onnxruntime==1.20" in page


def test_a_file_that_was_changed_is_found_when_all_is_read_again(site, monkeypatch) -> None:
    (site["frozen"] / "data" / "a.csv").write_text("id\n2\n")
    written(site, monkeypatch)
    with pytest.raises(BadInput, match="1 statements on tyre 3 do not hold: Data, Digest of all files: recorded"):
        written(site, monkeypatch, "--recompute")
    page = next((site["root"] / "out").rglob("*.html")).read_text()
    assert "NOT ALL OF THESE HOLD" in page and "does not hold" in page


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("r1/model.onnx", "Model, Digest: recorded"), ("evidence/r1/run.json", "changed or missing: run.json")],
)
def test_a_model_or_its_evidence_that_was_changed_is_found(site, monkeypatch, path, sentence) -> None:
    (site["models"] / path).write_bytes(b"other")
    with pytest.raises(BadInput, match=sentence):
        written(site, monkeypatch)


def test_what_cannot_be_read_here_is_not_said_to_hold(site, monkeypatch) -> None:
    site["frozen"].rename(site["root"] / "away")
    told = written(site, monkeypatch)
    assert (told["statements"], told["checked_now"]) == (5, 4)
    assert "the snapshot cannot be read here" in Path(told["html"]).read_text()
