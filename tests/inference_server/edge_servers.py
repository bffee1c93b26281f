"""Small servers of the Open Inference Protocol for many edge sites: each loads from the folder that its site sees."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.serving import connection


class EdgeServer:
    """What a site's server does for a roll-out. ``broken`` is what loading answers; ``close`` is a site without power.

    A version is loaded only when its file can be read in the repository, and read once: what was loaded goes on serving
    when the file is gone.
    """

    def __init__(self, repository: Path) -> None:
        self.repository = repository
        self.serving: dict[str, Any] = {}
        self.broken = ""
        self.loads = 0
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self.http.server_port
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def connection(self) -> str:
        return connection(self.port)

    def version(self, model: str) -> int | None:
        config = self.serving.get(model)
        return config["version_policy"]["specific"]["versions"][0] if config else None

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def answer(self, method: str, parts: list[str], body: Mapping[str, Any]) -> tuple[int, Any]:
        if parts == ["v2", "health", "ready"]:
            return 200, None
        if parts[:3] == ["v2", "repository", "models"]:
            return self._change(parts[3], parts[4], body)
        model = parts[2]
        if model not in self.serving:
            return 400, {"error": f"Request for unknown model: '{model}' is not found"}
        if parts[-1] == "config":
            return 200, self.serving[model]
        if parts[-1] == "ready":
            return 200, None
        if parts[-1] == "infer":
            outputs = [{"name": "score", "shape": [1, 1], "datatype": "FP32", "data": [0.0]}]
            return 200, {"model_name": model, "model_version": str(self.version(model)), "outputs": outputs}
        inputs = [{"name": "image", "datatype": "FP32", "shape": [-1, 3, 4, 4]}]
        return 200, {"name": model, "inputs": inputs, "outputs": []}

    def _change(self, model: str, verb: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        if verb == "unload":
            self.serving.pop(model, None)
            return 200, None
        config = json.loads(body["parameters"]["config"])
        number = config["version_policy"]["specific"]["versions"][0]
        file = self.repository / model / str(number) / "model.onnx"
        self.loads += 1
        if self.broken or not file.is_file():
            return 400, {"error": f"failed to load '{model}': {self.broken or f'{file} is not there'}"}
        self.serving[model] = config
        return 200, None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        edge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}")
                status, answer = edge.answer(self.command, self.path.strip("/").split("/"), body)
                content = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        return Handler
