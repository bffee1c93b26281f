from emulator.rest import Route
from emulator.volumes import handlers
from emulator.volumes.state import PATCH_FIELDS, POST_FIELDS, RESTORE_ARGUMENTS, VOLUME

_PATCH = frozenset(RESTORE_ARGUMENTS) | {"validate_only"}
_CONSTITUENT = frozenset({"is_constituent"})

URLS = [
    Route("GET", "/storage/volumes", handlers.list_volumes, shape=VOLUME, arguments=_CONSTITUENT),
    Route("POST", "/storage/volumes", handlers.create, shape=VOLUME, accepts=POST_FIELDS),
    Route("GET", "/storage/volumes/{uuid}", handlers.get_volume, shape=VOLUME, arguments=_CONSTITUENT),
    Route("PATCH", "/storage/volumes/{uuid}", handlers.modify, shape=VOLUME, accepts=PATCH_FIELDS, arguments=_PATCH),
    Route(
        "DELETE",
        "/storage/volumes/{uuid}",
        handlers.delete,
        shape=VOLUME,
        arguments=frozenset({"force", "validate_only"}),
    ),
]
