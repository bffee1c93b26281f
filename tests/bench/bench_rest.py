"""What a small REST call to the emulator takes on a kept connection, as a multiple of the same call on a new one.

    python tests/bench/bench_rest.py

Plain HTTP and HTTPS, `GET /api/cluster`, in turns; the median of many calls. A kept connection saves the handshake,
so the ratio is below 1; above it, something (Nagle and delayed acknowledgements) makes small answers wait.
Target: at most 1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx

HOUSE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HOUSE))
TARGET = 1.0
PATH = "/api/cluster"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--output", type=Path, default=HOUSE / "bench" / "rest.json")
    options = parser.parse_args()
    rows = [row("http", options.calls, "--http"), row("https", options.calls)]
    for each in rows:
        figures = f"kept {each['kept_ms']:>6.2f} ms  new {each['new_ms']:>6.2f} ms {each['ratio']:>6.2f} x"
        print(f"{each['what']:<6} {figures}")
    worst = max(each["ratio"] for each in rows)
    print(f"worst {worst:.2f} x; target at most {TARGET} x: {'met' if worst <= TARGET else 'missed'}")
    options.output.parent.mkdir(exist_ok=True)
    report = {"unit": "ms a call", "calls": options.calls, "target_ratio": TARGET, "rows": rows}
    options.output.write_text(json.dumps(report, indent=2) + "\n")
    return 0


def row(what: str, calls: int, *arguments: str) -> dict[str, object]:
    from tests.conftest import Emulator

    with tempfile.TemporaryDirectory() as home:
        emulator = Emulator(Path(home) / "root", *arguments).start()
        try:
            with emulator.client() as kept:
                seconds(kept)  # the first call opens the connection
                pairs = [(seconds(kept), on_a_new_connection(emulator)) for _ in range(calls)]
        finally:
            emulator.close()
    old, new = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
    return {"what": what, "kept_ms": round(old, 2), "new_ms": round(new, 2), "ratio": round(old / new, 3)}


def on_a_new_connection(emulator) -> float:
    with emulator.client() as client:
        return seconds(client)


def seconds(client: httpx.Client) -> float:
    begin = time.perf_counter()
    client.get(PATH).raise_for_status()
    return time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(main())
