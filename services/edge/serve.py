"""Stand before the inference server of an edge site until stopped.

    python -m services.edge.serve --port 8110 --server http://127.0.0.1:8100 --model tyre --workload tyre \
        --site edge_1 --inputs /mnt/tyre_inputs_at_edge_1 --most 800MB
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from pathlib import Path

import uvicorn

from services.edge import app
from services.edge.archive import Archive
from tasks.common.program import BAD_INPUT, BadInput
from tasks.edge import workloads

_UNITS = {"": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}


def main() -> int:
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        workload = workloads.find(options.workload or options.model)
        if not hasattr(workload, "tensor"):
            raise BadInput(f"The workload {options.workload or options.model} takes no pictures.")
    except BadInput as error:
        print(error, file=sys.stderr)
        return BAD_INPUT
    archive = Archive(
        options.inputs,
        site=options.site,
        model=options.model,
        front=options.front,
        most=options.most,
        close_after_s=options.close_after,
    )

    front = app.Front(options.server, options.model, workload, archive)
    uvicorn.run(app.make(front), host=options.host, port=options.port, log_level="warning")
    return 0


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+)\s*([KMGT]B)?", text.strip().upper())
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; give one like 800MB")
    return int(found[1]) * _UNITS[found[2] or ""]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--server", required=True, help="address of the site's inference server")
    parser.add_argument("--model", required=True, help="its name there")
    parser.add_argument(
        "--workload", help="how pictures are prepared, such as tyre or chest; the model's name if not given"
    )
    parser.add_argument("--site", required=True, help="name in edge_sites.yaml")
    parser.add_argument("--front", default="front", help="of several fronts of a site, which one this is")
    parser.add_argument(
        "--inputs", type=Path, required=True, help="where the volume <model>_inputs_at_<site> is mounted"
    )
    parser.add_argument("--most", type=_bytes, required=True, help="bytes that may lie there, such as 800MB")
    parser.add_argument("--close-after", type=float, default=300.0, help="seconds after which a batch is closed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
