from emulator.errors import Exists, NotAllowed, NotFound, OntapError


class QtreeExists(Exists):
    code = "5242951"

    def __init__(self, name: str, volume: str) -> None:
        super().__init__(f'Qtree "{name}" already exists on volume "{volume}".', "name")


class BadName(OntapError):
    code = "5242953"

    def __init__(self, name: str) -> None:
        super().__init__(f'"{name}" cannot be the name of a qtree.', "name")


class NoSuchVolume(NotFound):
    code = "918235"

    def __init__(self, name: str) -> None:
        super().__init__("volume")
        self.message = f'Volume "{name}" was not found.'


class DefaultStays(NotAllowed):
    def __init__(self, volume: str) -> None:
        super().__init__(f'The default qtree of volume "{volume}" cannot be renamed or deleted.')


class HasQuota(OntapError):
    code = "5242962"

    def __init__(self, name: str, volume: str) -> None:
        super().__init__(f'Qtree "{name}" of volume "{volume}" cannot be deleted: a quota rule refers to it.')
