from emulator.errors import BadValue, Exists, InUse, NotAllowed, NotFound


class NameTaken(Exists):
    def __init__(self, name: str, svm: str) -> None:
        super().__init__(f'An efficiency policy named "{name}" already exists in SVM "{svm}".', "name")


class ScheduleOrThreshold(BadValue):
    def __init__(self, value: object, kind: str) -> None:
        other = "schedule" if kind == "threshold" else "start_threshold_percent"
        super().__init__(value, other, f"none in a policy of type {kind}")


class PolicyInUse(InUse):
    def __init__(self, name: str, volume: str) -> None:
        super().__init__(f'Efficiency policy "{name}" cannot be deleted: the volume "{volume}" has it.', "uuid")


class PredefinedStays(NotAllowed):
    def __init__(self, name: str) -> None:
        super().__init__(f'The predefined efficiency policy "{name}" cannot be changed or deleted.')


class NoSuchPolicy(NotFound):
    def __init__(self, name: str, svm: str) -> None:
        super().__init__("efficiency.policy.name")
        self.message = f'Efficiency policy "{name}" does not exist in SVM "{svm}".'
