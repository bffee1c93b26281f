"""Workspaces and Triton servers in real pods. In place of JupyterLab and Triton, pods run small programs of the same
manners, since no registry with their images can be reached: what is tested is what is made around them.

``ONTAP_MLOPS_JUPYTER_IMAGE`` names an image with JupyterLab for one more test.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from ontap_mlops.kubernetes import errors, servers
from ontap_mlops.operators.kubernetes_claims import (
    KubernetesClaimCloneOperator,
    KubernetesClaimDeleteOperator,
    KubernetesClaimEnsureOperator,
)
from ontap_mlops.operators.kubernetes_servers import (
    KubernetesServerDeleteOperator,
    KubernetesTritonEnsureOperator,
    KubernetesWorkspaceCollectOperator,
    KubernetesWorkspaceEnsureOperator,
)
from tests.kubernetes.conftest import IMAGE
from tests.kubernetes.storage.conftest import MIB, Storage
from tests.kubernetes.waiting import wait_until

Run = Callable[..., Any]
ANSWERS = """
import http.server, os, pathlib, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        shown = self.headers.get("Authorization") == "token " + os.environ.get("JUPYTER_TOKEN", "?")
        open_to_all = self.path in ("/api", "/v2/health/ready", "/flags")
        self.send_response(200 if shown or open_to_all else 403)
        self.end_headers()
        if self.path == "/flags":
            self.wfile.write(" ".join(sys.argv[2:]).encode())
        elif shown:
            self.wfile.write((pathlib.Path(sys.argv[2]) / self.path[1:]).read_bytes())
http.server.HTTPServer(("", int(sys.argv[1])), Answer).serve_forever()
"""
TERMS = {"pull_policy": "IfNotPresent", "grace_s": 1}
WORKSPACE = {"image": IMAGE, "command": ["python3", "-c", ANSWERS, "8888", "/data"], "folder": "/data", "terms": TERMS}
TRITON = {"image": IMAGE, "program": ["python3", "-c", ANSWERS, "8000"], "terms": TERMS}


@pytest.fixture
def labels(storage: Storage, run_operator: Run) -> str:
    """A claim with a file, as a dataset version restored for a person."""
    run_operator(KubernetesClaimEnsureOperator, claim="labels", size_bytes=MIB, storage_class=storage.driver)
    storage.run("labels", "echo tyre > first && mkdir -p triton/tyre/3 triton/half && touch triton/tyre/config.pbtxt")
    return "labels"


def token_of(storage: Storage, workspace: dict[str, Any]) -> str:
    return base64.b64decode(storage.cluster.find("Secret", workspace["secret"])["data"]["JUPYTER_TOKEN"]).decode()


def test_a_workspace_shows_its_claim_to_whoever_has_the_token_until_its_end(
    storage: Storage, run_operator: Run, labels: str
):
    made = run_operator(
        KubernetesWorkspaceEnsureOperator, workspace="ada", claim=labels, dataset_version={"id": "v1"}, **WORKSPACE
    )
    token = token_of(storage, made)
    assert token not in str(made)
    shown = {"Authorization": f"token {token}"}
    assert httpx.get(f"{made['pod_url']}/first", headers=shown).text == "tyre\n"
    assert httpx.get(f"{made['pod_url']}/first").status_code == 403
    again = run_operator(
        KubernetesWorkspaceEnsureOperator, workspace="ada", claim=labels, days=9, dataset_version="v1", **WORKSPACE
    )
    assert (again["pod_url"], token_of(storage, again)) == (made["pod_url"], token), "a later end starts nothing anew"
    end = datetime.fromisoformat(again["until"])
    assert end - datetime.fromisoformat(made["until"]) == timedelta(days=2)
    now = {"namespace": storage.namespace, "now": end - timedelta(seconds=1)}
    assert servers.collect(storage.cluster, **now) == []
    with pytest.raises(errors.InUse, match="used by pod ada-"):
        run_operator(KubernetesClaimDeleteOperator, claim=labels)
    assert servers.collect(storage.cluster, namespace=storage.namespace, now=end) == ["ada"]
    assert storage.cluster.find("Secret", made["secret"]) is None
    assert storage.cluster.find("PersistentVolumeClaim", labels) is not None
    wait_until(lambda: not storage.cluster.select("Pod", {"ontap-mlops/server": "ada"}))


def test_a_workspace_whose_time_is_over_is_collected_and_others_stay(storage: Storage, run_operator: Run, labels: str):
    run_operator(KubernetesClaimCloneOperator, claim="copy-of-labels", source=labels)
    for name, days in (("over", 0.0001), ("lasts", None)):  # days are counted from the run, which was before now
        run_operator(KubernetesWorkspaceEnsureOperator, workspace=name, claim="copy-of-labels", days=days, **WORKSPACE)
    assert run_operator(KubernetesWorkspaceCollectOperator) == ["over"]
    assert run_operator(KubernetesServerDeleteOperator, server="lasts") is True
    assert run_operator(KubernetesServerDeleteOperator, server="lasts") is False


def test_a_server_that_never_gets_ready_is_removed_and_the_error_says_why(
    storage: Storage, run_operator: Run, labels: str
):
    given = {**WORKSPACE, "image": "localhost/not-there:1", "wait_limit_s": 6}
    with pytest.raises(errors.NotReady, match="run server .*/never .*(ErrImagePull|ImagePullBackOff)"):
        run_operator(KubernetesWorkspaceEnsureOperator, workspace="never", claim=labels, **given)
    for kind in ("Deployment", "Service"):
        assert storage.cluster.find(kind, "never") is None
    assert storage.cluster.find("Secret", "never-token") is None
    with pytest.raises(errors.NotFound, match="there is no claim .*/nothing"):
        run_operator(KubernetesWorkspaceEnsureOperator, workspace="never", claim="nothing", **WORKSPACE)
    assert storage.cluster.find("Deployment", "never") is None


def test_triton_loads_at_its_start_what_is_published_whole_and_nothing_else(
    storage: Storage, run_operator: Run, labels: str
):
    made = run_operator(KubernetesTritonEnsureOperator, server="tyre-triton", claim=labels, **TRITON)
    flags = httpx.get(f"{made['pod_url']}/flags").text.split()
    assert [each for each in flags if each.startswith("--load-model")] == ["--load-model=tyre"]
    assert {"--model-control-mode=explicit", "--model-repository=/models/triton"} <= set(flags)
    storage.cluster.delete(
        "Pod", storage.cluster.select("Pod", {"ontap-mlops/server": "tyre-triton"})[0]["metadata"]["name"]
    )
    again = run_operator(KubernetesTritonEnsureOperator, server="tyre-triton", claim=labels, **TRITON)
    assert httpx.get(f"{again['pod_url']}/v2/health/ready").status_code == 200
    assert run_operator(KubernetesServerDeleteOperator, server=made)


@pytest.mark.skipif("ONTAP_MLOPS_JUPYTER_IMAGE" not in os.environ, reason="ONTAP_MLOPS_JUPYTER_IMAGE names no image")
def test_jupyterlab_itself_asks_for_the_token_and_shows_and_keeps_files(
    storage: Storage, run_operator: Run, labels: str
):
    """With the command and the folder that are the defaults."""
    image = {"image": os.environ["ONTAP_MLOPS_JUPYTER_IMAGE"], "terms": TERMS}
    made = run_operator(KubernetesWorkspaceEnsureOperator, workspace="real", claim=labels, **image)
    shown, contents = {"Authorization": f"token {token_of(storage, made)}"}, f"{made['pod_url']}/api/contents"
    assert httpx.get(f"{contents}/first").status_code == 403
    assert httpx.get(f"{contents}/first", headers=shown).json()["content"] == "tyre\n"
    assert httpx.get(f"{made['pod_url']}/lab", headers=shown).status_code == 200
    file = {"type": "file", "format": "text", "content": "written in the lab"}
    assert httpx.put(f"{contents}/second", headers=shown, json=file).status_code == 201
    run_operator(KubernetesServerDeleteOperator, server=made)
    assert storage.run(labels, "cat second") == "written in the lab"
