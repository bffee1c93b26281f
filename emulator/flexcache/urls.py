from emulator.body import Accepts, flag
from emulator.flexcache import handlers, operations  # noqa: F401 - registers what jobs do
from emulator.flexcache.origins import ORIGIN
from emulator.flexcache.state import FLEXCACHE, PATCH_FIELDS, POST_FIELDS
from emulator.rest import Route

_CACHES, _ORIGINS = "/storage/flexcache/flexcaches", "/storage/flexcache/origins"
_ORIGIN_FIELDS: Accepts = {"block_level_invalidation": flag, "global_file_locking_enabled": flag}

URLS = [
    Route("GET", _CACHES, handlers.list_caches, shape=FLEXCACHE),
    Route("POST", _CACHES, handlers.create, shape=FLEXCACHE, accepts=POST_FIELDS),
    Route("GET", _CACHES + "/{uuid}", handlers.get_cache, shape=FLEXCACHE),
    Route("PATCH", _CACHES + "/{uuid}", handlers.modify, shape=FLEXCACHE, accepts=PATCH_FIELDS),
    Route("DELETE", _CACHES + "/{uuid}", handlers.delete, shape=FLEXCACHE),
    Route("GET", _ORIGINS, handlers.list_origins, shape=ORIGIN),
    Route("GET", _ORIGINS + "/{uuid}", handlers.get_origin, shape=ORIGIN),
    Route("PATCH", _ORIGINS + "/{uuid}", handlers.modify_origin, shape=ORIGIN, accepts=_ORIGIN_FIELDS),
]
