"""Which way of moving data fits: FlexCache, SnapMirror, Copy and Sync, XCP, S3 sync, or none, as nothing has to move.

Plain arithmetic over facts: ``plan(job)`` gives the same answer to an operator, a command and a test. The formulae and
where they come from: docs/planning.md.
"""

from ontap_mlops.planning.facts import End, Job, Kind, Readers
from ontap_mlops.planning.past import Record, learned
from ontap_mlops.planning.plan import Plan, plan
from ontap_mlops.planning.ways import Way

__all__ = ["End", "Job", "Kind", "Plan", "Readers", "Record", "Way", "learned", "plan"]
