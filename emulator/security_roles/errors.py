from emulator.errors import Exists, InUse, OntapError


class RoleExists(Exists):
    def __init__(self, name: str) -> None:
        super().__init__(f'duplicate entry: role "{name}"', "name")


class PrivilegeExists(Exists):
    def __init__(self, path: str) -> None:
        super().__init__(f'duplicate entry: path "{path}"', "path")


class RoleInUse(InUse):
    code = "5636172"

    def __init__(self, name: str, account: str) -> None:
        super().__init__(
            f'User accounts detected with this role assigned: "{account}" has the role "{name}". '
            "Update or delete those accounts before deleting this role."
        )


class BuiltIn(OntapError):
    code = "1263347"

    def __init__(self, name: str) -> None:
        super().__init__(f'Cannot modify pre-defined role "{name}".', "name")


class NoSuchPath(OntapError):
    code = "5636170"

    def __init__(self, path: str) -> None:
        super().__init__(f'URI "{path}" does not exist.', "path")


class Qualified(OntapError):
    code = "5636169"

    def __init__(self, path: str) -> None:
        super().__init__(
            f'Specified URI path "{path}" is invalid or not supported. Resource-qualified endpoints are not supported.',
            "path",
        )


class LastPrivilege(OntapError):
    def __init__(self, name: str) -> None:
        super().__init__(f'Role "{name}" must keep one privilege; delete the role instead.', "path")
