from emulator.errors import Exists, InUse, OntapError


class AddressesOrPassphrase(OntapError):
    code = "4653052"

    def __init__(self) -> None:
        super().__init__(
            'Give "authentication.passphrase" or set "authentication.generate_passphrase" to true, not both.',
            "authentication",
        )


class AddressesMissing(OntapError):
    code = "4653058"

    def __init__(self) -> None:
        super().__init__(
            'A passphrase of your own needs "remote.ip_addresses"; without addresses one is generated.',
            "remote.ip_addresses",
        )


class PassphraseTooShort(OntapError):
    code = "4653075"

    def __init__(self, minimum: int) -> None:
        super().__init__(f"The passphrase must have at least {minimum} characters.", "authentication.passphrase")


class AlreadyPeered(Exists):
    code = "4653060"

    def __init__(self, name: str) -> None:
        super().__init__(f'A peer relationship with the cluster "{name}" already exists.', "remote.ip_addresses")


class OwnAddress(OntapError):
    code = "4653056"

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} is an address of this cluster, which cannot be its own peer.", "remote.ip_addresses"
        )


class NameTaken(Exists):
    code = "4653064"

    def __init__(self, name: str) -> None:
        super().__init__(f'The name "{name}" is that of this cluster or of another peer.', "name")


class HasSvmPeers(InUse):
    code = "4653078"

    def __init__(self, name: str, svms: list[str]) -> None:
        named = ", ".join(f'"{svm}"' for svm in svms)
        super().__init__(
            f'The peer cluster "{name}" cannot be deleted: these SVMs have peers there: {named}. Delete those first.'
        )


class NoSuchPeer(OntapError):
    status, code = 404, "4653077"

    def __init__(self, name: str) -> None:
        super().__init__(f'There is no peer cluster "{name}".', "peer.cluster")
