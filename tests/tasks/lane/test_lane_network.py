"""Messages, slots and the way from labels to what the network learns and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tasks.common.data import open_source
from tasks.common.program import BadInput
from tasks.lane import dataset
from tasks.lane.benchmark import judge
from tasks.lane.configs import SLOTS, configuration
from tasks.lane.export import export
from tasks.lane.labels import Label
from tasks.lane.model import Answering, SpatialMessages, build
from tasks.lane.slots import as_map, assigned, decoded

HEIGHTS = np.arange(200.0, 400.0, 20.0)


def label(*feet: float) -> Label:
    """Straight lanes from one point at the top to these places at the bottom of a picture of 800 x 400."""
    lanes = [300 + (foot - 300) * HEIGHTS / 400 for foot in feet]
    return Label("a", np.array(lanes), HEIGHTS, "labels:1")


@pytest.mark.parametrize(
    ("axis", "backward", "seen"), [(2, False, "below"), (2, True, "above"), (3, False, "right"), (3, True, "left")]
)
def test_a_message_reaches_every_slice_in_its_direction_and_none_in_the_other(axis: int, backward: bool, seen: str):
    messages = SpatialMessages(2, axis, backward=backward, kernel=3)
    with torch.no_grad():
        messages.message.weight.fill_(0.1)
    before = torch.zeros(1, 2, 6, 6)
    before[0, 0, 3, 3] = 1.0
    after = messages(before)
    side = {"below": after[..., 4:, :], "above": after[..., :3, :], "right": after[..., 4:], "left": after[..., :3]}
    reached = side.pop(seen)
    assert (reached.amax(dim=(1, 5 - axis)) > 0).all(), "to the last slice"
    opposite = {"below": "above", "above": "below", "right": "left", "left": "right"}[seen]
    assert not side[opposite].any()


def test_each_slice_adds_what_the_one_before_it_knows():
    """By hand: 1 at the top; each slice below gets half of what the one above it has, so that 1/2, 1/4 arrive."""
    messages = SpatialMessages(1, 2, backward=False, kernel=1)
    with torch.no_grad():
        messages.message.weight.fill_(0.5)
    told = messages(torch.tensor([[[[1.0], [0.0], [0.0]]]]))
    assert told.flatten().tolist() == [1.0, 0.5, 0.25]


def test_lanes_are_told_apart_by_their_side_of_the_camera():
    found = assigned(label(100, 350, 500, 700), 800, 400)
    assert sorted(found) == [1, 2, 3, 4], "two on each side, nearest to the middle first"
    assert found[2][-1] == pytest.approx(label(350).lanes[0][-1])
    many = assigned(label(*range(10, 400, 50)), 800, 400)
    assert sorted(many) == [0, 1, 2], "those beyond three on a side are left out"


def test_what_is_learned_of_a_label_means_the_same_lanes(lanes: Path):
    """A network that answered with the map itself would be right by the benchmark."""
    scenes = dataset.load(open_source(str(lanes)), (160, 96))
    for example in scenes.training[:6]:
        picture, truth = scenes.picture(example), example.label
        drawn, exists = as_map(truth, picture.size, (48, 80))
        logits = torch.nn.functional.one_hot(torch.from_numpy(drawn), 1 + SLOTS).permute(2, 0, 1)[None] * 20.0
        answering = Answering(_Answers(logits, torch.from_numpy(exists)[None] * 20 - 10))
        answer = answering(torch.zeros(1))[0].numpy()
        found = decoded(answer, truth.heights, picture.size)
        assert len(found) == len(truth.lanes)
        assert judge(found, truth.lanes, truth.heights, picture.size[0]).accuracy > 0.85


class _Answers(torch.nn.Module):
    def __init__(self, *answers: torch.Tensor) -> None:
        super().__init__()
        self.answers = answers

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.answers


def test_the_published_network_has_the_published_shapes():
    """VGG-16 to an eighth of the size, 128 channels for the messages of nine places, one map for each lane."""
    network = build("scnn", 128, 64)
    assert [tuple(m.message.weight.shape) for m in network.messages] == [
        (128, 128, 1, 9), (128, 128, 1, 9), (128, 128, 9, 1), (128, 128, 9, 1)
    ]  # fmt: skip
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in network.features) == 13 + 2
    with torch.no_grad():
        lanes, exists = network.eval()(torch.zeros(1, 3, 64, 128))
    assert (tuple(lanes.shape), tuple(exists.shape)) == ((1, 1 + SLOTS, 64, 128), (1, SLOTS))


def test_what_is_exported_answers_as_what_was_trained(tmp_path: Path):
    torch.manual_seed(1)
    network = build("small", 64, 32)
    description = {"preprocessing": dataset.preprocessing((64, 32))}
    assert "model.onnx" in export(network, tmp_path, description)
    assert (tmp_path / "model.json").is_file()


def test_settings_that_make_no_sense():
    with pytest.raises(BadInput, match="There is no configuration 'big'; choose from small, published"):
        configuration("big")
    with pytest.raises(BadInput, match="batch-size is 0; it must be above 0"):
        configuration("small", batch_size=0)
    with pytest.raises(BadInput, match="There is no network 'big'; choose from small, scnn"):
        build("big", 1, 1)
