"""What a mirror is, as ONTAP's record of it tells, and the states it can be in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

UNINITIALIZED, BROKEN, PAUSED = "uninitialized", "broken_off", "paused"
FOLLOWING = ("snapmirrored", "in_sync")
UNDER_WAY = ("queued", "transferring")

FIELDS = (
    "uuid,source.path,source.svm.name,source.cluster.name,destination.path,destination.svm.name,policy.name,policy.type,"
    "state,healthy,unhealthy_reason,lag_time,exported_snapshot,transfer_schedule.name,transfer,last_transfer_type"
)
_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """``source`` and ``destination`` are paths, ``svm:volume``, as the destination's cluster calls them.

    ``lag_s`` is the age of what the destination shows; None before there is anything. ``transfer`` and
    ``transfer_state`` are those of the transfer under way, or of the last one.
    """

    uuid: str
    source: str
    destination: str
    source_svm: str = ""
    source_cluster: str = ""
    policy: str = ""
    policy_type: str = "async"
    schedule: str = ""
    state: str = ""
    healthy: bool = True
    reason: str = ""
    lag_s: float | None = None
    exported_snapshot: str = ""
    last_transfer_type: str = ""
    transfer: str = ""
    transfer_state: str = ""

    @property
    def source_volume(self) -> str:
        return self.source.rpartition(":")[2]

    @property
    def called(self) -> str:
        """Both ends, for sentences."""
        at = f" of cluster {self.source_cluster!r}" if self.source_cluster else ""
        return f"mirror {self.destination!r} of {self.source!r}{at}"

    @property
    def is_moving(self) -> bool:
        return self.transfer_state in UNDER_WAY


def of_record(record: dict[str, Any]) -> Mirror:
    """Read ONTAP's record of a mirror, as far as it tells."""
    source, destination = record.get("source") or {}, record.get("destination") or {}
    policy, transfer = record.get("policy") or {}, record.get("transfer") or {}
    reasons = [each.get("message", "") for each in record.get("unhealthy_reason") or ()]
    return Mirror(
        uuid=record["uuid"],
        source=source.get("path", ""),
        destination=destination.get("path", ""),
        source_svm=(source.get("svm") or {}).get("name", ""),
        source_cluster=(source.get("cluster") or {}).get("name", ""),
        policy=policy.get("name", ""),
        policy_type=policy.get("type", "async"),
        schedule=(record.get("transfer_schedule") or {}).get("name") or "",
        state=record.get("state", ""),
        healthy=record.get("healthy", True) is not False,
        reason=" ".join(filter(None, reasons)),
        lag_s=seconds(record.get("lag_time")),
        exported_snapshot=record.get("exported_snapshot") or "",
        last_transfer_type=record.get("last_transfer_type") or "",
        transfer=transfer.get("uuid") or "",
        transfer_state=transfer.get("state") or "",
    )


def seconds(duration: str | None) -> float | None:
    """Return an ISO 8601 duration, as ONTAP reports lags, in seconds; None if it is none."""
    match = _DURATION.fullmatch(duration or "")
    if not match or not any(match.groups()):
        return None
    weeks, days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return ((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60 + rest
