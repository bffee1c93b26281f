"""S3 requests byte by byte: signed as the specification says, and sent over a socket by which nothing is corrected."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


@dataclass
class Raw:
    """A client of one user. `timeout_s` is how long it waits for an answer; socket.timeout says that none came."""

    url: str
    keys: tuple[str, str]
    timeout_s: float = 20
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        assert parts.hostname and parts.port
        return parts.hostname, parts.port

    def signed(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], payload: str
    ) -> dict[str, str]:
        """All headers of a request, with the signature over every one of them."""
        timestamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        host, port = self.address
        all_headers = {"host": f"{host}:{port}", "x-amz-date": timestamp, "x-amz-content-sha256": payload} | headers
        signature, credential = self._signature(method, path, query, all_headers, payload, timestamp)
        signed = ";".join(sorted(all_headers))
        proof = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, Signature={signature}"
        return all_headers | {"authorization": proof}

    def presigned(self, method: str, path: str, query: dict[str, str], expires: str = "60") -> dict[str, str]:
        """The query of a URL that anybody may use."""
        timestamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        host, port = self.address
        _, credential = self._signature(method, path, {}, {}, UNSIGNED, timestamp)
        query = query | {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": credential,
            "X-Amz-Date": timestamp,
            "X-Amz-Expires": expires,
            "X-Amz-SignedHeaders": "host",
        }
        signature, _ = self._signature(method, path, query, {"host": f"{host}:{port}"}, UNSIGNED, timestamp)
        return query | {"X-Amz-Signature": signature}

    def _signature(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], payload: str, timestamp: str
    ) -> tuple[str, str]:
        names = sorted(headers)
        lines = b"".join(f"{name}:{headers[name].strip()}\n".encode("latin-1") for name in names)
        before = f"{method}\n{path}\n{_query(query)}\n".encode()
        digest = hashlib.sha256(before + lines + f"\n{';'.join(names)}\n{payload}".encode()).hexdigest()
        scope = f"{timestamp[:8]}/us-east-1/s3/aws4_request"
        key = f"AWS4{self.keys[1]}".encode()
        for part in (timestamp[:8], "us-east-1", "s3", "aws4_request"):
            key = _hmac(key, part)
        return _hmac(key, f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}").hex(), f"{self.keys[0]}/{scope}"

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        payload: str = UNSIGNED,
    ) -> Answer:
        """Sign, send, read the answer. `path` is what stands in the request line, already percent-encoded."""
        found = self.signed(method, path, query or {}, headers or {}, payload)
        found.setdefault("content-length", str(len(body)))
        return self.exchange(head(method, path, query or {}, found) + body)

    def chunked(self, path: str, body: bytes, declared: str, **headers: str) -> Answer:
        """A PUT whose body is in the aws-chunked coding, right or wrong."""
        extra = {"x-amz-decoded-content-length": declared} | {k.replace("_", "-"): v for k, v in headers.items()}
        return self.request("PUT", path, body, headers=extra, payload=STREAMING)

    def exchange(self, data: bytes) -> Answer:
        """Send any bytes and read one answer; status 0 where the connection was closed without one."""
        with socket.create_connection(self.address, timeout=self.timeout_s) as connection:
            # Refused before the end: what it answered may still be read.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(data)
            return read_answer(connection, data.startswith(b"HEAD "))


def head(method: str, path: str, query: dict[str, str], headers: dict[str, str]) -> bytes:
    target = f"{path}?{_query(query)}" if query else path
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def _query(query: dict[str, str]) -> str:
    plain = {"safe": "-_.~", "errors": "surrogatepass"}
    pairs = sorted((quote(name, **plain), quote(value, **plain)) for name, value in query.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def read_answer(connection: socket.socket, bodyless: bool) -> Answer:
    """One answer; status 0 where the connection is closed without one. socket.timeout when nothing comes."""
    data = b""
    while b"\r\n\r\n" not in data:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            piece = b""
        if not piece:
            return Answer(0, {}, data)
        data += piece
    top, _, body = data.partition(b"\r\n\r\n")
    status, *lines = top.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    number = int(status.split()[1])
    if number == 100:
        return read_answer(connection, bodyless)
    left = 0 if bodyless or number in (204, 304) else int(headers.get("content-length", "0"))
    while len(body) < left and (piece := connection.recv(65536)):
        body += piece
    return Answer(number, headers, body)
