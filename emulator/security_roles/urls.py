from emulator.rest import Route
from emulator.security_roles import handlers
from emulator.security_roles.state import POST_FIELDS, PRIVILEGE, PRIVILEGE_PATCH, PRIVILEGE_POST, ROLE

_ROLES = "/security/roles"
_ROWS = _ROLES + "/{owner.uuid}/{role.name}/privileges"

URLS = [
    Route("GET", _ROLES, handlers.list_roles, shape=ROLE),
    Route("POST", _ROLES, handlers.create, shape=ROLE, accepts=POST_FIELDS),
    Route("GET", _ROLES + "/{owner.uuid}/{name}", handlers.get_role, shape=ROLE),
    Route("DELETE", _ROLES + "/{owner.uuid}/{name}", handlers.delete, shape=ROLE),
    Route("GET", _ROWS, handlers.list_privileges, shape=PRIVILEGE),
    Route("POST", _ROWS, handlers.create_privilege, shape=PRIVILEGE, accepts=PRIVILEGE_POST),
    Route("GET", _ROWS + "/{path}", handlers.get_privilege, shape=PRIVILEGE),
    Route("PATCH", _ROWS + "/{path}", handlers.modify_privilege, shape=PRIVILEGE, accepts=PRIVILEGE_PATCH),
    Route("DELETE", _ROWS + "/{path}", handlers.delete_privilege, shape=PRIVILEGE),
]
