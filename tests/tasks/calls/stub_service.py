"""A call service with faults that the real one has not: it forgets sentences that were corrected, and breaks."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class StubService:
    """``calls`` by id, as ``GET /api/calls/ID`` tells them; ``broken`` answers 503 to everything."""

    TOKEN = "a-token"

    def __init__(self) -> None:
        self.calls: dict[str, dict[str, Any]] = {}
        self.corrections: list[dict[str, Any]] = []
        self.broken = False
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(*stub.get(self.path, self.headers.get("Authorization", "")))

            def _answer(self, status: int, content: bytes) -> None:
                self.send_response(503 if stub.broken else status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def get(self, path: str, authorization: str) -> tuple[int, bytes]:
        if path.startswith("/api/corrections"):
            if authorization != f"Bearer {self.TOKEN}":
                return 401, b""
            return 200, "".join(json.dumps(row) + "\n" for row in self.corrections).encode()
        known = self.calls.get(path.removeprefix("/api/calls/"))
        return (200, json.dumps(known).encode()) if known else (404, b'{"error": "There is no such call."}')
