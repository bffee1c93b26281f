"""Ask a deployed model over the Open Inference Protocol (HTTP)."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request

import numpy as np
import numpy.typing as npt

from tasks.common.cli import Flags
from tasks.common.metrics import Floats
from tasks.common.model_folder import trained_by
from tasks.common.program import BadInput, TryAgain

TIMEOUT_S = 60


def add_endpoint(flags: Flags, name: str) -> None:
    """The flags that say which model is asked: where it answers, its name and version there, and its own folder."""
    flags.add_argument(
        "--endpoint",
        required=True,
        help="address of the inference server, or of the model's infer; else INFERENCE_ENDPOINT",
        default=os.environ.get("INFERENCE_ENDPOINT"),
        from_run=lambda run: run.rest.get("endpoint"),
    )
    flags.add_argument(
        "--name",
        default=name,
        help="the model's name there, for the address of a server",
        from_run=lambda run: run.model,
    )
    flags.add_argument(
        "--version",
        default="",
        help="its version there; by default the one the server chooses",
        from_run=lambda run: run.rest.get("version"),
    )
    flags.add_argument("--model", help="folder training left, for what it says about the model", from_run=trained_by)


def infer_url(endpoint: str, name: str, version: str) -> str:
    """Where to post, from a server's address or from a model's, with or without a version in it."""
    address = endpoint.rstrip("/")
    if not address.endswith("/infer"):
        address = f"{address}/v2/models/{name}/infer"
    if version and "/versions/" not in address:
        address = f"{address.removesuffix('/infer')}/versions/{version}/infer"
    return address


def infer(url: str, values: Floats | npt.NDArray[np.int64], *, inputs: str, outputs: str) -> Floats:
    """The tensor ``outputs`` for the tensor ``inputs`` of float32 or int64.

    Raises BadInput when the server refuses the request, TryAgain when it fails or there is none.
    """
    datatype = "INT64" if values.dtype == np.int64 else "FP32"
    tensor = {"name": inputs, "shape": list(values.shape), "datatype": datatype, "data": values.ravel().tolist()}
    body = json.dumps({"inputs": [tensor], "outputs": [{"name": outputs}]}).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            found = {output["name"]: output for output in json.load(answer)["outputs"]}
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")[:300]
        if error.code >= 500:
            raise TryAgain(f"The inference server failed on {url} ({error.code}): {said}") from error
        raise BadInput(f"The inference server refused {url} ({error.code}): {said}") from error
    except OSError as error:
        raise TryAgain(f"No inference server answers at {url}: {error}") from error
    return np.asarray(found[outputs]["data"], np.float32).reshape(found[outputs]["shape"])
