"""Measure against the yardsticks, one bench after the other, each with a table here and a file under bench/.

python -m scripts.bench              all but those that take long (several minutes; run nothing else meanwhile)
python -m scripts.bench loader ctr   some, these included
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from scripts.embedded.layout import ROOT

BENCHES = {path.stem.removeprefix("bench_"): path for path in sorted((ROOT / "tests" / "bench").glob("bench_*.py"))}
LONG = ("calls", "ctr", "drift", "edge", "edge_rollout", "gpu", "lanes", "scale")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}")
    names = parser.parse_args().names or [name for name in BENCHES if name not in LONG]
    if unknown := [name for name in names if name not in BENCHES]:
        parser.error(f"no bench is called {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    (ROOT / "bench").mkdir(exist_ok=True)
    failed = []
    for name in names:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, BENCHES[name]], cwd=ROOT).returncode:
            failed.append(name)
    if failed:
        print(f"These benches failed: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
