from emulator.key_managers import handlers
from emulator.key_managers.state import KEY_MANAGER, POST_FIELDS
from emulator.rest import Route

_MANAGERS = "/security/key-managers"

URLS = [
    Route("GET", _MANAGERS, handlers.list_managers, shape=KEY_MANAGER),
    Route("POST", _MANAGERS, handlers.create, shape=KEY_MANAGER, accepts=POST_FIELDS),
    Route("GET", _MANAGERS + "/{uuid}", handlers.get_manager, shape=KEY_MANAGER),
    Route("DELETE", _MANAGERS + "/{uuid}", handlers.delete, shape=KEY_MANAGER),
]
