from emulator.cluster import handlers
from emulator.cluster.state import CLUSTER, NODE_SHAPE
from emulator.rest import Route

URLS = [
    Route("GET", "/cluster", handlers.get_cluster, shape=CLUSTER),
    Route("GET", "/cluster/nodes", handlers.list_nodes, shape=NODE_SHAPE),
    Route("GET", "/cluster/nodes/{uuid}", handlers.get_node, shape=NODE_SHAPE),
]
