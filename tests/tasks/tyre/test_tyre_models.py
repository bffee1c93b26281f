"""A trained model's files: they agree with each other, and a server with them is asked as a real one would be."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import shutil
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import ExifTags, Image

from tasks.common import program
from tasks.common.data import open_source
from tasks.common.inference import infer_url
from tasks.common.metrics import softmax
from tasks.tyre import dataset, evaluate, export, predict, preprocessing, train
from tasks.tyre.model import build


def call(main: Any, result: Path, *flags: str) -> tuple[int, dict[str, Any]]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("RESULT_FILE", str(result))
        monkeypatch.setattr(sys, "argv", ["program", *flags])
        code = program.exit_code(main)
    return code, json.loads(result.read_text()) if code == 0 else {}


@pytest.fixture(scope="module")
def model(tyres: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("model") / "run"
    flags = (f"--data={tyres}", f"--output={output}", "--epochs=1", "--threads=1")
    assert call(train.main, output.parent / "result.json", *flags)[0] == 0
    return output


@pytest.fixture
def pixels(tyres: Path) -> np.ndarray:
    store = open_source(str(tyres))
    images = [preprocessing.decode(store.read(e.key)) for e in dataset.list_images(store)[:5]]
    return preprocessing.normalise(np.stack(images))


def onnx_logits(model: Path, pixels: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model / "model.onnx", providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"images": pixels})[0]


def test_onnx_torchscript_and_weights_give_the_same_logits(model: Path, pixels: np.ndarray):
    network = build("compact").eval()
    network.load_state_dict(torch.load(model / "weights.pt", weights_only=True))
    with torch.no_grad():
        eager = network(torch.from_numpy(pixels)).numpy()
        script = torch.jit.load(model / "model.pt")(torch.from_numpy(pixels)).numpy()
    assert eager.shape == (5, 2)
    np.testing.assert_allclose(script, eager, atol=1e-5)
    np.testing.assert_allclose(onnx_logits(model, pixels), eager, atol=1e-4)


def test_a_network_that_is_exported_wrongly_is_never_a_model(model: Path):
    with pytest.raises(RuntimeError, match="answers .* otherwise than the network it was made from"):
        export.check_same(build("compact").eval(), (model / "model.onnx").read_bytes())  # of other weights


def test_onnx_takes_any_number_of_images(model: Path, pixels: np.ndarray):
    np.testing.assert_allclose(onnx_logits(model, pixels[:1]), onnx_logits(model, pixels)[:1], atol=1e-5)


def test_the_description_tells_classes_data_and_the_files_digests(model: Path, tyres: Path):
    told = json.loads((model / "model.json").read_text())
    assert told["classes"] == ["defective", "good"]
    assert told["data"]["digest"] == dataset.load(open_source(str(tyres))).digest
    of_mlflow = {"MLmodel", "requirements.txt"}
    assert set(told["files"]) == {"model.onnx", "model.pt", "weights.pt", "model.tar.gz", *of_mlflow}
    for name, digest in told["files"].items():
        assert hashlib.sha256((model / name).read_bytes()).hexdigest() == digest


def test_the_archive_serves_an_image_file_as_sagemaker_would(
    model: Path, tyres: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with tarfile.open(model / "model.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.syspath_prepend(tmp_path / "code")
    spec = importlib.util.spec_from_file_location("inference", tmp_path / "code" / "inference.py")
    inference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(inference)
    loaded = inference.model_fn(str(tmp_path))
    store = open_source(str(tyres))
    content = store.read(dataset.list_images(store)[0].key)
    text, kind = inference.output_fn(inference.predict_fn(inference.input_fn(content, "image/png"), loaded), "")
    expected = softmax(onnx_logits(model, preprocessing.normalise(preprocessing.decode(content)[None])))[0]
    assert kind == "application/json"
    assert json.loads(text)[0] == pytest.approx(dict(zip(["defective", "good"], expected, strict=True)), abs=1e-3)
    for form, image in odd_pictures().items():
        file = io.BytesIO()
        image.save(file, form, **({"exif": image.getexif()} if form == "JPEG" else {}))
        served = inference.input_fn(file.getvalue(), f"image/{form.lower()}")
        assert np.array_equal(served, preprocessing.normalise(preprocessing.decode(file.getvalue())[None]))


def odd_pictures() -> dict[str, Image.Image]:
    """A large photograph on its side, and 16 bit."""
    noise = np.random.default_rng(1).integers(0, 256, (1200, 1600, 3), dtype=np.uint8)
    large = Image.fromarray(noise)
    large.getexif()[ExifTags.Base.Orientation] = 6
    return {"JPEG": large, "PNG": Image.fromarray(noise[:, :, 0].astype(np.uint16) * 257)}


def test_evaluation_judges_several_models_on_the_held_out_images_only(model: Path, tyres: Path, tmp_path: Path):
    flags = [f"--data={tyres}", f"--model=challenger={model}", f"--model=champion={model / 'model.onnx'}"]
    code, result = call(evaluate.main, tmp_path / "result.json", *flags, f"--output={tmp_path}")
    assert code == 0
    trained = json.loads((model / "model.json").read_text())
    assert result["held_out"] == trained["data"]["held_out"]
    assert (
        result["metrics"]["champion"] == result["metrics"]["challenger"] == pytest.approx(trained["metrics"], abs=1e-4)
    )
    assert result["compared"] == result["held_out"]
    assert result["comparison"]["accuracy"]["gain"] == 0
    pictures = {path.name: Image.open(path).size for path in tmp_path.glob("*.png")}
    names = {"confusion_challenger.png", "confusion_champion.png", "mistakes_challenger.png", "mistakes_champion.png"}
    assert pictures.keys() == names | {"roc.png"}
    assert min(min(size) for size in pictures.values()) > 100
    assert result["pictures"] == ["roc.png", *sorted(names, key=lambda name: (name[0], name))]


def test_a_picture_of_a_mistake_is_captioned_with_the_files_name(tyres: Path):
    images = dataset.load(open_source(str(tyres)))
    wrong = np.array([0.0 if example.label == images.positive else 1.0 for example in images.held_out])
    found = evaluate._mistakes(images, wrong)
    assert [caption[0] for _, caption in found] == [example.key.rpartition("/")[2] for example in images.held_out]
    assert all("100%" in caption[1] for _, caption in found)


@pytest.mark.parametrize("name", ["a.png", "x" * 26, "photograph_of_line_3_2026-11-20T06:00:00.000_left.png"])
def test_a_long_file_name_keeps_both_its_ends(name: str):
    from tasks.common.sheet import LETTERS, _fitting

    shown = _fitting(name)
    assert len(shown) <= LETTERS
    assert shown[:5] == name[:5] and shown[-5:] == name[-5:]


@pytest.fixture
def changed(model: Path, tmp_path: Path):
    """The model with another description."""

    def call(name: str, **changes: Any) -> Path:
        folder = tmp_path / name
        shutil.copytree(model, folder)
        told = json.loads((folder / "model.json").read_text())
        (folder / "model.json").write_text(json.dumps({**told, **changes}))
        return folder

    return call


def test_models_are_compared_on_images_that_both_held_out(model: Path, tyres: Path, tmp_path: Path, changed):
    """As two trainings with other shares leave them; which images those are is decided by their content."""
    challenger = changed("wide", data={"held_out_share": 0.6})
    flags = [f"--data={tyres}", f"--model=challenger={challenger}", f"--model=champion={model}"]
    code, result = call(evaluate.main, tmp_path / "result.json", *flags)
    assert code == 0
    assert result["compared"] == json.loads((model / "model.json").read_text())["data"]["held_out"]
    assert result["held_out"] > result["compared"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data": {}}, "Model champion does not say which images its training held out"),
        ({"data": {"held_out_share": 0}}, "Model champion has trained on all"),
        ({"classes": ["cat", "dog"]}, "Model champion tells cat from dog; the data has defective, good."),
        (
            {"preprocessing": {}},
            "Model champion was trained on images prepared in another way; train it again, or promote without",
        ),
    ],
)
def test_a_champion_that_cannot_be_compared_is_told_in_a_sentence(model, tyres, tmp_path, changed, changes, sentence):
    flags = [f"--data={tyres}", f"--model=challenger={model}", f"--model=champion={changed('old', **changes)}"]
    code, result = call(evaluate.main, tmp_path / "result.json", *flags)
    assert (code, list(result["metrics"])) == (0, ["challenger"])
    assert sentence in result["refused"]
    assert "comparison" not in result


def test_a_challenger_that_does_not_say_what_it_held_out_is_refused(tyres, tmp_path, changed, capsys):
    flags = [f"--data={tyres}", f"--model=challenger={changed('new', data={})}"]
    assert call(evaluate.main, tmp_path / "result.json", *flags)[0] == 2
    assert "Model challenger does not say which images its training held out" in capsys.readouterr().err


@pytest.fixture
def endpoint(model: Path) -> Iterator[str]:
    """The infer call of the Open Inference Protocol, over HTTP, for version 3 of model ``tyre``."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = self.path in ("/v2/models/tyre/infer", "/v2/models/tyre/versions/3/infer")
            answer = self.infer(asked["inputs"][0]) if known else {"error": "unknown model"}
            body = json.dumps(answer).encode()
            self.send_response(200 if known else 400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def infer(self, tensor: dict[str, Any]) -> dict[str, Any]:
            values = onnx_logits(model, np.array(tensor["data"], np.float32).reshape(tensor["shape"]))
            output = {
                "name": "logits",
                "datatype": "FP32",
                "shape": list(values.shape),
                "data": values.ravel().tolist(),
            }
            return {"outputs": [output]}

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_one_image_is_asked_about_and_answered(endpoint: str, model: Path, tyres: Path, tmp_path: Path):
    store = open_source(str(tyres))
    key = next(e.key for e in dataset.list_images(store) if e.key.startswith("good/"))
    flags = [f"--endpoint={endpoint}", "--version=3", f"--model={model}", f"--image={tyres / key}"]
    code, result = call(predict.main, tmp_path / "result.json", *flags)
    assert code == 0
    expected = softmax(onnx_logits(model, preprocessing.normalise(preprocessing.decode(store.read(key))[None])))[0]
    assert result["predicted"] == ["defective", "good"][expected.argmax()]
    assert result["probability"] == pytest.approx(expected.max(), abs=1e-5)
    assert result["actual"] == "good"
    assert result["endpoint"] == f"{endpoint}/v2/models/tyre/versions/3/infer"


def test_of_a_data_set_an_image_no_training_saw_is_asked_about(endpoint: str, tyres: Path, tmp_path: Path):
    code, result = call(predict.main, tmp_path / "result.json", f"--endpoint={endpoint}", f"--data={tyres}")
    assert code == 0
    held_out = dataset.load(open_source(str(tyres))).held_out
    assert result["image"] in {str(tyres / example.key) for example in held_out}


@pytest.mark.parametrize(
    ("address", "version", "url"),
    [
        ("http://h:1", "", "http://h:1/v2/models/tyre/infer"),
        ("http://h:1/", "2", "http://h:1/v2/models/tyre/versions/2/infer"),
        ("http://h:1/v2/models/x/infer", "2", "http://h:1/v2/models/x/versions/2/infer"),
        ("http://h:1/v2/models/x/versions/5/infer", "5", "http://h:1/v2/models/x/versions/5/infer"),
    ],
)
def test_the_address_may_be_a_servers_or_a_models(address: str, version: str, url: str):
    assert infer_url(address, "tyre", version) == url


def test_a_refusal_and_a_silent_server_are_told_apart(endpoint: str, tyres: Path, tmp_path: Path, capsys):
    image = next(tyres.glob("good/*"))
    result = tmp_path / "result.json"
    assert call(predict.main, result, f"--endpoint={endpoint}", "--version=9", f"--image={image}")[0] == 2
    assert "refused" in capsys.readouterr().err.splitlines()[-1]
    assert call(predict.main, result, "--endpoint=http://127.0.0.1:9", f"--image={image}")[0] == 1
    assert "No inference server answers" in capsys.readouterr().err.splitlines()[-1]
