"""SageMaker's notebook instances, for ``local_aws``."""

from __future__ import annotations

import time
from typing import Any

from tests.clouds.fsx_service import Refused


class Notebooks:
    """``stays``: states in which an instance stays, whatever is asked of it."""

    def reset(self) -> None:
        super().reset()  # type: ignore[misc]
        self.notebooks: dict[str, dict[str, Any]] = {}
        self.stays: dict[str, str] = {}

    def notebook(self, name: str, status: str = "Stopped") -> None:
        arn = f"arn:aws:sagemaker:eu-west-1:123456789012:notebook-instance/{name}"
        named = {"NotebookInstanceName": name, "NotebookInstanceArn": arn}
        self.notebooks[name] = {**named, "NotebookInstanceStatus": status, "looks": 1}

    def describe_notebook_instance(self, asked: dict[str, Any]) -> dict[str, Any]:
        notebook = self._notebook(asked["NotebookInstanceName"])
        told = {key: value for key, value in notebook.items() if key != "looks"}
        notebook["looks"] -= 1
        status = notebook["NotebookInstanceStatus"]
        if notebook["looks"] < 0 and status not in self.stays.values():
            notebook["NotebookInstanceStatus"] = {"Pending": "InService", "Stopping": "Stopped"}.get(status, status)
        return {**told, "LastModifiedTime": time.time(), "Url": "n.notebook.eu-west-1.sagemaker.aws"}

    def start_notebook_instance(self, asked: dict[str, Any]) -> None:
        self._change(asked["NotebookInstanceName"], ("Stopped", "Failed"), "Pending")

    def stop_notebook_instance(self, asked: dict[str, Any]) -> None:
        self._change(asked["NotebookInstanceName"], ("InService",), "Stopping")

    def _change(self, name: str, allowed: tuple[str, ...], status: str) -> None:
        notebook = self._notebook(name)
        now = notebook["NotebookInstanceStatus"]
        if now not in allowed:
            raise Refused(
                "ValidationException",
                f"Status ({now}) not in ([{', '.join(allowed)}]). Unable to transition to ({status}) for Notebook "
                f"Instance ({name})",
            )
        notebook |= {"NotebookInstanceStatus": status, "looks": 1}

    def _notebook(self, name: str) -> dict[str, Any]:
        if name not in self.notebooks:
            raise Refused("ValidationException", f"RecordNotFound: {name}")
        return self.notebooks[name]
