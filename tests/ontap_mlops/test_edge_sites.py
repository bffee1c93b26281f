"""Edge sites are read as other sites are: a mistake names file and line, and takes no other site with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ontap_mlops import edge_sites
from ontap_mlops.config_file import ConfigError

ENTRY = """edge_sites:
  north:
    way: snapmirror
    ontap_conn_id: ontap_north
    svm: svm_north
    inference_conn_id: inference_north
"""
OTHER = """  south:
    way: flexcache
    ontap_conn_id: ontap_south
    svm: svm_south
    inference_conn_id: inference_south
    group: pilots
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))

    def write(text: str) -> Path:
        (tmp_path / "edge_sites.yaml").write_text(text)
        return tmp_path / "edge_sites.yaml"

    return write


def test_the_shipped_sites_have_one_of_each_way():
    assert [site.way for site in edge_sites.edge_sites().values()] == ["flexcache", "snapmirror", "sync"]


def test_an_entry_gets_its_defaults_and_groups_are_listed(write):
    write(ENTRY + OTHER)
    north = edge_sites.edge_site("north")
    assert (north.group, north.place, north.size, north.aggregate) == ("all", "local", 1024**3, None)
    assert edge_sites.groups() == ["all", "pilots"]


def test_a_way_that_is_none_is_named_with_its_line_and_leaves_the_others_usable(write):
    path = write(ENTRY.replace("snapmirror", "snapmiror") + OTHER)
    assert list(edge_sites.usable()) == ["south"]
    with pytest.raises(ConfigError, match=rf"{path}:3: 'snapmiror' is not one of .*did you mean 'snapmirror'"):
        edge_sites.edge_site("north")


def test_two_sites_with_one_server_are_refused(write):
    path = write(ENTRY + OTHER.replace("inference_south", "inference_north"))
    with pytest.raises(ConfigError, match=rf"{path}:7: the server of connection 'inference_north' is already that of"):
        edge_sites.edge_sites()


def test_without_a_file_there_is_no_site(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    assert edge_sites.usable() == {} and edge_sites.groups() == []
    with pytest.raises(ValueError, match=r"no edge site 'west' in .*edge_sites.yaml; it has \[\]"):
        edge_sites.edge_site("west")
