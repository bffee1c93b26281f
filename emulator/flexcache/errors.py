from emulator.errors import InUse, NotSupported, OntapError


class NotPeered(OntapError):
    code = "66846735"

    def __init__(self, svm: str, other: str) -> None:
        super().__init__(
            f'SVM "{svm}" is neither of this cluster nor in a peer relationship with SVM "{other}" for the application '
            '"flexcache".',
            "origins.svm.name",
        )


class Taken(OntapError):
    status, code = 409, "66846767"

    def __init__(self, name: str, svm: str) -> None:
        super().__init__(f'FlexCache volume "{name}" already exists in SVM "{svm}".', "name")


class NoSuchCache(OntapError):
    status, code = 404, "66846768"

    def __init__(self) -> None:
        super().__init__("The FlexCache volume does not exist.", "uuid")


class NoSuchOrigin(OntapError):
    status, code = 404, "66846730"

    def __init__(self, volume: str, svm: str) -> None:
        super().__init__(f'The origin volume "{volume}" does not exist in SVM "{svm}".', "origins.volume.name")


class OneOrigin(OntapError):
    code = "66846731"

    def __init__(self) -> None:
        super().__init__('A FlexCache volume has exactly one origin: give one entry in "origins".', "origins")


class CacheOfCache(NotSupported):
    def __init__(self, volume: str, svm: str) -> None:
        super().__init__(
            f'Volume "{volume}" of SVM "{svm}" is a FlexCache volume, which cannot be the origin of another one.',
            "origins.volume.name",
        )


class ObjectStoreOrigin(OntapError):
    code = "66846844"

    def __init__(self, volume: str) -> None:
        super().__init__(f'Volume "{volume}" holds an S3 bucket and cannot be an origin.', "origins.volume.name")


class NoPaths(OntapError):
    code = "66846921"

    def __init__(self) -> None:
        super().__init__("At least one path is needed to prepopulate.", "prepopulate.dir_paths")


class OriginUnreachable(OntapError):
    code = "66846923"

    def __init__(self, origin: str, cache: str, reason: str) -> None:
        super().__init__(f'The origin volume "{origin}" of FlexCache volume "{cache}" cannot be reached: {reason}.')


class NotMounted(OntapError):
    code = "66846925"

    def __init__(self, cache: str) -> None:
        super().__init__(f'FlexCache volume "{cache}" must be mounted to be prepopulated.', "path")


class NoSuchPath(OntapError):
    code = "66846943"

    def __init__(self, path: str, origin: str) -> None:
        super().__init__(f'There is no folder "{path}" in the origin volume "{origin}".', "prepopulate.dir_paths")


class OriginNotMounted(OntapError):
    code = "66846945"

    def __init__(self, origin: str) -> None:
        super().__init__(f'The origin volume "{origin}" must be mounted to prepopulate a FlexCache volume of it.')


class PrepopulateRuns(OntapError):
    status, code = 409, "66846947"

    def __init__(self, cache: str) -> None:
        super().__init__(f'A prepopulate of FlexCache volume "{cache}" is already running.', "prepopulate")


class StillMounted(InUse):
    def __init__(self, cache: str, path: str) -> None:
        super().__init__(f'FlexCache volume "{cache}" is mounted at "{path}". Unmount it before it is deleted.')


class NotOnCache(NotSupported):
    def __init__(self, what: str, cache: str) -> None:
        super().__init__(f'{what} not supported on FlexCache volume "{cache}".')


class OriginHasCaches(InUse):
    def __init__(self, origin: str, caches: list[str]) -> None:
        named = ", ".join(f'"{name}"' for name in caches)
        super().__init__(f'Volume "{origin}" is the origin of the FlexCache volumes {named}. Delete them first.')
