from emulator.cluster_peers import handlers
from emulator.cluster_peers.state import PATCH_FIELDS, PEER, POST_FIELDS
from emulator.rest import Route

_ALL = "/cluster/peers"
_ONE = _ALL + "/{uuid}"

URLS = [
    Route("GET", _ALL, handlers.list_peers, shape=PEER),
    Route("POST", _ALL, handlers.create, shape=PEER, accepts=POST_FIELDS),
    Route("GET", _ONE, handlers.get_peer, shape=PEER),
    Route("PATCH", _ONE, handlers.modify, shape=PEER, accepts=PATCH_FIELDS),
    Route("DELETE", _ONE, handlers.delete, shape=PEER),
]
