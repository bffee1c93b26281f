import json
from pathlib import Path

import pytest

from ontap_mlops import registry
from ontap_mlops.config_file import ConfigError

ENTRY = """datasets:
  tyres:
    source: s3://lake/tyre/
    svm: svm1
    volume: tyres
    size: 20GB
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "datasets.yaml"
    path.write_text(text)
    return path


def test_the_shipped_registry_reads():
    assert registry.datasets()["tyre_images"].check.folders == ("good", "defective")


def test_an_entry_gets_its_defaults(tmp_path):
    tyres = registry.datasets(write(tmp_path, ENTRY))["tyres"]
    assert (tyres.size_bytes, tyres.schedule, tyres.keep.versions) == (20 * 1024**3, None, 30)
    assert (tyres.svm, tyres.ontap_conn_id) == ("svm1", "ontap_default")


def test_without_an_svm_the_connections_own_counts(tmp_path):
    assert registry.datasets(write(tmp_path, ENTRY.replace("    svm: svm1\n", "")))["tyres"].svm == ""


def test_a_dataset_is_found_or_not(tmp_path, monkeypatch):
    write(tmp_path, ENTRY)
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    assert registry.find("tyres") == registry.dataset("tyres")
    assert registry.find("cats") is None


def test_a_dataset_by_value_is_the_same_as_one_by_name(tmp_path, monkeypatch):
    write(tmp_path, ENTRY)
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    value = {"name": "tyres", "source": "s3://lake/tyre/", "svm": "svm1", "volume": "tyres", "size": "20GB"}
    by_name = registry.as_dataset("tyres")
    assert registry.as_dataset(value) == registry.as_dataset(by_name) == by_name
    assert registry.as_dataset(registry.as_argument(by_name)) == by_name
    assert json.loads(json.dumps(registry.as_argument(by_name)))["check"]["folders"] == []


def test_a_typo_in_a_dataset_by_value_is_answered_with_the_allowed_keys():
    value = {"name": "tyres", "source": "s3://lake/tyre/", "volum": "tyres"}
    with pytest.raises(ConfigError, match="dataset given by value: unknown key 'volum', did you mean 'volume'.*name"):
        registry.as_dataset(value)


@pytest.mark.parametrize(
    ("wrong", "line", "sentence"),
    [
        (ENTRY.replace("volume:", "volum:"), 5, "unknown key 'volum', did you mean 'volume'"),
        (ENTRY.replace("20GB", "20 gigs"), 6, "give it like 500MB"),
        (ENTRY.replace("s3://lake/tyre/", "/mnt/lake"), 3, "s3://bucket/prefix/"),
        (ENTRY.replace("    volume: tyres\n", ""), 2, "'volume' is missing"),
        (ENTRY.replace("  tyres:", "  Tyre-Images:"), 2, "Tyre-Images"),
    ],
)
def test_a_typo_is_answered_with_file_and_line(tmp_path, wrong, line, sentence):
    path = write(tmp_path, wrong)
    with pytest.raises(ConfigError) as error:
        registry.datasets(path)
    assert str(error.value).startswith(f"{path}:{line}:")
    assert sentence in str(error.value)


def test_an_unknown_dataset_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="it has .*tyre_images"):
        registry.dataset("tires")
