"""Ask a deployed model where the lanes of one picture are, over the Open Inference Protocol (HTTP).

    python -m tasks.lane.predict --endpoint http://127.0.0.1:8000 --data /data/lanes --model /tmp/run

It asks about a picture that the training of the model has not seen, always the same one of the same data.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

from tasks.common import program
from tasks.common.cli import Flags
from tasks.common.data import open_source
from tasks.common.inference import add_endpoint, infer, infer_url
from tasks.common.judging import Incomparable, Model
from tasks.common.program import BadInput
from tasks.common.progress import say
from tasks.lane import dataset
from tasks.lane.benchmark import judge
from tasks.lane.evaluate import size_of, split_of
from tasks.lane.export import INPUT, OUTPUT
from tasks.lane.pictures import draw_sheet, with_lanes
from tasks.lane.slots import decoded


def main() -> dict[str, Any]:
    flags = Flags(__doc__)
    flags.data("folder or s3://bucket/prefix with clips/ and label_data_....json")
    add_endpoint(flags, "lane_detection")
    flags.add_argument("--draw", help="file for the picture with the lanes drawn on it, such as lanes.png")
    options = flags.parse()
    if not options.model:
        raise BadInput("--model does not say which model is asked, so its pictures cannot be prepared; see --help.")
    try:
        model = Model.parse(f"asked={options.model}")
        split, size = split_of(model), size_of(model)
    except Incomparable as error:
        raise BadInput(f"{error}.") from error
    scenes = dataset.load(open_source(options.data), size, split=split)
    example = min(scenes.held_out, key=lambda each: hashlib.sha256(each.label.key.encode()).digest())
    picture, label = scenes.picture(example), example.label
    address = infer_url(options.endpoint, options.name, options.version)
    begun = time.perf_counter()
    answer = infer(address, dataset.normalised([picture.pixels]), inputs=INPUT, outputs=OUTPUT)[0]
    milliseconds = (time.perf_counter() - begun) * 1000
    lanes = decoded(answer, label.heights, picture.size)
    judged = judge(lanes, label.lanes, label.heights, picture.size[0])
    said = f"{len(lanes)} lanes found, {len(label.lanes)} labelled, accuracy {judged.accuracy:.3f}"
    say(f"{label.key}: {said}, answered in {milliseconds:.0f} ms")
    if options.draw:
        drawn = with_lanes(picture.pixels, picture.size, lanes, label.lanes, label.heights, judged)
        draw_sheet(Path(options.draw), [(drawn, label.key)])
    return {
        "picture": label.key,
        "lanes": len(lanes),
        "labelled": len(label.lanes),
        "accuracy": judged.accuracy,
        "latency_ms": milliseconds,
        "endpoint": address,
    }


if __name__ == "__main__":
    program.run(main)
