"""Batch scoring: no server. Programs read the champion's files from its model volume when they score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ontap_mlops.records import ModelVersion


class Kind:
    """There is nothing to place or load: a version serves from the moment it is the champion."""

    def place(self, version: ModelVersion) -> None:
        return None

    def wait_ready(self) -> None:
        return None

    def load(self, version: ModelVersion, placed: Mapping[str, Any]) -> None:
        return None

    def serves(self, version: ModelVersion) -> bool:
        return True

    def prove(
        self, version: ModelVersion, placed: Mapping[str, Any], tensors: Sequence[Mapping[str, Any]] | None
    ) -> dict[str, Any]:
        """The scoring program's own result is the proof."""
        return {}

    def activate(self, version: ModelVersion) -> None:
        return None

    def inactivate(self, version: ModelVersion) -> None:
        return None

    def put_back(self, version: ModelVersion, active: Mapping[str, Any]) -> None:
        return None

    def endpoint(self, version: ModelVersion) -> str:
        return f"ontap://{version.svm}/{version.volume}/{version.folder}"
