from emulator.efficiency_policies import handlers
from emulator.efficiency_policies.state import PATCH_FIELDS, POLICY, POST_FIELDS
from emulator.rest import Route

_ALL = "/storage/volume-efficiency-policies"
_ONE = _ALL + "/{uuid}"

URLS = [
    Route("GET", _ALL, handlers.list_policies, shape=POLICY),
    Route("POST", _ALL, handlers.create, shape=POLICY, accepts=POST_FIELDS),
    Route("GET", _ONE, handlers.get_policy, shape=POLICY),
    Route("PATCH", _ONE, handlers.modify, shape=POLICY, accepts=PATCH_FIELDS),
    Route("DELETE", _ONE, handlers.delete, shape=POLICY),
]
