from emulator.rest import Route
from emulator.volumes import handlers
from emulator.volumes.state import PATCH_FIELDS, POST_FIELDS, RESTORE_ARGUMENTS, VOLUME

_RESTORE = frozenset(RESTORE_ARGUMENTS)

URLS = [
    Route("GET", "/storage/volumes", handlers.list_volumes, shape=VOLUME),
    Route("POST", "/storage/volumes", handlers.create, shape=VOLUME, accepts=POST_FIELDS),
    Route("GET", "/storage/volumes/{uuid}", handlers.get_volume, shape=VOLUME),
    Route("PATCH", "/storage/volumes/{uuid}", handlers.modify, shape=VOLUME, accepts=PATCH_FIELDS, arguments=_RESTORE),
    Route(
        "DELETE",
        "/storage/volumes/{uuid}",
        handlers.delete,
        shape=VOLUME,
        arguments=frozenset({"force", "validate_only"}),
    ),
]
