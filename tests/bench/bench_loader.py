"""How many images a second our loader reads from S3, as a multiple of the walkthrough's, in turns in one run.

    python tests/bench/bench_loader.py

The walkthrough's lists the keys, then gets, decodes and normalises one object at a time with boto3. Both end with the
same normalised batches of 64. Every request is answered 0 or 5 ms late. Target: at least 12 at 5 ms and 4 at 0 ms.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import numpy as np
import torch
from PIL import Image

HOUSE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HOUSE))

from tasks.common.data import S3Store, open_source, open_target  # noqa: E402
from tasks.tyre import dataset, samples  # noqa: E402
from tasks.tyre.preprocessing import DEVIATION, MEAN, SIDE  # noqa: E402

TARGETS = {0: 4, 5: 12}  # times the walkthrough's rate, by milliseconds of delay
BATCH = 64


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=900, help="half of what the walkthrough has")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=HOUSE / "bench" / "loader.json")
    options = parser.parse_args()
    torch.set_num_threads(1)  # as in a data loader; two threads would only wait for each other over one image
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        plan = list(samples.plan(options.images, seed=1, revision=1))
        samples.bring(open_target(folder), plan, os.cpu_count() or 1)
        for delay_ms in TARGETS:
            with s3_server(folder, delay_ms):
                rows += measure(delay_ms, options.rounds)
    for row in rows:
        print(f"{row['delay_ms']} ms  {row['what']:<24} {row['images_per_s']:>8.1f} images/s {row['ratio']:>7.2f} x")
    verdicts = [verdict(rows, delay_ms, target) for delay_ms, target in TARGETS.items()]
    print("\n".join(verdicts))
    machine = {"cpus": os.cpu_count(), "load": [round(value, 1) for value in os.getloadavg()]}
    report = {"unit": "images/s, median", "images": options.images, "rounds": options.rounds, "machine": machine}
    options.output.parent.mkdir(exist_ok=True)
    options.output.write_text(json.dumps({**report, "verdicts": verdicts, "rows": rows}, indent=2) + "\n")
    return 0


def verdict(rows: list[dict[str, object]], delay_ms: int, target: float) -> str:
    reached = float(str(next(r["ratio"] for r in rows if r["delay_ms"] == delay_ms and r["what"] == "ours")))
    said = f"{reached:.2f} x at {delay_ms} ms; target at least {target} x"
    return f"{said}: {'met' if reached >= target else 'missed'}"


def measure(delay_ms: int, rounds: int) -> list[dict[str, object]]:
    """The loaders in turns, after one unmeasured turn of each."""
    kept: list[dataset.Images] = []
    loaders: dict[str, Callable[[], Iterator[np.ndarray]]] = {
        "walkthrough's": walkthrough,
        "ours": lambda: ours(kept),
        "ours, second epoch": lambda: later_epoch(kept[-1]),
    }
    rates: dict[str, list[float]] = {name: [] for name in loaders}
    for number in range(rounds + 1):
        for name, loader in loaders.items():
            begun = time.perf_counter()
            with contextlib.redirect_stderr(io.StringIO()):
                count = sum(len(batch) for batch in loader())
            if number:
                rates[name].append(count / (time.perf_counter() - begun))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    base = medians["walkthrough's"]
    return [
        {"delay_ms": delay_ms, "what": name, "images_per_s": round(rate, 1), "ratio": round(rate / base, 2)}
        for name, rate in medians.items()
    ]


def walkthrough() -> Iterator[np.ndarray]:
    """List the keys, then one object after the other: get, decode, resize, and normalise as torchvision does."""
    mean, deviation = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(DEVIATION).view(3, 1, 1)
    client, batch = boto3.client("s3", region_name="us-east-1"), []
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="bench")
    keys = [item["Key"] for page in pages for item in page["Contents"]]
    for key in keys:
        content = client.get_object(Bucket="bench", Key=key)["Body"].read()
        image = Image.open(io.BytesIO(content)).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        values = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div_(255)
        batch.append(values.sub_(mean).div_(deviation))
        if len(batch) == BATCH:
            yield torch.stack(batch).numpy()
            batch = []
    if batch:
        yield torch.stack(batch).numpy()


def ours(kept: list[dataset.Images]) -> Iterator[np.ndarray]:
    """Everything a training does before and in its first epoch: list, read, hash, split, decode, normalise."""
    store = open_source("s3://bench", dataset.CONNECTIONS)
    assert isinstance(store, S3Store)
    kept[:] = [dataset.load(store)]
    yield from later_epoch(kept[0])


def later_epoch(images: dataset.Images) -> Iterator[np.ndarray]:
    for pixels, _ in dataset.batches(images.store, images.training + images.held_out, BATCH):
        yield pixels


@contextlib.contextmanager
def s3_server(folder: str, delay_ms: int) -> Iterator[None]:
    """A server process on a free port, named to S3 clients by the environment."""
    program = [sys.executable, str(Path(__file__).with_name("slow_s3.py"))]
    server = subprocess.Popen(
        [*program, f"--folder={folder}", f"--delay-ms={delay_ms}"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout
        os.environ["AWS_ENDPOINT_URL_S3"] = f"http://127.0.0.1:{int(server.stdout.readline())}"
        os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench")
        yield
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
