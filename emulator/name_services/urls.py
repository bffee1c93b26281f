from emulator.name_services import handlers
from emulator.name_services.state import MAPPING, MAPPING_PATCH, MAPPING_POST, USER, USER_PATCH, USER_POST
from emulator.rest import Route

_MAPPINGS = "/name-services/name-mappings"
_MAPPING = "/name-services/name-mappings/{svm.uuid}/{direction}/{index}"
_USERS = "/name-services/unix-users"
_USER = "/name-services/unix-users/{svm.uuid}/{name}"

URLS = [
    Route("GET", _MAPPINGS, handlers.list_mappings, shape=MAPPING),
    Route("POST", _MAPPINGS, handlers.create_mapping, shape=MAPPING, accepts=MAPPING_POST),
    Route("GET", _MAPPING, handlers.get_mapping, shape=MAPPING),
    Route("PATCH", _MAPPING, handlers.modify_mapping, shape=MAPPING, accepts=MAPPING_PATCH),
    Route("DELETE", _MAPPING, handlers.delete_mapping, shape=MAPPING),
    Route("GET", _USERS, handlers.list_users, shape=USER),
    Route("POST", _USERS, handlers.create_user, shape=USER, accepts=USER_POST),
    Route("GET", _USER, handlers.get_user, shape=USER),
    Route("PATCH", _USER, handlers.modify_user, shape=USER, accepts=USER_PATCH),
    Route("DELETE", _USER, handlers.delete_user, shape=USER),
]
