"""The one trigger calls a function until it is done, survives what may pass, and brings answer or error back."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from ontap_mlops.compute.workload import PlaceUnavailable
from ontap_mlops.hooks.rest import ServiceUnavailable
from ontap_mlops.ontap.errors import NameTaken, Unreachable
from ontap_mlops.triggers import polling
from ontap_mlops.triggers.polling import PollingTrigger, WaitFailed, WaitTimedOut, outcome


class Waited:
    """What probes below look at; module-level, as a dotted name can only name such."""

    looks = 0
    cancelled = ""
    error: Exception | None = None
    seen: list[Any] = []
    threads: set[str] = set()


@pytest.fixture(autouse=True)
def waited(monkeypatch: pytest.MonkeyPatch) -> type[Waited]:
    Waited.looks, Waited.cancelled, Waited.error = 0, "", None
    Waited.seen, Waited.threads = [], set()
    monkeypatch.setattr(polling, "import_string", {"probe": probe, "cancel": cancel}.__getitem__, raising=True)
    return Waited


def probe(name: str, after: int, cursor: int | None = None) -> dict[str, Any]:
    Waited.looks += 1
    Waited.threads.add(threading.current_thread().name)
    Waited.seen.append(cursor)
    if Waited.error is not None and Waited.looks < after:
        raise Waited.error
    return {
        "done": Waited.looks >= after,
        "payload": {"name": name, "looks": Waited.looks},
        "lines": [f"look {Waited.looks}"],
        "cursor": Waited.looks,
        "facts": {"page": f"http://host/{min(Waited.looks, 2)}", "other": 1},
    }


def cancel(name: str, after: int) -> None:
    Waited.cancelled = name


def trigger(after: int = 3, **fields: Any) -> PollingTrigger:
    fields = {"interval_s": 0.01, **fields}
    made = PollingTrigger("probe", {"name": "x", "after": after}, **fields)
    path, arguments = made.serialize()
    assert path == "ontap_mlops.triggers.polling.PollingTrigger"
    return PollingTrigger(**json.loads(json.dumps(arguments)))


def fired(made: PollingTrigger) -> dict[str, Any]:
    async def only() -> list[Any]:
        return [event.payload async for event in made.run()]

    (event,) = asyncio.run(only())
    return json.loads(json.dumps(event))


def test_it_looks_until_it_is_done_and_hands_the_answer_over() -> None:
    assert outcome(fired(trigger())) == {"name": "x", "looks": 3}
    assert Waited.seen == [None, 1, 2], "each look goes on where the one before ended"


def test_a_first_cursor_goes_on_where_the_task_stopped_looking() -> None:
    fired(trigger(after=1, cursor=7))
    assert Waited.seen == [7]


def test_no_look_is_made_on_the_loop() -> None:
    fired(trigger())
    assert threading.main_thread().name not in Waited.threads


@pytest.mark.parametrize("error", [Unreachable("x"), ServiceUnavailable("x"), PlaceUnavailable("x"), OSError("x")])
def test_what_may_pass_is_waited_through(error: Exception) -> None:
    Waited.error = error
    assert outcome(fired(trigger(after=4))) == {"name": "x", "looks": 4}


def test_what_does_not_pass_in_time_ends_the_wait_with_the_error_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "PATIENCE_S", 0.05)
    Waited.error = Unreachable("no answer from 10.0.0.1")
    with pytest.raises(Unreachable, match="no answer from"):
        resumed(fired(trigger(after=10_000)))
    assert Waited.looks > 1


def test_any_other_error_ends_the_wait_at_once_by_its_own_class() -> None:
    Waited.error = NameTaken("snapshot x is not ours")
    with pytest.raises(NameTaken, match="not ours"):
        resumed(fired(trigger()))
    assert Waited.looks == 1


class Particular(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


def test_an_error_that_cannot_be_made_anew_keeps_its_sentence() -> None:
    Waited.error = Particular(1, 2)
    with pytest.raises(WaitFailed, match="Particular: 1 and 2"):
        resumed(fired(trigger()))


def test_past_the_deadline_it_cancels_and_says_so() -> None:
    event = fired(trigger(after=10_000, deadline=time.time() - 1, cancel="cancel"))
    assert Waited.cancelled == "x"
    with pytest.raises(WaitTimedOut, match="not over at its deadline; it was cancelled"):
        outcome(event)


def test_what_is_done_at_its_deadline_is_done() -> None:
    assert outcome(fired(trigger(after=1, deadline=time.time() - 1, cancel="cancel"))) == {"name": "x", "looks": 1}
    assert not Waited.cancelled


def test_the_deadline_also_ends_a_wait_whose_looks_fail() -> None:
    Waited.error = Unreachable("x")
    with pytest.raises(WaitTimedOut, match="left as it is"):
        outcome(fired(trigger(after=10_000, deadline=time.time() + 0.05)))


def test_a_users_kill_cancels_and_a_restart_of_the_triggerer_does_not() -> None:
    made = trigger(cancel="cancel")
    asyncio.run(made.cleanup())
    assert not Waited.cancelled
    asyncio.run(made.on_kill())
    assert Waited.cancelled == "x"
    asyncio.run(trigger().on_kill())  # nothing to cancel


def test_a_fact_is_stored_at_the_waiting_task_once_for_each_value(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.execution_time.xcom import XCom

    stored = []

    async def aset(key: str, value: Any, **where: Any) -> None:
        stored.append((key, value, where["task_id"], where["map_index"]))
        if len(stored) == 1:
            raise RuntimeError("no answer")

    monkeypatch.setattr(XCom, "aset", aset)
    made = trigger(after=4, fact_keys={"page": "link"})
    made.task_instance = SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=-1)  # type: ignore[assignment]
    assert outcome(fired(made))["looks"] == 4
    assert stored == [("link", "http://host/1", "t", -1), ("link", "http://host/2", "t", -1)]


def test_an_event_without_content_is_a_sentence() -> None:
    with pytest.raises(WaitFailed, match="without saying how"):
        outcome(None)


def resumed(event: dict[str, Any]) -> Any:
    with pytest.MonkeyPatch.context() as real:
        from airflow.sdk.module_loading import import_string

        real.setattr(polling, "import_string", import_string)
        return outcome(event)
