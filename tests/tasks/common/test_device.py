"""A program takes the GPU that its place gives, says what it ran on, and refuses one that is not there."""

from __future__ import annotations

import os

import pytest
import torch

from tasks.common import device
from tasks.common.program import BadInput


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda which: f"NVIDIA H100 as {which}")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)


def test_a_gpu_that_is_to_be_seen_is_taken_and_adds_up_in_one_order(gpu) -> None:
    assert device.chosen("auto") == "cuda"
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert (device.chosen("cuda:1"), device.named("cuda:1")) == ("cuda:1", "NVIDIA H100 as cuda:1")
    assert device.chosen("cpu") == "cpu"


def test_without_one_it_is_the_processor_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.chosen("auto") == "cpu"
    assert device.named("cpu") not in ("", "cpu")
    with pytest.raises(BadInput, match="--device is cuda, and torch sees no GPU here"):
        device.chosen("cuda")


def test_another_word_is_a_sentence() -> None:
    with pytest.raises(BadInput, match="--device is 'gpu'; give auto, cpu or cuda"):
        device.chosen("gpu")
