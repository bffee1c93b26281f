"""A watcher of a bucket's folder: new objects become an event of an asset."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from ontap_mlops.triggers.memory import Memory
from ontap_mlops.triggers.watching import INTERVAL_S, Look, Watching

NAMED = 100  # keys of an event
# S3 gives an object that came in parts the time at which its upload began.
LONGEST_UPLOAD = timedelta(hours=6)


class S3ObjectTrigger(Watching):
    """Fires when objects have come, or were written anew, below a prefix: one event for all that a look finds.

    Notifications are not everywhere (an access point of FSx for ONTAP has none), so the folder is listed; all watchers
    of one connection, bucket, prefix and interval share the listing.

    :param bucket: name.
    :param prefix: of the keys, such as ``incoming/``.
    :param aws_conn_id: connection of type ``aws``.
    :param asset: name of the asset that gets the events.
    """

    kind = "objects"
    overlap = LONGEST_UPLOAD

    def __init__(
        self,
        *,
        bucket: str,
        prefix: str = "",
        aws_conn_id: str = "aws_default",
        interval_s: float = INTERVAL_S,
        asset: str = "",
    ) -> None:
        super().__init__()
        self.bucket = bucket
        self.prefix = prefix
        self.aws_conn_id = aws_conn_id
        self.interval_s = interval_s
        self.asset = asset

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("bucket", "prefix", "aws_conn_id", "interval_s", "asset")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    @classmethod
    def place(cls, arguments: Mapping[str, Any]) -> tuple[Any, ...]:
        return arguments["aws_conn_id"], f"s3://{arguments['bucket']}/{arguments['prefix']}"

    @classmethod
    def look(cls, arguments: Mapping[str, Any], since: datetime | None) -> Look:
        from ontap_mlops.hooks import objects
        from ontap_mlops.ontap.events import Event

        client, found = objects.client(arguments["aws_conn_id"]), []
        until = since
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=arguments["bucket"], Prefix=arguments["prefix"])
        for page in pages:
            if until is None:  # the server's own clock, which its objects' times are by
                since = until = parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"]).astimezone(UTC)
            for each in page.get("Contents", ()):
                at = each["LastModified"].astimezone(UTC)
                if since is None or at >= since - LONGEST_UPLOAD:
                    facts = {"key": each["Key"], "bytes": each["Size"], "etag": each.get("ETag", "").strip('"')}
                    id_ = hashlib.sha256(f"{facts['key']}\n{facts['etag']}\n{at}".encode()).hexdigest()[:12]
                    found.append(Event(id=id_, at=at, svm="", volume="", facts=facts))
        if until is None:
            raise OSError(f"the server listed nothing of bucket {arguments['bucket']}, not even an empty page")
        found.sort(key=lambda event: (event.at, event.facts["key"]))
        return Look(until=max([until, *(event.at for event in found)]), events=found)

    async def news(self, look: Look, memory: Memory) -> list[dict[str, Any]]:
        fresh = [event for event in look.events if memory.is_news(event.id, event.at)]
        if not fresh:
            return []
        memory.pass_over([{"id": event.id, "at": event.at.isoformat()} for event in fresh])
        newest = fresh[-1]
        said: dict[str, Any] = {
            "watched": self.kind,
            "id": newest.id,
            "at": newest.at.isoformat(),
            "bucket": self.bucket,
        }
        said |= {"prefix": self.prefix, "count": len(fresh), "bytes": sum(event.facts["bytes"] for event in fresh)}
        keys = [event.facts["key"] for event in fresh]
        return [said | {"newest": keys[-1], "keys": keys[-NAMED:]}]
