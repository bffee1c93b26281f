from emulator.export_policies import handlers
from emulator.export_policies.state import (
    NEW_INDEX,
    PATCH_FIELDS,
    POLICY,
    POST_FIELDS,
    RULE,
    RULE_PATCH_FIELDS,
    RULE_POST_FIELDS,
)
from emulator.rest import Route

_POLICIES = "/protocols/nfs/export-policies"
_RULES = _POLICIES + "/{id}/rules"

URLS = [
    Route("GET", _POLICIES, handlers.list_policies, shape=POLICY),
    Route("POST", _POLICIES, handlers.create, shape=POLICY, accepts=POST_FIELDS),
    Route("GET", _POLICIES + "/{id}", handlers.get_policy, shape=POLICY),
    Route("PATCH", _POLICIES + "/{id}", handlers.modify, shape=POLICY, accepts=PATCH_FIELDS),
    Route("DELETE", _POLICIES + "/{id}", handlers.delete, shape=POLICY),
    Route("GET", _RULES, handlers.list_rules, shape=RULE),
    Route("POST", _RULES, handlers.create_rule, shape=RULE, accepts=RULE_POST_FIELDS),
    Route("GET", _RULES + "/{index}", handlers.get_rule, shape=RULE),
    Route(
        "PATCH",
        _RULES + "/{index}",
        handlers.modify_rule,
        shape=RULE,
        accepts=RULE_PATCH_FIELDS,
        arguments=frozenset(NEW_INDEX),
    ),
    Route("DELETE", _RULES + "/{index}", handlers.delete_rule, shape=RULE),
]
