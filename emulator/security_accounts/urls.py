from emulator.rest import Route
from emulator.security_accounts import handlers
from emulator.security_accounts.state import ACCOUNT, PATCH_FIELDS, POST_FIELDS

_ACCOUNTS = "/security/accounts"
_ONE = _ACCOUNTS + "/{owner.uuid}/{name}"

URLS = [
    Route("GET", _ACCOUNTS, handlers.list_accounts, shape=ACCOUNT),
    Route("POST", _ACCOUNTS, handlers.create, shape=ACCOUNT, accepts=POST_FIELDS),
    Route("GET", _ONE, handlers.get_account, shape=ACCOUNT),
    Route("PATCH", _ONE, handlers.modify, shape=ACCOUNT, accepts=PATCH_FIELDS),
    Route("DELETE", _ONE, handlers.delete, shape=ACCOUNT),
]
