"""FlexGroup volumes: one namespace of files over several aggregates, for more files or space than one can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap import volumes
from ontap_mlops.ontap.client import Client, repeatable
from ontap_mlops.ontap.errors import NameTaken
from ontap_mlops.ontap.volumes import Volume

STYLE = "flexgroup"


@dataclass(frozen=True, kw_only=True)
class Constituent:
    name: str
    aggregate: str
    size_bytes: int | None = None


@repeatable
def ensure(
    client: Client,
    *,
    svm: str,
    name: str,
    size_bytes: int,
    comment: str,
    aggregates: list[str] | None = None,
    per_aggregate: int | None = None,
    junction_path: str | None = None,
    unix_permissions: str | None = None,
    export_policy: str | None = None,
    snapshot_policy: str = "none",
) -> Volume:
    """Return the FlexGroup volume of this name, made now or by an earlier try; grown to the size, never shrunk.

    :param comment: our mark (``marks.mark``); a volume of this name with another comment is somebody else's.
    :param aggregates: names; ONTAP chooses if not given.
    :param per_aggregate: constituents on each of them.
    """
    volume = volumes.find(client, svm=svm, name=name)
    if volume is None:
        body: dict[str, Any] = {
            "name": name,
            "svm": {"name": svm},
            "style": STYLE,
            "size": size_bytes,
            "comment": comment,
            "snapshot_policy": {"name": snapshot_policy},
            "guarantee": {"type": "none"},
            "nas": volumes.nas_of(junction_path, unix_permissions, export_policy),
        }
        body |= {"aggregates": [{"name": each} for each in aggregates]} if aggregates else {}
        body |= {"constituents_per_aggregate": per_aggregate} if per_aggregate else {}
        volume = volumes.create_once(client, body, svm=svm, name=name)
    volumes.require_ours(volume, comment=comment)
    _require_flexgroup(client, volume)
    volume = volumes.grow(client, volume=volume, size_bytes=size_bytes)
    return volumes.mount(client, volume=volume, junction_path=junction_path) if junction_path else volume


def constituents(client: Client, *, volume: Volume) -> list[Constituent]:
    """Return the parts a FlexGroup volume is made of; empty for any other volume."""
    found = client.records(
        "Volume",
        asked=f"list the constituents of volume {volume.name!r} of SVM {volume.svm!r}",
        fields="name,size,aggregates.name",
        is_constituent="true",
        **{"flexgroup.uuid": volume.uuid},
    )
    return [_constituent(record) for record in found]


def _require_flexgroup(client: Client, volume: Volume) -> None:
    asked = f"read the style of volume {volume.name!r} of SVM {volume.svm!r}"
    style = client.record("Volume", {"uuid": volume.uuid}, asked=asked, fields="style").get("style")
    if style != STYLE:
        raise NameTaken(
            f"Volume {volume.name!r} of SVM {volume.svm!r} exists as a {style} volume, not as a FlexGroup volume. "
            f"{NameTaken.advice}.",
            code="917526",
        )


def _constituent(record: dict[str, Any]) -> Constituent:
    homes = record.get("aggregates") or [{}]
    return Constituent(name=record.get("name", ""), aggregate=homes[0].get("name") or "", size_bytes=record.get("size"))
