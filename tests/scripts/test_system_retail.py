"""What the demo of the retail assistant tells, and what it refuses before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts import demo
from scripts.pipeline import Demo
from scripts.services import Stack
from scripts.systems import retail

FIGURES = {"exact_match": 0.7, "intent_accuracy": 0.95, "slot_f1": 0.87, "dialogs_ended": 0.77}
BETTER = {"exact_match": 0.87, "intent_accuracy": 0.98, "slot_f1": 0.97, "dialogs_ended": 0.94}
TURNS = [
    {"heard": "where can i get the best pasta", "says": "Near which city?"},
    {"heard": "in Boston", "says": "The Golden Pasta, 117 Main Street, Boston; rated 4.8 of 5."},
]


def version(id_: str) -> dict[str, Any]:
    named = {"snapshot": f"mlops_{id_}", "snapshot_uuid": "u", "svm": "svm1", "volume": "questions"}
    return {"id": id_, "files": 5, "bytes": 9000, "created_at": "2026-11-27T21:47:25+00:00", **named}


FACTS = {
    "run_key": "r1",
    "dataset_version": version("v1"),
    "metrics": {"challenger": FIGURES},
    "evaluation": {"held_out": 47},
    "decision": {"decision": "promote", "reason": "no model is deployed yet"},
    "talked": {"conversations": 200, "messages": 230, "seconds": 4.2, "labelled": 205, "first": TURNS},
    "day": {"labelled_by_people": 205, "suggested": 20, "left_out": 5, "masked": 21},
    "second": {
        "dataset_version": version("v2"),
        "held_out": 92,
        "metrics": {"champion": FIGURES, "challenger": BETTER},
        "decision": {"decision": "promote", "reason": "the challenger is better"},
    },
    "conversation": {"turns": TURNS},
    "links": {"airflow_run": "http://a", "chat": "http://127.0.0.1:8600"},
    "password_file": ".local/secrets/airflow_admin",
}


def test_the_summary_tells_both_days_and_the_conversation():
    lines = retail.SYSTEM.text(FACTS).splitlines()
    assert "Brought home: 205 labelled by people, 20 by the model, 5 left out, 21 personal things masked" in lines
    assert "The next day, dataset version v2" in lines
    place = lines.index("The next day, dataset version v2")
    assert lines[place + 3].split() == ["champion", "0.700", "0.950", "0.870", "0.770"]
    assert lines[place + 4].split() == ["challenger", "0.870", "0.980", "0.970", "0.940"]
    assert "  'where can i get the best pasta': Near which city?" in lines
    assert max(map(len, lines)) <= 120


def test_a_folder_that_cannot_be_meant_is_told_before_anything_starts(tmp_path: Path):
    chosen = demo.options(["retail", "--images", str(tmp_path), "--local", str(tmp_path / "local")])
    with pytest.raises(SystemExit, match=r"holds no train\.tsv; it must be in the published form"):
        Demo(retail.SYSTEM, Stack(tmp_path / "local"), chosen).run()
