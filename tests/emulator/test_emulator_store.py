"""The store: records, nested questions, transactions, order."""

from __future__ import annotations

import threading

import pytest

from emulator.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_records_are_found_by_nested_values_in_the_order_of_creation(store):
    for name, svm in [("b", "svm1"), ("a", "svm1"), ("c", "svm2")]:
        store.insert("volume", {"uuid": name, "name": name, "svm": {"name": svm}})
    assert [record["name"] for record in store.find("volume", svm__name="svm1")] == ["b", "a"]
    assert store.find("volume", svm__name="svm1", name="c") == []


def test_update_replaces_top_level_values_and_needs_the_record(store):
    store.insert("volume", {"uuid": "1", "size": 1, "nas": {"path": "/a"}})
    assert store.update("volume", "1", size=2)["nas"] == {"path": "/a"}
    assert store.get("volume", "1")["size"] == 2
    with pytest.raises(KeyError):
        store.update("volume", "2", size=2)


def test_what_is_returned_is_a_copy(store):
    store.insert("volume", {"uuid": "1", "tags": []})["tags"].append("x")
    assert store.get("volume", "1")["tags"] == []


def test_a_failed_transaction_leaves_nothing(store):
    with pytest.raises(ValueError, match="no"), store.transaction():
        store.insert("volume", {"uuid": "1"})
        raise ValueError("no")
    assert store.get("volume", "1") is None


def test_a_second_store_on_the_same_folder_sees_what_was_committed(store, tmp_path):
    store.insert("volume", {"uuid": "1", "name": "kept"})
    assert Store(tmp_path).get("volume", "1")["name"] == "kept"


def test_many_threads_lose_no_update(store):
    store.insert("counter", {"uuid": "1", "value": 0})

    def count():
        for _ in range(20):
            with store.transaction():
                store.update("counter", "1", value=store.get("counter", "1")["value"] + 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("counter", "1")["value"] == 80


@pytest.mark.parametrize(
    "value", ["a", "", "ü", "a\0b", "\ud800", 'quo"te', 5, 5.5, True, None, ["x"], {"b": 1}], ids=ascii
)
def test_whatever_is_compared_is_found_and_nothing_else(store, value):
    for number, name in enumerate(("a", "", "ü", "a\0b", "\ud800", 'quo"te', 5, 5.5, True, None, ["x"], {"b": 1})):
        store.insert("thing", {"uuid": str(number), "svm": {"name": name}, "name": name})
    for field in ("name", "svm__name"):
        found = store.find("thing", **{field: value})
        assert [record["name"] for record in found] == [value]


def test_records_are_counted_and_one_value_of_each_is_read(store):
    for number, name in enumerate(["a", "a", "b"]):
        store.insert("thing", {"uuid": str(number), "name": name, "size": number, "nas": {"path": None}})
    assert (store.count("thing"), store.count("thing", name="a"), store.count("other")) == (3, 2, 0)
    assert store.column("thing", "size", name="a") == {"0": 0, "1": 1}
    assert store.column("thing", "nas.path", name="b") == {"2": None}
