"""docs/your-own-data.md and docs/your-own-dag.md, followed as far as no service is needed.

tests/package/test_package.py goes the rest of the way of the second one.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ontap_mlops import registry
from ontap_mlops.compute import places
from ontap_mlops.config_file import ConfigError
from scripts import upload
from tests import pages
from tests.conftest import REPOSITORY

DATA, DAG = "your-own-data.md", "your-own-dag.md"


def appended(text: str) -> str:
    """datasets.yaml as it is after the reader has appended the entry of the page."""
    entry = text.partition("datasets:\n")[2]
    return (REPOSITORY / "config" / "datasets.yaml").read_text().rstrip("\n") + "\n" + entry


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The DAGs and the configuration of a reader who has come to step 4."""
    told = pages.files(DATA)
    for name in ("config", "dags"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "config" / "datasets.yaml").write_text(appended(told["config/datasets.yaml"]))
    (tmp_path / "dags" / "bottles.py").write_text(told["dags/bottles.py"])
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path


@pytest.fixture
def dags(house: Path) -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(house / "dags"))
    assert bag.import_errors == {}
    return bag.dags


def test_the_entry_and_the_page_make_the_two_dags_that_are_then_run(dags):
    named = {match[1] for line in pages.commands(DATA) if (match := re.search(r"dags \w+ (\w+)", line))}
    assert {"bottles", "ingest_bottle_images", "provision_ontap"} == named <= dags.keys()
    assert dags["bottles"].get_task("train").program == "tasks.tyre.train"
    assert "deploy.confirm" in dags["bottles"].task_ids
    assert dags["bottles"].get_task("promote.register").model == "bottles"


def test_the_upload_of_the_page_goes_to_the_source_of_its_dataset(house):
    (line,) = [line for line in pages.commands(DATA) if line.startswith("make upload")]
    to = re.fullmatch(r"make upload FROM=photos TO=(\w+)", line)
    assert to and upload.address(to[1]) == registry.dataset("bottle_images").source == "s3://lake/bottles/"


@pytest.mark.parametrize(
    ("to", "sentence"),
    [
        ("bottle_image", "neither a dataset .*Did you mean bottle_images"),
        ("", "neither a dataset"),
        ("s3://lake", "each dataset a prefix of its own"),
        ("s3://lake/", "each dataset a prefix of its own"),
        ("s3://other/photos/", "has the bucket lake"),
        ("far", "by connection s3_of_the_factory, which is not the lake"),
    ],
)
def test_what_is_not_in_the_lake_is_answered_with_a_sentence(house, to, sentence):
    path = house / "config" / "datasets.yaml"
    far = {"source": "s3://lake/far/", "volume": "far", "source_conn_id": "s3_of_the_factory"}
    known = yaml.safe_load(path.read_text())
    known["datasets"]["far"] = far
    path.write_text(yaml.safe_dump(known))
    with pytest.raises(ValueError, match=sentence):
        upload.address(to)


def test_a_mistake_in_another_datasets_entry_keeps_nobody_from_sending(house):
    with (house / "config" / "datasets.yaml").open("a") as file:
        file.write("  broken: {source: 's3://lake/broken/', volume: broken, sizee: 1GB}\n")
    assert upload.address("bottle_images") == "s3://lake/bottles/"
    with pytest.raises(ConfigError, match="sizee"):
        upload.address("broken")


def test_a_folder_that_is_none_and_a_lake_that_does_not_run_are_answered(house, tmp_path, capsys):
    options = [f"--local={tmp_path / 'nothing'}"]
    assert upload.main(["", "bottle_images", *options]) == 2
    assert "FROM is empty" in capsys.readouterr().err, "not the present folder"
    assert upload.main([str(tmp_path / "photos"), "bottle_images", *options]) == 2
    assert "photos is no folder" in capsys.readouterr().err
    (tmp_path / "photos").mkdir()
    assert upload.main([str(tmp_path / "photos"), "bottle_images", *options]) == 2
    assert "`make up` starts it" in capsys.readouterr().err


def test_an_address_may_end_with_or_without_a_slash_and_keeps_its_letters():
    assert upload.address("s3://lake/a #b?c") == upload.address("s3://lake/a #b?c/") == "s3://lake/a #b?c/"


def test_the_dag_in_20_lines_has_no_more_and_parses_with_its_configuration(tmp_path, monkeypatch):
    from airflow.dag_processing.dagbag import DagBag

    told = pages.files(DAG)
    code = told["dags/my_first.py"]
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    for name, text in told.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path / "config"))
    bag = DagBag(str(tmp_path / "dags"))
    assert bag.import_errors == {}
    assert list(bag.dags) == ["my_first"]
    assert places.names() == ["local"]


def test_the_program_of_the_page_counts_what_is_there(tmp_path, monkeypatch):
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "sizes.py").write_text(pages.files(DAG)["programs/sizes.py"])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one").write_bytes(b"12345")
    monkeypatch.setenv("RESULT_FILE", str(tmp_path / "result.json"))
    subprocess.run([sys.executable, "-m", "programs.sizes", str(tmp_path / "data")], cwd=tmp_path, check=True)
    assert json.loads((tmp_path / "result.json").read_text()) == {"files": 1, "bytes": 5}
