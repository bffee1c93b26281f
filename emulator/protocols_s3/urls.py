from emulator.protocols_s3.buckets import urls as buckets
from emulator.protocols_s3.groups import urls as groups
from emulator.protocols_s3.policies import urls as policies
from emulator.protocols_s3.services import urls as services
from emulator.protocols_s3.users import urls as users

URLS = [*services.URLS, *users.URLS, *groups.URLS, *policies.URLS, *buckets.URLS]
