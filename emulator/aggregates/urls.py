from emulator.aggregates import handlers
from emulator.aggregates.state import AGGREGATE
from emulator.rest import Route

URLS = [
    Route("GET", "/storage/aggregates", handlers.list_aggregates, shape=AGGREGATE),
    Route("GET", "/storage/aggregates/{uuid}", handlers.get_aggregate, shape=AGGREGATE),
]
