from emulator.errors import Exists, InUse, OntapError


class BadPath(OntapError):
    code = "13303852"

    def __init__(self, path: object, field: str) -> None:
        super().__init__(f'{field} "{path}" is not of the form "svm:volume".', field)


class RelationshipExists(Exists):
    code = "6619637"

    def __init__(self, source: str, destination: str) -> None:
        super().__init__(
            f'The destination "{destination}" already has a SnapMirror relationship, with the source "{source}".',
            "destination.path",
        )


class NotDp(OntapError):
    code = "6619546"

    def __init__(self, destination: str) -> None:
        super().__init__(f'Destination "{destination}" must be a data-protection volume.', "destination.path")


class NoVolume(OntapError):
    status, code = 404, "917731"

    def __init__(self, path: str, field: str) -> None:
        super().__init__(f'There is no volume "{path}".', field)


class NotForMirrors(OntapError):
    code = "13303841"

    def __init__(self, path: str, kind: str) -> None:
        super().__init__(
            f'This operation is not supported for SnapMirror relationships of such endpoints: "{path}" is {kind}.',
            "source.path",
        )


class CreationFailed(OntapError):
    code = "13303868"

    def __init__(self, reason: str) -> None:
        super().__init__(f"Create of destination endpoint and SnapMirror relationship failed. Reason: {reason}")


class StateOnlyWithCreation(OntapError):
    code = "13303873"

    def __init__(self) -> None:
        super().__init__(
            "Specifying a state when creating a relationship is only supported when creating a destination endpoint.",
            "state",
        )


class StateNotForPolicy(OntapError):
    code = "13303831"

    def __init__(self, state: str, kind: str) -> None:
        super().__init__(f'Invalid state "{state}" for a SnapMirror relationship of type "{kind}".', "state")


class WrongTransition(OntapError):
    code = "13303818"

    def __init__(self, path: str, now: str, wanted: str) -> None:
        super().__init__(
            f'Invalid state transition requested: the mirror "{path}" is "{now}" and cannot become "{wanted}".',
            "state",
        )


class BreakFailed(OntapError):
    code = "13303808"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f'Transition of "{path}" to broken_off state failed. Reason: {reason}', "state")


class ResyncFailed(OntapError):
    code = "13303810"

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f'Transition of "{path}" to snapmirrored state failed. Reason: {reason}', "state")


class FlagWithoutState(OntapError):
    code = "13303837"

    def __init__(self, field: str) -> None:
        super().__init__(f'"{field}" is valid only if a change of the SnapMirror state is requested.', field)


class InTransfer(OntapError):
    """A relationship is not changed while it transfers."""

    code = "6619715"

    def __init__(self, path: str) -> None:
        super().__init__(
            f'Modification of the relationship to "{path}" is in progress: a transfer runs. Retry the command later.'
        )


class PolicyTypeStays(OntapError):
    code = "13303866"

    def __init__(self, old: str, new: str) -> None:
        super().__init__(f'A relationship of type "{old}" cannot have a policy of type "{new}".', "policy")


class IsSource(InUse):
    def __init__(self, volume: str, destinations: list[str]) -> None:
        named = ", ".join(f'"{path}"' for path in destinations)
        super().__init__(
            f'Volume "{volume}" is the source endpoint of SnapMirror relationships to {named}; release them first.'
        )


class IsDestination(InUse):
    def __init__(self, volume: str, source: str) -> None:
        super().__init__(
            f'Volume "{volume}" is the destination endpoint of the SnapMirror relationship with "{source}"; '
            "delete that first."
        )


class DpReadOnly(OntapError):
    code = "13001"

    def __init__(self, volume: str) -> None:
        super().__init__(
            f'Volume "{volume}" is a data-protection volume, which is read-only until its mirror is broken.'
        )


class DpNoSnapshots(OntapError):
    code = "1638461"

    def __init__(self, volume: str) -> None:
        super().__init__(f'Snapshots can be made and changed on read-write volumes only, and "{volume}" is of type DP.')
