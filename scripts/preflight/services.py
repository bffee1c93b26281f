"""Everything but ONTAP: configuration, data lake, programs at places, MLflow, inference server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ontap_mlops import registry, settings, sites
from ontap_mlops.compute import places
from ontap_mlops.compute.kinds.local import LocalRunner
from scripts.preflight import Check, Failed


def configuration() -> list[Check]:
    datasets = Check("datasets.yaml", lambda: f"names {_listed(registry.datasets())}", "ingest_*, every training DAG")
    compute = Check("compute.yaml", lambda: f"names {_listed(places.places())}", "every task that runs a program")
    others = Check("sites.yaml", lambda: f"names {_listed(sites.sites())}", "cache_dataset, replicate")
    return [
        Check("[ontap_mlops] config_dir", lambda: str(settings.config_dir()), "every DAG"),
        datasets,
        compute,
        others,
    ]


def checks(mlflow_conn_id: str, inference_conn_id: str) -> list[Check]:
    found = [
        Check(f"programs at place {name}", partial(_programs, name), "every task that runs a program")
        for name in _known(places.places)
    ]
    found += [
        Check(f"source of dataset {name}", partial(_source, name), f"ingest_{name}.sync")
        for name in _known(registry.datasets)
    ]
    return [
        *found,
        Check(f"MLflow, {mlflow_conn_id}", partial(_mlflow, mlflow_conn_id), "record, promote.register, evaluate"),
        Check(
            f"inference server, {inference_conn_id}", partial(_inference, inference_conn_id), "deploy of online models"
        ),
    ]


def _known(read: Callable[[], Mapping[str, object]]) -> list[str]:
    """Names in a configuration file; none where it cannot be read, which has a line of its own."""
    try:
        return sorted(read())
    except ValueError:
        return []


def _programs(place: str) -> str:
    runner = places.runner(place)
    if not isinstance(runner, LocalRunner):
        return "not on this machine; not looked at"
    runner.check_program("tasks.data.check")
    return f"run by {runner.python} in {runner.working_directory}"


def _source(name: str) -> str:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    from ontap_mlops.hooks.credentials import aws_environment

    dataset = registry.dataset(name)
    known = aws_environment(dataset.source_conn_id)
    client = boto3.client(
        "s3",
        endpoint_url=known.get("AWS_ENDPOINT_URL_S3"),
        aws_access_key_id=known.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=known.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=known.get("AWS_SESSION_TOKEN"),
        region_name=known.get("AWS_DEFAULT_REGION", "us-east-1"),
        verify=known.get("AWS_CA_BUNDLE"),
        config=Config(connect_timeout=10, read_timeout=20, retries={"max_attempts": 1}),
    )
    bucket, _, prefix = dataset.source.removeprefix("s3://").partition("/")
    try:
        answer = client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
    except (BotoCoreError, ClientError) as error:
        raise Failed(f"{dataset.source} (connection {dataset.source_conn_id}) cannot be listed: {error}") from error
    if not answer.get("KeyCount"):
        raise Failed(
            f"{dataset.source} (connection {dataset.source_conn_id}) holds no object; correct 'source' or fill it"
        )
    return f"{dataset.source} can be read (connection {dataset.source_conn_id})"


def _mlflow(conn_id: str) -> str:
    from ontap_mlops.hooks.mlflow import MlflowHook

    return _tested(MlflowHook(conn_id).test_connection())


def _inference(conn_id: str) -> str:
    from ontap_mlops.hooks.inference import InferenceHook

    return _tested(InferenceHook(conn_id).test_connection())


def _tested(answer: tuple[bool, str]) -> str:
    worked, sentence = answer
    if not worked:
        raise Failed(sentence)
    return sentence


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names)) or "nothing"
