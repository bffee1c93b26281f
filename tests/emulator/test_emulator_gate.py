"""Back to the first state: what runs ends first, what comes waits, and nobody waits for what was dropped."""

from __future__ import annotations

import threading

from emulator.gate import Gate
from tests.until import until

VOLUME = {"name": "late", "svm": {"name": "svm1"}, "aggregates": [{"name": "aggr1"}]}


def test_whoever_comes_while_it_is_closed_waits_and_whoever_is_inside_is_waited_for():
    gate, order = Gate(), []
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with gate.entered():
            inside.set()
            leave.wait(60)
            order.append("first")

    def come_later() -> None:
        with gate.entered():
            order.append("second")

    threads = [threading.Thread(target=work), threading.Thread(target=come_later)]
    threads[0].start()
    assert inside.wait(60)
    with gate.closed() as closed:
        threads[1].start()
        assert not closed.empty(0.01)
        leave.set()
        assert closed.empty(60)
        order.append("emptied")
    for thread in threads:
        thread.join(60)
    assert order == ["first", "emptied", "second"]


def test_a_request_that_waits_for_a_job_is_answered_when_a_reset_drops_it(api, emulator):
    emulator.control("PUT", "/jobs", {"mode": "seconds", "value": 600})
    answers = []

    def ask() -> None:
        with emulator.client() as other:
            answers.append(other.post("/api/storage/volumes?return_timeout=110", json=VOLUME).status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: api.get("/api/cluster/jobs?state=running|queued").json()["num_records"], "no job begins")
    emulator.control("POST", "/reset")
    asking.join(60)
    assert answers == [202]
    assert api.get("/api/storage/volumes?name=late").json()["num_records"] == 0
