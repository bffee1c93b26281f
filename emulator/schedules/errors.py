from emulator.errors import Exists, InUse, NotAllowed, NotFound, OntapError


class NotASchedule(OntapError):
    """Neither times nor an interval, or both, or one that an existing schedule of the other type cannot have."""

    code = "459760"

    def __init__(self) -> None:
        super().__init__(
            "The schedule specified is not a valid schedule. Exactly one of cron.minutes and interval is required.",
            "cron",
        )


class NameTaken(Exists):
    def __init__(self, name: str) -> None:
        super().__init__(f'A job schedule named "{name}" already exists.', "name")


class ScheduleInUse(InUse):
    code = "459758"

    def __init__(self, name: str, policy: str) -> None:
        super().__init__(
            f'Cannot delete job schedule "{name}" because it is in use by the snapshot policy "{policy}". '
            "Remove all references to the schedule, and then try to delete again.",
            "uuid",
        )


class SystemSchedule(NotAllowed):
    code = "459762"

    def __init__(self, name: str) -> None:
        super().__init__(f'The schedule "{name}" cannot be changed or deleted because it is a system-level schedule.')


class NoSuchSchedule(NotFound):
    def __init__(self, name: str) -> None:
        super().__init__("schedule.name")
        self.message = f'Schedule "{name}" does not exist.'
