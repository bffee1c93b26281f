from emulator.errors import OntapError


class InitializeFailed(OntapError):
    code = "13303812"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f'Initialize operation of "{path}" failed. Reason: {reason}')


class UpdateFailed(OntapError):
    code = "13303844"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f'Update operation of "{path}" failed. Reason: {reason}')


class NoSuchTransfer(OntapError):
    status, code = 404, "4"

    def __init__(self) -> None:
        super().__init__("entry doesn't exist", "uuid")


class NotRunning(OntapError):
    code = "13303847"

    def __init__(self, uuid: str, state: str) -> None:
        super().__init__(f'The transfer {uuid} is "{state}" and cannot be aborted.', "state")


class NoCommonSnapshot(OntapError):
    code = "6619540"

    def __init__(self, source: str, destination: str) -> None:
        super().__init__(f'No common snapshot found between "{source}" and "{destination}".')


class NoRoom(OntapError):
    code = "917927"

    def __init__(self, volume: str, needed: int, size: int) -> None:
        super().__init__(f'No space left: "{volume}" has room for {size} bytes, and {needed} are to be copied to it.')


class Aborted(Exception):
    """The transfer was stopped by request."""
