from emulator.errors import Exists, InUse, NotAllowed, OntapError


class NoSuchPolicy(OntapError):
    status, code = 404, "13303819"

    def __init__(self, name: str) -> None:
        super().__init__(
            f'Could not retrieve SnapMirror policy information: there is no policy "{name}" for this SVM.', "policy"
        )


class NameTaken(Exists):
    def __init__(self, name: str) -> None:
        super().__init__(f'There is a SnapMirror policy "{name}" already.', "name")


class BuiltIn(NotAllowed):
    code = "13303865"

    def __init__(self, name: str) -> None:
        super().__init__(f'The SnapMirror policy "{name}" is one of the system\'s and cannot be changed or deleted.')


class PolicyInUse(InUse):
    def __init__(self, name: str, users: list[str]) -> None:
        named = ", ".join(f'"{user}"' for user in users)
        super().__init__(f'The SnapMirror policy "{name}" is that of the relationships to {named}.')


class BadPolicy(OntapError):
    code = "13303850"

    def __init__(self, reason: str, target: str) -> None:
        super().__init__(f"Invalid input parameter: {reason}.", target)


class TooManyRules(OntapError):
    code = "13303887"

    def __init__(self, most: int) -> None:
        super().__init__(f"A SnapMirror policy has at most {most} retention rules.", "retention")
