"""AWS on this machine, once for all tests of a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aws.local_aws import LocalAws, local_aws
from tests.ontap_mlops.operators.conftest import context, folder  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def aws_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with local_aws(tmp_path_factory.mktemp("sagemaker")) as service:
        yield service


@pytest.fixture
def aws(aws_running: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    from ontap_mlops.compute import connections

    aws_running.forget()
    connections._aws.clear()
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", aws_running.connection())
    yield aws_running
    connections._aws.clear()


@pytest.fixture
def keys(aws: LocalAws) -> list[str]:
    """Everything in the staging bucket, as a function would tell it now."""
    return [item["Key"] for item in aws.s3.list_objects_v2(Bucket="staging").get("Contents", [])]


@pytest.fixture
def place(tmp_path: Path) -> dict[str, Any]:
    from tests.aws.local_aws import IMAGE, ROLE

    return {"kind": "sagemaker", "role_arn": ROLE, "image": IMAGE, "staging": "s3://staging/jobs"}
