"""The tasks of `replicate` and `fail_over` on two emulated clusters, whole and cut off anywhere; no scheduler."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from ontap_mlops import settings
from ontap_mlops.ontap import marks, mirrors, s3, snapshots, volumes
from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.divergence import OnlyHere
from ontap_mlops.ontap.errors import Unreachable, WrongState
from tests.conftest import REPOSITORY, Emulator, Pair
from tests.emulator.mirror_support import contents
from tests.ontap_mlops.conftest import GIB, Ontap

DAGS = Path(__file__).parents[2] / "dags"
SITES = "sites:\n  west: {ontap_conn_id: ontap_west, svm: svm2, cache_bytes: 1GB}\n"
DATASETS = "datasets:\n  tyres: {source: s3://lake/tyre/, volume: tyres}\n"
PARAMS = {"dataset": "tyres", "site": "west"}


class CutOff(Exception):
    """The worker is gone, and so are all the tasks after this one."""


class World:
    """A dataset at home, `svm1`, and the site `west`, `svm2`: what there is, and runs of the two DAGs."""

    def __init__(self, pair: Pair, dags: dict[str, Any], home: Client, site: Client) -> None:
        self.dags, self.home, self.site = dags, home, site
        self.at_home, self.at_site = pair.here.namespace / "tyres", pair.there.namespace / "tyres"

    def run(self, dag_id: str, cut_after: str = "", **params: Any) -> dict[str, Any]:
        """Run the tasks one after another; what each has returned, without those that were skipped."""
        dag, results = self.dags[dag_id], {}
        values = {name: param.value for name, param in dag.params.items()} | PARAMS | params
        for task in dag.topological_sort():
            context = self.context(dag, task, values, results)
            try:
                if task._pre_execute_hook:
                    task._pre_execute_hook(context)
                results[task.task_id] = self.execute(task, context)
            except AirflowSkipException:
                continue
            if task.task_id == cut_after:
                raise CutOff(cut_after)
        return results

    @staticmethod
    def execute(task: Any, context: Any) -> Any:
        tried = copy.copy(task)
        tried.first_wait_s = 3600.0  # no triggerer is there
        tried.render_template_fields(context)
        return tried.execute(context)

    @staticmethod
    def context(dag: Any, task: Any, params: dict[str, Any], results: dict[str, Any]) -> Any:
        ti = SimpleNamespace(
            task_id=task.task_id,
            xcom_pull=lambda task_ids, key="return_value": results.get(task_ids),
            get_dr_count=lambda **_: 0,
        )
        run = SimpleNamespace(dag_id=dag.dag_id, run_id="manual__1")
        return {"dag": dag, "ti": ti, "dag_run": run, "params": params}

    def to_site(self, **other: Any) -> dict[str, Any]:
        return self.run("fail_over", direction="to_site", **other)

    def back(self, **other: Any) -> dict[str, Any]:
        return self.run("fail_over", direction="back", **other)

    def forward(self) -> mirrors.Mirror | None:
        return mirrors.find(self.site, svm="svm2", volume="tyres")

    def reverse(self) -> mirrors.Mirror | None:
        return mirrors.find(self.home, svm="svm1", volume="tyres")

    def copy(self) -> volumes.Volume:
        return volumes.get(self.site, svm="svm2", name="tyres")

    def version(self, client: Client, svm: str, name: str) -> None:
        uuid = volumes.get(client, svm=svm, name="tyres").uuid
        snapshots.ensure(client, volume_uuid=uuid, name=name, comment="a version")

    def assert_back(self) -> None:
        """Home is written, the copy follows it, and nothing of the way between is left."""
        forward = self.forward()
        assert forward is not None and (forward.state, forward.healthy) == ("snapmirrored", True)
        assert self.reverse() is None
        assert mirrors.list_destinations(self.site, svm="svm2", volume="tyres") == []
        assert self.copy().is_read_only and not volumes.get(self.home, svm="svm1", name="tyres").is_read_only
        assert contents(self.at_site) == contents(self.at_home)


def of(emulator: Emulator) -> Client:
    login = {"username": emulator.user, "password": emulator.password, "verify": emulator.ca}
    return Client(host=emulator.host, port=emulator.port, **login)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("config")
    (folder / "sites.yaml").write_text(SITES)
    (folder / "datasets.yaml").write_text(DATASETS)
    return folder


@pytest.fixture(scope="module")
def both_dags(config: Path) -> dict[str, Any]:
    from airflow.dag_processing.dagbag import DagBag

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(config))
        bags = [DagBag(str(DAGS / f"{name}.py")) for name in ("replicate", "fail_over")]
    assert [bag.import_errors for bag in bags] == [{}, {}]
    return {dag_id: dag for bag in bags for dag_id, dag in bag.dags.items()}


@pytest.fixture
def world(
    peered: Pair, both_dags: dict[str, Any], config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__CONFIG_DIR", str(config))
    monkeypatch.setenv(settings.variable("secret_store"), f"file://{tmp_path}/keys")
    monkeypatch.setenv(settings.variable("secrets_dir"), str(tmp_path))
    with of(peered.here) as home, of(peered.there) as site, peered.here.client() as http:
        for name, emulator in (("DEFAULT", peered.here), ("WEST", peered.there)):
            extra = {"verify": emulator.ca, "svm": emulator.svm}
            monkeypatch.setenv(f"AIRFLOW_CONN_ONTAP_{name}", Ontap(emulator, http).connection(extra=extra))
        mark = marks.mark("dataset tyres")
        path = {"junction_path": "/tyres", "unix_permissions": "777"}
        volumes.ensure(home, svm="svm1", name="tyres", size_bytes=GIB, comment=mark, **path)
        s3.ensure_service(home, svm="svm1")
        made = World(peered, both_dags, home, site)
        (made.at_home / "data").mkdir()
        for number in range(4):
            (made.at_home / "data" / f"{number}.png").write_bytes(bytes([number]) * 5000)
        made.version(home, "svm1", "mlops_v1")
        yield made


@pytest.fixture
def copied(world: World) -> World:
    world.run("replicate")
    return world


@pytest.fixture
def failed_over(copied: World) -> World:
    """With a file that was written at the site, and a version that was made there."""
    copied.to_site()
    (copied.at_site / "data" / "west.png").write_bytes(b"written in the west")
    copied.version(copied.site, "svm2", "mlops_v2")
    return copied


def test_a_copy_holds_the_same_files_and_versions_and_is_brought_up_to_date(world: World) -> None:
    first = world.run("replicate")
    assert contents(world.at_site) == contents(world.at_home)
    assert snapshots.find(world.site, volume_uuid=world.copy().uuid, name="mlops_v1")
    assert world.copy().is_read_only
    (world.at_home / "data" / "4.png").write_bytes(b"x" * 300)
    again = world.run("replicate")
    assert contents(world.at_site) == contents(world.at_home)
    assert 0 < again["update"]["bytes"] < first["mirror"]["bytes"]
    assert again["update"]["lag_s"] is not None


def test_a_planned_fail_over_brings_the_last_of_home_and_opens_the_site(copied: World) -> None:
    (copied.at_home / "data" / "late.png").write_bytes(b"just before")
    copied.to_site()
    assert contents(copied.at_site) == contents(copied.at_home)
    assert not copied.copy().is_read_only
    assert copied.copy().comment == marks.mark("dataset tyres")
    assert s3.find_bucket(copied.site, svm="svm2", name="tyres") is not None


def test_an_unplanned_one_says_how_old_the_copy_is(copied: World, capsys: pytest.CaptureFixture[str]) -> None:
    (copied.at_home / "data" / "late.png").write_bytes(b"never copied")
    copied.to_site(how="unplanned")
    assert "What was written at home in the last" in capsys.readouterr().out
    assert not (copied.at_site / "data" / "late.png").exists()
    assert not copied.copy().is_read_only


def test_without_home_it_is_done_all_the_same(copied: World, peered: Pair) -> None:
    peered.here.control("POST", "/faults", {"method": "*", "path": "^/api/", "kind": "refuse", "times": 1000})
    try:
        with pytest.raises(Unreachable, match="home does not answer. A planned fail over .* choose 'unplanned'"):
            copied.to_site()
        copied.to_site(how="unplanned")
    finally:
        peered.here.control("DELETE", "/faults")
    assert not copied.copy().is_read_only


def test_what_was_written_at_the_site_comes_home_and_the_mirror_goes_on(failed_over: World) -> None:
    failed_over.back()
    failed_over.assert_back()
    assert (failed_over.at_home / "data" / "west.png").read_bytes() == b"written in the west"
    home = volumes.get(failed_over.home, svm="svm1", name="tyres")
    assert snapshots.find(failed_over.home, volume_uuid=home.uuid, name="mlops_v2"), "the version made at the site"
    (failed_over.at_home / "data" / "after.png").write_bytes(b"after")
    failed_over.run("replicate")
    failed_over.assert_back()


def test_what_only_home_has_stops_the_way_back_and_stays(failed_over: World) -> None:
    (failed_over.at_home / "data" / "lost.png").write_bytes(b"after the fail over")
    with pytest.raises(OnlyHere, match=r"svm1:tyres has .*1 added, .*\(data/lost\.png\)\. Copy it to the site first"):
        failed_over.back()
    assert (failed_over.at_home / "data" / "lost.png").exists()
    assert failed_over.at_site.exists(), "clients of the site go on"
    failed_over.back(only_at_home="discard")
    assert not (failed_over.at_home / "data" / "lost.png").exists()
    failed_over.assert_back()


def test_a_way_back_that_is_cut_off_anywhere_ends_the_same(copied: World) -> None:
    for cut_after in ("turn", "last_update", "break_off_home", "turn_again"):
        copied.to_site()
        (copied.at_site / "data" / "west.png").write_bytes(cut_after.encode())
        with pytest.raises(CutOff):
            copied.back(cut_after=cut_after)
        copied.back()
        copied.assert_back()
        assert (copied.at_home / "data" / "west.png").read_bytes() == cut_after.encode()
        assert copied.back().keys() == {"look", "show_copy"}


def test_a_fail_over_that_is_cut_off_ends_the_same(copied: World) -> None:
    for cut_after in ("update", "break_off"):
        with pytest.raises(CutOff):
            copied.to_site(cut_after=cut_after)
    copied.to_site()
    assert not copied.copy().is_read_only and contents(copied.at_site) == contents(copied.at_home)


REFUSED: list[tuple[str, Callable[[World], Any], str]] = [
    ("a copy that is not there", lambda w: w.to_site(), "is not there. Run the DAG replicate"),
    ("nothing to bring back", lambda w: w.back(), "is not there. Run the DAG replicate"),
]


@pytest.mark.parametrize(("case", "asked", "said"), REFUSED, ids=[case for case, _, _ in REFUSED])
def test_what_cannot_be_done_is_refused_before_anything_changes(world: World, case: str, asked, said: str) -> None:
    before = contents(world.at_home)
    with pytest.raises(WrongState, match=said):
        asked(world)
    assert contents(world.at_home) == before


def test_a_copy_that_is_failed_over_is_not_updated(failed_over: World) -> None:
    with pytest.raises(WrongState, match="broken_off"):
        failed_over.run("replicate")
    assert (failed_over.at_site / "data" / "west.png").exists()


def rights() -> list[dict[str, str]]:
    """What the table of docs/real-systems.md asks for the account on ONTAP."""
    section = (REPOSITORY / "docs" / "real-systems.md").read_text().partition("## 4. ")[2].partition("\n## ")[0]
    cells = [line.split("|")[3] for line in section.splitlines() if line.startswith("|") and "`/api/" in line]
    return [
        {"path": path, "access": "readonly" if "(read)" in cell else "all"}
        for path, cell in {path: cell for cell in cells for path in re.findall(r"`(/api/[^`]+)`", cell)}.items()
    ]


def test_at_home_the_rights_that_the_docs_ask_for_are_enough(
    failed_over: World, peered: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    peered.here.control("PUT", "/roles", {"name": "mlops", "privileges": rights()})
    user = {"name": "mlops", "password": "mlops-password-1", "role": "mlops", "svm": "svm1"}
    peered.here.control("PUT", "/users", user)
    with peered.here.client() as http:
        login = {"login": user["name"], "password": user["password"]}
        monkeypatch.setenv("AIRFLOW_CONN_ONTAP_DEFAULT", Ontap(peered.here, http).connection(**login))
    failed_over.back()
    failed_over.assert_back()
    failed_over.run("replicate")
