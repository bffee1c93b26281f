"""Models and endpoints: one endpoint for each model, updated from version to version; what is old is deleted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ontap_mlops.clouds import errors
from ontap_mlops.sagemaker.calls import call, found

MARK = "ontap-mlops/model"
BEFORE = "ontap-mlops/before"
"""Tag of a configuration: the one that the endpoint had before it; empty for none."""
CHANGING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
SERVING = ("InService", "Updating", "SystemUpdating", "RollingBack")  # while it changes, what was before serves


def describe(client: Any, endpoint: str) -> dict[str, Any] | None:
    return found(client, "describe_endpoint", asked=f"describe endpoint {endpoint!r}", EndpointName=endpoint)


def ensure_model(client: Any, *, name: str, model: str, image: str, data_url: str, role_arn: str) -> None:
    """Make a model of SageMaker's from an archive, unless there is one of that name."""
    if found(client, "describe_model", asked=f"describe model {name!r}", ModelName=name) is None:
        call(
            client,
            "create_model",
            asked=f"make model {name!r} of {data_url}",
            ModelName=name,
            ExecutionRoleArn=role_arn,
            PrimaryContainer={"Image": image, "ModelDataUrl": data_url},
            Tags=[{"Key": MARK, "Value": model}],
        )


def ensure_config(client: Any, *, name: str, model: str, model_name: str, instance_type: str, instances: int) -> None:
    asked = f"describe endpoint configuration {name!r}"
    if found(client, "describe_endpoint_config", asked=asked, EndpointConfigName=name) is None:
        variant = {"VariantName": "all", "ModelName": model_name, "InstanceType": instance_type}
        call(
            client,
            "create_endpoint_config",
            asked=f"make endpoint configuration {name!r} on {instance_type}",
            EndpointConfigName=name,
            ProductionVariants=[{**variant, "InitialInstanceCount": instances}],
            Tags=[{"Key": MARK, "Value": model}],
        )


def serve(client: Any, *, endpoint: str, config: str, model: str, limit_s: float, poll_s: float) -> None:
    """Make the endpoint serve this configuration, and wait for it. What served goes on until the new one is ready.

    One that failed when it was made is made anew. Raises BadState, in SageMaker's words, when it does not come up.
    """
    facts = settled(client, endpoint, limit_s, poll_s)
    if facts is not None and facts["EndpointStatus"] == "Failed":
        delete(client, endpoint, limit_s, poll_s)
        facts = None
    if facts is None:
        remember(client, config, "")
        call(
            client,
            "create_endpoint",
            asked=f"make endpoint {endpoint!r} with {config!r}",
            EndpointName=endpoint,
            EndpointConfigName=config,
            Tags=[{"Key": MARK, "Value": model}],
        )
    elif facts["EndpointStatus"] != "InService":
        raise errors.BadState(
            f"Endpoint {endpoint!r} is {facts['EndpointStatus']} ({facts.get('FailureReason') or 'no reason given'}), "
            "from which it does not come back by itself; delete it in SageMaker and clear this task."
        )
    elif facts["EndpointConfigName"] != config:
        require_ours(client, facts, model)
        remember(client, config, facts["EndpointConfigName"])
        _update(client, endpoint, config)
    _require(client, endpoint, config, limit_s, poll_s)


def put_back(client: Any, *, endpoint: str, limit_s: float, poll_s: float) -> str:
    """Serve what served before, or nothing where nothing did: then the endpoint goes. Returns what serves now."""
    facts = settled(client, endpoint, limit_s, poll_s)
    if facts is None:
        return ""
    before = before_of(client, facts["EndpointConfigName"])
    if not before:
        delete(client, endpoint, limit_s, poll_s)
        return ""
    _update(client, endpoint, before)
    _require(client, endpoint, before, limit_s, poll_s)
    return before


def clean(client: Any, *, endpoint: str, prefix: str, model: str, keep: int) -> list[str]:
    """Delete configurations and models of earlier versions, but for the ``keep`` newest and what is in use.

    Returns the names of the configurations deleted. Only what carries our mark goes.
    """
    facts = describe(client, endpoint)
    used = {facts["EndpointConfigName"], before_of(client, facts["EndpointConfigName"])} if facts else set()
    asked = f"list the endpoint configurations of {prefix!r}"
    listed = call(client, "list_endpoint_configs", "EndpointConfigs", asked=asked, NameContains=prefix, MaxResults=100)
    mine = [one for one in listed if one["EndpointConfigName"].startswith(prefix)]
    newest = sorted(mine, key=lambda one: one["CreationTime"], reverse=True)
    gone = []
    for one in newest[keep:]:
        name = one["EndpointConfigName"]
        if name not in used and tags(client, one, "EndpointConfigArn").get(MARK) == model:
            _delete_config(client, name)
            gone.append(name)
    return gone


def delete(client: Any, endpoint: str, limit_s: float, poll_s: float) -> None:
    call(client, "delete_endpoint", asked=f"delete endpoint {endpoint!r}", EndpointName=endpoint)
    settled(client, endpoint, limit_s, poll_s)


def settled(client: Any, endpoint: str, limit_s: float, poll_s: float) -> dict[str, Any] | None:
    """Wait until it changes no more. Raises InUse when it still does after ``limit_s``."""
    deadline = time.monotonic() + limit_s
    while (facts := describe(client, endpoint)) is not None and facts["EndpointStatus"] in CHANGING:
        if time.monotonic() > deadline:
            raise errors.InUse(f"Endpoint {endpoint!r} is still {facts['EndpointStatus']} after {limit_s:g} s.")
        time.sleep(poll_s)
    return facts


def tags(client: Any, facts: Mapping[str, Any], arn: str = "EndpointArn") -> dict[str, str]:
    asked = f"list the tags of {facts[arn]}"
    return {tag["Key"]: tag["Value"] for tag in call(client, "list_tags", "Tags", asked=asked, ResourceArn=facts[arn])}


def require_ours(client: Any, facts: Mapping[str, Any], model: str) -> None:
    if tags(client, facts).get(MARK) != model:
        raise errors.NotOurs(
            f"Endpoint {facts['EndpointName']!r} does not serve model {model} of ours (it has no tag {MARK}={model}): "
            "it is left alone; name another endpoint_name."
        )


def before_of(client: Any, config: str) -> str:
    """What the endpoint had before this configuration; "" for nothing."""
    return tags(client, _config(client, config), "EndpointConfigArn").get(BEFORE) or ""


def remember(client: Any, config: str, before: str) -> None:
    """Written down before the endpoint changes. An update that fails leaves what the older ones say as it is."""
    arn = _config(client, config)["EndpointConfigArn"]
    asked = f"tag endpoint configuration {config!r} with what was before it"
    call(client, "add_tags", asked=asked, ResourceArn=arn, Tags=[{"Key": BEFORE, "Value": before}])


def _config(client: Any, name: str) -> dict[str, Any]:
    asked = f"describe endpoint configuration {name!r}"
    return dict(call(client, "describe_endpoint_config", asked=asked, EndpointConfigName=name))


def _update(client: Any, endpoint: str, config: str) -> None:
    asked = f"update endpoint {endpoint!r} to {config!r}"
    call(client, "update_endpoint", asked=asked, EndpointName=endpoint, EndpointConfigName=config)


def _require(client: Any, endpoint: str, config: str, limit_s: float, poll_s: float) -> None:
    facts = settled(client, endpoint, limit_s, poll_s)
    if facts is None or facts["EndpointStatus"] != "InService" or facts["EndpointConfigName"] != config:
        reason = (facts or {}).get("FailureReason") or "no reason given"
        raise errors.BadState(f"SageMaker did not bring up {config!r} at endpoint {endpoint!r}: {reason}")


def _delete_config(client: Any, name: str) -> None:
    asked = f"delete endpoint configuration {name!r}"
    facts = found(client, "describe_endpoint_config", asked=asked, EndpointConfigName=name) or {}
    for variant in facts.get("ProductionVariants", ()):
        model = variant["ModelName"]
        found(client, "delete_model", asked=f"delete model {model!r}", ModelName=model)
    found(client, "delete_endpoint_config", asked=asked, EndpointConfigName=name)
