from emulator.licenses import handlers
from emulator.licenses.state import LICENSE
from emulator.rest import Route

_LICENSES = "/cluster/licensing/licenses"

URLS = [
    Route("GET", _LICENSES, handlers.list_licenses, shape=LICENSE),
    Route("GET", _LICENSES + "/{name}", handlers.get_license, shape=LICENSE, arguments=frozenset({"state"})),
    Route("DELETE", _LICENSES + "/{name}", handlers.delete, shape=LICENSE, arguments=frozenset({"serial_number"})),
]
