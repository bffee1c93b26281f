"""How large a volume is: grown, shrunk as far as what is in it allows, or sized by ONTAP itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import InvalidRequest
from ontap_mlops.ontap.volumes import Volume

OFF, GROW, GROW_SHRINK = "off", "grow", "grow_shrink"
MODES = (OFF, GROW, GROW_SHRINK)
_FIELDS = ("mode", "maximum", "minimum", "grow_threshold", "shrink_threshold")


@dataclass(frozen=True, kw_only=True)
class Autosize:
    """Sizes in bytes, thresholds in percent of the room for files; what ONTAP did not tell is None."""

    mode: str = OFF
    maximum_bytes: int | None = None
    minimum_bytes: int | None = None
    grow_threshold: int | None = None
    shrink_threshold: int | None = None


@repeatable
def resize(client: Client, *, svm: str, name: str, size_bytes: int) -> Volume:
    """Give the volume this size. Raises InvalidRequest, with nothing changed, when what is in it would not fit."""
    volume = volumes.get(client, svm=svm, name=name)
    if volume.size_bytes == size_bytes:
        return volume
    if volume.size_bytes is not None and size_bytes < volume.size_bytes:
        _require_room(client, volume, size_bytes)
    asked = f"resize volume {name!r} of SVM {svm!r} to {size_bytes:,} bytes"
    client.modify("Volume", {"uuid": volume.uuid}, {"size": size_bytes}, asked=asked)
    return volumes.by_uuid(client, uuid=volume.uuid)


def autosize_of(client: Client, *, svm: str, name: str) -> Autosize:
    """Raises NotFound when there is no such volume."""
    volume = volumes.get(client, svm=svm, name=name)
    record = client.record(
        "Volume", {"uuid": volume.uuid}, asked=f"read the autosize of volume {name!r}", fields="autosize"
    )
    found = record.get("autosize") or {}
    return Autosize(
        mode=found.get("mode") or OFF,
        maximum_bytes=found.get("maximum"),
        minimum_bytes=found.get("minimum"),
        grow_threshold=found.get("grow_threshold"),
        shrink_threshold=found.get("shrink_threshold"),
    )


@repeatable
def set_autosize(
    client: Client,
    *,
    svm: str,
    name: str,
    mode: str,
    maximum_bytes: int | None = None,
    minimum_bytes: int | None = None,
    grow_threshold: int | None = None,
    shrink_threshold: int | None = None,
) -> Autosize:
    """Let ONTAP size the volume, or stop it; what is None stays as it is. Raises InvalidRequest for limits that cross.

    :param mode: off, grow or grow_shrink.
    :param grow_threshold: percent of the room for files beyond which the volume grows.
    """
    volume, before = volumes.get(client, svm=svm, name=name), autosize_of(client, svm=svm, name=name)
    given = (mode, maximum_bytes, minimum_bytes, grow_threshold, shrink_threshold)
    wanted = {key: value for key, value in zip(_FIELDS, given, strict=True) if value is not None}
    _check(f"volume {name!r} of SVM {svm!r}", volume, before, wanted)
    now = dict(zip(_FIELDS, _values(before), strict=True))
    if now | wanted != now:
        asked = f"set the autosize of volume {name!r} of SVM {svm!r} to {mode}"
        client.modify("Volume", {"uuid": volume.uuid}, {"autosize": wanted}, asked=asked)
    return autosize_of(client, svm=svm, name=name)


def _values(autosize: Autosize) -> tuple[Any, ...]:
    sizes = (autosize.maximum_bytes, autosize.minimum_bytes)
    return (autosize.mode, *sizes, autosize.grow_threshold, autosize.shrink_threshold)


def _check(called: str, volume: Volume, before: Autosize, wanted: dict[str, Any]) -> None:
    after = dict(zip(_FIELDS, _values(before), strict=True)) | wanted
    if wanted["mode"] not in MODES:
        raise InvalidRequest(f"The autosize mode {wanted['mode']!r} of {called} is none of {', '.join(MODES)}.")
    for low, high in (("minimum", "maximum"), ("shrink_threshold", "grow_threshold")):
        if None not in (after[low], after[high]) and after[low] >= after[high]:
            raise InvalidRequest(
                f"The autosize of {called} was not changed: its {low} of {after[low]:,} is not below its {high} of "
                f"{after[high]:,}."
            )
    if "maximum" in wanted and volume.size_bytes is not None and wanted["maximum"] < volume.size_bytes:
        raise InvalidRequest(
            f"The autosize of {called} was not changed: its maximum of {wanted['maximum']:,} bytes is below its size "
            f"of {volume.size_bytes:,} bytes."
        )


def _require_room(client: Client, volume: Volume, size_bytes: int) -> None:
    asked = f"read the space of volume {volume.name!r}"
    record = client.record(
        "Volume", {"uuid": volume.uuid}, asked=asked, fields="space.used,space.snapshot.reserve_percent"
    )
    space = record.get("space") or {}
    used, reserve = space.get("used"), (space.get("snapshot") or {}).get("reserve_percent") or 0
    room = size_bytes * (100 - reserve) // 100
    if used is not None and used > room:
        raise InvalidRequest(
            f"Volume {volume.name!r} of SVM {volume.svm!r} was not shrunk to {size_bytes:,} bytes: {used:,} bytes are "
            f"in use, and of that size {room:,} would be left for files (snapshot reserve {reserve} %). Remove files "
            "first, or ask for more."
        )
