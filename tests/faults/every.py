"""All scenarios: whatever the modules of ``scenarios/`` have in ``SCENARIOS``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tests.faults.site import Scenario


def scenarios() -> list[Scenario]:
    modules = sorted(path.stem for path in (Path(__file__).parent / "scenarios").glob("*.py"))
    found = [scenario for name in modules for scenario in import_module(f"tests.faults.scenarios.{name}").SCENARIOS]
    twice = sorted({s.title for s in found if [t.title for t in found].count(s.title) > 1})
    assert not twice, f"two scenarios are called {', '.join(twice)}: give them names"
    return found
