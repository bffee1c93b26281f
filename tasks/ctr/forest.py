"""A trained forest as plain arrays, whichever engine grew it, and as ONNX."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.ctr.columns import NUMERIC
from tasks.ctr.compiled import compiled

INPUT, OUTPUT = "numeric", "probabilities"
OPSET, TREE_OPSET = 17, 3  # old enough for the ONNX Runtime of every current Triton


@dataclass(frozen=True)
class Tree:
    """Nodes [N], the root first. A row goes ``left`` where its value of column ``feature`` is at most ``threshold``;
    a leaf has ``feature`` -1 and ``value``, the chance of a click.
    """

    feature: npt.NDArray[np.int16]
    threshold: npt.NDArray[np.float32]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    value: npt.NDArray[np.float64]

    @property
    def depth(self) -> int:
        """Edges from the root to the farthest leaf; children come after their parents."""
        depths = np.zeros(len(self.feature), np.int64)
        for node in np.flatnonzero(self.feature >= 0):
            depths[self.left[node]] = depths[self.right[node]] = depths[node] + 1
        return int(depths.max())


@dataclass(frozen=True)
class Forest:
    """The chance of a click is the mean over the trees."""

    trees: list[Tree]

    def predict(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """[N] for ``values`` [N, 13], missing as 0."""
        total = np.zeros(len(values))
        for tree in self.trees:
            _add_tree(values, tree.feature, tree.threshold, tree.left, tree.right, tree.value, total)
        return total / len(self.trees)

    @property
    def nodes(self) -> int:
        return sum(len(tree.feature) for tree in self.trees)

    def to_bytes(self) -> bytes:
        """NumPy's archive format, which is read without running any code in it."""
        file = io.BytesIO()
        arrays = {
            f"{name}{place}": array for place, tree in enumerate(self.trees) for name, array in vars(tree).items()
        }
        np.savez(file, trees=np.array(len(self.trees)), **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Forest:
        with np.load(io.BytesIO(content), allow_pickle=False) as held:
            names = Tree.__dataclass_fields__
            return cls([Tree(*(held[f"{name}{place}"] for name in names)) for place in range(int(held["trees"]))])


@compiled
def _add_tree(values: Any, feature: Any, threshold: Any, left: Any, right: Any, value: Any, total: Any) -> None:
    for row in range(len(values)):
        node = 0
        while feature[node] >= 0:
            node = left[node] if values[row, feature[node]] <= threshold[node] else right[node]
        total[row] += value[node]


def to_onnx(forest: Forest, facts: dict[str, str]) -> bytes:
    """``numeric`` float32 [N, 13], NaN being the same as 0, to ``probabilities`` float32 [N, 2] of no click and click.

    :param facts: kept in the file's metadata.
    """
    from onnx import TensorProto, helper

    zero = helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0])
    nodes = [
        helper.make_node("IsNaN", [INPUT], ["missing"]),
        helper.make_node("Where", ["missing", "zero", INPUT], ["filled"]),
        helper.make_node(
            "TreeEnsembleClassifier", ["filled"], ["class", OUTPUT], domain="ai.onnx.ml", **_ensemble(forest.trees)
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "click_forest",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["rows", len(NUMERIC)])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["rows", 2])],
        [zero],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", TREE_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="tasks.ctr")
    helper.set_model_props(model, facts)
    return model.SerializeToString()


def _ensemble(trees: Sequence[Tree]) -> dict[str, Any]:
    """Return the operator's attributes: node lists over all trees, and each leaf's share of both classes."""
    whole = [_tree_lists(number, tree, 1 / len(trees)) for number, tree in enumerate(trees)]
    lists = {name: [item for lists in whole for item in lists[name]] for name in whole[0]}
    return {**lists, "classlabels_int64s": [0, 1], "post_transform": "NONE"}


def _tree_lists(number: int, tree: Tree, share: float) -> dict[str, list[Any]]:
    leaf = tree.feature < 0
    leaves = np.flatnonzero(leaf).tolist()
    shares = [chance * share for node in leaves for chance in (1 - tree.value[node], tree.value[node])]
    twice = [node for node in leaves for _ in range(2)]
    return {
        "nodes_treeids": [number] * len(leaf),
        "nodes_nodeids": list(range(len(leaf))),
        "nodes_featureids": np.where(leaf, 0, tree.feature).tolist(),
        "nodes_values": np.where(leaf, 0, tree.threshold).tolist(),
        "nodes_modes": np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        "nodes_truenodeids": np.where(leaf, 0, tree.left).tolist(),
        "nodes_falsenodeids": np.where(leaf, 0, tree.right).tolist(),
        "nodes_missing_value_tracks_true": [0] * len(leaf),
        "class_treeids": [number] * len(twice),
        "class_nodeids": twice,
        "class_ids": [0, 1] * len(leaves),
        "class_weights": shares,
    }
