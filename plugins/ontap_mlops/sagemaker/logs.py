"""The log of a training job in CloudWatch, read on from a cursor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ontap_mlops.clouds import errors
from ontap_mlops.sagemaker.calls import call
from ontap_mlops.sagemaker.training_jobs import LOG_GROUP

_EVENTS = 5000  # in one answer


def read(client: Any, name: str, begun: float, cursor: str | None) -> tuple[str, str | None]:
    """Return the text after ``cursor`` and the cursor after that; the same cursor when there is no more now.

    :param begun: when the job was made (seconds since 1970): an earlier job of the name has a stream too.
    """
    at: dict[str, Any] = json.loads(cursor) if cursor else {}
    stream = at.get("stream") or _stream(client, name, begun)
    if stream is None:
        return "", cursor
    where: dict[str, Any] = {"logGroupName": LOG_GROUP, "logStreamName": stream, "startFromHead": True}
    if at.get("token"):
        where["nextToken"] = at["token"]
    try:
        answer = call(client, "get_log_events", asked=f"read the log of training job {name!r}", limit=_EVENTS, **where)
    except errors.NotFound:
        return "", cursor
    text = "".join(event["message"] + "\n" for event in answer["events"])
    # At the end of a stream CloudWatch gives back the token it got. An empty answer with another one is a page between.
    return text, json.dumps({"stream": stream, "token": answer["nextForwardToken"]})


def _stream(client: Any, name: str, begun: float) -> str | None:
    """The stream of the job's first host; None before it has written."""
    try:
        streams: list[Mapping[str, Any]] = call(
            client,
            "describe_log_streams",
            "logStreams",
            asked=f"find the log of training job {name!r}",
            logGroupName=LOG_GROUP,
            logStreamNamePrefix=f"{name}/algo-1",
        )
    except errors.NotFound:
        return None
    mine = [stream for stream in streams if stream.get("creationTime", 0) / 1000 >= begun - 1]
    return max(mine, key=lambda stream: stream.get("creationTime", 0))["logStreamName"] if mine else None
