"""The keys of one job in Systems Manager's Parameter Store, encrypted: DescribeTrainingJob shows none of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ontap_mlops.clouds import errors
from ontap_mlops.sagemaker.calls import call

FOLDER = "/ontap-mlops"


def put(client: Any, name: str, secrets: Mapping[str, str], kms_key_id: str | None = None) -> str:
    """Write them under the workload's name, over those of an earlier try; returns the parameter's name."""
    parameter = f"{FOLDER}/{name}"
    key = {"KeyId": kms_key_id} if kms_key_id else {}
    call(
        client,
        "put_parameter",
        asked=f"keep the keys of {name!r} as parameter {parameter}",
        Name=parameter,
        Value=json.dumps(dict(secrets)),
        Type="SecureString",
        Tier="Intelligent-Tiering",
        Overwrite=True,
        **key,
    )
    return parameter


def forget(client: Any, name: str) -> None:
    """Delete them; nothing when there are none."""
    try:
        call(client, "delete_parameter", asked=f"delete parameter {FOLDER}/{name}", Name=f"{FOLDER}/{name}")
    except errors.NotFound:
        return
