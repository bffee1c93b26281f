from emulator.errors import Exists, InUse, OntapError


class PolicyExists(Exists):
    def __init__(self, name: str) -> None:
        super().__init__(f'Export policy "{name}" already exists.', "name")


class DefaultPolicy(OntapError):
    code = "1703947"

    def __init__(self) -> None:
        super().__init__('The export policy "default" cannot be renamed or deleted.')


class PolicyInUse(InUse):
    code = "1703945"

    def __init__(self, name: str, volume: str) -> None:
        super().__init__(f'Export policy "{name}" is in use by volume "{volume}".')


class NoSuchPolicy(OntapError):
    status, code = 404, "1703998"

    def __init__(self, name: str) -> None:
        super().__init__(f'Export policy "{name}" does not exist.', "nas.export_policy.name")
