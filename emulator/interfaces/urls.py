from emulator.interfaces import handlers
from emulator.interfaces.state import INTERFACE
from emulator.rest import Route

URLS = [
    Route("GET", "/network/ip/interfaces", handlers.list_interfaces, shape=INTERFACE),
    Route("GET", "/network/ip/interfaces/{uuid}", handlers.get_interface, shape=INTERFACE),
]
