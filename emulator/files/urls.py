from emulator.files import handlers
from emulator.files.state import FILE, PATCH_FIELDS, POST_FIELDS
from emulator.rest import Route

_FILES = "/storage/volumes/{volume.uuid}/files"
_FILE = _FILES + "/{path}"

URLS = [
    Route("GET", _FILES, handlers.list_files, shape=FILE, arguments=frozenset({"return_metadata"})),
    Route("GET", _FILE, handlers.list_files, shape=FILE, arguments=frozenset({"return_metadata"})),
    Route("POST", _FILE, handlers.create, accepts=POST_FIELDS),
    Route("PATCH", _FILE, handlers.modify, shape=FILE, accepts=PATCH_FIELDS),
    Route("DELETE", _FILE, handlers.delete, shape=FILE, arguments=frozenset({"recurse"})),
]
