from emulator.jobs import handlers
from emulator.jobs.state import JOB
from emulator.rest import Route

URLS = [
    Route("GET", "/cluster/jobs", handlers.list_jobs, shape=JOB),
    Route("GET", "/cluster/jobs/{uuid}", handlers.get_job, shape=JOB),
]
