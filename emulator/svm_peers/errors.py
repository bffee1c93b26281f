from emulator.errors import Exists, InUse, OntapError


class PeerSvmMissing(OntapError):
    code = "26345574"

    def __init__(self) -> None:
        super().__init__('"peer.svm.name" is required.', "peer.svm.name")


class NoSuchPeerSvm(OntapError):
    status, code = 404, "9895992"

    def __init__(self, svm: str, cluster: str) -> None:
        super().__init__(f'There is no SVM "{svm}" on the cluster "{cluster}".', "peer.svm.name")


class AlreadyPeered(Exists):
    code = "26345478"

    def __init__(self, svm: str, peer: str) -> None:
        super().__init__(f'The SVMs "{svm}" and "{peer}" have a peer relationship already.')


class SameSvm(OntapError):
    code = "26345573"

    def __init__(self, svm: str) -> None:
        super().__init__(f'The SVM "{svm}" cannot be its own peer.', "peer.svm.name")


class NameTaken(Exists):
    def __init__(self, name: str) -> None:
        super().__init__(
            f'duplicate entry: an SVM of this cluster, or another peer, has the name "{name}"; "name" can be another.',
            "name",
        )


class WrongState(OntapError):
    code = "26345579"

    def __init__(self, now: str, wanted: str) -> None:
        super().__init__(f'An SVM peer relationship that is "{now}" cannot become "{wanted}".', "state")


class InUseByMirrors(InUse):
    code = "26345572"

    def __init__(self, svm: str, peer: str, users: list[str]) -> None:
        named = ", ".join(f'"{user}"' for user in users)
        super().__init__(f'The peer relationship of "{svm}" and "{peer}" is in use by {named}.')


class NotPeered(OntapError):
    code = "26345576"

    def __init__(self, svm: str, peer: str, application: str) -> None:
        super().__init__(f'The SVMs "{svm}" and "{peer}" are not peered for the application "{application}".')
