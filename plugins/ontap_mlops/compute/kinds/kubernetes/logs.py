"""A pod's log from where the last reader stopped, whoever that was.

The API gives a log from a whole second on. So the cursor holds, for each pod, the time of the last line given and how
many lines of that very time were given; what comes again is skipped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ontap_mlops.kubernetes.api import Cluster
from ontap_mlops.kubernetes.errors import InvalidRequest, NotFound
from ontap_mlops.kubernetes_manifests.pods import CONTAINER

_CHUNK = 1 << 20
_MOST = 1 << 26

_TIME = re.compile(r"(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9}))?(?P<zone>Z|[+-]\d\d:\d\d)")

Place = tuple[int, int]
"""Time of the last line given, in nanoseconds since 1970, and how many lines of that time were given."""
Line = tuple[int, str]
"""A line's time and its text."""
_BEGINNING: Place = (0, 0)


def read(cluster: Cluster, pods: Mapping[str, str], cursor: str | None) -> tuple[str, str | None]:
    """Return the new lines of all these pods and the cursor behind them.

    ``pods``: what stands before each line of a pod, by the pod's name. Without new lines the cursor is as it came.
    """
    before: dict[str, Place] = {pod: (at, number) for pod, (at, number) in json.loads(cursor or "{}").items()}
    after, found = dict(before), []
    for name, mark in pods.items():
        lines = _new_lines(cluster, name, before.get(name, _BEGINNING))
        if lines:
            after[name] = _place(before.get(name, _BEGINNING), lines)
            found += [(at, f"{mark}{text}") for at, text in lines]
    if not found:
        return "", cursor
    return "".join(f"{text}\n" for _, text in sorted(found, key=lambda line: line[0])), json.dumps(after)


def _new_lines(cluster: Cluster, pod: str, place: Place) -> list[Line]:
    size = _CHUNK
    while True:
        data = _fetched(cluster, pod, place[0], size)
        lines = split(data, cut=len(data) >= size)
        new = beyond(lines, place)
        if new or len(data) < size or size >= _MOST:
            return new
        size *= 4  # a second so full that nothing new fits behind what was given


def _fetched(cluster: Cluster, pod: str, since: int, size: int) -> bytes:
    path = cluster.resource("Pod").path(cluster.namespace, pod) + "/log"
    query = {"container": CONTAINER, "timestamps": "true", "limitBytes": str(size)}
    if since:
        query["sinceTime"] = datetime.fromtimestamp(since // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        return cluster.text(path, query, f"show the log of {cluster.title('Pod', pod)}")
    except (NotFound, InvalidRequest):  # it is gone, or has not begun
        return b""


def split(data: bytes, *, cut: bool) -> list[Line]:
    """Return time and text of each line. Of a ``cut`` answer the last line is left for the next time, if it can be."""
    lines = data.decode("utf-8", "replace").split("\n")
    if len(lines) > 1 and (cut or not lines[-1]):
        lines.pop()
    parts = (line.partition(" ") for line in lines)
    return [(at, text) for at, text in ((nanoseconds(time), text) for time, _, text in parts) if at]


def nanoseconds(time: str) -> int:
    """Return a time as nodes write it, with up to nine decimals and any zone, since 1970; 0 for what is no time."""
    match = _TIME.fullmatch(time)
    if match is None:
        return 0
    second = datetime.fromisoformat(match["second"] + match["zone"]).timestamp()
    return int(second) * 10**9 + int((match["fraction"] or "0").ljust(9, "0"))


def beyond(lines: Sequence[Line], place: Place) -> list[Line]:
    """Return the lines after the place."""
    at, given = place
    new = []
    for time, text in lines:
        if time == at and given:
            given -= 1
        elif time >= at:
            new.append((time, text))
    return new


def _place(before: Place, new: Sequence[Line]) -> Place:
    last = new[-1][0]
    same = sum(1 for at, _ in new if at == last)
    return last, same + (before[1] if last == before[0] else 0)
