"""Calls are kept once however often they are sent, with what people corrected, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from calling import call, sentence

from services.calls import schema
from services.calls.records import Call, Correction, Sentence
from services.calls.store import PAGE, NoSuchError, RefusedError, Store
from services.calls.tables import METADATA

CALL = Call.model_validate(call())
FIRST, SECOND = Sentence.model_validate(sentence()), Sentence.model_validate(sentence("agent", 0, "I see", "neutral"))


def changed(known: Sentence, **values: object) -> Sentence:
    return Sentence.model_validate({**known.model_dump(), **values})


def test_what_is_sent_again_is_kept_once(store: Store):
    assert store.put_call("c1", CALL) is True and store.put_call("c1", CALL) is False
    assert store.put_sentences("c1", [FIRST, SECOND]) == {"stored": 2, "replaced": 0, "same": 0}
    state = store.state()
    assert store.put_sentences("c1", [FIRST, SECOND]) == {"stored": 0, "replaced": 0, "same": 2}
    assert store.state() == state == (2, 0), "nothing happened"
    store.finish("c1", 2)
    store.finish("c1", 2)
    told = store.call("c1")
    assert (told["finished"], told["source"]["file"], told["began"]) == (2, "c1.wav", "2026-11-27T08:00:00+00:00")
    assert [(one["side"], one["text"]) for one in told["sentences"]] == [("agent", "I see"), ("caller", "It broke")]
    assert told["sentences"][1]["scores"] == {"negative": 0.8, "neutral": 0.1, "positive": 0.1}


def test_another_process_finds_what_was_kept(store: Store, url: str):
    store.put_call("c1", CALL)
    store.put_sentences("c1", [FIRST])
    other = Store(url)
    assert other.call("c1")["sentences"] == store.call("c1")["sentences"]
    other.close()


def test_a_later_models_sentence_replaces_an_earlier_ones_and_people_keep_the_last_word(store: Store):
    store.put_call("c1", CALL)
    store.put_sentences("c1", [FIRST])
    store.correct("c1", "caller", 0, Correction(sentiment="neutral", by="Grace"))
    later = changed(FIRST, text="It broke twice", model="4")
    assert store.put_sentences("c1", [later, SECOND]) == {"stored": 1, "replaced": 1, "same": 0}
    told = store.call("c1")["sentences"][1]
    assert (told["text"], told["model"], told["sentiment"]) == ("It broke twice", "4", "negative")
    assert (told["corrected"]["sentiment"], told["corrected"]["by"]) == ("neutral", "Grace")
    assert store.summary("agent")[0]["sides"]["caller"]["neutral"] == 1, "what people say it is counts"


def test_a_call_is_finished_with_the_sentences_it_has(store: Store):
    store.put_call("c1", CALL)
    store.put_sentences("c1", [FIRST])
    with pytest.raises(RefusedError, match="Call c1 has 1 sentences here, not 2"):
        store.finish("c1", 2)
    assert store.call("c1")["finished"] is None


def test_a_finished_call_keeps_its_recording_and_an_unfinished_one_takes_another(store: Store):
    store.put_call("c1", CALL)
    store.put_sentences("c1", [FIRST, SECOND])
    other = Call.model_validate(call(file="c2.wav"))
    assert store.put_call("c1", other) is False
    assert store.call("c1")["sentences"] == [] and store.call("c1")["source"]["file"] == "c2.wav"
    store.finish("c1", 0)
    with pytest.raises(RefusedError, match="Call c1 is finished and comes from c2.wav of calls v1, not from c1.wav"):
        store.put_call("c1", CALL)


def test_what_is_not_there_is_named(store: Store):
    for asked in (
        lambda: store.put_sentences("c9", [FIRST]),
        lambda: store.finish("c9", 0),
        lambda: store.call("c9"),
        lambda: store.delete("c9"),
        lambda: store.correct("c9", "caller", 0, Correction(text="x", by="Grace")),
    ):
        with pytest.raises(NoSuchError, match="There is no call 'c9'."):
            asked()
    store.put_call("c1", CALL)
    with pytest.raises(NoSuchError, match="Call c1 has no sentence 7 of the agent."):
        store.correct("c1", "agent", 7, Correction(text="x", by="Grace"))


def test_corrections_are_all_kept_and_the_last_of_each_sentence_is_exported(store: Store):
    began = datetime.now(UTC)
    store.put_call("c1", CALL)
    store.put_sentences("c1", [FIRST, SECOND])
    store.correct("c1", "caller", 0, Correction(text="It woke", by="Grace"))
    store.correct("c1", "agent", 0, Correction(sentiment="positive", by="Grace"))
    told = store.correct("c1", "caller", 0, Correction(sentiment="positive", by="Alan"))
    assert (told["corrected"]["text"], told["corrected"]["sentiment"]) == ("It woke", "positive")
    assert [one["by"] for one in store.call("c1")["corrections"]] == ["Grace", "Grace", "Alan"]
    agents, callers = store.corrections(began)
    assert (agents["side"], agents["text"], agents["sentiment"]) == ("agent", "I see", "positive")
    assert callers.pop("at") > began.isoformat() and callers == {
        **{"call": "c1", "side": "caller", "index": 0, "text": "It woke", "sentiment": "positive", "by": "Alan"},
        **{"recognised_text": "It broke", "recognised_sentiment": "negative"},
        "source": {"dataset": "calls", "version": "v1", "file": "c1.wav"},
    }
    assert list(store.corrections(datetime.now(UTC) + timedelta(minutes=1))) == []


def test_a_deleted_call_leaves_nothing(store: Store, url: str):
    store.put_call("c1", CALL)
    store.put_sentences("c1", [FIRST])
    store.correct("c1", "caller", 0, Correction(text="It woke", by="Grace"))
    store.delete("c1")
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        for table in ("calls", "call_sentences", "call_corrections"):
            assert connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() == 0, table
    engine.dispose()


def test_events_are_in_order_and_the_last_of_a_sentence_counts(store: Store):
    store.put_call("c1", CALL)
    store.put_sentences("c1", [FIRST, SECOND])
    first = store.after(0, 10)
    assert [one["event"] for one in first] == [1, 2] and store.state() == (2, 0)
    store.correct("c1", "caller", 0, Correction(text="It woke", by="Grace"))
    (again,) = store.after(2, 10)
    assert (again["event"], again["corrected"]["text"], again["agent"]) == (3, "It woke", "Ada")
    assert [one["event"] for one in store.after(0, 1)] == [2]
    assert store.before_last(1) == 2 and store.before_last(50) == 1
    assert store.after(3, 10) == []


def test_who_follows_many_writers_misses_nothing(store: Store, url: str):
    """Numbers become visible in their order: whoever has read up to one has seen all before it."""
    calls, each = 4, 15

    def write(number: int) -> None:
        mine = Store(url)
        mine.put_call(f"c{number}", CALL)
        for index in range(each):
            mine.put_sentences(f"c{number}", [Sentence.model_validate(sentence(index=index))])
        mine.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(calls)]
    for thread in threads:
        thread.start()
    seen: list[tuple[str, int]] = []
    last = 0
    while any(thread.is_alive() for thread in threads) or store.state()[0] > last:
        for one in store.after(last, 7):
            seen.append((one["call"], one["index"]))
            last = one["event"]
    assert sorted(seen) == sorted((f"c{number}", index) for number in range(calls) for index in range(each))


def test_two_writers_of_one_call_keep_each_sentence_once(store: Store, url: str):
    store.put_call("c1", CALL)
    told: list[int] = []

    def write() -> None:
        mine = Store(url)
        one_by_one = ([Sentence.model_validate(sentence(index=index))] for index in range(20))
        told.extend(mine.put_sentences("c1", sent)["stored"] for sent in one_by_one)
        mine.close()

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(told) == 60 and sum(told) == 20 == len(store.call("c1")["sentences"])


def test_history_is_by_agent_and_over_time(store: Store):
    days = ["2026-11-25", "2026-11-26", "2026-11-26"]
    for number, (agent, day) in enumerate(zip(["Ada", "Ada", "Bob"], days, strict=True)):
        store.put_call(f"c{number}", Call.model_validate(call(agent, f"{day}T23:30:00+00:00")))
    store.put_sentences("c0", [FIRST, SECOND])
    store.put_sentences("c2", [changed(FIRST, sentiment="positive"), changed(FIRST, index=1)])
    assert [one["call"] for one in store.calls()[0]] == ["c1", "c2", "c0"]
    assert [one["call"] for one in store.calls(agent="Ada")[0]] == ["c1", "c0"]
    midnight = datetime(2026, 11, 26, tzinfo=UTC)
    assert [one["call"] for one in store.calls(since=midnight)[0]] == ["c1", "c2"]
    assert [one["call"] for one in store.calls(until=midnight)[0]] == ["c0"]
    ada, bob = store.summary("agent")
    assert (ada["agent"], ada["calls"], ada["seconds"]) == ("Ada", 2, 123.0)
    assert ada["sides"]["caller"] == {"negative": 1, "neutral": 0, "positive": 0, "mean": -1.0}
    assert ada["sides"]["agent"]["mean"] == 0.0
    assert bob["sides"]["caller"]["mean"] == 0.0 and bob["sides"]["agent"]["mean"] is None
    assert store.said("caller", "Ada", None, 10) == [("negative", "It broke")]
    assert (
        len(store.said("caller", None, date(2026, 11, 26), 10)) == 2 and len(store.said("caller", None, None, 1)) == 1
    )
    by_day = store.summary("day")
    assert [(one["day"], one["calls"]) for one in by_day] == [("2026-11-25", 1), ("2026-11-26", 2)]
    assert [one["day"] for one in store.summary("day", agent="Ada", since=date(2026, 11, 26))] == ["2026-11-26"]


def test_a_page_says_whether_there_are_more(store: Store):
    for number in range(PAGE + 1):
        store.put_call(f"c{number:03}", CALL)
    first, more = store.calls()
    assert len(first) == PAGE and more is True
    rest, more = store.calls(page=2)
    assert [one["call"] for one in rest] == [f"c{PAGE:03}"] and more is False


# The schema


def test_the_steps_make_the_tables_that_the_program_uses(url: str, store: Store):
    """What METADATA says and what the migrations made is the same: names, types and indexes."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    engine = sa.create_engine(url)
    with engine.connect() as connection:
        ours = {*METADATA.tables, *(index.name for table in METADATA.tables.values() for index in table.indexes)}
        options = {"compare_type": True, "include_name": lambda name, kind, _: kind != "table" or name in ours}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []
    engine.dispose()


def test_many_that_start_at_once_upgrade_once(url: str):
    failures: list[BaseException] = []

    def start() -> None:
        try:
            Store(url).close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    store = Store(url)
    assert store.state() == (0, 0)
    store.close()


def test_a_database_of_a_newer_program_is_refused_and_left_as_it_is(store: Store, url: str):
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'"))
    for upgrade in (True, False):
        with pytest.raises(schema.SchemaError, match=r"version 9999, which this program does not know"):
            Store(url, upgrade=upgrade)
    with engine.connect() as connection:
        assert schema.version(connection) == "9999"
    engine.dispose()


def test_a_database_that_is_only_read_has_to_be_up_to_date(tmp_path: Path):
    with pytest.raises(schema.SchemaError, match="at version none, and this program reads 0002; clone it again"):
        Store(f"sqlite:///{tmp_path / 'empty.db'}", upgrade=False)


def test_an_upgrade_that_fails_leaves_nothing(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'half.db'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE call_feed (other INTEGER)"))
    with pytest.raises(sa.exc.OperationalError):
        Store(url)
    assert sa.inspect(engine).get_table_names() == ["call_feed"]
    engine.dispose()


def test_only_kinds_of_database_that_were_tried_are_taken():
    with pytest.raises(schema.SchemaError, match="Calls are kept in PostgreSQL or SQLite, not in mysql."):
        Store("mysql+pymysql://127.0.0.1:1/x")


def test_the_source_is_told_as_it_was_sent(store: Store):
    source = {"dataset": "calls", "version": "v1", "file": "Zürich/ü.wav"}
    store.put_call("c1", Call.model_validate(call(source=source)))
    assert json.loads(json.dumps(store.call("c1")["source"])) == source
