"""Jobs: at once, after some reads, after some seconds; failing late; found again."""

from __future__ import annotations

import time
from uuid import uuid4


def start(api, **body):
    body = {"name": f"v_{uuid4().hex[:12]}", "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}]} | body
    return api.post("/api/storage/volumes", json=body)


def job_of(api, answer):
    return api.get(f"/api/cluster/jobs/{answer.json()['job']['uuid']}").json()


def test_a_job_at_once_is_done_at_the_first_look(api):
    assert job_of(api, start(api))["state"] == "success"


def test_a_job_by_reads_is_done_at_the_last_of_them_and_not_before(api, emulator):
    emulator.control("PUT", "/jobs", {"mode": "reads", "value": 3})
    answer = start(api)
    assert api.get(answer.headers["location"]).status_code == 404
    assert [job_of(api, answer)["state"] for _ in range(4)] == ["running", "running", "success", "success"]
    assert api.get(answer.headers["location"]).status_code == 200


def test_a_job_by_seconds_takes_that_long(api, emulator):
    emulator.control("PUT", "/jobs", {"mode": "seconds", "value": 0.5})
    answer, begin = start(api), time.monotonic()
    assert job_of(api, answer)["state"] == "running"
    while job_of(api, answer)["state"] == "running":
        time.sleep(0.05)
    assert time.monotonic() - begin > 0.4
    assert job_of(api, answer)["state"] == "success"


def test_return_timeout_waits_and_answers_201_or_gives_up_with_202(api, emulator):
    emulator.control("PUT", "/jobs", {"mode": "seconds", "value": 0.3})
    body = {"svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}]}
    name = uuid4().hex[:8]
    waited = api.post("/api/storage/volumes?return_timeout=20", json={"name": f"a{name}"} | body)
    emulator.control("PUT", "/jobs", {"mode": "seconds", "value": 5})
    left = api.post("/api/storage/volumes?return_timeout=1", json={"name": f"b{name}"} | body)
    assert (waited.status_code, left.status_code) == (201, 202)


def test_space_runs_out_in_the_job_and_not_in_the_202(api):
    answer = start(api, size="200TB")
    job = job_of(api, answer)
    assert answer.status_code == 202
    assert (job["state"], job["code"]) == ("failure", 917927)
    assert "not enough space in aggregate" in job["message"] and isinstance(job["error"]["code"], str)


def test_a_split_shows_its_percentage(api, make, freeze, emulator):
    parent = make()
    freeze(parent["uuid"])
    clone = start(api, aggregates=[], clone={"is_flexclone": True, "parent_volume": {"name": parent["name"]}})
    place = clone.headers["location"]
    emulator.control("PUT", "/jobs", {"mode": "reads", "value": 4})
    split = api.patch(place, json={"clone": {"split_initiated": True}})
    job_of(api, split)
    shown = api.get(place + "?fields=clone").json()["clone"]  # which is a look at the job too
    assert (shown["is_flexclone"], shown["split_initiated"], shown["split_complete_percent"]) == (True, True, 50), (
        "looking at the volume is a look too"
    )
    while job_of(api, split)["state"] != "success":
        pass
    assert api.get(place + "?fields=clone").json()["clone"] == {"is_flexclone": False}


def test_a_job_that_was_forgotten_is_404(api, emulator):
    answer = start(api)
    emulator.control("DELETE", f"/jobs/{answer.json()['job']['uuid']}")
    assert api.get(f"/api/cluster/jobs/{answer.json()['job']['uuid']}").status_code == 404


def test_two_creations_of_one_name_give_one_volume_and_one_failed_job(api, emulator):
    emulator.control("PUT", "/jobs", {"mode": "reads", "value": 1})
    name = f"v_{uuid4().hex[:12]}"
    jobs = [job_of(api, answer) for answer in (start(api, name=name), start(api, name=name))]
    assert [job["state"] for job in jobs] == ["success", "failure"]
    assert jobs[1]["error"]["code"] == "917526"
    assert api.get(f"/api/storage/volumes?name={name}").json()["num_records"] == 1
