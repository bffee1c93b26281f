import emulator.qos.operations  # noqa: F401 - registers what its jobs do
from emulator.qos import handlers
from emulator.qos.state import PATCH_FIELDS, POLICY, POST_FIELDS
from emulator.rest import Route

_POLICIES = "/storage/qos/policies"
_POLICY = _POLICIES + "/{uuid}"

URLS = [
    Route("GET", _POLICIES, handlers.list_policies, shape=POLICY),
    Route("POST", _POLICIES, handlers.create, shape=POLICY, accepts=POST_FIELDS),
    Route("GET", _POLICY, handlers.get_policy, shape=POLICY),
    Route("PATCH", _POLICY, handlers.modify, shape=POLICY, accepts=PATCH_FIELDS),
    Route("DELETE", _POLICY, handlers.delete, shape=POLICY),
]
