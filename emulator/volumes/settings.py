"""What can be set on a volume and read back: which values ONTAP takes, and what it shows where nobody set anything.

The emulator does nothing more with most of them; the snapshot reserve is taken off the room for files, and autosize
acts (`autosize`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from emulator.body import Converter, flag, size, texts
from emulator.snaplock.periods import period
from emulator.store import Record
from emulator.values import at_most, between, one_of
from emulator.volumes import errors

QUOTAS_ON = "quota.enabled"
SNAPLOCK_TYPE, NO_SNAPLOCK = "snaplock.type", "non_snaplock"
RESERVE = "space.snapshot.reserve_percent"
DEFAULT_RESERVE_PERCENT = 5
CREATE_RESERVE_PERCENT = 90
MAXIMUM_SIZE = 300 * 1024**4
MAXIMUM_FILES = 2_000_000_000
# ONTAP makes one inode for so many bytes, and by itself no more than this.
_BYTES_PER_FILE = 32 * 1024
_FILES_BY_ITSELF = 21_251_126
# Where cooling days are allowed, and how many there are by default.
_COOLING_DAYS = {"auto": 31, "snapshot_only": 2}
_SAVING = one_of("none", "inline", "background", "both", "mixed")
_INLINE_OR_NOT = one_of("none", "inline", "mixed")


@dataclass(frozen=True)
class Setting:
    convert: Converter
    default: Any = None
    """A value, a function of the volume's record, or None for what is absent until it is set."""

    def shown(self, record: Record) -> Any:
        return self.default(record) if callable(self.default) else self.default


def _files(record: Record) -> int:
    return min(_FILES_BY_ITSELF, usable_bytes(record) // _BYTES_PER_FILE)


def _cooling_days(record: Record) -> int | None:
    return _COOLING_DAYS.get(record["options"].get("tiering.policy", "none"))


def _retained(usual: str) -> Callable[[Record], str | None]:
    """What a SnapLock volume has by itself; nothing on any other."""
    return lambda record: usual if record["options"].get(SNAPLOCK_TYPE, NO_SNAPLOCK) != NO_SNAPLOCK else None


SETTINGS: dict[str, Setting] = {
    "tiering.policy": Setting(one_of("none", "snapshot_only", "auto", "backup", "all"), "none"),
    "tiering.min_cooling_days": Setting(between(2, 183), _cooling_days),
    "tiering.object_tags": Setting(texts),
    "encryption.enabled": Setting(flag, False),
    "efficiency.compression": Setting(_SAVING, "none"),
    "efficiency.dedupe": Setting(_SAVING, "none"),
    "efficiency.cross_volume_dedupe": Setting(_SAVING, "none"),
    "efficiency.compaction": Setting(_INLINE_OR_NOT, "none"),
    "efficiency.policy.name": Setting(at_most(255), "-"),
    "efficiency.state": Setting(one_of("disabled", "enabled"), "disabled"),
    "autosize.mode": Setting(one_of("off", "grow", "grow_shrink"), "off"),
    "autosize.maximum": Setting(size, lambda r: r["size"] * 6 // 5),
    "autosize.minimum": Setting(size, lambda r: r["size"]),
    "autosize.grow_threshold": Setting(between(0, 100), 85),
    "autosize.shrink_threshold": Setting(between(0, 100), 50),
    RESERVE: Setting(between(0, 100), DEFAULT_RESERVE_PERCENT),
    "space.snapshot.autodelete_enabled": Setting(flag, False),
    "space.snapshot.autodelete.enabled": Setting(flag, False),
    "space.snapshot.autodelete.trigger": Setting(one_of("volume", "snap_reserve"), "volume"),
    "space.snapshot.autodelete.delete_order": Setting(one_of("newest_first", "oldest_first"), "oldest_first"),
    "space.snapshot.autodelete.defer_delete": Setting(
        one_of("none", "prefix", "scheduled", "user_created"), "user_created"
    ),
    "space.snapshot.autodelete.commitment": Setting(one_of("try", "disrupt", "destroy"), "try"),
    "space.snapshot.autodelete.target_free_space": Setting(between(0, 100), 20),
    "space.snapshot.autodelete.prefix": Setting(at_most(15)),
    "space.logical_space.enforcement": Setting(flag, False),
    "space.logical_space.reporting": Setting(flag, False),
    "space.full_threshold_percent": Setting(between(0, 100), 98),
    "space.nearly_full_threshold_percent": Setting(between(0, 100), 95),
    "space.large_size_enabled": Setting(flag, False),
    "space.fractional_reserve": Setting(between(0, 100), lambda r: 100 if r["guarantee"] == "volume" else 0),
    "files.maximum": Setting(between(96, MAXIMUM_FILES), _files),
    "analytics.state": Setting(one_of("on", "off"), "off"),
    "activity_tracking.state": Setting(one_of("on", "off"), "off"),
    "snapshot_directory_access_enabled": Setting(flag, True),
    "access_time_enabled": Setting(flag, True),
    "anti_ransomware.state": Setting(
        one_of("disabled", "enabled", "dry_run", "paused", "disable_in_progress", "enable_paused", "dry_run_paused"),
        "disabled",
    ),
    "cloud_retrieval_policy": Setting(one_of("default", "on_read", "never", "promote"), "default"),
    "granular_data": Setting(flag, False),
    "is_s3_arbitrary_part_size_enabled": Setting(flag),
    QUOTAS_ON: Setting(flag, False),
    SNAPLOCK_TYPE: Setting(one_of(NO_SNAPLOCK, "enterprise", "compliance"), NO_SNAPLOCK),
    "snaplock.retention.default": Setting(period, _retained("P0Y")),
    "snaplock.retention.minimum": Setting(period, _retained("P0Y")),
    "snaplock.retention.maximum": Setting(period, _retained("P30Y")),
}

_SAVINGS = ("efficiency.compression", "efficiency.dedupe", "efficiency.cross_volume_dedupe", "efficiency.compaction")

# Never set, always shown.
FACTS: dict[str, Any] = {
    "error_state.has_bad_blocks": False,
    "error_state.is_inconsistent": False,
    "flexcache_endpoint_type": "none",
    "scheduled_snapshot_naming_scheme": "create_time",
}


def shown(record: Record, names: Collection[str] | None = None) -> dict[str, Any]:
    """Settings by their dotted names, all or these, as they were set or as ONTAP has them by itself."""
    options = record["options"]
    encrypted = options.get("encryption.enabled")
    facts = FACTS | {
        "encryption.state": "encrypted" if encrypted else "unencrypted",
        "encryption.type": "volume" if encrypted else "none",
        "quota.state": "on" if options.get(QUOTAS_ON) else "off",
    }
    wanted = NAMES if names is None else [name for name in NAMES if name in names]
    return {
        name: facts[name] if name in facts else options[name] if name in options else SETTINGS[name].shown(record)
        for name in wanted
    }


NAMES = (*SETTINGS, *FACTS, "encryption.state", "encryption.type", "quota.state")


def reserve_bytes(record: Record) -> int:
    """What of a volume's size is kept for snapshots."""
    percent = (record.get("options") or {}).get(RESERVE, DEFAULT_RESERVE_PERCENT)
    return record["size"] * percent // 100


def usable_bytes(record: Record) -> int:
    """The room for files."""
    return record["size"] - reserve_bytes(record)


def of_body(body: dict[str, Any]) -> dict[str, Any]:
    """The settings that a checked body names, by dotted name."""
    found = {}
    for name in SETTINGS:
        value: Any = body
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            found[name] = value
    return found


def changed(old: Record, given: dict[str, Any], size: int) -> dict[str, Any]:
    """The settings of a volume after a request that names some, with what follows from those by itself."""
    options = old["options"] | given
    if given.get("tiering.policy", _policy(old)) != _policy(old) and "tiering.min_cooling_days" not in given:
        options.pop("tiering.min_cooling_days", None)
    if options.get("autosize.maximum", size) < size:
        options.pop("autosize.maximum")
    return options | _efficiency(options, given)


def _policy(record: Record) -> str:
    return record["options"].get("tiering.policy", "none")


def _efficiency(options: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Any saving switches efficiency on, with deduplication in the background; without one, it is off."""
    if given.get("efficiency.state") == "disabled":
        return dict.fromkeys(_SAVINGS, "none")
    if not any(name in given for name in _SAVINGS):
        return {}
    if all(options.get(name, "none") == "none" for name in _SAVINGS):
        return {"efficiency.state": "disabled"}
    background = {} if options.get("efficiency.dedupe", "none") != "none" else {"efficiency.dedupe": "background"}
    return {"efficiency.state": "enabled"} | background


def check(record: Record, given: dict[str, Any], *, new: bool) -> None:
    """Refuse settings that do not go together; ``record`` has them already, and ``given`` are those just asked for."""
    after = shown(record)
    if new and given.get(RESERVE, 0) > CREATE_RESERVE_PERCENT:
        raise errors.ReserveTooLarge(CREATE_RESERVE_PERCENT)
    _check_autosize(record, after, given)
    policy = after["tiering.policy"]
    if given.get("tiering.min_cooling_days") is not None and policy not in _COOLING_DAYS:
        raise errors.CoolingDaysNotAllowed(policy)
    if given.get("cloud_retrieval_policy") == "promote" and policy not in ("none", "snapshot_only"):
        raise errors.RetrievalNotAllowed("promote", policy)


def _check_autosize(record: Record, after: dict[str, Any], given: dict[str, Any]) -> None:
    if not any(name.startswith("autosize.") for name in given):
        return
    if after["autosize.grow_threshold"] <= after["autosize.shrink_threshold"]:
        raise errors.ThresholdsCross()
    if after["autosize.minimum"] >= after["autosize.maximum"]:
        raise errors.MinimumOverMaximum()
    if given.get("autosize.maximum", 0) > MAXIMUM_SIZE:
        raise errors.AutosizeTooLarge(MAXIMUM_SIZE)
    if given.get("autosize.minimum", 0) > record["size"]:
        raise errors.MinimumOverSize(record["size"])
