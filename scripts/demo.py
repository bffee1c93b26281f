"""From source data to a deployed model through the real scheduler, and a summary of what came of it.

    python -m scripts.demo tyre                    600 sample photographs; from the second time on, some of them changed
    python -m scripts.demo tyre --full             1,856, as many as the walkthrough's
    python -m scripts.demo tyre --images FOLDER    a user's own, in FOLDER/good and FOLDER/defective
    python -m scripts.demo ctr                     two days of 500,000 clicks; from the second time on, one more day
    python -m scripts.demo ctr --rows 4000000      of each new day
    python -m scripts.demo all                     every system's, one after another; goes on where it was cut off

Ends with exit code 0 only when a model is deployed and has answered. The facts are written to the folder of the
services, as demo.json or demo-<system>.json.
"""

from __future__ import annotations

import argparse
import sys

from scripts import all_demos, systems
from scripts.follow import RunFailed
from scripts.pipeline import Demo
from scripts.services import Stack, shown


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    chosen = parser.add_subparsers(dest="system", required=True, metavar=" | ".join([*systems.names(), all_demos.NAME]))
    for name in systems.names():
        own = chosen.add_parser(name)
        own.add_argument("--local", help="folder of the services (default: .local)")
        systems.find(name).add_options(own)
    every = chosen.add_parser(all_demos.NAME)
    every.add_argument("--local", help="folder of the services (default: .local)")
    return parser.parse_args(arguments)


def main() -> int:
    chosen = options()
    if chosen.system == all_demos.NAME:
        return all_demos.run(Stack(chosen.local))
    system = systems.find(chosen.system)
    demo = Demo(system, Stack(chosen.local), chosen)
    try:
        facts = demo.run()
    except (RunFailed, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\n{system.text(facts)}\n\nDone in {facts['seconds']['total']:.0f} s; all facts: {shown(demo.file)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
