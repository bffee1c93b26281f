"""Lists what watches the storage: when each has looked last, what it saw last, and what keeps it from looking.

python -m scripts.watchers

The same is on the page of each asset in Airflow, under Asset State Store. The exit code is 1 when one is in trouble.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from scripts.airflow_api import AirflowApi
from scripts.services import Stack

PAGE = 100
COLUMNS = ("asset", "looked at", "events", "last event", "trouble")


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    try:
        rows = list(watchers(Stack(None).airflow_api()))
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 2
    print(table(rows))
    return 1 if any(row["trouble"] for row in rows) else 0


def watchers(api: AirflowApi) -> Iterator[dict[str, str]]:
    """Yield a row for each kind of event that an asset is watched for."""
    for asset in _assets(api):
        if not asset.get("watchers"):
            continue
        kept = api.call("GET", f"assets/{asset['id']}/state-store", params={"limit": PAGE})["asset_state_store"]
        found = [entry["value"] for entry in kept if entry["key"].startswith("watch_")]
        for value in found or [{}]:
            yield {"asset": asset["name"]} | _row(value)


def table(rows: list[dict[str, str]]) -> str:
    """Return the rows under their headings; a sentence when there are none."""
    if not rows:
        return (
            "Nothing is watched: no DAG that is switched on names a watched asset. Say `watch: true` in a dataset's "
            "entry of datasets.yaml, or see docs/storage-events.md."
        )
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in COLUMNS}
    lines = [{name: name for name in COLUMNS}, *rows]
    return "\n".join("  ".join(line[name].ljust(widths[name]) for name in COLUMNS).rstrip() for line in lines)


def _assets(api: AirflowApi) -> Iterator[dict[str, Any]]:
    offset = 0
    while True:
        asked = {"limit": PAGE, "offset": offset, "order_by": "name"}
        page = api.call("GET", "assets", params=asked)["assets"]
        yield from page
        if len(page) < PAGE:
            return
        offset += PAGE


def _row(value: dict[str, Any]) -> dict[str, str]:
    last, trouble = value.get("last_event") or {}, value.get("trouble") or {}
    what = (last.get("dataset_version") or {}).get("id") or last.get("snapshot") or last.get("newest") or last.get("id")
    return {
        "looked at": _shown(value.get("looked_at")) or "not yet",
        "events": str(value.get("events", 0)),
        "last event": f"{what} of {_shown(last.get('at'))}" if what else "none",
        "trouble": f"since {_shown(trouble['since'])}: {trouble['said']}" if trouble else "",
    }


def _shown(time: str | None) -> str:
    return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M:%S}" if time else ""


if __name__ == "__main__":
    sys.exit(main())
