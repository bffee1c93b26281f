from emulator.errors import Exists, InUse, NotAllowed, NotSupported, OntapError
from emulator.faults import NoSpace


class NameTaken(Exists):
    code = "917526"

    def __init__(self, name: str, svm: str) -> None:
        super().__init__(f'Volume "{name}" already exists in SVM "{svm}".', "name")


class NameTooLong(OntapError):
    code = "917886"

    def __init__(self, name: str) -> None:
        super().__init__(f"The volume name has {len(name)} characters; the maximum is 203.", "name")


class NameBadStart(OntapError):
    code = "917887"

    def __init__(self, name: str) -> None:
        super().__init__(f'Volume name "{name}" must begin with a letter or an underscore.', "name")


class NameBadCharacter(OntapError):
    code = "917888"

    def __init__(self, name: str) -> None:
        super().__init__(f'Volume name "{name}" may have letters, digits and underscores only.', "name")


class TooSmall(OntapError):
    code = "917534"

    def __init__(self, size: int, minimum: int) -> None:
        super().__init__(f"The volume size {size} is too small. The minimum size is {minimum} bytes.", "size")


class AggregatesMissing(OntapError):
    code = "787140"

    def __init__(self) -> None:
        super().__init__('One of "aggregates.uuid", "aggregates.name", or "style" must be provided.', "aggregates")


class OneAggregate(OntapError):
    code = "918242"

    def __init__(self) -> None:
        super().__init__(
            "When creating a flexible volume, exactly one aggregate must be specified via either "
            '"aggregates.name" or "aggregates.uuid".',
            "aggregates",
        )


class NoSuchAggregate(OntapError):
    status, code = 404, "4"

    def __init__(self, name: str) -> None:
        super().__init__(f'Aggregate "{name}" does not exist.', "aggregates.name")


class AggregateNotDelegated(NotAllowed):
    """Comes from the job, not from the 202: ONTAP looks at the aggregate only when the work begins."""

    def __init__(self, aggregate: str, svm: str) -> None:
        super().__init__(f'not authorized for that command: aggregate "{aggregate}" is not assigned to SVM "{svm}"')


class AggregateFull(NoSpace):
    def __init__(self, volume: str, aggregate: str, size: int, available: int) -> None:
        super().__init__(
            f'Request to create or grow volume "{volume}" failed because there is not enough space in aggregate '
            f'"{aggregate}". Either create {size - available}B of free space in the aggregate or select a size of at '
            f"most {available}B for the volume."
        )


class VolumeFull(NoSpace):
    def __init__(self, volume: str) -> None:
        super().__init__(f'Volume "{volume}" is full. Grow it or remove files from it.')


class UsedExceedsSize(OntapError):
    code = "917534"

    def __init__(self, volume: str, size: int, used: int) -> None:
        super().__init__(f'The size {size} is too small for volume "{volume}": {used} bytes are in use.', "size")


class BadPath(OntapError):
    code = "918252"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f'The specified "nas.path" "{path}" is invalid: {reason}.', "nas.path")


class PathTaken(Exists):
    def __init__(self, path: str, volume: str) -> None:
        super().__init__(f'Junction path "{path}" is already in use by volume "{volume}".', "nas.path")


class HasMounted(InUse):
    def __init__(self, volume: str, inside: str, path: str) -> None:
        super().__init__(
            f'Volume "{inside}" is mounted inside volume "{volume}", at "{path}". Unmount it before "{volume}" is '
            "unmounted, moved, taken offline or deleted.",
            "nas.path",
        )


class RestoreOverJunction(InUse):
    def __init__(self, volume: str, reason: str) -> None:
        super().__init__(f'Volume "{volume}" cannot be restored: a volume is mounted inside it, and {reason}.')


class ParentMissing(OntapError):
    code = "918246"

    def __init__(self) -> None:
        super().__init__(
            '"volume.clone.parent_volume.name" or "volume.clone.parent_volume.uuid" must be provided.',
            "clone.parent_volume",
        )


class ParentMismatch(OntapError):
    code = "918236"

    def __init__(self) -> None:
        super().__init__(
            'The specified "parent_volume.uuid" and "parent_volume.name" do not refer to the same volume.',
            "clone.parent_volume",
        )


class NoSuchParent(OntapError):
    status, code = 404, "524601"

    def __init__(self, name: str) -> None:
        super().__init__(f'The parent volume "{name}" does not exist.', "clone.parent_volume")


class SnapshotMismatch(OntapError):
    code = "918243"

    def __init__(self) -> None:
        super().__init__(
            "The specified snapshot UUID is not correct for the specified snapshot name.", "clone.parent_snapshot"
        )


class NotForClone(OntapError):
    code = "918247"

    def __init__(self, field: str) -> None:
        super().__init__(f'Specifying a value for "{field}" is not valid for a volume FlexClone creation.', field)


class PathWithParentSvm(OntapError):
    code = "1520442"

    def __init__(self) -> None:
        super().__init__('"nas.path" is not supported when "clone.parent_svm" is specified.', "nas.path")


class HasClones(InUse):
    code = "524615"

    def __init__(self, volume: str, clones: list[str]) -> None:
        named = ", ".join(f'"{name}"' for name in clones)
        super().__init__(f'Volume "{volume}" cannot be deleted: it has the clones {named}.')


class HasLockedSnapshots(InUse):
    code = "1638555"

    def __init__(self, volume: str, snapshot: str) -> None:
        super().__init__(
            f'Volume "{volume}" cannot be deleted: its snapshot "{snapshot}" has not expired or is locked.'
        )


class NotAClone(OntapError):
    code = "918248"

    def __init__(self, volume: str) -> None:
        super().__init__(
            f'Volume "{volume}" is not a FlexClone volume, so it cannot be split.', "clone.split_initiated"
        )


class OnlySplit(OntapError):
    code = "918248"

    def __init__(self, field: str) -> None:
        super().__init__(f'Specifying a value for "{field}" is not valid for a FlexClone split operation.', field)


class OnlyRestore(OntapError):
    code = "918251"

    def __init__(self, field: str) -> None:
        super().__init__(f'Specifying a value for "{field}" is not valid for a snapshot restore operation.', field)


class VolumeOffline(OntapError):
    code = "917684"

    def __init__(self, volume: str) -> None:
        super().__init__(f'Volume "{volume}" is offline. Bring it online first.', "state")


class LockingStays(OntapError):
    code = "14090537"

    def __init__(self, volume: str) -> None:
        super().__init__(f'Snapshot locking cannot be disabled on volume "{volume}".', "snapshot_locking_enabled")


class ThresholdsCross(OntapError):
    code = "917829"

    def __init__(self) -> None:
        super().__init__("Volume autosize grow threshold must be larger than autosize shrink threshold.", "autosize")


class MinimumOverMaximum(OntapError):
    code = "917831"

    def __init__(self) -> None:
        super().__init__("Volume minimum autosize must be smaller than the maximum autosize.", "autosize")


class AutosizeTooLarge(OntapError):
    code = "918521"

    def __init__(self, largest: int) -> None:
        super().__init__(
            f"The volume maximum autosize must be smaller than or equal to the maximum volume size, {largest} bytes.",
            "autosize.maximum",
        )


class MinimumOverSize(OntapError):
    code = "918524"

    def __init__(self, size: int) -> None:
        super().__init__(
            f"Volume minimum autosize must be less than or equal to the current volume size, {size} bytes.",
            "autosize.minimum",
        )


class ReserveTooLarge(OntapError):
    code = "917835"

    def __init__(self, largest: int) -> None:
        super().__init__(
            f"Maximum allowed snapshot.reserve_percent value during a volume creation is {largest}. Use PATCH to set "
            "it to a higher value after the volume has been created.",
            "space.snapshot.reserve_percent",
        )


class CoolingDaysNotAllowed(OntapError):
    code = "918196"

    def __init__(self, policy: str) -> None:
        super().__init__(
            f'Tiering min cooling days not allowed for the tiering policy "{policy}".', "tiering.min_cooling_days"
        )


class RetrievalNotAllowed(OntapError):
    code = "918291"

    def __init__(self, retrieval: str, tiering: str) -> None:
        super().__init__(
            f'Invalid volume cloud retrieval policy "{retrieval}" for the tiering policy "{tiering}".',
            "cloud_retrieval_policy",
        )


class SizeTooLarge(OntapError):
    code = "917521"

    def __init__(self, size: int, largest: int) -> None:
        super().__init__(f"The volume size {size} is too large. The maximum size is {largest} bytes.", "size")


class SizesDiffer(OntapError):
    code = "2"

    def __init__(self, size: int, space: int) -> None:
        super().__init__(f'"size" ({size}) and "space.size" ({space}) name different sizes.', "size")


class AggregateMismatch(OntapError):
    code = "787141"

    def __init__(self) -> None:
        super().__init__(
            'The specified "aggregates.name" and "aggregates.uuid" refer to different aggregates.', "aggregates"
        )


class SameAggregate(OntapError):
    code = "918265"

    def __init__(self, volume: str, aggregate: str) -> None:
        super().__init__(
            f'Volume "{volume}" is on the same aggregate, "{aggregate}".', "movement.destination_aggregate"
        )


class MoveOrState(OntapError):
    code = "918266"

    def __init__(self) -> None:
        super().__init__(
            '"movement.destination_aggregate" and "movement.state" are mutually exclusive, unless the state is '
            '"cutover-wait".',
            "movement.state",
        )


class NoMoveDestination(OntapError):
    code = "918267"

    def __init__(self, name: str) -> None:
        super().__init__(
            f'The specified "movement.destination_aggregate" "{name}" does not exist.',
            "movement.destination_aggregate",
        )


class OnlyMove(OntapError):
    def __init__(self, field: str) -> None:
        super().__init__(f'Specifying a value for "{field}" is not valid for a volume move operation.', field)


class MoveNotGiven(OntapError):
    def __init__(self) -> None:
        super().__init__('One of "movement.destination_aggregate" and "movement.state" must be provided.', "movement")


class NoMove(OntapError):
    def __init__(self, volume: str, state: str) -> None:
        super().__init__(
            f'Volume "{volume}" is not being moved, so its "movement.state" cannot become "{state}".', "movement.state"
        )


class MoveUnderWay(InUse):
    def __init__(self, volume: str) -> None:
        super().__init__(f'Volume "{volume}" is being moved already.', "movement.destination_aggregate")


class MoveAborted(OntapError):
    def __init__(self, volume: str) -> None:
        super().__init__(f'The move of volume "{volume}" was aborted.')


class TieringWhileMoving(InUse):
    code = "918193"

    def __init__(self) -> None:
        super().__init__(
            "Cannot modify tiering min cooling days when vol move is in progress.", "tiering.min_cooling_days"
        )


class SplitUnderWay(InUse):
    def __init__(self, volume: str) -> None:
        super().__init__(f'Volume "{volume}" is being split from its parent already.', "clone.split_initiated")


class SplitStopped(OntapError):
    def __init__(self, volume: str) -> None:
        super().__init__(f'The split of volume "{volume}" from its parent was stopped.')


class NoKeyManager(NotSupported):
    """Comes from the job, not from the 202."""

    def __init__(self, volume: str) -> None:
        super().__init__(
            f'Volume "{volume}" cannot be encrypted: no key manager is configured for its SVM or the cluster.',
            "encryption.enabled",
        )


class StaysEncrypted(NotSupported):
    def __init__(self, volume: str) -> None:
        super().__init__(
            f'Volume "{volume}" is encrypted. It is decrypted only while it is moved to another aggregate.',
            "encryption.enabled",
        )


class BadStyle(OntapError):
    code = "918240"

    def __init__(self, style: str) -> None:
        super().__init__(f'The target style "{style}" is an invalid volume style.', "style")
