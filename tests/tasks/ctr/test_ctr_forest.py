"""The forest's parts: bins, splits, growth, and the same answers in every form of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from sklearn.ensemble import RandomForestClassifier

from tasks.common.metrics import judge
from tasks.ctr import binning, growing
from tasks.ctr.columns import NUMERIC
from tasks.ctr.engines import pandas_engine, rapids_engine
from tasks.ctr.forest import INPUT, OUTPUT, Forest, to_onnx
from tasks.ctr.growing import Growth, Settings

Table = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def table() -> Table:
    """4,000 rows whose clicks hang on three columns; heavy tails, many zeros, some negative."""
    random = np.random.default_rng(1)
    values = np.floor(np.exp(random.normal(2, 2, (4000, len(NUMERIC))))).astype(np.float32)
    values[random.random(values.shape) < 0.3] = 0
    values[:, 1] -= 3
    odds = (values[:, 0] > 5) * 1.5 + (values[:, 1] < 2) * 1.0 - (values[:, 2] > 20) * 2
    return values, (random.random(4000) < 1 / (1 + np.exp(1 - odds))).astype(np.uint8)


def grow(values: np.ndarray, labels: np.ndarray, settings: Settings, pieces: int) -> Iterator[Growth]:
    """Level by level, from ``pieces`` blocks whose counts are added up."""
    codes = [binning.encode(part) for part in np.array_split(values, pieces)]
    sketch = binning.merge([binning.Sketch.of(part) for part in codes])
    growth = Growth.start(settings, binning.cuts_of(sketch, settings.bins))
    bins = [binning.apply(part, growth.cuts) for part in codes]
    truth = np.array_split(labels, pieces)
    states = growing.start_rows(len(labels), settings, 0)
    states = np.array_split(states, pieces, axis=1)
    while not growth.finished:
        level = growth.levels[-1]
        parts = zip(bins, truth, states, strict=True)
        growth.split(sum(growing.tally(b, t, s, level, settings.bins).astype(np.int64) for b, t, s in parts))
        states = [growing.step(b, s, growth.levels[-1]) for b, s in zip(bins, states, strict=True)]
        yield growth


def forest_of(values: np.ndarray, labels: np.ndarray, settings: Settings, pieces: int = 1) -> Forest:
    return list(grow(values, labels, settings, pieces))[-1].forest()


def test_codes_keep_the_order_of_values_and_tell_small_integers_apart():
    values = np.sort(np.concatenate([np.arange(-300, 300), np.random.default_rng(1).normal(0, 1e6, 2000)]))
    codes = binning.encode(values.astype(np.float32)).astype(int)
    assert (np.diff(codes) >= 0).all()
    whole = binning.encode(np.arange(-256, 257, dtype=np.float32))
    assert len(np.unique(whole)) == 513
    assert binning.encode(np.float32([-0.0])) == binning.encode(np.float32([0.0]))


def test_a_threshold_parts_the_values_just_as_its_code_parts_their_codes():
    values = np.concatenate([np.arange(-50, 50), np.random.default_rng(1).normal(0, 1e4, 1000)]).astype(np.float32)
    codes = binning.encode(values)
    for cut in np.unique(codes)[::7]:
        assert np.array_equal(values <= binning.largest_of(np.array([cut]))[0], codes <= cut)


@pytest.mark.parametrize("pieces", [2, 7])
def test_a_sketch_of_parts_added_up_is_the_sketch_of_the_whole(table, pieces):
    codes = binning.encode(table[0])
    whole = binning.Sketch.of(codes)
    merged = binning.merge([binning.Sketch.of(part) for part in np.array_split(codes, pieces)])
    for name in ("codes", "counts"):
        assert all(map(np.array_equal, getattr(whole, name), getattr(merged, name)))


def test_bins_are_even_but_for_values_that_fill_more_than_one(table):
    codes = binning.encode(table[0])
    cuts = binning.cuts_of(binning.Sketch.of(codes), 16)
    bins = binning.apply(codes, cuts)
    assert all(len(column) == 15 for column in cuts)
    shares = np.bincount(bins[:, 4], minlength=16) / len(bins)
    assert shares[0] > 0.3, "the zeros have a bin to themselves"
    assert (table[0][bins[:, 4] == 0, 4] == 0).all()
    assert shares[1:].max() < 0.1, "the rest is shared out among the others"


def test_a_column_of_few_values_has_a_bin_for_each():
    codes = binning.encode(np.repeat(np.float32([[0, 1, 1, 7]]).T, len(NUMERIC), axis=1))
    cuts = binning.cuts_of(binning.Sketch.of(codes), 16)
    assert binning.apply(codes, cuts)[:, 0].tolist() == [0, 1, 1, 2]
    same = binning.cuts_of(binning.Sketch.of(codes[:1]), 16)
    assert len(same[0]) == 0 and not binning.apply(codes[:1], same).any()


def test_the_best_split_is_the_one_found_by_trying_all():
    counts = np.random.default_rng(2).integers(0, 9, (6, 3, 8, 2))
    counts[:, 1:] = counts[:, :1, np.random.default_rng(3).permutation(8)]
    place, last, left, total = growing.best_splits(counts, np.tile(np.int8([4, 5, 6]), (6, 1)))

    def impurity(sums: np.ndarray) -> float:
        return sums.sum() - (sums**2).sum() / sums.sum() if sums.sum() else 0.0

    for node in range(6):
        tried = [
            impurity(counts[node, c, : cut + 1].sum(0)) + impurity(counts[node, c, cut + 1 :].sum(0))
            for c in range(3)
            for cut in range(7)
        ]
        right = total[node] - left[node]
        assert impurity(left[node]) + impurity(right) == pytest.approx(min(tried))
        assert np.array_equal(left[node], counts[node, place[node], : last[node] + 1].sum(0))


@pytest.mark.parametrize("pieces", [3, 8])
def test_the_forest_does_not_depend_on_how_its_rows_are_spread(table, pieces):
    settings = Settings(trees=4, depth=6)
    assert forest_of(*table, settings, pieces).to_bytes() == forest_of(*table, settings).to_bytes()


def test_another_seed_grows_another_forest_and_the_same_one_the_same(table):
    one, same, other = (forest_of(*table, Settings(trees=2, depth=4, seed=seed)).to_bytes() for seed in (1, 1, 2))
    assert one == same != other


def test_growth_saved_and_read_back_goes_on_to_the_same_forest(table):
    settings = Settings(trees=3, depth=5)
    stages = [growth.to_bytes() for growth in grow(*table, settings, 1)]
    halfway = Growth.from_bytes(stages[2])
    assert halfway.depth == 3 and halfway.settings == settings
    codes = binning.encode(table[0])
    bins = binning.apply(codes, halfway.cuts)
    states = growing.start_rows(len(codes), settings, 0)
    for level in halfway.levels[1:]:
        states = growing.step(bins, states, level)
    while not halfway.finished:
        halfway.split(growing.tally(bins, table[1], states, halfway.levels[-1], settings.bins).astype(np.int64))
        states = growing.step(bins, states, halfway.levels[-1])
    assert halfway.forest().to_bytes() == Growth.from_bytes(stages[-1]).forest().to_bytes()


def test_it_is_as_good_as_scikit_learns(table):
    values, labels = table
    ours = forest_of(values[:3000], labels[:3000], Settings(trees=10, depth=6))
    theirs = RandomForestClassifier(10, max_depth=6, random_state=1).fit(values[:3000], labels[:3000])
    scores = judge(ours.predict(values[3000:]), labels[3000:].astype(bool))
    wanted = judge(theirs.predict_proba(values[3000:])[:, 1], labels[3000:].astype(bool))
    assert scores.accuracy > wanted.accuracy - 0.02 and scores.roc_auc > wanted.roc_auc - 0.02
    assert max(tree.depth for tree in ours.trees) == 6


def test_the_deepest_forest_finds_rows_that_only_many_splits_part():
    """One row in 4,096 is a click: 12 columns of a bit each have to be right."""
    places = np.repeat(np.arange(4096), 4)
    bits = ((places[:, None] >> np.arange(len(NUMERIC))) & 1).astype(np.float32)
    labels = (places == 1234).astype(np.uint8)
    forest = forest_of(bits, labels, Settings(trees=20, depth=growing.LARGEST_DEPTH))
    scores = forest.predict(bits)
    assert scores[labels == 1].min() > scores[labels == 0].max()
    assert 13 >= max(tree.depth for tree in forest.trees) > 10


def test_rows_that_are_all_alike_give_one_leaf():
    values, labels = np.ones((50, len(NUMERIC)), np.float32), np.array([0] * 40 + [1] * 10, np.uint8)
    forest = forest_of(values, labels, Settings(trees=3, depth=4))
    assert forest.nodes == 3


def test_scikit_learns_trees_become_ours_to_the_last_bit(table):
    model = RandomForestClassifier(5, max_depth=8, random_state=1).fit(*table)
    forest = Forest([pandas_engine.as_tree(estimator.tree_) for estimator in model.estimators_])
    wanted = model.predict_proba(table[0])[:, 1]
    assert np.allclose(forest.predict(table[0]), wanted, atol=1e-12)


@pytest.mark.parametrize("source", ["ours", "scikit-learn"])
def test_onnx_gives_the_same_chances_and_takes_missing_for_0(table, source):
    if source == "ours":
        forest = forest_of(*table, Settings(trees=10, depth=8))
    else:
        model = RandomForestClassifier(5, max_depth=8, random_state=1).fit(*table)
        forest = Forest([pandas_engine.as_tree(estimator.tree_) for estimator in model.estimators_])
    session = onnxruntime.InferenceSession(to_onnx(forest, {"engine": source}))
    holed = np.where(table[0] == 0, np.float32(np.nan), table[0])
    (chances,) = session.run([OUTPUT], {INPUT: holed})
    assert chances.shape == (4000, 2)
    assert np.allclose(chances[:, 1], forest.predict(table[0]), atol=1e-6)
    assert np.allclose(chances.sum(axis=1), 1, atol=1e-6)


# What treelite 4.8 writes for a forest of scikit-learn's with one tree, but for fields that are not read.
TREELITE = {
    "trees": [
        {
            "nodes": [
                {"node_id": 0, "split_feature_id": 2, "comparison_op": "<=", "threshold": 47.5}
                | {"left_child": 1, "right_child": 4, "node_type": "numerical_test_node"},
                {"node_id": 1, "split_feature_id": 0, "comparison_op": "<", "threshold": 20.0}
                | {"left_child": 2, "right_child": 3, "node_type": "numerical_test_node"},
                {"node_id": 2, "leaf_value": [0.75, 0.25]},
                {"node_id": 3, "leaf_value": [0.1, 0.9]},
                {"node_id": 4, "leaf_value": 0.5},
            ]
        }
    ]
}


def test_cumls_forest_becomes_ours_by_way_of_treelite():
    dumped = json.dumps(TREELITE)
    exported = SimpleNamespace(dump_as_json=lambda pretty_print: dumped)
    for name in ("as_treelite", "convert_to_treelite_model"):
        combined = SimpleNamespace(**{name: lambda: exported})
        forest = rapids_engine.as_forest(SimpleNamespace(get_combined_model=lambda combined=combined: combined))
        values = np.zeros((4, len(NUMERIC)), np.float32)
        values[:, 0], values[:, 2] = [19, 20, 20, 0], [47.5, 47.5, 47.6, 48]
        assert forest.predict(values).tolist() == [0.25, 0.9, 0.5, 0.5]
