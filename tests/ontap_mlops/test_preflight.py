"""`make preflight`: a line for each thing that the DAGs stand on, and a missing right beside the step that needs it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ontap_mlops.ontap import s3
from scripts import preflight
from scripts.preflight import Check, Failed, __main__, elsewhere, ontap, services

VOLUMES = "/api/storage/volumes"
COMMON = [
    {"path": "/api/cluster", "access": "readonly"},
    {"path": "/api/svm/svms", "access": "readonly"},
    {"path": "/api/cluster/jobs", "access": "readonly"},
]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, emulator) -> Path:
    place = {"kind": "local", "namespace_roots": {"default": str(emulator.namespace)}}
    (tmp_path / "compute.yaml").write_text(json.dumps({"places": {"local": place}}))
    dataset = {"source": "s3://lake/tyre/", "volume": "tyre"}
    (tmp_path / "datasets.yaml").write_text(json.dumps({"datasets": {"tyre_images": dataset}}))
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def account(ontap, monkeypatch: pytest.MonkeyPatch):
    """Point the connection at an account with these privileges; without any, at the administrator."""

    def use(*privileges: tuple[str, str]) -> None:
        who = {}
        if privileges:
            rows = [*COMMON, *({"path": path, "access": access} for path, access in privileges)]
            ontap.control("PUT", "/roles", {"name": "some", "privileges": rows})
            ontap.control("PUT", "/users", {"name": "pf", "password": "pf-pass", "role": "some", "svm": "svm1"})
            who = {"login": "pf", "password": "pf-pass"}
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", ontap.connection(**who))

    return use


def run(capsys, **options) -> tuple[int, dict[str, tuple[str, str]]]:
    failed = ontap.report("ontap_default", **{"read_only": False, **options})
    lines = [
        re.fullmatch(r"(ok|FAILED|skipped|left) +(.{34}) (.*)", line) for line in capsys.readouterr().out.splitlines()
    ]
    assert all(lines), "one line for each check"
    return failed, {match[2].strip(): (match[1], match[3]) for match in lines if match}


def test_an_account_that_may_do_everything_passes_and_nothing_is_left(config, account, ontap, client, capsys) -> None:
    account()
    s3.ensure_service(client, svm="svm1")
    failed, lines = run(capsys)
    assert failed == 0, lines
    assert lines["make a bucket"][1].startswith("mlops-preflight-")
    assert {state for state, _ in lines.values()} == {"ok"}, lines
    assert {"clone a snapshot", "make a bucket", "remove a volume", "volumes mounted at place local"} <= set(lines)
    assert not [name for name in ontap.everything()["volumes"] if "preflight" in name]
    assert not [name for name in ontap.everything()["buckets"] if "preflight" in name]


def test_a_missing_right_is_named_with_the_step_that_needs_it(config, account, ontap, volume, capsys) -> None:
    account((VOLUMES, "readonly"), (f"{VOLUMES}/*/snapshots", "all"))
    failed, lines = run(capsys)
    assert lines["make a volume"][0] == "FAILED" and "[needed by provision_ontap.volumes]" in lines["make a volume"][1]
    assert lines["make a snapshot"] == ("ok", lines["make a snapshot"][1]), "a volume of a dataset is frozen instead"
    assert lines["clone a snapshot"][0] == "FAILED" and "create_workspace" in lines["clone a snapshot"][1]
    assert lines["remove a clone"] == ("skipped", "needs: clone a snapshot")
    assert lines["see the S3 server"][0] == "FAILED"
    assert failed == 3
    assert not [name for _, name in ontap.everything()["snapshots"] if "preflight" in name]


def test_read_only_makes_nothing(config, account, ontap, volume, capsys) -> None:
    account()
    failed, lines = run(capsys, read_only=True)
    assert failed == 0 and "make a volume" not in lines and "is there" in lines["volumes mounted at place local"][1]
    assert ontap.writes() == []


def test_a_namespace_that_is_not_mounted_is_found(config, account, capsys, tmp_path: Path) -> None:
    account()
    place = {"kind": "local", "namespace_roots": {"svm1": str(tmp_path / "nowhere")}}
    (config / "compute.yaml").write_text(json.dumps({"places": {"far": place}}))
    failed, lines = run(capsys)
    assert failed == 1, lines
    assert lines["make a bucket"][1].startswith("not tried")
    assert re.search(rf"mount svm1:/ at {tmp_path}/nowhere", lines["volumes mounted at place far"][1])


def test_a_clock_that_differs_is_found(config, account, ontap, capsys) -> None:
    account()
    ontap.control("PUT", "/clock", {"offset_s": 4000})
    _, lines = run(capsys, read_only=True)
    assert re.search(
        r"differ by (3999|4\d{3}) s, more than \[ontap_mlops\] clock_skew_s = 300",
        lines["clocks of ONTAP and this machine"][1],
    )


def test_no_ontap_is_one_sentence(config, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    closed = {"conn_type": "ontap", "host": "127.0.0.1", "port": 1, "login": "a", "password": "b", "schema": "http"}
    monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", json.dumps(closed))
    failed, lines = run(capsys)
    assert failed == 1 and list(lines) == ["ONTAP, ontap_default"]


def test_services_that_do_not_answer_are_lines_too(config, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    for name, kind in (("MLFLOW_DEFAULT", "http"), ("INFERENCE_DEFAULT", "http"), ("AWS_DEFAULT", "aws")):
        extra = {"extra": {"endpoint_url": "http://127.0.0.1:1"}} if kind == "aws" else {"host": "127.0.0.1", "port": 1}
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{name}", json.dumps({"conn_type": kind, "login": "a", "password": "b", **extra})
        )
    failed = preflight.report(services.configuration() + services.checks("mlflow_default", "inference_default"))
    told = capsys.readouterr().out
    assert failed == 3, told
    for line in (
        r"^ok +datasets.yaml +names tyre_images",
        r"^ok +programs at place local",
        r"^FAILED +MLflow",
        r"^FAILED +source of",
    ):
        assert re.search(line, told, re.MULTILINE), told


@pytest.fixture
def site(config, account, ontap, monkeypatch: pytest.MonkeyPatch):
    """An entry of sites.yaml, and a connection to it: the same cluster's, which is enough to be looked at."""
    account()
    entry = {"ontap_conn_id": "ontap_west", "svm": "svm1", "cache_bytes": "1GB"}
    (config / "sites.yaml").write_text(json.dumps({"sites": {"west": entry}}))

    def use(**who: str) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_WEST", ontap.connection(**who))

    return use


def test_a_site_is_looked_at_and_nothing_is_made_there(site, ontap, capsys) -> None:
    site()
    before = ontap.writes()
    assert preflight.report(elsewhere.checks("ontap_default")) == 0
    told = capsys.readouterr().out
    for line in (
        r"^ok +site west, ontap_west +SVM svm1 is there",
        r"^ok +clocks of site west +they differ by \d s",
        r"^ok +peers of site west +SVM svm1 is no peer of svm1 yet",
    ):
        assert re.search(line, told, re.MULTILINE), told
    assert ontap.writes() == before


def test_a_site_without_a_connection_and_one_whose_account_lacks_a_right_are_named(site, monkeypatch, capsys) -> None:
    assert preflight.report(elsewhere.checks("ontap_default")) == 1
    told = capsys.readouterr().out
    assert re.search(r"^FAILED +site west, ontap_west +there is no connection 'ontap_west'; add it", told, re.MULTILINE)
    assert len(re.findall(r"^skipped ", told, re.MULTILINE)) == 2
    site(login="vsadmin")
    said: list[str] = []
    elsewhere.report_rights(dag_id=None, say=said.append)
    assert said and all(line.startswith("lacks    west: /api/") for line in said)
    assert any("west: /api/cluster/peers" in line for line in said)


def test_a_cloud_is_looked_at_where_it_has_a_connection(config, account, monkeypatch, capsys) -> None:
    account()
    assert elsewhere.checks("ontap_default") == []
    closed = {"conn_type": "copy_sync", "host": "127.0.0.1", "port": 1, "schema": "http", "password": "token"}
    monkeypatch.setenv("AIRFLOW_CONN_COPY_SYNC_DEFAULT", json.dumps(closed))
    assert preflight.report(elsewhere.checks("ontap_default")) == 1
    assert capsys.readouterr().out.startswith("FAILED   Copy and Sync, copy_sync_default")


def test_the_exit_code_is_the_number_of_failed_checks(config, account, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    account()
    closed = json.dumps({"conn_type": "http", "host": "127.0.0.1", "port": 1})
    (config / "datasets.yaml").write_text("datasets: {}\n")
    for name in ("MLFLOW_DEFAULT", "INFERENCE_DEFAULT"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", closed)
    assert __main__.main(["--read-only"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "2 checks failed."
    assert {line.split()[0] for line in lines[:-1]} == {"ok", "FAILED"}, "nothing but the checks on stdout"


def test_what_stands_on_a_failed_check_is_skipped() -> None:
    def no() -> str:
        raise Failed("it is not there")

    said: list[str] = []
    checks = [Check("a", no, "x.y"), Check("b", no, after="a"), Check("c", no, after="b"), Check("d", lambda: "fine")]
    assert preflight.report(checks, said.append) == 1
    assert [line.split()[0] for line in said] == ["FAILED", "skipped", "skipped", "ok"]
    assert said[0].endswith("it is not there [needed by x.y]")
