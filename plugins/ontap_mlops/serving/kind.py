"""What every kind of serving can do. A kind is one file of ``serving.kinds`` with a class ``Kind``, found by its name.

A deployment goes place, load, prove, activate; each can be repeated, and put_back undoes whatever of it was done.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ontap_mlops.hooks.rest import ServiceRefused
from ontap_mlops.records import ModelVersion
from ontap_mlops.serving import kinds


class ProofFailed(ServiceRefused):
    """The version was loaded but did not answer as a model must."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """Work on volumes that a program on compute does: ``{key}`` of a mount stands for its folder there.

    ``aws_conn_id``: connection whose keys it gets, where it copies to a cloud.
    """

    program: str
    arguments: Sequence[str]
    mounts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    aws_conn_id: str | None = None


class ServingKind(Protocol):
    """One way to serve. ``placed`` is the result of the program of ``place``, empty where there is none."""

    def place(self, version: ModelVersion) -> Program | None:
        """Bring the files to where they are served from; what serves does not change."""

    def wait_ready(self) -> None:
        """Raises ServiceUnavailable when nothing can be loaded now."""

    def load(self, version: ModelVersion, placed: Mapping[str, Any]) -> None:
        """Serve the version in place of the one before. What served goes on serving until the new one is ready."""

    def serves(self, version: ModelVersion) -> bool:
        """Whether clients are answered by this version now. Raises ServiceUnavailable when nobody can tell."""

    def prove(
        self, version: ModelVersion, placed: Mapping[str, Any], tensors: Sequence[Mapping[str, Any]] | None
    ) -> dict[str, Any]:
        """One answer of the version, in short. Raises ProofFailed on an answer that no model gives."""

    def activate(self, version: ModelVersion) -> Program | None:
        """Make the version the one that a restart serves."""

    def inactivate(self, version: ModelVersion) -> Program | None:
        """Undo ``activate``, or change nothing if that was never done; its result says what is active now."""

    def put_back(self, version: ModelVersion, active: Mapping[str, Any]) -> None:
        """Serve what ``active`` says in place of the version: the result of ``place`` or of ``inactivate``.

        Nothing where something else serves already. Raises ServiceUnavailable when nobody can tell what serves.
        """

    def endpoint(self, version: ModelVersion) -> str:
        """URL that clients use."""


def known() -> list[str]:
    """Names of all kinds there are."""
    return sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))


def kind(name: str, options: Mapping[str, Any] | None = None) -> ServingKind:
    """The kind of that name. Raises ValueError when there is none, or none with these options."""
    if name not in known():
        raise ValueError(f"there is no kind of serving named {name!r}; there are: {', '.join(known())}")
    given = dict(options or {})
    try:
        return importlib.import_module(f"{kinds.__name__}.{name}").Kind(**given)
    except TypeError as error:
        raise ValueError(f"serving of kind {name!r} cannot be set up with {given}: {error}") from error
