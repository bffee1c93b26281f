from emulator.errors import Exists, InUse, OntapError


class NameTaken(Exists):
    code = "525059"

    def __init__(self, name: str, volume: str) -> None:
        super().__init__(f'A snapshot named "{name}" already exists on volume "{volume}".', "name")


class LimitReached(OntapError):
    code = "525062"

    def __init__(self, volume: str, limit: int) -> None:
        super().__init__(f'Volume "{volume}" has the maximum number of snapshots, {limit}.')


class ReservedPrefix(OntapError):
    code = "1638477"

    def __init__(self, name: str, prefix: str) -> None:
        super().__init__(f'User-created snapshot name "{name}" cannot begin with the prefix "{prefix}".', "name")


class BadName(OntapError):
    code = "1638518"

    def __init__(self, name: str) -> None:
        super().__init__(f'The specified snapshot name "{name}" is invalid.', "name")


class NotReady(OntapError):
    code = "524479"

    def __init__(self, volume: str) -> None:
        super().__init__(f'Volume "{volume}" is not online or does not have enough space to create a snapshot.')


class NoSuchSnapshot(OntapError):
    status, code = 404, "1638600"

    def __init__(self, name: str, volume: str) -> None:
        super().__init__(f'Snapshot "{name}" does not exist on volume "{volume}".', "uuid")


class HasOwner(InUse):
    code = "1638543"

    def __init__(self, name: str, volume: str, owners: list[str]) -> None:
        named = ", ".join(owners)
        super().__init__(f'Failed to delete snapshot "{name}" of volume "{volume}" because it has an owner: {named}.')


class Locked(InUse):
    code = "1638555"

    def __init__(self, name: str, volume: str, until: str) -> None:
        super().__init__(
            f'The specified snapshot "{name}" of volume "{volume}" has not expired or is locked until {until}.'
        )


class Busy(InUse):
    """Comes from the job, as ONTAP finds the clones only when it does the work."""

    code = "524486"

    def __init__(self, name: str, volume: str, svm: str, clones: list[str]) -> None:
        named = ", ".join(f'"{clone}"' for clone in clones)
        super().__init__(
            f'Failed to delete snapshot "{name}" of volume "{volume}" in SVM "{svm}": '
            f"it is busy because of the volume clone {named}."
        )
