from emulator.errors import Exists, OntapError


class AlreadyThere(Exists):
    code = "65536208"

    def __init__(self) -> None:
        super().__init__("The Onboard Key Manager is already configured.", "onboard")


class BadPassphrase(OntapError):
    code = "65536900"

    def __init__(self) -> None:
        super().__init__("The Onboard Key Manager passphrase has 64 to 256 characters.", "onboard.passphrase")


class StillUsed(OntapError):
    code = "65536242"

    def __init__(self, volume: str) -> None:
        super().__init__(f'The key manager cannot be deleted: volume "{volume}" is encrypted with its keys.')
