"""Other sites are read as datasets are: a mistake names file and line, and takes no other site with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ontap_mlops import sites
from ontap_mlops.config_file import ConfigError

ENTRY = """sites:
  west:
    ontap_conn_id: ontap_west
    svm: svm_west
    cache_bytes: 20GB
"""
OTHER = """  east:
    ontap_conn_id: ontap_east
    svm: svm_east
    cache_bytes: 1GB
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))

    def write(text: str) -> Path:
        (tmp_path / "sites.yaml").write_text(text)
        return tmp_path / "sites.yaml"

    return write


def test_the_shipped_site_is_a_second_ontap_with_a_gigabyte_for_caches():
    remote = sites.sites()["remote"]
    assert (remote.ontap_conn_id, remote.svm, remote.cache_bytes) == ("ontap_remote", "svm_remote", 1024**3)


def test_an_entry_gets_its_defaults(write):
    write(ENTRY)
    west = sites.site("west")
    assert (west.cache_bytes, west.cache_keep_unused_days) == (20 * 1024**3, 1)
    assert (west.aggregate, west.link_mbps, west.places) == (None, None, ())


def test_without_a_file_there_is_no_other_site(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    assert sites.sites() == sites.usable() == {}
    with pytest.raises(ValueError, match=r"no site 'west' in .*sites.yaml; it has \[\]"):
        sites.site("west")


def test_a_site_by_value_is_the_same_as_one_by_name(write):
    write(ENTRY)
    west = sites.site("west")
    value = {"name": "west", "ontap_conn_id": "ontap_west", "svm": "svm_west", "cache_bytes": "20GB"}
    assert sites.as_site(value) == sites.as_site("west") == sites.as_site(west) == west
    assert sites.as_site(json.loads(json.dumps(sites.as_argument(west)))) == west


def test_a_typo_in_a_site_by_value_is_answered_with_the_allowed_keys():
    value = {"name": "west", "ontap_conn": "ontap_west", "svm": "svm_west", "cache_bytes": 1}
    with pytest.raises(ConfigError, match="site given by value: unknown key 'ontap_conn', did you mean"):
        sites.as_site(value)


@pytest.mark.parametrize(
    ("right", "wrong", "line", "sentence"),
    [
        ("svm: svm_west", "smv: svm_west", 4, "unknown key 'smv', did you mean 'svm'"),
        ("    svm: svm_west\n", "", 2, "the key 'svm' is missing"),
        ("svm: svm_west", "svm: ' '", 4, "an empty text names nothing"),
        ("20GB", "20 gigs", 5, "give it like 500MB, 20GB or 4TB"),
        ("20GB", "0", 5, "0 is below 1, the least allowed"),
        ("20GB", "20GB\n    link_mbps: 0", 6, "is not above 0"),
        ("20GB", "20GB\n    cache_keep_unused_days: never", 6, "'never' is not a whole number"),
        ("  west:", "  home:", 2, "'home' means where a dataset's own entry says"),
        ("  west:", "  West-1:", 2, "'West-1' does not fit"),
    ],
)
def test_a_mistake_names_file_and_line_and_takes_no_other_site_with_it(write, right, wrong, line, sentence):
    path = write(ENTRY.replace(right, wrong) + OTHER)
    assert set(sites.usable()) == {"east"}
    with pytest.raises(ConfigError, match=f"^{path}:{line}: ") as error:
        sites.sites()
    assert sentence in str(error.value)


def test_asking_for_the_site_with_the_mistake_says_the_mistake(write):
    path = write(ENTRY.replace("svm:", "smv:"))
    with pytest.raises(ConfigError, match=f"^{path}:4: unknown key 'smv'"):
        sites.site("west")


def test_two_sites_are_never_one_svm_whose_space_both_would_spend(write):
    path = write(ENTRY + OTHER.replace("ontap_east", "ontap_west").replace("svm_east", "svm_west"))
    assert set(sites.usable()) == {"west"}
    with pytest.raises(ConfigError, match=f"^{path}:6: SVM 'svm_west' of connection 'ontap_west' is already site 'wes"):
        sites.sites()


@pytest.mark.parametrize("text", ["", "sites: [", "site: {}", "sites: [a]"])
def test_a_file_that_cannot_be_read_as_a_whole_is_an_error_for_everybody(write, text):
    path = write(text)
    with pytest.raises(ConfigError, match=f"^{path}:1"):
        sites.usable()
