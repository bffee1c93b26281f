"""What tells one system from another."""

from __future__ import annotations

from dataclasses import dataclass

from ontap_mlops import names


@dataclass(frozen=True, kw_only=True)
class System:
    """Names of one pipeline: its programs are ``tasks.<name>.*``; the first of ``metrics`` decides by default.

    ``model`` is the name in the registry and on the inference server; ``name`` if not given. ``buckets`` says whether
    its programs can read a workspace through S3 too, ``cached`` whether its runs read their version from a cache at the
    site of their compute. ``starts_from`` names the Param by which a training starts from an earlier model's weights:
    ``anew``, ``champion`` or a run key. ``places`` are those it runs at by default: the first that is configured.
    ``keep_models`` is the number of newest model versions that stay, beside champion and kept ones.
    """

    name: str
    dataset: str
    metrics: tuple[str, ...]
    model: str = ""
    buckets: bool = False
    cached: bool = False
    starts_from: str = ""
    places: tuple[str, ...] = ("local",)
    keep_models: int = 10

    @property
    def registered_model(self) -> str:
        return self.model or self.name

    @property
    def model_volume(self) -> str:
        return names.model_volume(self.registered_model)

    @property
    def results_volume(self) -> str:
        return f"{self.name}_results"

    def module(self, program: str) -> str:
        """``train`` is this system's own ``tasks.<name>.train``; a dotted name is meant as it is."""
        return program if "." in program else f"tasks.{self.name}.{program}"
