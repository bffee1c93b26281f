"""ALPHA, the three kinds of noise, and the rule that chooses among what was tried."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tasks.common.data import open_source
from tasks.common.program import BadInput
from tasks.faces import choose, dataset, export, noise, sweep
from tasks.faces.judging import AP
from tasks.faces.noise import BLUR, GAUSSIAN, LEARNED, Features, Noise
from tasks.faces.preprocessing import normalise
from tests.tasks.faces.conftest import call


@pytest.fixture(scope="module")
def fitted(run_folder, faces):
    """A network, its configuration, pictures of a fold, and how their activations vary."""
    network, chosen, _ = export.read_network(run_folder / "network")
    examples = dataset.load(open_source(str(faces)), chosen, [1, 2]).examples
    pixels = dataset.batch(examples)
    with torch.no_grad():
        clean = network.head(torch.from_numpy(noise.normalise(pixels))).numpy()
    return network, chosen, examples, clean


def mean_share(made: Noise, features: Features) -> float:
    """Of the directions in which the noise is independent, what it is in the power of noise and picture together."""
    mixed = made.mixing / features.spread[:, None]
    alike = (features.directions * features.power) @ features.directions.T
    # Independent directions of the noise: those of its own covariance.
    power, directions = np.linalg.eigh(mixed @ mixed.T)
    signal = np.einsum("cf,cd,df->f", directions, alike, directions)
    return float((power / (power + signal)).mean())


@pytest.mark.parametrize("alpha", [0.3, 0.8, 0.95])
def test_alpha_is_the_mean_share_of_noise_in_a_feature(fitted, alpha):
    network, chosen, examples, clean = fitted
    features = Features.of(clean)
    white = features.white(alpha)
    assert (white / (white + features.power)).mean() == pytest.approx(alpha, abs=1e-3)
    made, adapted = noise.fit(network, chosen, examples, alpha, seed=1, steps=3)
    # Of what the adapted head makes: a head that only speaks louder gains nothing.
    louder = Features.of(noise.activations(adapted, dataset.batch(examples)))
    assert mean_share(made, louder) == pytest.approx(alpha, abs=0.02)
    made, adapted = noise.fit(network, chosen, examples, alpha, kind=GAUSSIAN, seed=1, steps=3)
    louder = Features.of(noise.activations(adapted, dataset.batch(examples)))
    assert made.mixing == pytest.approx(noise.plain(GAUSSIAN, alpha, chosen, louder).mixing, rel=0.02, abs=1e-3)


def test_the_learned_noise_begins_as_plain_noise_and_the_network_as_it_was_trained(fitted):
    network, chosen, examples, clean = fitted
    plain = noise.plain(GAUSSIAN, 0.8, chosen, Features.of(clean))
    begun, same = noise.fit(network, chosen, examples, 0.8, seed=1, steps=0)
    assert begun.mixing @ begun.mixing.T == pytest.approx(plain.mixing @ plain.mixing.T, rel=1e-2, abs=1e-3)
    assert (noise.activations(same, dataset.batch(examples)) == clean).all()


def test_fitting_helps_the_detector_through_the_noise_and_leaves_the_trained_network_alone(fitted):
    network, chosen, examples, clean = fitted
    pixels, boxes = dataset.batch(examples), dataset.truth(examples)

    def loss(made: Noise, asked: torch.nn.Module) -> float:
        sent = made.add(np.repeat(noise.activations(asked, pixels), 4, axis=0), np.random.default_rng(5))
        with torch.no_grad():
            return float(noise.loss(chosen, asked.tail(torch.from_numpy(sent)), [b for b in boxes for _ in range(4)]))

    before = loss(noise.plain(GAUSSIAN, 0.8, chosen, Features.of(clean)), network)
    assert loss(*noise.fit(network, chosen, examples, 0.8, seed=1, steps=12, against=0)) < before
    assert (noise.activations(network, pixels) == clean).all()


def test_the_likeness_that_is_fought_is_that_which_judges(fitted):
    """SSIM where the faces are, as scikit-image has it in ``privacy.seen``."""
    from skimage.metrics import structural_similarity

    _, chosen, examples, _ = fitted
    example = next(each for each in examples if each.faces)
    pixels = dataset.batch([example])
    spoilt = pixels.astype(np.float32) + np.random.default_rng(1).normal(0, 30, pixels.shape)
    drawn = torch.from_numpy(spoilt.astype(np.float32) / 127.5 - 1)
    edge = 3 / chosen.side  # where scikit-image has no whole window
    whole = np.array([[edge, edge, 1 - edge, 1 - edge]], np.float32)
    told = noise.likeness(drawn, torch.from_numpy(normalise(pixels)), [whole])
    known = structural_similarity(
        pixels[0, 0].astype(float), spoilt[0, 0], win_size=7, data_range=255, use_sample_covariance=False
    )
    assert float(told) == pytest.approx(known, abs=0.02)
    exact = torch.from_numpy(normalise(pixels))
    assert float(noise.likeness(exact, exact, [whole])) == pytest.approx(1, abs=1e-3)


def test_what_is_added_is_as_strong_as_it_says(fitted):
    _, chosen, _, clean = fitted
    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(len(clean[0]), len(clean[0]))).astype(np.float32)
    made = Noise(LEARNED, 0.5, mixing, rng.normal(size=(len(mixing), 3, 3)).astype(np.float32))
    added = made.add(np.zeros((200, *chosen.activation), np.float32), rng)
    assert added.std(axis=(0, 2, 3)) == pytest.approx(made.deviation, rel=0.05)


def test_noise_is_kept_as_it_is():
    made = Noise(LEARNED, 0.8, np.eye(4, dtype=np.float32), noise.alone(4))
    again = Noise.load(made.save(), "noise.npz")
    assert again.alpha == 0.8 and (again.mixing == made.mixing).all() and (again.kernels == made.kernels).all()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", Noise("magic", 1, np.eye(2), noise.alone(2)).save()])
def test_a_file_that_holds_no_noise_is_refused(content):
    with pytest.raises(BadInput, match=r"noise\.npz holds no noise"):
        Noise.load(content, "noise.npz")


@pytest.mark.parametrize("alpha", [-0.1, 1, 1.5, float("nan")])
def test_an_alpha_out_of_range_is_refused(alpha):
    with pytest.raises(BadInput, match="it is the share of noise, from 0 .none. to below 1"):
        noise.checked(alpha)


def test_blur_changes_the_picture_and_adds_nothing(fitted):
    _, chosen, examples, clean = fitted
    made = noise.plain(BLUR, 0.8, chosen, Features.of(clean))
    pixels = dataset.batch(examples[:2])
    assert made.prepare(pixels).std() < pixels.std()
    assert (made.add(clean, np.random.default_rng(1)) == clean).all()


# The rule and the comparison, on points made by hand


def swept(alpha: float, accuracy: float, likeness: float, spread: float = 0.001) -> choose.Swept:
    rng = np.random.default_rng(round(1000 * (alpha + accuracy)))
    figures = dict.fromkeys(choose.SHOWN_FIGURES, 0.5) | {AP: accuracy, "ssim": likeness, "recognised": likeness}
    draws = {name: value + spread * rng.standard_normal(200) for name, value in figures.items()}
    return choose.Swept(alpha, figures, draws)


NONE = swept(0, 0.95, 0.5)


def test_the_greatest_alpha_that_keeps_the_accuracy_is_chosen():
    points = [NONE, swept(0.5, 0.94, 0.4), swept(0.8, 0.90, 0.3), swept(0.9, 0.70, 0.2)]
    picked, reason = choose.pick(points, 0.1, 0.95)
    assert picked is not None and picked.alpha == 0.8
    assert reason.startswith("ALPHA 0.8: the greatest that loses at most 10% of the average precision without noise")


def test_where_no_alpha_obeys_the_rule_none_is_chosen():
    picked, reason = choose.pick([NONE, swept(0.5, 0.5, 0.4)], 0.1, 0.95)
    assert picked is None and "0.5 has 0.5000. Try smaller ones, or allow more to be lost." in reason
    picked, reason = choose.pick([NONE, swept(0.5, 0.94, 0.5, spread=0.1)], 0.1, 0.95)
    assert picked is None and "surely hides more than none: try greater ones" in reason


def test_equal_privacy_is_read_off_the_other_curve_between_its_points():
    learned = [NONE, swept(0.8, 0.90, 0.3)]
    plain = [NONE, swept(0.8, 0.75, 0.2)]
    told = choose.at_equal_privacy({LEARNED: learned, GAUSSIAN: plain}, GAUSSIAN, 0.95)
    between = 0.75 + (0.95 - 0.75) / 3
    assert told["gain"] == pytest.approx(0.90 - between, abs=1e-6) and told["low"] > 0
    assert [row[0] for row in told["each"]] == [0.8] and told["each"][0][1] == pytest.approx(told["gain"], abs=1e-4)
    far = choose.at_equal_privacy({LEARNED: [NONE, swept(0.8, 0.9, 0.1)], GAUSSIAN: plain}, GAUSSIAN, 0.95)
    assert far["gain"] == pytest.approx(0.90 - 0.75, abs=1e-6), "beyond its curve the other has its most private point"


def test_a_sweep_without_alpha_0_cannot_be_chosen_from(tmp_path):
    (tmp_path / "0.8").mkdir()
    (tmp_path / "0.8" / sweep.POINTS).write_text(json.dumps({"alpha": 0.8, "points": {}}))
    with pytest.raises(BadInput, match="sweep over 0 too"):
        choose.read(tmp_path)


def test_a_sweep_that_was_done_is_not_done_again(run_folder, faces):
    points = run_folder / "sweep" / "0.95" / sweep.POINTS
    before = points.stat().st_mtime_ns
    flags = [f"--network={run_folder}/network", f"--output={run_folder}/sweep", "--alpha=0.95", "--threads=1"]
    call(sweep.main, f"--data={faces}", *flags, "--noise-steps=5", "--attack-steps=80")
    assert points.stat().st_mtime_ns == before
