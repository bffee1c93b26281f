"""The embedded inference server itself: what it serves after a start, how it batches, what it leaves behind."""

import json
import signal
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ontap_mlops.hooks.inference import InferenceHook, ModelLoadFailed, ModelNotFound
from ontap_mlops.hooks.rest import ServiceRefused, ServiceUnavailable
from tasks.models.repository import ServedModel
from tests.inference_server.models import ONES_SCORE, SHAPE, ones, write_onnx
from tests.serving import connection, triton_over
from tests.until import until

pytestmark = pytest.mark.triton


@pytest.fixture
def hook(triton, monkeypatch) -> InferenceHook:
    monkeypatch.setenv("AIRFLOW_CONN_INFERENCE_DEFAULT", connection(triton.http))
    return InferenceHook()


def place(triton, version: int, *, name: str = "tyre", factor: float | None = None, activate: bool = True) -> dict:
    source = triton.repository.parent / f"published{version}"
    write_onnx(source / "model.onnx", version if factor is None else factor)
    served = ServedModel(triton.repository, name)
    written = served.place(source, version, "", 16, {})
    if activate:
        served.activate(version, 3)
    return written


def score(hook: InferenceHook, tensors: list | None = None) -> list[float]:
    return hook.infer("tyre", tensors or ones())["outputs"][0]["data"]


def processes_of(text: str) -> list[str]:
    """Command lines of running processes that hold ``text`` in command or environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command, variables = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in command + variables and b"triton" in command.split(b"\0")[0]:
            found.append(command.decode().replace("\0", " "))
    return found


def test_a_start_serves_what_has_been_deployed_at_the_active_version(triton, hook):
    place(triton, 1)
    place(triton, 2)
    place(triton, 3, activate=False)
    triton.start()
    assert hook.metadata("tyre")["versions"] == ["2"]
    assert score(hook) == [2 * ONES_SCORE]
    triton.stop()
    triton.start()
    assert score(hook) == [2 * ONES_SCORE]


def test_one_broken_model_does_not_keep_the_others_from_serving(triton, hook):
    place(triton, 1)
    (triton.repository / "broken" / "1").mkdir(parents=True)
    (triton.repository / "broken" / "1" / "model.onnx").write_bytes(b"no model")
    text = (triton.repository / "tyre" / "config.pbtxt").read_text()
    (triton.repository / "broken" / "config.pbtxt").write_text(text.replace('"tyre"', '"broken"'))
    triton.start()
    assert score(hook) == [ONES_SCORE]
    assert not hook.model_ready("broken")


def test_a_repository_that_comes_into_being_later_is_waited_for(triton, hook):
    triton.repository.rmdir()
    triton.start(wait=False)
    time.sleep(0.5)
    assert triton.running
    assert not hook.ready()
    triton.repository.mkdir()
    hook.wait_ready(30)


def test_requests_are_joined_and_each_gets_its_own_answer(triton, hook):
    place(triton, 1)
    triton.start()
    sizes = [1, 2, 3, 1, 4, 1, 2, 1] * 4
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: score(hook, ones(n)), sizes))
    assert answers == [[ONES_SCORE] * n for n in sizes]
    with urllib.request.urlopen(f"{triton.url}/v2/models/tyre/stats") as answer:
        stats = json.load(answer)["model_stats"][0]
    assert stats["inference_count"] == sum(sizes)
    assert stats["execution_count"] < len(sizes)


def test_a_request_the_model_cannot_take_is_refused_in_tritons_words(triton, hook):
    place(triton, 1)
    triton.start()
    wrong = [{**ones()[0], "shape": [1, 4, 4, 3]}]
    with pytest.raises(ServiceRefused, match="asked to infer with model tyre and answered 400: .*unexpected shape"):
        hook.infer("tyre", wrong)
    assert score(hook) == [ONES_SCORE]


def test_only_who_shows_the_token_changes_what_is_served(triton, monkeypatch):
    """A page in a browser can send a POST without a body to any address of this machine, but no header."""
    monkeypatch.setenv("TRITON_CONTROL_TOKEN", "let-me-in")
    place(triton, 1)
    triton.start()
    monkeypatch.setenv("AIRFLOW_CONN_INFERENCE_DEFAULT", connection(triton.http))
    for path in ("models/tyre/unload", "models/tyre/load", "index"):
        foreign = urllib.request.Request(
            f"{triton.url}/v2/repository/{path}", data=b"", headers={"Origin": "http://evil.example"}
        )
        with pytest.raises(urllib.error.HTTPError, match="403|401"):
            urllib.request.urlopen(foreign)
    with pytest.raises(ServiceRefused):
        InferenceHook().unload("tyre")
    assert score(InferenceHook()) == [ONES_SCORE], "whoever may ask it may ask without a token"
    allowed = {"conn_type": "http", "host": "127.0.0.1", "port": triton.http, "extra": {"token": "let-me-in"}}
    monkeypatch.setenv("AIRFLOW_CONN_INFERENCE_DEFAULT", json.dumps(allowed))
    InferenceHook().unload("tyre")
    assert not InferenceHook().model_ready("tyre")


@pytest.mark.parametrize("name", ["a b", "100% (x) 'q' #1 ;é $HOME"])
def test_models_and_backends_may_lie_in_a_folder_of_any_name(name, tmp_path, monkeypatch):
    (tmp_path / name).mkdir()
    with triton_over(tmp_path / name) as server:
        server.arguments = (f"--backends-dir={tmp_path / name / 'backends'}",)
        place(server, 1)
        server.start()
        monkeypatch.setenv("AIRFLOW_CONN_INFERENCE_DEFAULT", connection(server.http))
        assert score(InferenceHook()) == [ONES_SCORE]


def test_no_request_fails_while_the_version_changes(triton, hook):
    place(triton, 1)
    triton.start()
    seen, done = [], threading.Event()

    def ask() -> None:
        while not done.is_set():
            seen.append(score(hook)[0])

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        hook.load("tyre", place(triton, 2)["config"])
        until(lambda: seen and seen[-1] != ONES_SCORE, lambda: f"version 2 never answers: {seen[-3:]}")
        done.set()
        asking.result()
    assert seen == sorted(seen)
    assert {seen[0], seen[-1]} == {ONES_SCORE, 2 * ONES_SCORE}


def test_a_model_that_is_not_there_is_named(triton, hook):
    triton.start()
    with pytest.raises(ModelNotFound, match="infer with model tyre .*'tyre' is not found.*Deploy the model first"):
        hook.infer("tyre", ones())
    with pytest.raises(ModelLoadFailed, match="asked to load model tyre .*failed to load 'tyre'"):
        hook.load("tyre")
    assert hook.config("tyre") is None


def test_a_server_that_is_down_gets_one_sentence(triton, hook):
    with pytest.raises(
        ServiceUnavailable, match=rf"at {triton.url} \(connection inference_default\) was not ready within"
    ):
        hook.wait_ready(0.1)
    with pytest.raises(ServiceUnavailable, match="was asked to infer with model tyre and gave no answer .*refused"):
        hook.infer("tyre", ones())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_of_the_server_outlives_it(triton, hook, number):
    place(triton, 1)
    triton.start()
    assert len(processes_of(str(triton.http))) >= 1
    triton.stop(number)
    until(lambda: not processes_of(str(triton.repository)), lambda: processes_of(str(triton.repository)))


def test_only_this_machine_is_listened_to(triton):
    triton.start()
    listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    for port in (triton.http, triton.grpc, triton.metrics):
        local = [line.split()[1] for line in listening.splitlines() if f":{port:04X} " in line and " 0A " in line]
        assert local
        assert all(address.endswith(f"0100007F:{port:04X}") for address in local)


def test_torchscript_is_served_where_torch_can_be_imported(triton, hook):
    torch = pytest.importorskip("torch")

    class Sum(torch.nn.Module):
        def forward(self, x):
            return x.flatten(1).sum(1, keepdim=True) * 5

    folder = triton.repository / "tyre"
    (folder / "1").mkdir(parents=True)
    torch.jit.script(Sum()).save(str(folder / "1" / "model.pt"))
    (folder / "config.pbtxt").write_text(
        'name: "tyre" backend: "pytorch" max_batch_size: 4 dynamic_batching {} '
        f'input {{ name: "image" data_type: TYPE_FP32 dims: {list(SHAPE)} }} '
        'output { name: "score" data_type: TYPE_FP32 dims: [1] } instance_group { count: 1 kind: KIND_CPU }'
    )
    triton.arguments = ("--torch-path", str(Path(torch.__file__).parents[1]))
    triton.start()
    assert score(hook, ones(2)) == [5 * ONES_SCORE] * 2
