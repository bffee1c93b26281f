from emulator.errors import Exists, OntapError


class AccountExists(Exists):
    def __init__(self, name: str) -> None:
        super().__init__(f'duplicate entry: account "{name}"', "name")


class NoSuchRole(OntapError):
    code = "7077906"

    def __init__(self, role: str, owner: str) -> None:
        super().__init__(f'A role with name "{role}" has not been defined for "{owner}".', "role.name")


class NameInvalid(OntapError):
    code = "7077897"

    def __init__(self, name: str) -> None:
        super().__init__(f"Invalid character in username {name!a}.", "name")


class NameReserved(OntapError):
    def __init__(self, name: str) -> None:
        super().__init__(f'The account name "{name}" is reserved for use by the system.', "name")


class PasswordHasName(OntapError):
    code = "7077918"

    def __init__(self) -> None:
        super().__init__("The password cannot contain the username.", "password")


class PasswordShort(OntapError):
    code = "7077919"

    def __init__(self, length: int) -> None:
        super().__init__(f"The minimum length for new password is {length} characters.", "password")


class PasswordPlain(OntapError):
    code = "7077920"

    def __init__(self) -> None:
        super().__init__("New password must have both letters and numbers.", "password")


class PasswordLong(OntapError):
    code = "7077940"

    def __init__(self, length: int) -> None:
        super().__init__(f"Password exceeds maximum supported length of {length} characters.", "password")


class PasswordRepeated(OntapError):
    code = "7077924"

    def __init__(self) -> None:
        super().__init__("New password must be different from the old password.", "password")


class LastAdministrator(OntapError):
    code = "7077896"

    def __init__(self, name: str) -> None:
        super().__init__(
            f'"{name}" is the account of the last administrator of the cluster: it stays as it is.', "name"
        )


class NoPassword(OntapError):
    code = "1263343"

    def __init__(self, name: str) -> None:
        super().__init__(f'Cannot lock or unlock user "{name}": its password is not set.', "locked")
