"""What the inference server finds in its repository after each step, and after a step that was cut short."""

import json
import shutil
from pathlib import Path

import pytest

from tasks.common.program import BadInput
from tasks.models.folders import digest_of
from tasks.models.repository import ServedModel
from tasks.models.triton_config import as_text, from_onnx
from tests.inference_server.models import write_onnx


@pytest.fixture
def served(tmp_path) -> ServedModel:
    return ServedModel(tmp_path / "triton", "tyre")


@pytest.fixture
def published(tmp_path):
    def make(version: int) -> Path:
        write_onnx(tmp_path / f"model{version}" / "model.onnx", version)
        return tmp_path / f"model{version}"

    return make


def place(served: ServedModel, folder: Path, version: int, digest: str = "") -> dict:
    return served.place(folder, version, digest, 16, {"run_key": f"r{version}"})


def test_placing_a_version_changes_nothing_that_serves(served, published):
    place(served, published(1), 1)
    served.activate(1, 3)
    before = (served.folder / "config.pbtxt").read_text()
    placed = place(served, published(2), 2)
    assert (served.folder / "config.pbtxt").read_text() == before
    assert placed["config"]["version_policy"] == {"specific": {"versions": [2]}}
    assert placed["active"]["version_policy"] == {"specific": {"versions": [1]}}
    assert len(json.dumps(placed)) < 4096


def test_the_first_version_has_nothing_to_return_to(served, published):
    assert place(served, published(1), 1)["active"] is None
    assert not (served.folder / "config.pbtxt").exists()


def test_every_step_can_be_run_again(served, published):
    first, second = published(1), published(2)
    for _ in range(2):
        place(served, first, 1)
        served.activate(1, 3)
    for _ in range(2):
        again = place(served, second, 2)
        result = served.activate(2, 3)
    assert result["kept"] == [1, 2]
    assert again["active"]["version_policy"] == {"specific": {"versions": [2]}}
    assert served.put_back(2) == served.put_back(2)
    assert served.history() == [1]


def test_what_is_put_back_leaves_the_version_before_it_active(served, published):
    for version in (1, 2):
        place(served, published(version), version)
        served.activate(version, 3)
    before = (served.folder / "config.pbtxt").read_text()
    place(served, published(3), 3)
    served.activate(3, 3)
    put_back = served.put_back(3)
    assert put_back["active"]["version_policy"] == {"specific": {"versions": [2]}}
    assert (served.folder / "config.pbtxt").read_text() == before


def test_a_version_that_is_not_active_is_nothing_to_put_back(served, published):
    for version in (1, 2):
        place(served, published(version), version)
    served.activate(1, 3)
    assert served.put_back(2)["active"]["version_policy"] == {"specific": {"versions": [1]}}
    assert served.history() == [1]


def test_a_first_version_that_is_put_back_leaves_nothing_to_serve(served, published):
    place(served, published(1), 1)
    served.activate(1, 3)
    assert [served.put_back(1)["active"] for _ in range(2)] == [None, None]
    assert not (served.folder / "config.pbtxt").exists()


def test_an_earlier_version_can_be_deployed_again_and_put_back(served, published):
    for version in (1, 2):
        place(served, published(version), version)
        served.activate(version, 3)
    place(served, published(1), 1)
    served.activate(1, 3)
    assert served.history() == [2, 1]
    assert served.put_back(1)["active"]["version_policy"] == {"specific": {"versions": [2]}}


def test_only_versions_that_can_be_returned_to_are_kept(served, published):
    for version in (1, 2, 3):
        place(served, published(version), version)
        served.activate(version, 2)
    place(served, published(4), 4)
    assert served.activate(3, 2) == {"name": "tyre", "version": 3, "kept": [2, 3], "removed": []}
    assert sorted(p.name for p in served.folder.iterdir()) == ["2", "3", "4", "config.pbtxt"]


def test_a_version_never_changes(served, published):
    place(served, published(1), 1)
    with pytest.raises(BadInput, match="holds another model than the one to serve, and a version never changes"):
        place(served, published(2), 1)


def test_files_changed_since_registration_are_refused(served, published):
    folder = published(1)
    digest = digest_of(folder.iterdir())
    write_onnx(folder / "model.onnx", 9)
    with pytest.raises(BadInput, match=f"not {digest} as registered"):
        place(served, folder, 1, digest)
    assert not served.folder.exists()


def test_a_broken_onnx_file_is_refused_before_any_server_sees_it(served, published):
    folder = published(1)
    (folder / "model.onnx").write_bytes(b"\x08\x07garbage")
    with pytest.raises(BadInput, match="model.onnx is not an ONNX model"):
        place(served, folder, 1)
    assert not served.folder.exists()


def test_a_configuration_of_somebody_else_is_not_touched(served, published):
    place(served, published(1), 1)
    (served.folder / "config.pbtxt").write_text('backend: "python"\n')
    with pytest.raises(BadInput, match="was not written by this program; serve under another name"):
        served.activate(1, 3)
    assert (served.folder / "config.pbtxt").read_text() == 'backend: "python"\n'


def test_activating_a_version_that_was_never_placed_says_so(served):
    with pytest.raises(BadInput, match="Version 7 of tyre is not in .*: place it first"):
        served.activate(7, 3)


def test_a_try_killed_while_placing_is_no_obstacle(served, published):
    folder = published(1)
    place(served, folder, 1)
    shutil.move(served.folder / "1", served.folder / ".1.partial")
    (served.folder / ".1.partial" / "model.onnx").write_bytes(b"half")
    place(served, folder, 1)
    assert sorted(p.name for p in served.folder.iterdir()) == ["1"]
    assert (served.folder / "1" / "model.onnx").read_bytes() == (folder / "model.onnx").read_bytes()


def test_a_model_with_a_free_first_axis_is_batched_and_one_without_is_not(tmp_path):
    write_onnx(tmp_path / "free.onnx", 1)
    write_onnx(tmp_path / "fixed.onnx", 1, batched=False)
    free, fixed = (from_onnx("m", 1, tmp_path / f"{kind}.onnx", 8, {}) for kind in ("free", "fixed"))
    assert (free["max_batch_size"], free["input"][0]["dims"]) == (8, [3, 4, 4])
    assert "dynamic_batching" in free
    assert (fixed["max_batch_size"], fixed["input"][0]["dims"]) == (0, [1, 3, 4, 4])
    assert "dynamic_batching" not in fixed
    assert free["input"][0]["data_type"] == "TYPE_FP32"


def test_the_text_form_quotes_what_must_be_quoted():
    given = {"name": 'a"b', "input": [{"data_type": "TYPE_FP32", "dims": [1, -1]}]}
    text = as_text({**given, "parameters": {"k": {"string_value": "v"}}})
    assert [line.strip() for line in text.splitlines()] == [
        'name: "a\\"b"',
        *("input {", "data_type: TYPE_FP32", "dims: 1", "dims: -1", "}"),
        *("parameters {", 'key: "k"', "value {", 'string_value: "v"', "}", "}"),
    ]
