from emulator.errors import Exists, InUse, OntapError


class NoSuchSvm(OntapError):
    status, code = 404, "2621462"

    def __init__(self, name: str) -> None:
        super().__init__(f'SVM "{name}" does not exist.', "svm.name")


class NoSuchAggregate(OntapError):
    status, code = 404, "4"

    def __init__(self, name: str) -> None:
        super().__init__(f'Aggregate "{name}" does not exist.', "aggregates")


class SvmMissing(OntapError):
    code = "2621707"

    def __init__(self) -> None:
        super().__init__('No SVM was specified. Either "svm.name" or "svm.uuid" must be supplied.', "svm")


class SvmMismatch(OntapError):
    code = "2621706"

    def __init__(self, name: str, uuid: str) -> None:
        super().__init__(
            f'The specified "svm.uuid" "{uuid}" and "svm.name" "{name}" do not refer to the same SVM.', "svm"
        )


class SvmNameLength(OntapError):
    code = "13434880"

    def __init__(self, name: str) -> None:
        super().__init__(f"The SVM name has {len(name)} characters; the maximum supported length is 47.", "name")


class SvmNameInvalid(OntapError):
    code = "13434908"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Invalid SVM name {name!a}. It must begin with a letter or an underscore; valid characters are A-Z, "
            'a-z, 0-9, "_", "-" and ".".',
            "name",
        )


class SvmNotShown(OntapError):
    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f'SVM "{name}" cannot have a namespace, because {reason}.', "name")


class SvmExists(Exists):
    def __init__(self, name: str) -> None:
        super().__init__(f'duplicate entry: SVM "{name}"', "name")


class SvmNotEmpty(InUse):
    def __init__(self, name: str, owned: str) -> None:
        super().__init__(f'SVM "{name}" cannot be deleted: it still has {owned}.')
