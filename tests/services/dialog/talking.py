"""A model and services that say what a test wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tasks.retail.dialog.conversation import ServiceError, UnderstandingError, Understood
from tasks.retail.dialog.flow_check import load

FLOWS = load(Path(__file__).resolve().parents[3] / "tasks" / "retail" / "dialog" / "flows")
STORE = Understood("store_location", {"item.type": "pasta", "rating.high": "best"})
WEATHER = Understood("weather.rainfall_yes_no", {"location": "Los Angeles", "time.period_of_time": "next week"})
BOSTON = Understood("nomatch.none", {"location": "Boston"})


@dataclass
class Model:
    knows: Mapping[str, Understood] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    down: bool = False

    async def understand(self, text: str) -> Understood:
        self.asked.append(text)
        if self.down:
            raise UnderstandingError("connection refused")
        return self.knows.get(text, Understood("nomatch.none"))


@dataclass
class Services:
    calls: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    down: bool = False

    async def fulfil(self, service: str, keys: Mapping[str, str]) -> str:
        self.calls.append((service, dict(keys)))
        if self.down:
            raise ServiceError("The weather service does not answer.")
        return f"{service} about {keys['intent']} in {keys.get('location', 'nowhere')}"
