"""How long a DAG file takes to parse, as a multiple of `import airflow.sdk` alone, measured in turns in one run.

    python tests/bench/bench_parse.py

Each figure is a fresh interpreter's processor time (user and system), the median of several rounds.
Target: at most 1.5.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
TARGET = 1.5
BARE = "import airflow.sdk"
PARSE = "import runpy; runpy.run_path({path!r})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=HOUSE / "bench" / "parse.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        files = sorted((HOUSE / "dags").glob("*.py"))
        programs = {"import airflow.sdk": BARE, **{f.name: PARSE.format(path=str(f)) for f in files}}
        environment = {
            **os.environ,
            "AIRFLOW_HOME": home,
            "AIRFLOW__ONTAP_MLOPS__CONFIG_DIR": str(HOUSE / "config"),
            "PYTHONPATH": f"{HOUSE / 'plugins'}:{HOUSE}",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        }
        for program in programs.values():
            seconds(program, environment)  # compiles the modules, reads them into the page cache
        times = {name: [] for name in programs}
        for _ in range(options.rounds):
            for name, program in programs.items():
                times[name].append(seconds(program, environment))
    bare = statistics.median(times["import airflow.sdk"])
    rows = [
        {
            "what": name,
            "seconds": round(statistics.median(taken), 3),
            "ratio": round(statistics.median(taken) / bare, 3),
        }
        for name, taken in times.items()
    ]
    for row in rows:
        print(f"{row['what']:<24} {row['seconds']:>7.2f} s {row['ratio']:>6.2f} x")
    worst = max(row["ratio"] for row in rows)
    print(f"worst {worst:.2f} x; target at most {TARGET} x: {'met' if worst <= TARGET else 'missed'}")
    options.output.parent.mkdir(exist_ok=True)
    report = {"unit": "s of processor time", "rounds": options.rounds, "target_ratio": TARGET, "rows": rows}
    options.output.write_text(json.dumps(report, indent=2) + "\n")
    return 0


def seconds(program: str, environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], env=environment, cwd=HOUSE, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
