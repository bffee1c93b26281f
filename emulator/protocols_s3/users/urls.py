from emulator.protocols_s3.users import handlers
from emulator.protocols_s3.users.state import PATCH_FIELDS, POST_FIELDS, USER
from emulator.rest import Route

_ALL = "/protocols/s3/services/{svm.uuid}/users"
_KEYS = frozenset({"regenerate_keys", "delete_keys"})

URLS = [
    Route("GET", _ALL, handlers.list_users, shape=USER),
    Route("POST", _ALL, handlers.create, shape=USER, accepts=POST_FIELDS),
    Route("GET", f"{_ALL}/{{name}}", handlers.get_user, shape=USER),
    Route("PATCH", f"{_ALL}/{{name}}", handlers.modify, shape=USER, accepts=PATCH_FIELDS, arguments=_KEYS),
    Route("DELETE", f"{_ALL}/{{name}}", handlers.delete, shape=USER),
]
