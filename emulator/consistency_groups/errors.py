from emulator.errors import Exists, InUse, NotFound, OntapError


class NoSuchGroup(NotFound):
    code = "53411842"

    def __init__(self, uuid: str) -> None:
        super().__init__("consistency_group.uuid")
        self.message = f'Consistency group "{uuid}" does not exist.'


class GroupExists(Exists):
    code = "53411852"

    def __init__(self, name: str, svm: str) -> None:
        super().__init__(f'A consistency group named "{name}" exists already in SVM "{svm}".', "name")


class NoVolumes(OntapError):
    code = "53411846"

    def __init__(self) -> None:
        super().__init__("A consistency group must have at least one volume.", "volumes")


class TooManyVolumes(OntapError):
    code = "53411861"

    def __init__(self, number: int, most: int) -> None:
        super().__init__(f"A consistency group can have {most} volumes, and this one would have {number}.", "volumes")


class NoSuchVolume(NotFound):
    code = "53411860"

    def __init__(self, name: str, svm: str) -> None:
        super().__init__("volumes.name")
        self.message = f'Volume "{name}" does not exist in SVM "{svm}".'


class InAnotherGroup(InUse):
    code = "53411865"

    def __init__(self, volume: str, group: str) -> None:
        super().__init__(f'Volume "{volume}" is part of consistency group "{group}" already.', "volumes")


class NotWithLocking(OntapError):
    code = "53411959"

    def __init__(self, volume: str) -> None:
        super().__init__(
            f'Volume "{volume}" has snapshot locking enabled and cannot be part of a consistency group.', "volumes"
        )


class IsMember(InUse):
    code = "53411917"

    def __init__(self, volume: str, group: str) -> None:
        super().__init__(f'Volume "{volume}" cannot be deleted: it is part of consistency group "{group}".')


class NoSuchSnapshot(NotFound):
    code = "53411921"

    def __init__(self, name: str, group: str) -> None:
        super().__init__("snapshot")
        self.message = f'Consistency group "{group}" has no snapshot "{name}".'


class SnapshotExists(Exists):
    code = "53411927"

    def __init__(self, name: str, group: str) -> None:
        super().__init__(f'Consistency group "{group}" has a snapshot "{name}" already.', "name")


class NothingToCommit(OntapError):
    code = "53411940"

    def __init__(self, name: str) -> None:
        super().__init__(f'The two-phase snapshot "{name}" was not committed in time and was aborted, or is done.')


class PartialRestore(OntapError):
    code = "53411943"

    def __init__(self, name: str, volume: str) -> None:
        super().__init__(f'Snapshot "{name}" is partial: that of volume "{volume}" is gone. Nothing was restored.')
