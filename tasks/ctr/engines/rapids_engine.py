"""The walkthrough's other way: cuDF and cuML on GPUs, spread by Dask.

Every call was checked once against the sources in the wheels of cuDF and dask-cuDF 26.10.2, cuML and dask-cuda 26.10.0
and treelite 4.8.1 (docs/click-through.md). Not yet run on a GPU: the tests check what is asked of those libraries, and
the way back from their forest to ours.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from tasks.common.program import BadInput
from tasks.common.progress import Progress, say
from tasks.ctr.blocks import Count, count
from tasks.ctr.columns import LABEL, NUMERIC
from tasks.ctr.engines import Job, Outcome, selected
from tasks.ctr.engines.cluster import IN_PROCESS, connected
from tasks.ctr.engines.memory import peak_bytes
from tasks.ctr.forest import Forest, Tree
from tasks.ctr.pieces import rows_of
from tasks.ctr.reading import PARQUET, TABLE, lines_of, open_file
from tasks.ctr.selection import Piece, Selection

_COLUMNS = [LABEL, *NUMERIC]


def train(job: Job) -> Outcome:
    with ExitStack() as cluster:
        with job.timer.measure("start"):
            client = cluster.enter_context(_gpu_workers(job))
        return _train(client, job)


@contextmanager
def _gpu_workers(job: Job) -> Iterator[Any]:
    """One worker per GPU of this machine, or those of a cluster that is there."""
    if job.scheduler != IN_PROCESS and not job.scheduler.startswith("local:"):
        with connected(job.scheduler, job.memory_limit, job.dashboard, job.scratch) as client:
            yield client
        return
    from dask_cuda import LocalCUDACluster
    from distributed import Client

    with (
        LocalCUDACluster(dashboard_address=job.dashboard, local_directory=job.scratch, rmm_pool_size=0.5) as cluster,
        Client(cluster) as client,
    ):
        say(f"Dask: {len(cluster.workers)} GPUs; dashboard {client.dashboard_link}")
        yield client


def _train(client: Any, job: Job) -> Outcome:
    with job.timer.measure("load"):
        selection = selected(job, lambda indices: _count(client, job, indices))
        frame = _frame(client, selection)
    with job.timer.measure("train"):
        model = forest_model(client, job)
        model.fit(frame[list(NUMERIC)], frame[LABEL].astype("int32"))
        forest = as_forest(model)
    with job.timer.measure("evaluate"):
        found = [(forest.predict(values), labels) for piece in selection.test for values, labels in rows_of(piece)]
    scores, labels = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    peaks = client.run(peak_bytes)
    memory = {"program": peak_bytes(), "workers": sum(peaks.values())}
    return Outcome(forest, selection, scores, labels, memory, {"workers": len(peaks)})


def forest_model(client: Any, job: Job) -> Any:
    """cuML's forest with the settings that every engine has."""
    from cuml.dask.ensemble import RandomForestClassifier

    settings = job.settings
    return RandomForestClassifier(
        client=client,
        n_estimators=settings.trees,
        max_depth=settings.depth,
        n_bins=settings.bins,
        max_features="sqrt",
        random_state=settings.seed,
    )


def _count(client: Any, job: Job, indices: Iterable[int]) -> dict[int, Count]:
    from distributed import as_completed

    waiting = {client.submit(count, job.parts[index], pure=False): index for index in indices}
    with Progress(len(waiting), "parts", "Counting rows") as progress:
        found = {}
        for future, facts in as_completed(waiting, with_results=True):
            found[waiting[future]] = facts
            progress.advance()
        return found


def _frame(client: Any, selection: Selection) -> Any:
    """Return the training rows as a table spread over the GPUs, held there."""
    import cudf
    import dask.dataframe
    from distributed import wait

    meta = cudf.DataFrame({name: np.empty(0, np.float32) for name in _COLUMNS})
    bad = [len(selection.counts[piece.index].bad_lines) > 0 for piece in selection.train]
    frame = client.persist(dask.dataframe.from_map(read_piece, selection.train, bad, meta=meta))
    wait(frame)
    return frame


def read_piece(piece: Piece, malformed: bool) -> Any:
    """Return a piece's label and numeric columns, float32 with missing as 0.

    The GPU parses it, unless it has malformed lines, which cuDF would take for rows, or is Parquet from elsewhere.
    """
    import cudf

    part = piece.part
    if malformed or part.file.kind == TABLE:
        values, labels = (np.concatenate(arrays) for arrays in zip(*rows_of(piece), strict=True))
        columns = {LABEL: labels.astype(np.float32)} | {name: values[:, at] for at, name in enumerate(NUMERIC)}
        return cudf.DataFrame(columns)
    if part.file.kind == PARQUET:
        groups = list(range(part.start, part.stop))
        with open_file(part.url, part.file) as file:
            frame = cudf.read_parquet(file, columns=_COLUMNS, row_groups=[groups])
    else:
        frame = cudf.read_csv(
            io.BytesIO(b"".join(lines_of(part))),
            sep="\t",
            header=None,
            names=_COLUMNS,
            usecols=list(range(len(_COLUMNS))),
            dtype=dict.fromkeys(_COLUMNS, "float32"),
        )
    return frame.iloc[piece.first : piece.last].fillna(0).astype("float32").reset_index(drop=True)


def as_forest(model: Any) -> Forest:
    """Our forest from cuML's, by way of treelite, in which it is exported."""
    combined = model.get_combined_model()
    exported = combined.as_treelite() if hasattr(combined, "as_treelite") else combined.convert_to_treelite_model()
    return from_treelite(json.loads(exported.dump_as_json(pretty_print=False)))


def from_treelite(dumped: dict[str, Any]) -> Forest:
    """Return a forest of two classes from treelite's JSON (version 4)."""
    return Forest([_tree(tree["nodes"]) for tree in dumped["trees"]])


def _tree(nodes: list[dict[str, Any]]) -> Tree:
    place = {node["node_id"]: number for number, node in enumerate(nodes)}
    tree = Tree(
        feature=np.full(len(nodes), -1, np.int16),
        threshold=np.zeros(len(nodes), np.float32),
        left=np.zeros(len(nodes), np.int32),
        right=np.zeros(len(nodes), np.int32),
        value=np.zeros(len(nodes)),
    )
    for number, node in enumerate(nodes):
        if "leaf_value" in node:
            tree.value[number] = _click_share(node["leaf_value"])
            continue
        if node["comparison_op"] not in ("<=", "<"):
            raise BadInput(f"cuML's forest compares by {node['comparison_op']!r}, which this program does not know.")
        threshold = _float32_below(node["threshold"], strictly=node["comparison_op"] == "<")
        tree.feature[number], tree.threshold[number] = node["split_feature_id"], threshold
        tree.left[number], tree.right[number] = place[node["left_child"]], place[node["right_child"]]
    return tree


def _click_share(value: Any) -> float:
    """A leaf holds the share of clicks, or a share for each class."""
    if not isinstance(value, list):
        return float(value)
    return float(value[1]) / float(sum(value))


def _float32_below(threshold: float, strictly: bool) -> np.float32:
    """Return the largest float32 that is at most, or below, the threshold: what ``x <= it`` needs to mean the same."""
    near = np.float32(threshold)
    beyond = float(near) >= threshold if strictly else float(near) > threshold
    return np.nextafter(near, np.float32(-np.inf)) if beyond else near
