"""Runs in .venv-clients: what a user types at a Python prompt, one JSON line in and one out for each expression."""

import contextlib
import json
import sys

answers = sys.stdout
names = {}
with contextlib.redirect_stdout(sys.stderr):
    exec("from netapp_dataops.traditional import *", names)
    exec("from netapp_dataops.traditional.datasets import *", names)
    exec("from netapp_dataops.traditional.ontap.volume_operations import get_volume", names)
    for line in sys.stdin:
        try:
            answer = {"value": eval(json.loads(line), names)}
        except (Exception, SystemExit) as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(answer, default=str), file=answers, flush=True)
