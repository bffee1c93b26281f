from emulator.cloud_stores import handlers
from emulator.cloud_stores.state import CLOUD_STORE
from emulator.rest import Route

_STORES = "/storage/aggregates/{aggregate.uuid}/cloud-stores"

URLS = [
    Route("GET", _STORES, handlers.list_stores, shape=CLOUD_STORE),
    Route("GET", _STORES + "/{target.uuid}", handlers.get_store, shape=CLOUD_STORE),
]
