"""The query operators, one by one."""

from __future__ import annotations

import pytest

from emulator.query import matches

RECORD = {
    "name": "abc",
    "size": 5 * 1024**3,
    "enabled": True,
    "svm": {"name": "svm1"},
    "aggregates": [{"name": "a1"}, {"name": "a2"}],
    "create_time": "2026-03-01T12:00:00+00:00",
    "tags": [],
}


@pytest.mark.parametrize(
    "query",
    [
        {"name": "a*"},
        {"name": "x*|a*"},
        {"name": "!b*"},
        {"name": '"abc"'},
        {"size": "5GB"},
        {"size": ">4GB"},
        {"size": "<=5368709120"},
        {"size": "1GB..6GB"},
        {"enabled": "true"},
        {"svm.name": "svm1"},
        {"aggregates.name": "a2"},
        {"comment": "null"},
        {"name": "!null"},
        {"create_time": ">2026-02-28T00:00:00Z"},
        {"create_time": "2026-03-01T13:00:00+01:00"},
        {"name": "*", "size": ">1KB"},
    ],
    ids=str,
)
def test_matches(query):
    assert matches(RECORD, query)


@pytest.mark.parametrize(
    "query",
    [
        {"name": "a"},
        {"name": "!a*"},
        {"name": "[a]bc"},
        {"size": "<1GB"},
        {"size": "many"},
        {"enabled": "false"},
        {"comment": "!x"},
        {"comment": "*"},
        {"tags": "!null"},
        {"create_time": "<2026-02-28T00:00:00Z"},
        {"name": "a*", "size": ">1TB"},
    ],
    ids=str,
)
def test_does_not_match(query):
    assert not matches(RECORD, query)
