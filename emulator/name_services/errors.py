from emulator.errors import Exists, NotAllowed, OntapError


class BadIndex(OntapError):
    code = "65798149"

    def __init__(self) -> None:
        super().__init__("Invalid index for the name mapping entry.", "index")


class MappingExists(Exists):
    def __init__(self, direction: str, index: int) -> None:
        super().__init__(f'duplicate entry: name mapping "{direction}" at position {index}', "index")


class UserNameLength(OntapError):
    code = "23724066"

    def __init__(self) -> None:
        super().__init__("The specified UNIX user name is too long. Maximum supported length is 64 characters.", "name")


class UserNameInvalid(OntapError):
    code = "3277051"

    def __init__(self) -> None:
        super().__init__(
            'The specified UNIX user name contains invalid characters. Valid characters are 0-9, A-Z, a-z, ".", "_" '
            'and "-".',
            "name",
        )


class UserExists(Exists):
    def __init__(self, name: str) -> None:
        super().__init__(f'duplicate entry: UNIX user "{name}"', "name")


class BuiltInUser(NotAllowed):
    def __init__(self, name: str) -> None:
        super().__init__(f'The UNIX user "{name}" is part of every SVM and cannot be changed.')
