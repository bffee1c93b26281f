"""A place without the programs says which package is missing, and starts nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ontap_mlops.compute.kinds.local import LocalRunner
from ontap_mlops.compute.workload import Mount, PlaceRefused, Workload
from tests.conftest import REPOSITORY


def runner(tmp_path: Path, working_directory: Path) -> LocalRunner:
    python = Path(sys.executable).resolve()  # the bare interpreter: it has none of this project's packages
    return LocalRunner(
        folder=tmp_path / "workloads",
        namespace_roots={"default": tmp_path / "ns"},
        python=str(python),
        working_directory=working_directory,
    )


def test_a_place_without_the_programs_names_their_package(tmp_path: Path) -> None:
    with pytest.raises(PlaceRefused, match=r"tasks\.data\.check is not installed .*install ontap-mlops-programs"):
        runner(tmp_path, tmp_path).submit(Workload(name="a", program="tasks.data.check"))
    assert not (tmp_path / "workloads" / "a" / "spec.json").exists()


def test_only_what_the_program_will_find_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))  # the worker's, which no program gets
    with pytest.raises(PlaceRefused, match="is not installed"):
        runner(tmp_path, tmp_path).check_program("tasks.data.check")


def test_a_folder_with_the_programs_does(tmp_path: Path) -> None:
    made = runner(tmp_path, REPOSITORY)
    assert made.submit(Workload(name="a", program="tasks.data.check", arguments=("--help",))) == "a"
    made.cancel("a")


def test_a_place_may_name_one_root_for_every_svm(tmp_path: Path) -> None:
    (tmp_path / "ns" / "tyres").mkdir(parents=True)
    made = runner(tmp_path, tmp_path)
    for svm in ("", "svm7"):
        mount = Mount(svm=svm, junction_path="/tyres")
        assert made._folder_of("key", mount, Workload(name="a", program="x")) == tmp_path / "ns" / "tyres"
