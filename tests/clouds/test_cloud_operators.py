"""What all operators beside ONTAP have in common."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys

import pytest
from airflow.sdk import BaseHook, BaseOperator
from airflow.sdk.module_loading import import_string

from ontap_mlops import provider
from ontap_mlops.clouds import errors
from ontap_mlops.operators.retry import RETRY_POLICY
from ontap_mlops.operators.xcp import _Xcp
from tests.conftest import REPOSITORY

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY / "plugins")}
MODULES = ("copy_sync", "fsx", "xcp", "azure_netapp", "google_netapp")
OPERATORS = [
    kind
    for module in MODULES
    for name, kind in inspect.getmembers(importlib.import_module(f"ontap_mlops.operators.{module}"), inspect.isclass)
    if kind.__module__ == f"ontap_mlops.operators.{module}" and not name.startswith("_")
]


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda kind: kind.__name__)
def test_no_parameter_hides_one_of_airflows(operator: type[BaseOperator]) -> None:
    """One called ``pool`` would be the pool in which the task waits for a slot."""
    own = set(inspect.signature(operator.__init__).parameters) - {"self", "kwargs", "task_id"}
    own -= {"retries", "retry_delay", "retry_exponential_backoff", "max_retry_delay", "retry_policy", "doc_md"}
    airflows = {*inspect.signature(BaseOperator.__init__).parameters, *dir(BaseOperator)}
    assert own & airflows == set()


@pytest.mark.parametrize(
    "operator", [kind for kind in OPERATORS if not issubclass(kind, _Xcp)], ids=lambda kind: kind.__name__
)
def test_hook_and_look_are_there(operator: type[BaseOperator]) -> None:
    assert hasattr(import_string(operator.hook_class), "client")
    for name in (getattr(operator, "look", ""), getattr(operator, "cancel", "")):
        assert not name or callable(import_string(name))


@pytest.mark.parametrize(
    "form", provider.get_provider_info()["connection-types"][1:], ids=lambda form: form["connection-type"]
)
def test_every_connection_type_has_its_hook(form: dict) -> None:
    hook = import_string(form["hook-class-name"])
    assert issubclass(hook, BaseHook)
    assert (hook.conn_type, hook.hook_name) == (form["connection-type"], form["hook-name"])


@pytest.mark.parametrize(
    "kind", [k for _, k in inspect.getmembers(errors, inspect.isclass) if k is not errors.CloudError]
)
def test_retries_follow_the_kind_of_error(kind: type[errors.CloudError]) -> None:
    from airflow.sdk import RetryAction

    wanted = RetryAction.FAIL if issubclass(kind, errors.CloudPermanentError) else RetryAction.RETRY
    decided = RETRY_POLICY.evaluate(kind("x"), 1, 4)
    assert decided.action is wanted


def test_parsing_a_dag_pays_for_no_clouds_library() -> None:
    modules = ", ".join(f"ontap_mlops.operators.{module}" for module in MODULES)
    heavy = ("azure", "google.cloud", "google.auth", "boto3", "botocore", "requests_oauthlib")
    code = f"import sys, {modules}; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stdout + done.stderr
