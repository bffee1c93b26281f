"""docker-compose.yaml for real: from nothing to a deployed model while everything goes wrong, and then undisturbed.

One set of services for all of it. `make test-compose` builds their images first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from scripts.composing import engines
from scripts.follow import follow
from tasks.retail.dialog.flow_check import FLOWS
from tests.compose import talks
from tests.compose.stack import INGEST, LOOK_S, PROVISION, TRAIN, WAIT_S, World, brought_up, settings, worker_elsewhere
from tests.dags.inventory import EVERY
from tests.until import until

pytestmark = [pytest.mark.compose, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with brought_up(settings(tmp_path_factory.mktemp("compose"))) as made:
        yield made


@pytest.fixture(scope="module")
def stormy(services: World) -> dict[str, Any]:
    """From the lake to a deployed model: Redis is restarted, the host of the training lost, PostgreSQL restarted."""
    api = services.api
    follow(api, PROVISION, services.begin(PROVISION))
    api.unpause(TRAIN)  # before the version is made: a paused DAG does not hear of it
    ingest = services.begin(INGEST)
    services.engine.restart("redis")
    follow(api, INGEST, ingest)
    train = until(
        lambda: api.run_started_by(TRAIN, ingest) or "",
        lambda: f"the new version has started no run of {TRAIN}",
        WAIT_S,
        every_s=LOOK_S,
    )
    until(lambda: "Epoch 1:" in services.said(), "the training has told no epoch", WAIT_S, every_s=LOOK_S)
    lose_host(services.engine, "programs")
    until(
        lambda: services.task(TRAIN, train, "train")["try_number"] > 1,
        lambda: "train was not tried again",
        WAIT_S,
        every_s=LOOK_S,
    )
    services.engine.restart("postgres")
    follow(api, TRAIN, train)
    return {"version": api.xcom(INGEST, ingest, "freeze"), "train": train, "state": services.state(train)}


def test_a_killed_worker_and_restarted_servers_change_nothing_in_what_comes_out(
    services: World, stormy: dict[str, Any]
) -> None:
    found = stormy["state"]
    assert "from the checkpoint of an earlier try" in services.said()
    assert (found["decision"], found["is champion"], found["is served"]) == ("promote", True, True)
    undisturbed = services.api.trigger(TRAIN, {"promote": "always"})
    follow(services.api, TRAIN, undisturbed)
    assert services.state(undisturbed) == found


def test_a_worker_on_another_host_needs_neither_the_database_nor_a_disk_of_this_one(
    services: World, stormy: dict[str, Any]
) -> None:
    host = "another-host"
    with worker_elsewhere(services, host):
        ingest = services.api.trigger(INGEST)
        follow(services.api, INGEST, ingest)
        task = services.task(INGEST, ingest, "freeze")
        said = " ".join(services.api.log(task))
    assert task["hostname"] == host
    assert task["state"] == "skipped", "the disturbed ingest has missed nothing"
    assert f"since version {stormy['version']['id']}" in said, "its log is read from there"


def test_nobody_comes_in_without_the_password_and_a_browser_gets_a_page(services: World) -> None:
    with httpx.Client(base_url=services.url("AIRFLOW"), trust_env=False, timeout=60) as stranger:
        assert stranger.get("/api/v2/dags").status_code == 401
        assert stranger.get("/ontap/api/datasets").status_code == 401
        refused = stranger.post("/auth/token", json={"username": "admin", "password": "admin"})
        assert refused.status_code == 401, refused.text
        page = stranger.get("/", follow_redirects=True)
        assert page.is_success and "<title>" in page.text


def test_every_dag_is_there_and_none_has_an_error(services: World) -> None:
    until(
        lambda: all(services.api.dag(dag) for dag in EVERY),
        lambda: f"not there: {[dag for dag in EVERY if not services.api.dag(dag)]}",
        WAIT_S,
        every_s=LOOK_S,
    )
    assert services.api.import_errors() == {}


def test_the_data_hub_shows_the_version_with_its_style_and_pictures(services: World, stormy: dict[str, Any]) -> None:
    address = f"/ontap/datasets/tyre_images/versions/{stormy['version']['id']}"
    with services.client() as browser:
        # A page does not wait for what is slow to tell: it comes without, and is to be asked for again.
        until(
            lambda: "tyre version " in browser.get(address).text,
            lambda: browser.get(address).text,
            WAIT_S,
            every_s=LOOK_S,
        )
        page = browser.get(address)
        assert page.is_success and stormy["version"]["snapshot"] in page.text
        sheets = re.findall(r'rel="stylesheet" href="([^"]+)"', page.text)
        pictures = re.findall(r'<img [^>]*src="([^"]+)"', page.text)
        assert sheets and pictures
        kinds = {browser.get(each).raise_for_status().headers["Content-Type"].split(";")[0] for each in pictures}
        assert kinds <= {"image/png", "image/jpeg"}
        assert all("{" in browser.get(each).raise_for_status().text for each in sheets)


def test_prometheus_reads_what_it_should_and_evaluates_every_rule(services: World) -> None:

    def down() -> list[str]:
        targets = asked(services, "targets")["activeTargets"]
        return [f"{t['scrapeUrl']}: {t['lastError']}" for t in targets if t["health"] != "up"] or (
            [] if targets else ["there are no targets"]
        )

    until(lambda: not down(), down, WAIT_S, every_s=LOOK_S)
    rules = [rule for group in asked(services, "rules")["groups"] for rule in group["rules"]]
    assert rules and [rule["lastError"] for rule in rules if rule.get("lastError")] == []


def asked(world: World, what: str) -> Any:
    answer = httpx.get(f"{world.url('PROMETHEUS')}/api/v1/{what}", trust_env=False, timeout=60)
    return answer.raise_for_status().json()["data"]


@pytest.fixture(scope="module")
def spoken(services: World) -> Iterator[talks.Talks]:
    """What people said to each service before anything happens to it."""
    talks.healthy(services.engine)
    with talks.an_index(services):
        yield talks.Talks(services)


def test_the_pages_that_people_talk_on_open_and_load_nothing_from_elsewhere(services: World) -> None:
    for service, paths in talks.PAGES.items():
        with talks.client(services, service) as browser:
            for path in paths:
                page = browser.get(path).raise_for_status()
                assert "<title>" in page.text
                assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
                for part in re.findall(r'(?:src|href)="([^"#?]+\.(?:js|css|svg))"', page.text):
                    assert browser.get(part).is_success, (service, path, part)


def test_a_conversation_without_a_model_is_answered_honestly(spoken: talks.Talks) -> None:
    (said,) = spoken.answer["says"]
    fault = yaml.safe_load((FLOWS / "error_flow.yml").read_text())["states"]["say_fault"]
    assert said["text"] in fault["properties"]["responses"]


def test_a_question_is_answered_from_the_index_that_serves(services: World, spoken: talks.Talks) -> None:
    assert [line["text"] for line in spoken.told["answer"]] == [talks.ANSWER]
    assert spoken.told["sources"][0]["file"] == "leave.md"
    with talks.client(services, "documents", "nobody's") as stranger:
        assert stranger.get("/api/me").status_code == 401


def test_what_people_said_outlives_a_restart_of_postgresql_and_the_talk_goes_on(
    services: World, spoken: talks.Talks
) -> None:
    engine, before = services.engine, spoken.known()
    began = {name: engine.state(name)["StartedAt"] for name in talks.SERVICES}
    engine.restart("postgres")
    talks.healthy(engine)
    assert spoken.known() == before
    assert spoken.say("Is it raining in Boston?", "m1") == spoken.answer, "a message that is sent again"
    assert spoken.call_in() == {"stored": 0, "replaced": 0, "same": 1}
    assert spoken.say("And in Seattle?", "m2")["turn"] == spoken.answer["turn"] + 1
    assert spoken.ask().raise_for_status().json()["answer"] == spoken.told["answer"]
    assert len(spoken.known()["documents"]) == len(before["documents"]) + 1
    assert {name: engine.state(name)["StartedAt"] for name in talks.SERVICES} == began, "none had to be started anew"


def test_airflow_reaches_each_service_that_people_talk_to_by_its_connection(services: World) -> None:
    for name in talks.SERVICES:
        row = services.api.call("GET", f"connections/{name}_default")
        asked = f"import urllib.request as u; print(u.urlopen('http://{row['host']}:{row['port']}/metrics').status)"
        assert services.engine.output("programs", "python", "-c", asked).strip() == "200"


def test_a_dataset_is_replicated_cached_and_failed_over_to_the_second_ontap(
    services: World, stormy: dict[str, Any]
) -> None:
    copy = {"dataset": "tyre_images", "site": "remote"}
    home, site = "/ontap/namespace/svm1/tyre_images", "/ontap_remote/namespace/svm_remote"
    at_home = services.contents("programs", home)
    for dag_id, asked in (("replicate", {}), ("cache_dataset", {}), ("fail_over", {"direction": "to_site"})):
        services.api.unpause(dag_id)
        follow(services.api, dag_id, services.api.trigger(dag_id, {**copy, **asked}))
    assert services.contents("programs", f"{site}/tyre_images") == at_home != {}
    cache = services.engine.output("programs", "sh", "-c", f"echo {site}/mlops_cache_*").strip()
    cached = services.contents("programs", cache)
    assert {path: at_home[path] for path in cached} == cached != {}, "through a link to the other container's volume"


def test_no_secret_is_in_what_tasks_show_or_in_what_a_service_prints(services: World, stormy: dict[str, Any]) -> None:
    passwords = services.passwords()
    assert len(passwords) > 6
    shown = [
        text
        for dag in (PROVISION, INGEST, TRAIN)
        for run in services.api.runs(dag)
        for text in services.said_in(dag, run["dag_run_id"])
    ]
    assert len(shown) > 60
    shown += [services.engine.log(service, 100_000) for service in services.engine.file.in_order()]
    told = [text.replace(secret, "<the secret>")[:2000] for secret in passwords for text in shown if secret in text]
    assert told == []


def lose_host(engine: engines.Engine, service: str) -> None:
    """A host that is gone at once and comes back; an engine may have started it again by itself."""
    began = engine.state(service)["StartedAt"]
    engine.kill(service)
    until(
        lambda: not (s := engine.state(service))["Running"] or s["StartedAt"] != began,
        "it does not die",
        WAIT_S,
        every_s=LOOK_S,
    )
    if not engine.state(service)["Running"]:
        engine.start(service)
