from emulator.errors import Exists, NotAllowed, NotFound, OntapError


class NameTaken(Exists):
    code = "8454154"

    def __init__(self, name: str, svm: str) -> None:
        super().__init__(f'QoS policy group "{name}" already exists in SVM "{svm}".', "name")


class MinimumOverMaximum(OntapError):
    code = "8454194"

    def __init__(self, kind: str, minimum: int, maximum: int) -> None:
        super().__init__(
            f'Invalid values for "{kind}": the minimum ({minimum}) is greater than the maximum ({maximum}).', kind
        )


class FixedOrAdaptive(OntapError):
    def __init__(self) -> None:
        super().__init__('Exactly one of "fixed" and "adaptive" must be given, and it cannot be changed afterwards.')


class PresetStays(NotAllowed):
    def __init__(self, name: str) -> None:
        super().__init__(f'The preset QoS policy "{name}" cannot be modified or deleted.')


class NoSuchPolicy(NotFound):
    def __init__(self, name: str) -> None:
        super().__init__("qos.policy.name")
        self.message = f'QoS policy group "{name}" does not exist.'
