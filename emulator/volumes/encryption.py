"""Encrypted volumes: they need a key manager, and are decrypted only by a move to another aggregate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.store import Record
from emulator.volumes import errors

if TYPE_CHECKING:
    from emulator.world import World

ENABLED = "encryption.enabled"


def check(world: World, old: Record, options: dict[str, object], *, moving: bool = False) -> None:
    """Refuse what the settings of a volume ask for after a change, as far as it is another thing than before."""
    was, wanted = bool(old["options"].get(ENABLED)), bool(options.get(ENABLED))
    if wanted and not was and not world.store.find("key_manager"):
        raise errors.NoKeyManager(old["name"])
    if was and not wanted and not moving:
        raise errors.StaysEncrypted(old["name"])
