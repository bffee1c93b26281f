"""An S3 server that costs next to nothing, so that its clients are what is measured; on demand every answer comes late.

    python tests/bench/slow_s3.py --folder DIR --delay-ms 5      # prints its port; objects are in bucket "bench"

It knows what clients need to read: lists in pages, whole objects and ranges, each with its MD5 as ETag. Small objects
are kept in memory, large ones go from the page cache to the socket by ``sendfile``. It checks no signature.
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import hashlib
import os
import re
import select
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import uvloop

IN_MEMORY = 1 << 20  # bytes up to which an object is answered in one write
PAGE = 1000  # keys of one list answer, as at Amazon
WHEN = "2026-01-01T00:00:00.000Z"
WHEN_HTTP = "Thu, 01 Jan 2026 00:00:00 GMT"


@dataclass(frozen=True)
class Item:
    path: Path
    size: int
    md5: str
    content: bytes | None


class Bucket:
    """The files under a folder by key, without hidden ones."""

    def __init__(self, folder: Path) -> None:
        found = (p for p in folder.rglob("*") if p.is_file())
        keys = {p.relative_to(folder).as_posix(): p for p in found}
        self.items = {key: item_of(path) for key, path in sorted(keys.items()) if not re.search(r"(^|/)\.", key)}
        self.keys = list(self.items)

    def listing(self, query: dict[str, list[str]]) -> bytes:
        """One page of ListObjectsV2; a continuation token is the key to go on after."""
        prefix, after = query.get("prefix", [""])[0], query.get("continuation-token", [""])[0]
        delimiter = query.get("delimiter", [""])[0]
        rows: list[str] = []
        folders: set[str] = set()
        last = ""
        for key in self._from(max(prefix, after)):
            if not key.startswith(prefix):
                break
            if key <= after:
                continue
            if len(rows) == int(query.get("max-keys", [PAGE])[0]):
                return document(rows, folders, last)
            last = key
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.split(delimiter)[0] + delimiter)
            else:
                rows.append(self._row(key))
        return document(rows, folders, "")

    def _from(self, start: str) -> Iterator[str]:
        for number in range(bisect.bisect_left(self.keys, start), len(self.keys)):
            yield self.keys[number]

    def _row(self, key: str) -> str:
        item = self.items[key]
        facts = f"<LastModified>{WHEN}</LastModified><ETag>&quot;{item.md5}&quot;</ETag><Size>{item.size}</Size>"
        return f"<Contents><Key>{escape(key)}</Key>{facts}<StorageClass>STANDARD</StorageClass></Contents>"


def item_of(path: Path) -> Item:
    size = path.stat().st_size
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    return Item(path, size, md5, path.read_bytes() if size <= IN_MEMORY else None)


def document(rows: list[str], folders: set[str], next_token: str) -> bytes:
    space = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
    more = f"<NextContinuationToken>{escape(next_token)}</NextContinuationToken>" if next_token else ""
    facts = f"<Name>bench</Name><KeyCount>{len(rows) + len(folders)}</KeyCount><MaxKeys>{PAGE}</MaxKeys>"
    facts += f"<IsTruncated>{'true' if next_token else 'false'}</IsTruncated>{more}"
    shared = "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in sorted(folders))
    return f"<ListBucketResult {space}>{facts}{''.join(rows)}{shared}</ListBucketResult>".encode()


class Connection(asyncio.Protocol):
    """GET and HEAD over HTTP/1.1 with kept connections, one request after the other."""

    def __init__(self, bucket: Bucket, delay_s: float) -> None:
        self.bucket, self.delay_s = bucket, delay_s
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's, which is none by its class

    def data_received(self, data: bytes) -> None:
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, self.received = self.received.split(b"\r\n\r\n", 1)
            if self.delay_s:
                asyncio.get_running_loop().call_later(self.delay_s, self.answer, head)
            else:
                self.answer(head)

    def answer(self, head: bytes) -> None:
        method, place, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        target = urlsplit(place)
        key = unquote(target.path).removeprefix("/bench").lstrip("/")
        if key:
            self._object(self.bucket.items.get(key), method == "HEAD", head)
        elif target.query:
            self._send("200 OK", self.bucket.listing(parse_qs(target.query)), "Content-Type: application/xml\r\n")
        else:
            self._send("200 OK", b"")

    def _object(self, item: Item | None, head_only: bool, head: bytes) -> None:
        if item is None:
            self._send("404 Not Found", b"" if head_only else b"<Error><Code>NoSuchKey</Code></Error>")
            return
        start, length, status = 0, item.size, "200 OK"
        facts = f'ETag: "{item.md5}"\r\nLast-Modified: {WHEN_HTTP}\r\nAccept-Ranges: bytes\r\n'
        if asked := re.search(rb"\r\nrange: *bytes=(\d+)-(\d*)", head, re.IGNORECASE):
            start = int(asked[1])
            length = min(item.size, int(asked[2] or item.size) + 1) - start
            facts += f"Content-Range: bytes {start}-{start + length - 1}/{item.size}\r\n"
            status = "206 Partial Content"
        if head_only:
            self._send(status, b"", facts, length)
        elif item.content is not None:
            self._send(status, item.content[start : start + length], facts)
        else:
            self._send(status, b"", facts, length)
            self._pour(item.path, start, length)

    def _send(self, status: str, content: bytes, facts: str = "", length: int | None = None) -> None:
        size = len(content) if length is None else length
        self.transport.write(f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{facts}\r\n".encode() + content)

    def _pour(self, path: Path, start: int, length: int) -> None:
        """A part of a large file, by a thread of its own, so that others are served meanwhile."""
        socket = os.dup(self.transport.get_extra_info("socket").fileno())
        self.transport.pause_reading()
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, pour, path, start, length, socket).add_done_callback(self._go_on)

    def _go_on(self, _: object) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()


def pour(path: Path, start: int, length: int, socket: int) -> None:
    try:
        with path.open("rb") as file:
            while length:
                try:
                    sent = os.sendfile(socket, file.fileno(), start, length)
                except BlockingIOError:
                    select.select([], [socket], [])
                    continue
                start, length = start + sent, length - sent
    except OSError:
        pass  # the client has gone
    finally:
        os.close(socket)


async def serve(folder: Path, delay_s: float) -> None:
    bucket = Bucket(folder)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(bucket, delay_s), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--delay-ms", type=float, default=0)
    options = parser.parse_args()
    uvloop.run(serve(options.folder, options.delay_ms / 1000))
