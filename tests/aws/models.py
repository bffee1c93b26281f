"""SageMaker's models, endpoint configurations, endpoints and batch transforms, for ``local_aws``."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.clouds.fsx_service import Refused

_ANSWER = """
import inference, json, sys
model = inference.model_fn(sys.argv[1])
data = inference.input_fn(sys.stdin.buffer.read(), sys.argv[2])
print(inference.output_fn(inference.predict_fn(data, model), "application/json")[0])
"""


class Models:
    """``looks``: how often an endpoint is seen changing; ``broken``: models whose container does not start."""

    def reset(self) -> None:
        super().reset()  # type: ignore[misc]
        self.models: dict[str, dict[str, Any]] = {}
        self.configs: dict[str, dict[str, Any]] = {}
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.transforms: dict[str, dict[str, Any]] = {}
        self.broken: set[str] = set()
        self.looks = 1

    def create_model(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"ModelArn": self._make("model", self.models, asked, "ModelName")}

    def describe_model(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self._found("model", self.models, asked["ModelName"])

    def delete_model(self, asked: dict[str, Any]) -> None:
        self._found("model", self.models, asked["ModelName"])
        del self.models[asked["ModelName"]]

    def list_models(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"Models": self._listed(self.models, asked, "ModelName", "ModelArn")}

    def create_endpoint_config(self, asked: dict[str, Any]) -> dict[str, Any]:
        for variant in asked["ProductionVariants"]:
            self._found("model", self.models, variant["ModelName"])
        return {"EndpointConfigArn": self._make("endpoint-config", self.configs, asked, "EndpointConfigName")}

    def describe_endpoint_config(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self._found("endpoint-config", self.configs, asked["EndpointConfigName"])

    def delete_endpoint_config(self, asked: dict[str, Any]) -> None:
        name = asked["EndpointConfigName"]
        self._found("endpoint-config", self.configs, name)
        assert all(name not in (e["EndpointConfigName"], e.get("next")) for e in self.endpoints.values()), "in use"
        del self.configs[name]

    def list_endpoint_configs(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"EndpointConfigs": self._listed(self.configs, asked, "EndpointConfigName", "EndpointConfigArn")}

    def create_endpoint(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._found("endpoint-config", self.configs, asked["EndpointConfigName"])
        arn = self._make("endpoint", self.endpoints, asked, "EndpointName")
        self.endpoints[asked["EndpointName"]] |= {
            "EndpointStatus": "Creating",
            "looks": self.looks,
            "LastModifiedTime": time.time(),
        }
        return {"EndpointArn": arn}

    def update_endpoint(self, asked: dict[str, Any]) -> dict[str, Any]:
        endpoint = self._found("endpoint", self.endpoints, asked["EndpointName"], raw=True)
        if endpoint["EndpointStatus"] != "InService":
            raise Refused("ValidationException", f"Cannot update endpoint in state {endpoint['EndpointStatus']}")
        self._found("endpoint-config", self.configs, asked["EndpointConfigName"])
        endpoint |= {"EndpointStatus": "Updating", "next": asked["EndpointConfigName"], "looks": self.looks}
        return {"EndpointArn": endpoint["EndpointArn"]}

    def describe_endpoint(self, asked: dict[str, Any]) -> dict[str, Any]:
        endpoint = self._found("endpoint", self.endpoints, asked["EndpointName"], raw=True)
        told = {key: value for key, value in endpoint.items() if key not in ("next", "looks", "Tags")}
        endpoint["looks"] -= 1
        if endpoint["looks"] < 0:
            self._settle(endpoint)
            told = {key: value for key, value in endpoint.items() if key not in ("next", "looks", "Tags")}
        return told

    def delete_endpoint(self, asked: dict[str, Any]) -> None:
        self._found("endpoint", self.endpoints, asked["EndpointName"])
        del self.endpoints[asked["EndpointName"]]

    def _settle(self, endpoint: dict[str, Any]) -> None:
        if endpoint["EndpointStatus"] not in ("Creating", "Updating"):
            return
        config = endpoint.pop("next", None) or endpoint["EndpointConfigName"]
        model = self.configs[config]["ProductionVariants"][0]["ModelName"]
        reason = "The primary container for production variant all did not pass the ping health check."
        if model in self.broken:
            created = endpoint["EndpointStatus"] == "Creating"
            endpoint |= {"EndpointStatus": "Failed" if created else "InService", "FailureReason": reason}
            return
        endpoint.pop("FailureReason", None)
        endpoint |= {"EndpointStatus": "InService", "EndpointConfigName": config}

    async def invoke(self, request: Request) -> Response:
        self.seen[-1] = "POST InvokeEndpoint"  # type: ignore[attr-defined]
        endpoint = self.endpoints.get(request.path_params["name"])
        if endpoint is None or endpoint["EndpointStatus"] not in ("InService", "Updating"):
            return JSONResponse(
                {"Message": "Endpoint of account not found."}, 400, {"x-amzn-errortype": "ValidationError"}
            )
        model = self.models[self.configs[endpoint["EndpointConfigName"]]["ProductionVariants"][0]["ModelName"]]
        body = await request.body()
        code, text = await asyncio.to_thread(self._answer, model, body, request.headers.get("content-type", ""))
        if code:
            return JSONResponse({"Message": text}, 424, {"x-amzn-errortype": "ModelError"})
        return Response(text, 200, {"x-amzn-invoked-production-variant": "all"}, "application/json")

    def _answer(self, model: dict[str, Any], body: bytes, content_type: str) -> tuple[int, str]:
        """What the model's own ``code/inference.py`` answers, in a process of its own."""
        folder = self.folder / model["ModelName"]  # type: ignore[attr-defined]
        if not folder.exists():
            url = model["PrimaryContainer"]["ModelDataUrl"]
            self.fetch(url, folder / "packed")  # type: ignore[attr-defined]
            (archive,) = (folder / "packed").iterdir()
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
        done = subprocess.run(
            [sys.executable, "-c", _ANSWER, str(folder), content_type],
            input=body,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder / "code")},
            capture_output=True,
        )
        return done.returncode, (done.stdout or done.stderr).decode()

    # Batch transforms: done at once, of every object of the input

    def create_transform_job(self, asked: dict[str, Any]) -> dict[str, Any]:
        model = self._found("model", self.models, asked["ModelName"])
        arn = self._make("transform-job", self.transforms, asked, "TransformJobName")
        job = self.transforms[asked["TransformJobName"]]
        if asked["ModelName"] in self.broken:
            job |= {
                "TransformJobStatus": "Failed",
                "FailureReason": "AlgorithmError: See job logs for more information",
            }
            return {"TransformJobArn": arn}
        given, output = asked["TransformInput"], asked["TransformOutput"]["S3OutputPath"]
        folder = Path(self.folder) / f"transform-{time.time_ns()}"  # type: ignore[attr-defined]
        self.fetch(given["DataSource"]["S3DataSource"]["S3Uri"], folder)  # type: ignore[attr-defined]
        bucket, _, prefix = output.removeprefix("s3://").partition("/")
        for path in [path for path in sorted(folder.rglob("*")) if path.is_file()]:
            code, text = self._answer(model, path.read_bytes(), given.get("ContentType", ""))
            assert code == 0, text
            key = f"{prefix.rstrip('/')}/{path.relative_to(folder)}.out"
            self.s3.put_object(Bucket=bucket, Key=key, Body=text.encode())  # type: ignore[attr-defined]
        job |= {"TransformJobStatus": "Completed"}
        return {"TransformJobArn": arn}

    def describe_transform_job(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self._found("transform-job", self.transforms, asked["TransformJobName"])

    def stop_transform_job(self, asked: dict[str, Any]) -> None:
        job = self._found("transform-job", self.transforms, asked["TransformJobName"], raw=True)
        if job["TransformJobStatus"] == "InProgress":
            job["TransformJobStatus"] = "Stopped"

    # What they share

    def _make(self, kind: str, kept: dict[str, dict[str, Any]], asked: dict[str, Any], key: str) -> str:
        name = asked[key]
        if name in kept:
            raise Refused("ValidationException", f"Cannot create already existing {kind} {name!r}.")
        arn = f"arn:aws:sagemaker:eu-west-1:123456789012:{kind}/{name.lower()}"
        self.tags[arn] = asked.get("Tags", [])  # type: ignore[attr-defined]
        now = time.time()
        arn_key = key.removesuffix("Name") + "Arn"
        kept[name] = {**asked, arn_key: arn, "CreationTime": now}
        return arn

    def _found(self, kind: str, kept: dict[str, dict[str, Any]], name: str, *, raw: bool = False) -> dict[str, Any]:
        if name not in kept:
            raise Refused("ValidationException", f"Could not find {kind} {json.dumps(name)}.")
        return kept[name] if raw else {key: value for key, value in kept[name].items() if key != "Tags"}

    def _listed(self, kept: dict[str, dict[str, Any]], asked: dict[str, Any], *keys: str) -> list[dict[str, Any]]:
        wanted = asked.get("NameContains", "")
        return [{key: each[key] for key in (*keys, "CreationTime")} for name, each in kept.items() if wanted in name]
