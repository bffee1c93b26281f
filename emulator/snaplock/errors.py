from emulator.errors import NotAllowed, NotFound, OntapError


class ClockIsSet(OntapError):
    status, code = 409, "13763062"

    def __init__(self, node: str) -> None:
        super().__init__(f'The ComplianceClock of node "{node}" is already initialized.', "node")


class NoSuchNode(NotFound):
    code = "14090240"

    def __init__(self, node: str) -> None:
        super().__init__("node")
        self.message = f'Node "{node}" does not exist.'


class ClockNotSet(OntapError):
    code = "13763141"

    def __init__(self, volume: str) -> None:
        super().__init__(
            f'Volume "{volume}" cannot have snapshots or files locked: the ComplianceClock of its node is not '
            "initialized.",
            "snapshot_locking_enabled",
        )


class NotWithTiering(OntapError):
    code = "6619599"

    def __init__(self, volume: str, policy: str) -> None:
        super().__init__(
            f'Snapshot locking is not supported on volume "{volume}": its tiering policy is "{policy}", not "none".',
            "tiering.policy",
        )


class NotWithLockedSnapshot(OntapError):
    code = "6619594"

    def __init__(self, snapshot: str, until: str) -> None:
        super().__init__(
            f'The expiry time of snapshot "{snapshot}", {until}, can be moved to a later time only.',
            "snaplock_expiry_time",
        )


class InThePast(OntapError):
    code = "1638539"

    def __init__(self, time: str) -> None:
        super().__init__(f'The SnapLock expiry time "{time}" is in the past.', "snaplock_expiry_time")


class TypeStays(OntapError):
    code = "918236"

    def __init__(self) -> None:
        super().__init__("The SnapLock type of a volume can be given only when it is made.", "snaplock.type")


class RetentionOrder(OntapError):
    code = "13762570"

    def __init__(self, least: str, usual: str, most: str) -> None:
        super().__init__(
            f"The retention periods must grow from minimum ({least}) over default ({usual}) to maximum ({most}).",
            "snaplock.retention",
        )


class NotSnapLock(OntapError):
    code = "13762582"

    def __init__(self, volume: str) -> None:
        super().__init__(f'Volume "{volume}" is not a SnapLock volume.', "volume")


class NotWorm(OntapError):
    code = "13763279"

    def __init__(self, path: str) -> None:
        super().__init__(f'"{path}" is not a file of the volume that could be kept.', "file_path")


class RetentionShortened(OntapError):
    code = "13763281"

    def __init__(self, path: str, until: str) -> None:
        super().__init__(f'File "{path}" is kept until {until}; its retention can be extended only.', "expiry_time")


class HasUnexpiredFiles(NotAllowed):
    code = "918703"

    def __init__(self, volume: str, until: str) -> None:
        super().__init__(
            f'SnapLock Compliance volume "{volume}" cannot be deleted: it has files that are kept until {until}.'
        )


class NoRestore(OntapError):
    code = "918704"

    def __init__(self, volume: str) -> None:
        super().__init__(f'SnapRestore is not supported on SnapLock Compliance volume "{volume}".')


class FileIsKept(NotAllowed):
    code = "13763282"

    def __init__(self, path: str, until: str) -> None:
        super().__init__(f'File "{path}" is kept until {until} and can be neither changed nor removed.')
