from emulator.consistency_groups import handlers, snapshots
from emulator.consistency_groups.snapshots import SNAPSHOT
from emulator.consistency_groups.state import GROUP, PATCH_FIELDS, POST_FIELDS, RESTORE_ARGUMENTS
from emulator.rest import Route

_GROUPS = "/application/consistency-groups"
_GROUP = _GROUPS + "/{uuid}"
_SNAPSHOTS = _GROUPS + "/{consistency_group.uuid}/snapshots"
_SNAPSHOT = _SNAPSHOTS + "/{uuid}"
_PHASES = frozenset({"action", "action_timeout"})

URLS = [
    Route("GET", _GROUPS, handlers.list_groups, shape=GROUP),
    Route("POST", _GROUPS, handlers.create, shape=GROUP, accepts=POST_FIELDS),
    Route("GET", _GROUP, handlers.get_group, shape=GROUP),
    Route("PATCH", _GROUP, handlers.modify, shape=GROUP, accepts=PATCH_FIELDS, arguments=RESTORE_ARGUMENTS),
    Route("DELETE", _GROUP, handlers.delete, shape=GROUP),
    Route("GET", _SNAPSHOTS, handlers.list_snapshots, shape=SNAPSHOT),
    Route(
        "POST",
        _SNAPSHOTS,
        handlers.create_snapshot,
        shape=SNAPSHOT,
        accepts=snapshots.POST_FIELDS,
        arguments=_PHASES,
    ),
    Route("GET", _SNAPSHOT, handlers.get_snapshot, shape=SNAPSHOT),
    Route("PATCH", _SNAPSHOT, handlers.commit_snapshot, shape=SNAPSHOT, arguments=_PHASES),
    Route("DELETE", _SNAPSHOT, handlers.delete_snapshot, shape=SNAPSHOT),
]
