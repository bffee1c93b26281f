"""How a Python-based backend answers the requests that Triton's dynamic batching hands over together.

Requests whose tensors differ only along the first axis are joined into one call of the model, and the result is cut
apart again. Where a joint call fails, its requests are tried one by one, so that a bad request fails alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import triton_python_backend_utils as pb

Arrays = dict[str, np.ndarray]
Run = Callable[[Arrays], Arrays]


def answer(requests: Sequence[pb.InferenceRequest], run: Run, batched: bool) -> list[pb.InferenceResponse]:
    """One response per request, in order.

    :param batched: the first axis of every tensor is the batch (max_batch_size > 0).
    """
    inputs = [{t.name(): t.as_numpy() for t in request.inputs()} for request in requests]
    responses: list[pb.InferenceResponse | None] = [None] * len(requests)
    for group in _groups(inputs) if batched else [[i] for i in range(len(inputs))]:
        for i, response in zip(group, _answer_group([inputs[i] for i in group], run), strict=True):
            responses[i] = response
    return responses


def _groups(inputs: list[Arrays]) -> list[list[int]]:
    """Positions of the requests that can be joined: same names, types and shapes but for the first axis."""
    groups: dict[tuple, list[int]] = {}
    for i, arrays in enumerate(inputs):
        key = tuple(sorted((name, a.dtype.str, a.shape[1:]) for name, a in arrays.items()))
        groups.setdefault(key, []).append(i)
    return list(groups.values())


def _answer_group(inputs: list[Arrays], run: Run) -> list[pb.InferenceResponse]:
    try:
        return [_response(outputs) for outputs in _run_joined(inputs, run)]
    except Exception as error:  # whatever the model raises is the client's answer, not the end of the server
        if len(inputs) == 1:
            return [pb.InferenceResponse([], pb.TritonError(f"{type(error).__name__}: {error}"))]
    return [_answer_group([one], run)[0] for one in inputs]


def _run_joined(inputs: list[Arrays], run: Run) -> list[Arrays]:
    if len(inputs) == 1:
        return [run(inputs[0])]
    outputs = run({name: np.concatenate([arrays[name] for arrays in inputs]) for name in inputs[0]})
    ends = np.cumsum([len(next(iter(arrays.values()))) for arrays in inputs])
    parts = {name: np.split(array, ends[:-1]) for name, array in outputs.items()}
    return [{name: pieces[i] for name, pieces in parts.items()} for i in range(len(inputs))]


def _response(outputs: Arrays) -> pb.InferenceResponse:
    return pb.InferenceResponse([pb.Tensor(name, np.ascontiguousarray(array)) for name, array in outputs.items()])
