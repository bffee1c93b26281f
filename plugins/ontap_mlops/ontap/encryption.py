"""Whether a volume is encrypted at rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ontap_mlops.ontap.client import Client
from ontap_mlops.ontap.errors import NotEncrypted
from ontap_mlops.ontap.volumes import Volume

ENCRYPTED = "encrypted"


@dataclass(frozen=True, kw_only=True)
class Encryption:
    """``state`` is encrypted, encrypting, partial, rekeying or unencrypted; ``kind`` volume, aggregate or none."""

    state: str
    kind: str

    @property
    def is_complete(self) -> bool:
        """An encrypted volume that gets a new key is encrypted all the while."""
        return self.state in (ENCRYPTED, "rekeying")


def of(client: Client, *, volume: Volume) -> Encryption:
    asked = f"read the encryption of volume {volume.name!r} of SVM {volume.svm!r}"
    record = client.record("Volume", {"uuid": volume.uuid}, asked=asked, fields="encryption")
    found: dict[str, Any] = record.get("encryption") or {}
    return Encryption(state=found.get("state") or "unencrypted", kind=found.get("type") or "none")


def require(client: Client, *, volume: Volume) -> Encryption:
    """Raises NotEncrypted for a volume that is not encrypted as a whole."""
    found = of(client, volume=volume)
    if not found.is_complete:
        raise NotEncrypted(
            f"Volume {volume.name!r} of SVM {volume.svm!r} must be encrypted and is {found.state}. Configure a key "
            "manager if there is none, and encrypt the volume, before data that needs it is put there."
        )
    return found
