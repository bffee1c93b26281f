"""The command that lists dataset versions, as a user's shell or script calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from ontap_mlops import registry
from ontap_mlops.ontap import dataset_versions, volumes
from tests.conftest import REPOSITORY


@pytest.fixture
def versions(client, ontap):
    """Two versions of the dataset tyre_images, an hour apart."""
    dataset = registry.dataset("tyre_images").model_copy(update={"svm": "svm1"})
    volumes.ensure(
        client,
        svm=dataset.svm,
        name=dataset.volume,
        size_bytes=dataset.size_bytes,
        comment="ontap-mlops dataset tyre_images",
        junction_path=f"/{dataset.volume}",
    )
    made = []
    for number in (1, 2):
        facts = {"digest": f"{number}" * 64, "files": number, "size": number, "run_key": f"r{number}"}
        where = {"svm": dataset.svm, "volume": dataset.volume, "dataset": dataset.name, "source": dataset.source}
        made.append(dataset_versions.freeze(client, **where, **facts).version)
        ontap.control("PUT", "/clock", {"offset_s": 3600 * number})
    return made


def command(ontap, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {"AIRFLOW_CONN_ONTAP_DEFAULT": ontap.connection()}
    line = [sys.executable, "-m", "scripts.versions", *arguments]
    return subprocess.run(
        line, env={**os.environ, **known, **environment}, cwd=REPOSITORY, capture_output=True, text=True
    )


def test_stdout_is_json_and_nothing_else(ontap, versions):
    done = command(ontap, "--dataset", "tyre_images", AIRFLOW__LOGGING__LOGGING_LEVEL="DEBUG")
    assert done.returncode == 0, done.stderr
    assert [version["id"] for version in json.loads(done.stdout)] == [version.id for version in versions]


def test_as_of_gives_the_version_of_that_time(ontap, versions):
    between = datetime.fromisoformat(versions[0].created_at) + timedelta(minutes=30)
    done = command(ontap, "--dataset", "tyre_images", "--as-of", between.isoformat())
    assert json.loads(done.stdout) == versions[0].to_json()


def test_before_the_first_version_is_a_sentence(ontap, versions):
    done = command(ontap, "--dataset", "tyre_images", "--as-of", "2020-01-01T00:00:00Z")
    assert done.returncode == 2 and done.stdout == ""
    assert "tyre_images had no version at 2020-01-01T00:00:00+00:00" in done.stderr.splitlines()[-1]


def test_an_unknown_dataset_and_a_missing_connection_are_sentences(ontap):
    done = command(ontap, "--dataset", "cats")
    assert done.returncode == 2 and "cats" in done.stderr.splitlines()[-1]
    done = command(ontap, "--dataset", "tyre_images", AIRFLOW_CONN_ONTAP_DEFAULT="")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "ontap_default" in done.stderr
