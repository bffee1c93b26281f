from emulator.rest import Route
from emulator.snapshot_policies import handlers, taking  # noqa: F401 - registers what happens at the times
from emulator.snapshot_policies.state import COPY, COPY_FIELDS, COPY_PATCH_FIELDS, PATCH_FIELDS, POLICY, POST_FIELDS

_POLICIES = "/storage/snapshot-policies"
_POLICY = _POLICIES + "/{uuid}"
_COPIES = _POLICIES + "/{snapshot_policy.uuid}/schedules"
_COPY = _COPIES + "/{schedule.uuid}"

URLS = [
    Route("GET", _POLICIES, handlers.list_policies, shape=POLICY),
    Route("POST", _POLICIES, handlers.create, shape=POLICY, accepts=POST_FIELDS),
    Route("GET", _POLICY, handlers.get_policy, shape=POLICY),
    Route("PATCH", _POLICY, handlers.modify, shape=POLICY, accepts=PATCH_FIELDS),
    Route("DELETE", _POLICY, handlers.delete, shape=POLICY),
    Route("GET", _COPIES, handlers.list_copies, shape=COPY),
    Route("POST", _COPIES, handlers.create_copy, shape=COPY, accepts=COPY_FIELDS),
    Route("GET", _COPY, handlers.get_copy, shape=COPY),
    Route("PATCH", _COPY, handlers.modify_copy, shape=COPY, accepts=COPY_PATCH_FIELDS),
    Route("DELETE", _COPY, handlers.delete_copy, shape=COPY),
]
