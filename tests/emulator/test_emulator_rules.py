"""What a kind of volume refuses is refused wherever somebody acts on volumes."""

from __future__ import annotations

import pytest

from emulator import rules
from emulator.errors import OntapError


def test_a_rule_is_asked_for_its_acts_only(monkeypatch):
    monkeypatch.setattr(rules, "_RULES", {act: [] for act in rules.ACTS})

    @rules.rule("clone", "write")
    def no_caches(world, volume):
        if volume["kind"] == "cache":
            raise OntapError("It is a cache.")

    with pytest.raises(OntapError):
        rules.check("clone", None, {"kind": "cache"})
    rules.check("clone", None, {"kind": "volume"})
    rules.check("snapshot.create", None, {"kind": "cache"})


def test_an_act_that_nobody_asks_about_is_no_rule():
    with pytest.raises(ValueError, match="'fly' is none of"):
        rules.rule("fly")
