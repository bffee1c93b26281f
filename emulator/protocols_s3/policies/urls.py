from emulator.protocols_s3.policies import handlers
from emulator.protocols_s3.policies.state import PATCH_FIELDS, POLICY, POST_FIELDS
from emulator.rest import Route

_ALL = "/protocols/s3/services/{svm.uuid}/policies"

URLS = [
    Route("GET", _ALL, handlers.list_policies, shape=POLICY),
    Route("POST", _ALL, handlers.create, shape=POLICY, accepts=POST_FIELDS),
    Route("GET", f"{_ALL}/{{name}}", handlers.get_policy, shape=POLICY),
    Route("PATCH", f"{_ALL}/{{name}}", handlers.modify, shape=POLICY, accepts=PATCH_FIELDS),
    Route("DELETE", f"{_ALL}/{{name}}", handlers.delete, shape=POLICY),
]
