"""Do a past training again exactly: same snapshot, code parameters and seed; then the metrics beside each other.

python -m scripts.rerun r20261121t120000z0123abcd

The run key stands in the summary of a demo, in the MLflow run's tags and in the model's folder. Exit code 1 when the
metrics differ or the snapshot is gone.
"""

from __future__ import annotations

import argparse
import json
import sys

from scripts.demo import TRAIN
from scripts.follow import RunFailed, follow
from scripts.services import Stack


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_key")
    parser.add_argument("--local", help="folder of the services (default: .local)")
    options = parser.parse_args()
    if not options.run_key:
        print("Say which run: make rerun RUN=r2026...; `make demo` shows its key.", file=sys.stderr)
        return 2
    stack = Stack(options.local)
    try:
        stack.up()
        api = stack.airflow_api()
        api.unpause(TRAIN)
        run_id = api.trigger(TRAIN, {"repeat_run": options.run_key})
        follow(api, TRAIN, run_id)
    except (RunFailed, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(api.xcom(TRAIN, run_id, "compare_with_record"), indent=2))
    print(api.run_link(TRAIN, run_id))
    return 0


if __name__ == "__main__":
    sys.exit(main())
