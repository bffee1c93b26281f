from emulator.quotas import handlers
from emulator.quotas.state import PATCH_FIELDS, POST_FIELDS, REPORT, RULE
from emulator.rest import Route

_RULES = "/storage/quota/rules"
_REPORTS = "/storage/quota/reports"

URLS = [
    Route("GET", _RULES, handlers.list_rules, shape=RULE),
    Route("POST", _RULES, handlers.create, shape=RULE, accepts=POST_FIELDS),
    Route("GET", _RULES + "/{uuid}", handlers.get_rule, shape=RULE),
    Route("PATCH", _RULES + "/{uuid}", handlers.modify, shape=RULE, accepts=PATCH_FIELDS),
    Route("DELETE", _RULES + "/{uuid}", handlers.delete, shape=RULE),
    Route("GET", _REPORTS, handlers.list_reports, shape=REPORT),
    Route("GET", _REPORTS + "/{volume.uuid}/{index}", handlers.get_report, shape=REPORT),
]
