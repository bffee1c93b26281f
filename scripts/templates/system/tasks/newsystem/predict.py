"""Ask a deployed model about one held-out row, over the Open Inference Protocol (HTTP).

python -m tasks.newsystem.predict --endpoint http://127.0.0.1:8000 --data /data/newsystem
"""

from __future__ import annotations

import time
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.data import open_source
from tasks.common.inference import add_endpoint, infer, infer_url
from tasks.common.metrics import softmax
from tasks.common.progress import say
from tasks.newsystem import data
from tasks.newsystem.configs import CLASSES, FEATURES, INPUT, OUTPUT


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix of CSV files")
    add_endpoint(flags, "newsystem")
    options = flags.parse()
    _, held_out = data.load(open_source(options.data))
    address = infer_url(options.endpoint, options.name, options.version)
    begun = time.perf_counter()
    chances = softmax(infer(address, held_out.features[:1], inputs=INPUT, outputs=OUTPUT))[0]
    milliseconds = (time.perf_counter() - begun) * 1000
    place = int(chances.argmax())
    row = dict(zip(FEATURES, map(float, held_out.features[0]), strict=True))
    say(f"{row}: {CLASSES[place]} with probability {chances[place]:.3f}, answered in {milliseconds:.0f} ms")
    return {
        "row": row,
        "predicted": CLASSES[place],
        "probability": float(chances[place]),
        "actual": CLASSES[held_out.labels[0]],
        "latency_ms": milliseconds,
        "endpoint": address,
    }


if __name__ == "__main__":
    program.run(main)
