from emulator.errors import Exists, NotFound, NotSupported, OntapError


class RuleExists(Exists):
    code = "5308568"

    def __init__(self, volume: str, qtree: str) -> None:
        super().__init__(f'A tree quota rule for qtree "{qtree}" of volume "{volume}" exists already.', "qtree.name")


class NoSuchQtree(NotFound):
    code = "5308571"

    def __init__(self, name: str, volume: str) -> None:
        super().__init__("qtree.name")
        self.message = f'Qtree "{name}" does not exist on volume "{volume}".'


class TreeOnly(NotSupported):
    def __init__(self, kind: str) -> None:
        super().__init__(f'The emulator has tree quotas only, none of type "{kind}".', "type")


class SoftOverHard(OntapError):
    code = "5308574"

    def __init__(self, field: str, soft: int, hard: int) -> None:
        super().__init__(f"{field}: the soft limit ({soft}) is greater than the hard limit ({hard}).", field)
