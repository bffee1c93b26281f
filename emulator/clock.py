"""The one clock of the emulated cluster: real time plus an offset that a test may set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from emulator.store import Store

KIND = "setting"
UUID = "clock"


def iso_duration(seconds: float) -> str:
    """A length of time as ONTAP reports it, in whole seconds: ``PT8H35M42S``, ``P1DT2S``."""
    left = max(0, int(seconds))
    days, left = divmod(left, 86400)
    hours, left = divmod(left, 3600)
    minutes, left = divmod(left, 60)
    time = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (left, "S")) if number)
    date = f"{days}D" if days else ""
    return f"P{date}T{time}" if time else f"P{date}" if date else "PT0S"


class Clock:
    """Ticks like real time; the offset is kept in the store so that a restart does not jump back."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def offset_s(self) -> float:
        record = self._store.get(KIND, UUID)
        return record["offset_s"] if record else 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.offset_s)

    def iso(self, at: datetime | None = None) -> str:
        """A time as ONTAP reports it: whole seconds with the zone, e.g. ``2026-01-01T12:00:00+00:00``."""
        return (at or self.now()).astimezone(UTC).replace(microsecond=0).isoformat()

    def http_date(self) -> str:
        return format_datetime(self.now(), usegmt=True)

    def set_offset(self, seconds: float) -> None:
        with self._store.transaction():
            self._store.delete(KIND, UUID)
            self._store.insert(KIND, {"uuid": UUID, "offset_s": seconds})

    def set_now(self, at: datetime) -> None:
        self.set_offset((at - datetime.now(UTC)).total_seconds())
