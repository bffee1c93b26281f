"""Places to run are read from compute.yaml, and a mistake in it is explained."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ontap_mlops.compute import places
from ontap_mlops.compute.kinds.local import LocalRunner
from ontap_mlops.compute.workload import PlaceRefused
from ontap_mlops.config_file import ConfigError


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    return lambda text: (tmp_path / "compute.yaml").write_text(text)


def test_a_local_place_runs_in_the_programs_folder_with_this_python(write, tmp_path: Path) -> None:
    write("places:\n  here:\n    kind: local\n    namespace_roots: {svm1: data/svm1}\n    resources: {cpus: 2}\n")
    runner = places.runner("here")
    assert isinstance(runner, LocalRunner)
    assert (runner.working_directory / "tasks" / "README.md").exists()
    assert runner.namespace_roots == {"svm1": tmp_path / "data" / "svm1"}
    assert (runner.python, runner.cpus, runner.grace_s) == (sys.executable, 2, 30)


def test_places_come_in_the_order_in_which_they_are_named(write) -> None:
    write("places:\n  a: {kind: local}\n  b: {kind: local, grace_s: 1}\n")
    assert [name for name, _ in places.runners(["b", "a"])] == ["b", "a"]
    assert [name for name, _ in places.runners(["a"])] == ["a"]


def test_an_unknown_place_lists_the_known_ones(write) -> None:
    write("places:\n  a: {kind: local}\n  b: {kind: local}\n")
    with pytest.raises(PlaceRefused, match=r"no place named 'c' .*: a, b"):
        places.runner("c")
    with pytest.raises(PlaceRefused, match="name at least one"):
        places.runners([])


def test_an_unknown_kind_lists_the_allowed_ones(write) -> None:
    write("places:\n  a:\n    kind: lokal\n")
    kinds = "dask, kubernetes, local, sagemaker, slurm"
    with pytest.raises(ConfigError, match=rf"compute\.yaml:3: 'lokal' is not one of {kinds}"):
        places.places()


def test_a_typo_gives_file_line_and_allowed_keys(write) -> None:
    write("places:\n  a:\n    kind: local\n    namespace_root: {}\n")
    with pytest.raises(
        ConfigError, match=r"compute\.yaml:4: unknown key .*'namespace_roots'\?; allowed keys are environment, grace_s"
    ):
        places.places()


def test_the_file_we_ship_is_valid() -> None:
    assert "local" in places.places()


def test_a_dask_place_tells_the_program_where_the_cluster_is(write) -> None:
    write("places:\n  far: {kind: dask, scheduler: 'tcp://scheduler:8786'}\n")
    assert places.runner("far").environment == {"DASK_SCHEDULER_ADDRESS": "tcp://scheduler:8786"}


def test_a_dask_place_without_a_cluster_says_how_large_the_programs_own_may_be(write) -> None:
    write("places:\n  here: {kind: dask, scheduler: '${NOT_SET_ANYWHERE:-}', workers: 3, memory_gib: 1.5}\n")
    assert places.runner("here").environment == {"DASK_LOCAL_WORKERS": "3", "DASK_LOCAL_MEMORY": "1.5GiB"}


def test_a_scheduler_without_a_port_is_explained(write) -> None:
    write("places:\n  far:\n    kind: dask\n    scheduler: scheduler.example.com\n")
    with pytest.raises(ConfigError, match=r"compute\.yaml:4: .*like tcp://dask-scheduler:8786"):
        places.places()


def test_what_a_place_sets_reaches_its_programs_beside_the_cluster(write) -> None:
    write("places:\n  here: {kind: dask, environment: {HF_HOME: /models}, workers: 3}\n")
    assert places.runner("here").environment["HF_HOME"] == "/models"
    assert places.runner("here").environment["DASK_LOCAL_WORKERS"] == "3"


def test_a_scheduler_that_asks_for_certificates_gets_them_or_is_refused(write, tmp_path: Path) -> None:
    write("places:\n  far:\n    kind: dask\n    scheduler: tls://scheduler:8786\n")
    with pytest.raises(
        ConfigError, match=r"compute\.yaml:2: .*tls://scheduler:8786 asks for certificates; add tls: {ca_f"
    ):
        places.places()
    write(
        "places:\n  far: {kind: dask, scheduler: 'tls://scheduler:8786',\n"
        "    tls: {ca_file: ca.pem, cert_file: /pki/cert.pem, key_file: key.pem}}\n"
    )
    distributed = "DASK_DISTRIBUTED__COMM__TLS"
    assert places.runner("far").environment == {
        "DASK_SCHEDULER_ADDRESS": "tls://scheduler:8786",
        f"{distributed}__CA_FILE": str(tmp_path / "ca.pem"),
        f"{distributed}__CLIENT__CERT": "/pki/cert.pem",
        f"{distributed}__CLIENT__KEY": str(tmp_path / "key.pem"),
    }


def test_dask_itself_reads_the_certificates_from_those_variables(write) -> None:
    write(
        "places:\n  far: {kind: dask, scheduler: 'tls://scheduler:8786',\n"
        "    tls: {ca_file: /pki/ca.pem, cert_file: /pki/cert.pem, key_file: /pki/key.pem}}\n"
    )
    program = (
        "from distributed import Security; s = Security(); print(s.tls_ca_file, s.tls_client_cert, s.tls_client_key)"
    )
    variables = {**os.environ, **places.runner("far").environment}
    done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["/pki/ca.pem", "/pki/cert.pem", "/pki/key.pem"]


def test_a_dask_place_whose_workers_are_jobs_of_slurm_says_so_in_dasks_own_words(write) -> None:
    write(
        "places:\n  far:\n    kind: dask\n    workers: 4\n    memory_gib: 8\n"
        "    cluster: {kind: slurm, folder: ../jobs, slurm_conf: /s/slurm.conf, commands: /s/bin, account: ctr,\n"
        "      qos: low, options: --exclusive, cpus: 2, host: me}\n"
    )
    told = places.runner("far").environment
    assert told["DASK_CLUSTER"] == "slurm:4" and told["DASK_JOBQUEUE__SLURM__MEMORY"] == "2GiB"
    assert told["DASK_JOBQUEUE__SLURM__CORES"] == "2" and told["DASK_JOBQUEUE__SLURM__ACCOUNT"] == "ctr"
    assert told["DASK_JOBQUEUE__SLURM__JOB_EXTRA_DIRECTIVES"] == "['--qos=low', '--exclusive']"
    assert told["DASK_JOBQUEUE__SLURM__SCHEDULER_OPTIONS"] == "{'host': 'me'}"
    assert told["SLURM_CONF"] == "/s/slurm.conf" and told["PATH"].startswith("/s/bin:")


def test_a_cluster_that_is_there_and_one_to_be_made_are_not_both_meant(write) -> None:
    write(
        "places:\n  far: {kind: dask, scheduler: 'tcp://a:1', cluster: {kind: slurm, folder: /jobs}}\n",
    )
    with pytest.raises(ConfigError, match="leave one of them out"):
        places.places()


def test_a_slurm_place_reads_its_folders_where_it_is_and_wants_whole_ones_elsewhere(write) -> None:
    write(
        "places:\n  here: {kind: slurm, folder: jobs, namespace_roots: {default: ../svm1}}\n"
        "  there: {kind: slurm, folder: jobs, connection: login}\n",
    )
    here = places.place("here")
    assert here.runner().jobs.folder.endswith("/jobs") and here.roots()["default"].endswith("/svm1")
    assert here.runner().host is None, "every worker reaches it"
    with pytest.raises(PlaceRefused, match="'jobs' is a folder of another host; give its whole path"):
        places.runner("there")


def test_the_queues_follow_the_environment_as_the_places_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are kept between questions, and a value of the file may name a variable."""
    for name in ("programs", "trainings"):
        monkeypatch.setenv("ONTAP_MLOPS_LOCAL_QUEUE", name)
        assert places.queues()["local"] == name == places.place("local").queue
