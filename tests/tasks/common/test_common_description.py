from __future__ import annotations

from tasks.common.description import identity_of, parameters_of

FACTS = {"seed": 1, "torch": "2.0", "data": {"digest": "d", "group": ""}, "columns": ["a"]}


def test_the_same_facts_in_any_order_are_the_same_training():
    assert identity_of(FACTS) == identity_of(dict(reversed(FACTS.items())))
    assert identity_of(FACTS) != identity_of({**FACTS, "seed": 2})


def test_what_may_change_does_not_count():
    upgraded = {**FACTS, "torch": "3.0"}
    assert identity_of(FACTS) != identity_of(upgraded)
    assert identity_of(FACTS, without=["torch"]) == identity_of(upgraded, without=["torch"])


def test_parameters_are_flat_and_not_empty():
    assert parameters_of(FACTS, ("seed", "data")) == {"seed": 1, "data.digest": "d"}
