"""Bring what people corrected on the pages of the calls to where the labelled sentences are.

    CALLS_URL=http://127.0.0.1:8601 CALLS_TOKEN=... \
        python -m tasks.calls.corrections --output s3://lake/calls

``corrections.jsonl`` there becomes all of it, the last word on each sentence with its times in the recording, who said
so and when. It is written where something changed only, so that the next version of the data is made of something new.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from tasks.calls.dataset import CORRECTIONS
from tasks.calls.work import NAME, WHAT
from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.data import open_target
from tasks.common.progress import say, warn
from tasks.common.service import Missing, Service

SINCE = "2000-01-01T00:00:00Z"


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.add_argument("--output", required=True, help="folder or s3://bucket/prefix of the labelled calls")
    options = flags.parse()
    found = corrections(Service.of_environment(NAME, WHAT))
    content = "".join(json.dumps(row, sort_keys=True) + "\n" for row in found).encode()
    store = open_target(options.output)
    there = {entry.key for entry in store.entries()}
    known = store.read(CORRECTIONS) if CORRECTIONS in there else b""
    if content != known:
        store.write(CORRECTIONS, content)
    say(f"{len(found)} corrected sentences, {'as before' if content == known else 'some of them new'}")
    return {"corrections": len(found), "changed": content != known}


def corrections(service: Service) -> list[dict[str, Any]]:
    """Return the last word on each corrected sentence, by call, side and index."""
    last: dict[tuple[str, str, int], dict[str, Any]] = {}
    for line in service.ask(f"/api/corrections?since={SINCE}").splitlines():
        told = json.loads(line)
        last[told["call"], told["side"], told["index"]] = told
    times: dict[str, dict[tuple[str, int], tuple[float, float]]] = {}
    found = []
    for (call, side, index), told in sorted(last.items()):
        if call not in times:
            times[call] = _times(service, call)
        if (side, index) not in times[call]:
            warn(f"Call {call} has no sentence {index} of the {side} any more; its correction is left out.")
            continue
        start, end = times[call][side, index]
        kept = {name: told[name] for name in ("call", "side", "text", "sentiment", "by", "at")}
        found.append({**kept, "start": start, "end": end})
    return found


def _times(service: Service, call: str) -> dict[tuple[str, int], tuple[float, float]]:
    try:
        known = json.loads(service.ask(f"/api/calls/{quote(call)}"))
    except Missing:
        return {}
    return {(each["side"], each["index"]): (each["start"], each["end"]) for each in known["sentences"]}


if __name__ == "__main__":
    program.run(main)
