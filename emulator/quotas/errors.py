from emulator.errors import Exists, NotFound, NotSupported, OntapError


class RuleExists(Exists):
    def __init__(self, volume: str, qtree: str) -> None:
        super().__init__(f'A tree quota rule for qtree "{qtree}" of volume "{volume}" exists already.', "qtree.name")


class NoSuchQtree(NotFound):
    def __init__(self, name: str, volume: str) -> None:
        super().__init__("qtree.name")
        self.message = f'Qtree "{name}" does not exist on volume "{volume}".'


class TreeOnly(NotSupported):
    def __init__(self, kind: str) -> None:
        super().__init__(f'The emulator has tree quotas only, none of type "{kind}".', "type")


class SoftOverHard(OntapError):
    def __init__(self, field: str, soft: int, hard: int) -> None:
        super().__init__(f"{field}: the soft limit ({soft}) is greater than the hard limit ({hard}).", field)


class NotEnforcedYet(OntapError):
    """The rule is there all the same."""

    code = "5308571"

    def __init__(self, volume: str, svm: str) -> None:
        super().__init__(
            "Quota policy rule create operation succeeded, but quota resize is skipped. To make quotas active, "
            f'disable and enable quotas for volume "{volume}" in SVM "{svm}".'
        )


class StillEnforced(OntapError):
    """The rule is gone all the same."""

    code = "5308572"

    def __init__(self, volume: str, svm: str) -> None:
        super().__init__(
            "Quota policy rule delete operation succeeded, however the rule is still being enforced. To stop "
            f'enforcing the rule, disable and enable quotas for volume "{volume}" in SVM "{svm}".'
        )
