"""What is new in a run's dataset version: which versions are compared, and the program on their real snapshots."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from ontap_mlops.ontap import dataset_versions
from ontap_mlops.operators.dataset_difference import DatasetDifferenceOperator
from ontap_mlops.records import DatasetVersion
from tasks.data import difference
from tests.ontap_mlops.conftest import SVM
from tests.ontap_mlops.operators.run_context import context, record


@pytest.fixture
def top(ontap, volume, monkeypatch) -> Path:
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection())
    return ontap.emulator.namespace / "tyre"


def frozen(client, top: Path, files: dict[str, bytes], number: int) -> DatasetVersion:
    for path, content in files.items():
        (top / "data" / path).parent.mkdir(parents=True, exist_ok=True)
        (top / "data" / path).write_bytes(content)
    listed = [{"path": p, "size": len(c), "sha256": hashlib.sha256(c).hexdigest()} for p, c in files.items()]
    (top / ".mlops").mkdir(exist_ok=True)
    (top / ".mlops" / "manifest.json").write_text(json.dumps({"files": listed, "digest": f"{number:064}"}))
    facts: dict[str, Any] = {"source": "s3://lake/tyre", "files": len(files), "size": 1, "run_key": f"r{number}"}
    home = {"svm": SVM, "volume": "tyre", "dataset": "tyres"}
    return dataset_versions.freeze(client, **home, **facts, digest=f"{number:064}").version


def workload_of(version: DatasetVersion, **arguments: Any) -> Any:
    made = DatasetDifferenceOperator(task_id="difference", volumes={}, **arguments)
    return made.workload(context({"choose": record(dataset_version=version).to_json()}))


def flags_of(workload: Any) -> dict[str, str]:
    return {key.removeprefix("--"): value for key, value in zip(*[iter(workload.arguments)] * 2, strict=True)}


def test_the_version_before_the_runs_own_is_compared_with_it_by_the_manifests_in_their_snapshots(
    client, ontap, top, tmp_path, monkeypatch
):
    first = frozen(client, top, {"a.png": b"a", "b.png": b"b"}, 1)
    ontap.control("PUT", "/clock", {"offset_s": 60})
    second = frozen(client, top, {"a.png": b"a", "b.png": b"B", "c.png": b"c"}, 2)
    ontap.control("PUT", "/clock", {"offset_s": 120})
    frozen(client, top, {"a.png": b"later"}, 3)
    workload = workload_of(second, flags={"changes": str(tmp_path / "changes.jsonl")})
    assert workload.mounts["dataset"].junction_path == "/tyre"
    told = flags_of(workload)
    assert told["before"] == "{dataset}/.snapshot/" + first.snapshot + "/data"
    monkeypatch.delenv("RUN_FILE", raising=False)
    arguments = [part.replace("{dataset}", str(top)) for part in workload.arguments]
    monkeypatch.setattr("sys.argv", ["difference", *arguments])
    found = difference.main()
    assert {key: found[key] for key in ("added", "changed", "removed")} == {"added": 1, "changed": 1, "removed": 0}


def test_of_the_first_version_everything_is_new_and_an_earlier_one_can_be_named(client, ontap, top):
    first = frozen(client, top, {"a.png": b"a"}, 1)
    assert "before" not in flags_of(workload_of(first))
    ontap.control("PUT", "/clock", {"offset_s": 60})
    second = frozen(client, top, {"a.png": b"b"}, 2)
    assert first.snapshot in flags_of(workload_of(second, since=first.id))["before"]
    with pytest.raises(ValueError, match=f"since version v1 cannot be told: .* newest versions are: .*{second.id}"):
        workload_of(second, since="v1")
