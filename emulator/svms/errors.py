from emulator.errors import Exists, InUse, OntapError


class NoSuchSvm(OntapError):
    status, code = 404, "2621462"

    def __init__(self, name: str) -> None:
        super().__init__(f'SVM "{name}" does not exist.', "svm.name")


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


class SvmExists(Exists):
    def __init__(self, name: str) -> None:
        super().__init__(f'duplicate entry: SVM "{name}"', "name")


class SvmNotEmpty(InUse):
    def __init__(self, name: str, owned: str) -> None:
        super().__init__(f'SVM "{name}" cannot be deleted: it still has {owned}.')
