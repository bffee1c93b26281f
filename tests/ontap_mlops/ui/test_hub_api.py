"""The JSON API and the pages: who may see what, what they say, and what they say when a service is silent."""

from __future__ import annotations

import re
import threading
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient

from ontap_mlops.hooks.rest import ServiceUnavailable
from ontap_mlops.ontap import marks
from ontap_mlops.ontap.errors import Unreachable
from ontap_mlops.ontap.overview import Held
from ontap_mlops.ontap.volumes import Volume
from ontap_mlops.records import DatasetVersion
from ontap_mlops.registry import Dataset
from ontap_mlops.ui.facts import storage
from ontap_mlops.ui.facts.kept import Kept
from ontap_mlops.ui.facts.shapes import Cache, Experiment, Run, Training
from ontap_mlops.ui.hub import Hub
from tests.ontap_mlops.ui.conftest import FIRST, Clock, Facts, Rights, dataset_version, model, training
from tests.until import until

SECOND = dataset_version(1)
PAGES = (
    "/",
    "/datasets/tyre_images",
    f"/datasets/tyre_images/versions/{SECOND.id}",
    "/caches",
    "/models",
    "/models/tyre/1",
    "/storage",
    "/runs",
    "/json",
    "/openapi.json",
)
READ = ("datasets", "datasets/tyre_images", "caches", "models", "storage", "runs", "actions")


@pytest.fixture
def told(facts: Facts) -> Facts:
    """A model was trained on the second version and serves."""
    facts.models = [model(SECOND), model(dataset_version(0), 2, "served before")]
    facts.trainings = [training(SECOND)]
    facts.runs = [
        Run(dag_id="tyre_quality", run_id="manual__1", state="running", dataset="tyre_images", version=SECOND.id),
        Run(dag_id="secret_dag", run_id="manual__2", state="success"),
    ]
    return facts


@pytest.mark.parametrize("path", [*PAGES, *(f"/api/{each}" for each in READ)])
def test_without_a_login_there_is_nothing(stranger: TestClient, path: str) -> None:
    answer = stranger.get(f"/ontap{path}")
    assert answer.status_code == 401
    assert "tyre_images" not in answer.text


@pytest.mark.parametrize("path", ["/", "/api/datasets", "/openapi.json"])
def test_who_may_not_see_assets_sees_nothing(client: TestClient, rights: Rights, path: str) -> None:
    rights.assets = False
    answer = client.get(f"/ontap{path}")
    assert answer.status_code == 403 and "assets" in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_every_page_paints_under_a_strict_policy_with_nothing_inline(
    client: TestClient, told: Facts, path: str
) -> None:
    answer = client.get(f"/ontap{path}")
    assert answer.status_code == 200, answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
    if "html" in answer.headers["content-type"]:
        assert not re.search(r"<script(?! src=)|<style| style=| on\w+=|javascript:", answer.text)
        assert not re.search(r"(src|href)=\"(https?:)?//(?!mlflow)", answer.text)


def test_nothing_can_be_changed_by_any_address(client: TestClient) -> None:
    routes = client.get("/ontap/openapi.json").json()["paths"]
    assert routes and all(set(methods) == {"get"} for methods in routes.values())
    for path in ("/api/actions", "/api/datasets", "/"):
        assert client.post(f"/ontap{path}").status_code == 405


def test_the_versions_come_newest_first_each_with_what_changed(client: TestClient, told: Facts) -> None:
    found = client.get("/ontap/api/datasets/tyre_images").json()
    assert [each["since_files"] for each in found["versions"]] == [10, 10, None]
    assert found["versions"][0]["id"] == dataset_version(2).id
    assert [each["model"] for each in found["models"]] == ["tyre", "tyre"]
    assert told.asked.count("versions") == 1


def test_a_version_leads_to_its_runs_and_models_and_a_model_back_to_its_data(client: TestClient, told: Facts) -> None:
    found = client.get(f"/ontap/api/datasets/tyre_images/versions/{SECOND.id}").json()
    assert (found["before"], found["after"]) == (dataset_version(0).id, dataset_version(2).id)
    assert [each["state"] for each in found["lineage"]["models"]] == ["serving"]
    assert [each["run_key"] for each in found["lineage"]["trainings"]] == ["r20261110t063000z00000001"]
    origin = client.get("/ontap/api/models/tyre/versions/1").json()
    assert origin["seen"] == [["tyre_images", dataset_version(0).id], ["tyre_images", SECOND.id]]
    assert origin["serving"]["version"] == 1


def test_what_was_trained_on_a_version_that_is_gone_is_still_told(client: TestClient, told: Facts) -> None:
    told.versions = {"tyre_images": [dataset_version(0)]}
    answer = client.get(f"/ontap/datasets/tyre_images/versions/{SECOND.id}")
    assert answer.status_code == 200 and "still known" in answer.text and "tyre version 1" in answer.text
    assert client.get(f"/ontap/api/datasets/tyre_images/versions/{SECOND.id}").status_code == 404


def test_a_silent_ontap_leaves_the_last_facts_with_a_sentence_and_their_date(
    client: TestClient, told: Facts, clock: Clock
) -> None:
    client.get("/ontap/datasets/tyre_images")
    known_at = clock.now()
    told.versions = {"tyre_images": Unreachable("ONTAP at 10.0.0.1:443 gave no answer. Is it up?")}
    clock.seconds += 3600
    answer = client.get("/ontap/datasets/tyre_images?refresh=true")
    assert "ONTAP at 10.0.0.1:443 gave no answer" in answer.text
    assert f"What is shown is from {known_at:%Y-%m-%d %H:%M} UTC" in answer.text
    assert dataset_version(2).id in answer.text


def test_where_nothing_was_ever_known_the_page_says_so_and_is_not_empty(client: TestClient, told: Facts) -> None:
    told.versions = {"tyre_images": Unreachable("ONTAP gave no answer.")}
    told.models = ServiceUnavailable("MLflow gave no answer.")
    page = client.get("/ontap/datasets/tyre_images")
    assert page.status_code == 200
    assert "ONTAP gave no answer." in page.text and "MLflow gave no answer." in page.text
    assert "Nothing is known from before" in page.text and "There is no version yet" not in page.text
    version = client.get(f"/ontap/datasets/tyre_images/versions/{SECOND.id}")
    assert version.status_code == 503 and "ONTAP gave no answer." in version.text


def test_a_page_that_is_still_being_asked_for_comes_by_itself_once_it_is_known(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, path = threading.Event(), f"/ontap/datasets/tyre_images/versions/{SECOND.id}"

    def late(entry: Dataset) -> list[DatasetVersion]:
        told.wait(60)
        return [SECOND]

    monkeypatch.setattr(storage, "versions", late)
    monkeypatch.setattr(Kept.get, "__kwdefaults__", {**Kept.get.__kwdefaults__, "patience_s": 0.01})
    try:
        for address in (path, path.replace("/ontap/", "/ontap/api/")):
            early = client.get(address)
            assert early.status_code == 503 and "There is no answer yet" in early.text
            assert early.headers["Refresh"] == early.headers["Retry-After"] == "2"
    finally:
        told.set()
    until(lambda: client.get(path).status_code == 200)


def test_names_from_data_are_escaped(client: TestClient, told: Facts) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    told.versions = {"tyre_images": [dataset_version(0, source=nasty)]}
    told.models = [model(dataset_version(0), name=nasty)]
    for path in ("/datasets/tyre_images", f"/datasets/tyre_images/versions/{dataset_version(0).id}", "/models"):
        text = client.get(f"/ontap{path}").text
        assert "&lt;img" in text and nasty not in text
    assert nasty not in client.get("/ontap/models", params={"q": nasty}).text


def test_runs_and_trainings_of_dags_that_may_not_be_seen_are_left_out(
    client: TestClient, told: Facts, rights: Rights
) -> None:
    rights.read = lambda dag_id: dag_id != "secret_dag"
    assert [each["dag_id"] for each in client.get("/ontap/api/runs").json()["runs"]] == ["tyre_quality"]
    rights.read = lambda dag_id: False
    found = client.get(f"/ontap/api/datasets/tyre_images/versions/{SECOND.id}/lineage").json()
    assert found["trainings"] == [] and found["models"]


def test_files_are_for_those_who_may_see_the_dag_that_ingests_them(
    client: TestClient, told: Facts, rights: Rights
) -> None:
    rights.read = lambda dag_id: dag_id != "ingest_tyre_images"
    base = f"/ontap/api/datasets/tyre_images/versions/{SECOND.id}"
    for path in ("samples", "picture?path=a.png", f"changes?since={dataset_version(0).id}"):
        assert client.get(f"{base}/{path}").status_code == 403, path
    assert "<h2>Samples" not in client.get(f"/ontap/datasets/tyre_images/versions/{SECOND.id}").text


def names(client: TestClient, **query: str) -> list[str]:
    return [each["name"] for each in client.get("/ontap/api/actions", params=query).json()]


def test_actions_are_of_dags_that_are_there_with_their_params_filled_in(client: TestClient, told: Facts) -> None:
    found = client.get("/ontap/api/actions", params={"dataset": "tyre_images", "version": SECOND.id}).json()
    by_name = {each["name"]: each for each in found}
    assert by_name["train"]["dag_id"] == "tyre_quality"
    assert by_name["train"]["conf"] == {"dataset_version": SECOND.id}
    assert by_name["restore"]["conf"] == {"dataset": "tyre_images", "version": SECOND.id, "safety": True}
    assert by_name["restore"]["fields"][0]["value"] is True  # a dry run, unless it is taken away
    told.dags.pop("workspace")
    told.dags["restore_dataset"] = True
    assert names(client, model="tyre", number="1") == ["roll_back"]


def test_a_viewer_is_shown_no_button(client: TestClient, told: Facts, rights: Rights) -> None:
    rights.trigger = lambda dag_id: False
    assert names(client, dataset="tyre_images", version=SECOND.id) == []
    for path in PAGES[:-1]:
        assert "<dialog" not in client.get(f"/ontap{path}").text, path
    rights.trigger = lambda dag_id: dag_id == "workspace"
    assert names(client, dataset="tyre_images", version=SECOND.id) == ["workspace"]


def test_programs_may_start_what_the_configuration_names_and_nothing_else(
    client: TestClient, told: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"dataset": "tyre_images", "version": SECOND.id, "programs": "true"}
    assert names(client, **asked) == []
    monkeypatch.setenv("AIRFLOW__ONTAP_MLOPS__HUB_ACTIONS", "workspace, train")
    assert names(client, **asked) == ["train", "workspace"]


def test_the_caches_say_how_warm_they_are_and_why_one_went(client: TestClient, told: Facts) -> None:
    cached = Cache(
        site="remote",
        dataset="tyre_images",
        version=SECOND.id,
        volume="c",
        size_bytes=10**8,
        used_bytes=SECOND.bytes // 2,
        used_at=FIRST,
        hits=0.9,
    )
    told.caches = [cached]
    gone, stays = (f"tyre_images {each.id} at remote" for each in (dataset_version(0), SECOND))
    dry = {"kept": {}, "removed": {stays: "unused for 9 days"}, "dry": True}
    newest = {"kept": {stays: "used by r1"}, "removed": {}, "dry": False}
    before = {"kept": {}, "removed": {gone: "unused for 3 days"}, "dry": False}
    told.results = {"evict_caches": [("evict_at_remote", said, FIRST) for said in (dry, newest, before)]}
    found = client.get("/ontap/api/caches").json()["sites"][0]
    assert found["caches"][0]["filled"] == pytest.approx(0.5, abs=0.01)
    assert [(each["cache"], each["why"]) for each in found["evicted"]] == [(gone, "unused for 3 days")]
    assert found["verdicts"] == {stays: "used by r1"}
    page = client.get("/ontap/caches").text
    assert "unused for 3 days" in page and "used by r1" in page and "unused for 9 days" not in page


def frozen_by(told: Facts, done: Training) -> Experiment:
    frozen = Experiment(
        run_key=done.run_key,
        model="tyre",
        dataset="tyre_images",
        dataset_version=SECOND.id,
        svm="svm1",
        volume=f"mlops_exp_{done.run_key}",
        snapshot=f"mlops_{done.run_key}",
        created_at=FIRST,
    )
    told.experiments = {done.run_key: (frozen, done)}
    return frozen


def test_a_run_leads_to_its_experiment_and_the_experiment_to_its_runs(
    client: TestClient, told: Facts, rights: Rights
) -> None:
    done = training(SECOND).model_copy(update={"experiment": True})
    frozen_by(told, done)
    told.trainings = [done]
    again = Run(dag_id="restore_experiment", run_id="manual__3", state="success", repeat_of=done.run_key)
    told.runs = [again.model_copy(update={"experiment": done.run_key})]
    page, address = f"/ontap/experiments/{done.run_key}", f"/ontap/api/experiments/{done.run_key}"
    for path in ("/ontap/runs", f"/ontap/datasets/tyre_images/versions/{SECOND.id}"):
        assert f'href="{page}"' in client.get(path).text, path
    found = client.get(address).json()
    assert (found["there"], found["training"]["dag_id"]) == (False, "tyre_quality")
    assert [each["run_id"] for each in found["repeated"]] == ["manual__3"]
    assert "has been removed" in client.get(page).text
    rights.read = lambda dag_id: False
    found = client.get(address).json()
    assert (found["training"], found["repeated"]) == (None, [])
    missing = client.get("/ontap/api/experiments/r0")
    assert missing.status_code == 404 and "has frozen no experiment" in missing.text


def test_an_experiment_that_is_there_can_be_trained_again_by_who_may(
    client: TestClient, told: Facts, rights: Rights
) -> None:
    done = training(SECOND)
    frozen = frozen_by(told, done)
    volume = Volume(uuid="u", name=frozen.volume, svm="svm1", comment=marks.mark("experiment"), is_clone=True)
    told.volumes = [Held(volume, snapshots=1)]
    path = f"/ontap/experiments/{done.run_key}"
    assert "Train it again" in client.get(path).text
    asked = {"experiment": done.run_key}
    (action,) = client.get("/ontap/api/actions", params=asked).json()
    assert (action["dag_id"], action["conf"]) == ("restore_experiment", asked)
    assert f'href="{path}"' in client.get("/ontap/storage").text
    rights.trigger = lambda dag_id: False
    page = client.get(path).text
    assert frozen.snapshot in page and "Train it again" not in page


def test_pages_of_lists_are_paged_and_searched(client: TestClient, told: Facts, hub: Hub) -> None:
    told.versions = {"tyre_images": [dataset_version(n) for n in range(60)]}
    first = client.get("/ontap/api/datasets/tyre_images").json()
    last = client.get("/ontap/api/datasets/tyre_images", params={"page": 3}).json()
    assert (first["total"], first["pages"], len(first["versions"]), len(last["versions"])) == (60, 3, 25, 10)
    assert client.get("/ontap/api/datasets", params={"q": "TYRE"}).json()["total"] == 1
    assert client.get("/ontap/api/datasets", params={"page": 0}).status_code == 422
    assert told.asked.count("versions") == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("datasets/none", 404),
        ("datasets/tyre_images/versions/none", 404),
        ("models/tyre/versions/99", 404),
        ("models/tyre/versions/x", 422),
        ("nothing", 404),
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(client: TestClient, told: Facts, path: str, status: int) -> None:
    answer = client.get(f"/ontap/api/{path}")
    assert answer.status_code == status and answer.json()["detail"]


class Labels(HTMLParser):
    """Things to use without a name for who cannot see them."""

    def __init__(self) -> None:
        super().__init__()
        self.nameless: list[str] = []
        self.labelled: set[str] = set()
        self.open_labels = 0
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "label":
            self.open_labels += 1
            self.labelled.add(given.get("for") or "")
        if tag in ("input", "select") and not self.open_labels and "aria-label" not in given:
            self.ids.append(given.get("id") or "")
        if tag in ("svg", "dialog", "nav", "meter") and "aria-label" not in given:
            self.nameless.append(tag)
        if tag == "img" and "alt" not in given:
            self.nameless.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.open_labels -= tag == "label"


@pytest.mark.parametrize("path", PAGES[:-1])
def test_everything_to_use_has_a_name(client: TestClient, told: Facts, path: str) -> None:
    text, labels = client.get(f"/ontap{path}").text, Labels()
    labels.feed(text)
    assert labels.nameless == []
    assert set(labels.ids) <= labels.labelled
    assert '<html lang="en">' in text and text.count("<h1") == 1 and 'href="#main"' in text
