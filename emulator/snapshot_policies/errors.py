from emulator.errors import Exists, InUse, NotAllowed, NotFound, OntapError


class NameTaken(Exists):
    def __init__(self, name: str) -> None:
        super().__init__(f'A snapshot policy named "{name}" already exists.', "name")


class CountMissing(OntapError):
    code = "1638407"

    def __init__(self) -> None:
        super().__init__(
            "When adding schedule to a snapshot policy, the count for that schedule must be specified.", "copies.count"
        )


class NoSuchScheduleHere(NotFound):
    code = "1638410"

    def __init__(self, name: str) -> None:
        super().__init__("copies.schedule")
        self.message = f'Specified schedule "{name}" not found.'


class ScheduleTwice(Exists):
    def __init__(self, name: str) -> None:
        super().__init__(f'The schedule "{name}" is already part of the snapshot policy.', "copies.schedule")


class WrongNumberOfSchedules(OntapError):
    def __init__(self, number: int, most: int) -> None:
        super().__init__(
            f"A snapshot policy must have 1 to {most} schedules, and this one would have {number}.", "copies"
        )


class TooManySnapshots(OntapError):
    code = "1638451"

    def __init__(self, number: int, most: int) -> None:
        super().__init__(
            "This operation would result in total snapshot count for the policy to exceed maximum supported count "
            f"({number} of {most}).",
            "copies.count",
        )


class NotARetentionPeriod(OntapError):
    code = "918253"

    def __init__(self, value: str) -> None:
        super().__init__(
            f'Incorrect format for the retention period "{value}", duration must be in the ISO-8601 format.',
            "copies.retention_period",
        )


class PolicyInUse(InUse):
    code = "1638414"

    def __init__(self, name: str, user: str) -> None:
        super().__init__(f'Cannot delete policy "{name}". Reason: Policy is in use by {user}.', "uuid")


class BuiltIn(NotAllowed):
    def __init__(self, name: str) -> None:
        super().__init__(f'The built-in snapshot policy "{name}" cannot be modified or deleted.')


class NoSuchPolicy(NotFound):
    def __init__(self, name: str) -> None:
        super().__init__("snapshot_policy.name")
        self.message = f'Snapshot policy "{name}" does not exist.'
