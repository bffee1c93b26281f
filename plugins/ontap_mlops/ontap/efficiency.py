"""What a volume saves: compression, deduplication and compaction of its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InvalidRequest
from ontap_mlops.ontap.volumes import Volume

NONE = "none"
SAVINGS = (NONE, "inline", "background", "both")
COMPACTIONS = (NONE, "inline")


@dataclass(frozen=True, kw_only=True)
class Efficiency:
    """ONTAP's words. ``enabled`` is whether savings are made in the background."""

    enabled: bool
    compression: str
    dedupe: str
    compaction: str


def of(client: Client, *, volume: Volume) -> Efficiency:
    asked = f"read the efficiency of volume {volume.name!r} of SVM {volume.svm!r}"
    record = client.record("Volume", {"uuid": volume.uuid}, asked=asked, fields="efficiency")
    found: dict[str, Any] = record.get("efficiency") or {}
    return Efficiency(
        enabled=found.get("state") == "enabled",
        compression=found.get("compression") or NONE,
        dedupe=found.get("dedupe") or NONE,
        compaction=found.get("compaction") or NONE,
    )


@repeatable
def ensure(
    client: Client,
    *,
    svm: str,
    name: str,
    compression: str | None = None,
    dedupe: str | None = None,
    compaction: str | None = None,
) -> tuple[Efficiency, Efficiency]:
    """Make the volume save as told; return what it did before and does now. What is None stays as it is.

    ONTAP deduplicates in the background wherever anything else is on. What is on the volume already is saved on when
    it is written anew.

    :param compression: none, inline, background or both; so is ``dedupe``. ``compaction`` is none or inline.
    """
    volume = volumes.get(client, svm=svm, name=name)
    named = {"compression": compression, "dedupe": dedupe, "compaction": compaction}
    wanted = {key: value for key, value in named.items() if value is not None}
    for key, value in wanted.items():
        choices = COMPACTIONS if key == "compaction" else SAVINGS
        if value not in choices:
            raise InvalidRequest(
                f"{key} {value!r} was asked of volume {name!r} of SVM {svm!r}; it is one of {', '.join(choices)}."
            )
    before = of(client, volume=volume)
    changes = {key: value for key, value in wanted.items() if not _has(before, wanted, key)}
    if changes:
        asked = f"set the efficiency of volume {name!r} of SVM {svm!r}"
        client.modify("Volume", {"uuid": volume.uuid}, {"efficiency": changes}, asked=asked)
    return before, of(client, volume=volume)


def _has(now: Efficiency, wanted: dict[str, str], key: str) -> bool:
    """Deduplication that another saving has brought with it counts as none asked for."""
    there = getattr(now, key)
    others = [wanted.get(name) or getattr(now, name) for name in ("compression", "compaction")]
    brought = key == "dedupe" and there == "background" and any(saving != NONE for saving in others)
    return there == wanted[key] or (brought and wanted[key] == NONE)
