"""Errors of files carry the number that the file system gives, on top of this one."""

from emulator.errors import OntapError

_BASE = 131072


class NoSuchFile(OntapError):
    status, code = 404, str(_BASE + 2)

    def __init__(self, path: str) -> None:
        super().__init__(f'No such file or directory: "{path}".', "path")


class FileExists(OntapError):
    status, code = 409, str(_BASE + 17)

    def __init__(self, path: str) -> None:
        super().__init__(f'File exists: "{path}".', "path")


class NotADirectory(OntapError):
    code = str(_BASE + 20)

    def __init__(self, path: str) -> None:
        super().__init__(f'Not a directory: "{path}".', "path")


class IsADirectory(OntapError):
    code = str(_BASE + 21)

    def __init__(self, path: str) -> None:
        super().__init__(f'Is a directory: "{path}".', "path")


class ReadOnly(OntapError):
    code = str(_BASE + 30)

    def __init__(self, path: str) -> None:
        super().__init__(f'Read-only file system: "{path}" is in a snapshot.', "path")


class NotEmpty(OntapError):
    code = str(_BASE + 66)

    def __init__(self, path: str) -> None:
        super().__init__(f'Directory not empty: "{path}".', "path")


class RangesOverlap(OntapError):
    def __init__(self) -> None:
        super().__init__("The specified block ranges overlap.", "range")


class RangeBeyondEnd(OntapError):
    def __init__(self, path: str) -> None:
        super().__init__(f'A block range goes beyond the end of "{path}".', "range")
