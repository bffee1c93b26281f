from emulator.file_clones import handlers
from emulator.file_clones.state import POST_FIELDS
from emulator.rest import Route

URLS = [Route("POST", "/storage/file/clone", handlers.create, accepts=POST_FIELDS)]
