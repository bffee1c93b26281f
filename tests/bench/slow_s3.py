"""An S3 server that answers every request a set time late, so that a loader can be measured as over a network.

    python tests/bench/slow_s3.py --folder DIR --delay-ms 5      # prints its port; objects are in bucket "bench"

It keeps the files in memory and checks no signature: what is measured beside it on the same cores is the loader.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


class Connection(asyncio.Protocol):
    """GET of an object and ListObjectsV2 (in one page), over HTTP/1.1 with kept connections."""

    def __init__(self, objects: dict[str, bytes], delay_s: float) -> None:
        self.objects, self.delay_s = objects, delay_s
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, self.received = self.received.split(b"\r\n\r\n", 1)
            asyncio.get_running_loop().call_later(self.delay_s, self.transport.write, self.answer(head))

    def answer(self, head: bytes) -> bytes:
        target = urlsplit(head.split(b" ", 2)[1].decode())
        if "list-type" in parse_qs(target.query):
            return response("200 OK", self.listing(), "application/xml")
        content = self.objects.get(unquote(target.path).removeprefix("/bench/"))
        return response("404 Not Found", b"") if content is None else response("200 OK", content)

    def listing(self) -> bytes:
        when = "<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        items = [
            f"<Contents><Key>{escape(key)}</Key>{when}<ETag>&quot;0&quot;</ETag><Size>{len(content)}</Size></Contents>"
            for key, content in sorted(self.objects.items())
        ]
        space = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
        facts = f"<Name>bench</Name><KeyCount>{len(items)}</KeyCount><IsTruncated>false</IsTruncated>"
        return f"<ListBucketResult {space}>{facts}{''.join(items)}</ListBucketResult>".encode()


def response(status: str, content: bytes, kind: str = "application/octet-stream") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\nContent-Type: {kind}\r\n\r\n".encode() + content


async def serve(folder: Path, delay_s: float) -> None:
    objects = {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("[!.]*/*")}
    server = await asyncio.get_running_loop().create_server(lambda: Connection(objects, delay_s), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--delay-ms", type=float, default=0)
    options = parser.parse_args()
    asyncio.run(serve(options.folder, options.delay_ms / 1000))
