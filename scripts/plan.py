"""Says which way of moving data fits, and what it costs; or, without ends, what transfers of the past really took.

python -m scripts.plan tyre_images remote --share 0.1 --snapshots
python -m scripts.plan svm1:images s3://archive/images/ --link-mbps 500 --change-bytes-a-day 2e9
python -m scripts.plan

What is not said is asked of ONTAP (size, change, release, peering, room) and learned from recorded transfers (speed).
Exit code 1 when no way fits.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import redirect_stdout
from typing import Any

from scripts import beside_airflow
from scripts.airflow_api import AirflowApi
from scripts.services import Stack

NUMBERS = ("size_bytes", "files", "change_bytes_a_day", "whole_files", "link_mbps", "keep_days", "days", "within_s")
NEWEST = 200


def main(arguments: list[str] | None = None, api: AirflowApi | None = None) -> int:
    asked = _asked(arguments)
    beside_airflow.find_connections()
    with redirect_stdout(sys.stderr):
        from airflow.sdk.exceptions import AirflowNotFoundException

        from ontap_mlops import ends
        from ontap_mlops.ontap.errors import OntapError
        from ontap_mlops.planning import Readers, past, plan

        done = past.read(recorded(api))
        if not asked.source:
            said, code = past.table(done), 0
        else:
            facts = {name: getattr(asked, name) for name in NUMBERS if getattr(asked, name) is not None}
            readers = Readers(count=asked.readers, share=asked.share, each_day=asked.reads_a_day)
            facts |= {"readers": readers, "writes": asked.writes, "snapshots": asked.snapshots}
            try:
                found = plan(ends.job(asked.source, asked.target, done=done, **facts))
            except (OSError, ValueError, OntapError, AirflowNotFoundException) as error:
                print(error, file=sys.stderr)
                return 2
            said, code = found.table(), 0 if found.chosen else 1
    print(said)
    return code


def recorded(api: AirflowApi | None) -> list[Any]:
    """Return what Airflow keeps of past transfers; nothing, and a word about it, where it cannot be asked."""
    try:
        api = api or Stack(None).airflow_api()
        found = api.call("GET", "assets", params={"name_pattern": "transfers", "limit": 100})["assets"]
        ids = [asset["id"] for asset in found if asset["name"] == "transfers"]
        if not ids:
            return []
        query = {"asset_id": ids[0], "limit": NEWEST, "order_by": "-timestamp"}
        events = api.call("GET", "assets/events", params=query)["asset_events"]
    except (OSError, RuntimeError, KeyError) as error:
        print(f"Past transfers are not known: {error}", file=sys.stderr)
        return []
    return [(event.get("extra") or {}).get("transfer") for event in events]


def _asked(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "source", nargs="?", help="a dataset, svm:volume, connection:svm:volume, s3://bucket/, host:/path"
    )
    parser.add_argument("target", nargs="?", help="the same, or a site")
    for name in NUMBERS:
        parser.add_argument(f"--{name.replace('_', '-')}", type=float)
    parser.add_argument("--readers", type=int, default=1, help="how many read at the target")
    parser.add_argument("--share", type=float, default=1.0, help="part of the bytes they read, 0 to 1")
    parser.add_argument("--reads-a-day", type=float, default=1.0)
    parser.add_argument("--writes", action="store_true", help="somebody writes at the target")
    parser.add_argument("--snapshots", action="store_true", help="versions are wanted at the target")
    asked = parser.parse_args(arguments)
    if asked.source and not asked.target:
        parser.error("give the target too")
    return asked


if __name__ == "__main__":
    sys.exit(main())
