"""Triton, or another server of the Open Inference Protocol that loads models from a repository on a volume.

The repository's files are changed by the program ``tasks.models.repository``, next to the volume; the server is told
over HTTP. Its ``config.pbtxt`` says what a restarted server loads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ontap_mlops import names
from ontap_mlops.records import ModelVersion
from ontap_mlops.serving.kind import Program, ProofFailed

if TYPE_CHECKING:
    from ontap_mlops.hooks.inference import InferenceHook

PROGRAM = "tasks.models.repository"
KEPT_VERSIONS = 3
_SHOWN_VALUES = 8


@dataclass(kw_only=True)
class Kind:
    """A model is served under its registered name.

    :param inference_conn_id: connection of type ``http`` to the server.
    :param repository_volume: volume of the server's model repository, on the SVM of the model volume.
    :param repository_folder: folder of the repository on that volume.
    :param keep: deployed versions that stay in the repository, the active one included.
    :param ready_timeout_s: seconds for which a server that is just starting is waited for.
    """

    inference_conn_id: str = "inference_default"
    repository_volume: str = "models"
    repository_folder: str = "triton"
    keep: int = KEPT_VERSIONS
    ready_timeout_s: float = 60

    @cached_property
    def server(self) -> InferenceHook:
        from ontap_mlops.hooks.inference import InferenceHook

        return InferenceHook(self.inference_conn_id)

    def place(self, version: ModelVersion) -> Program:
        source = [f"--source={{models}}/{version.folder}", f"--digest={version.digest}"]
        # A client that needs more of the version than its network, such as labels, finds it by what the server says.
        program = self._repository("place", version, *source, f"--fact=folder={version.folder}")
        mounts = {**program.mounts, "models": _mount(version.svm, version.volume)}
        return Program(program=PROGRAM, arguments=program.arguments, mounts=mounts)

    def activate(self, version: ModelVersion) -> Program:
        return self._repository("activate", version, f"--keep={self.keep}")

    def inactivate(self, version: ModelVersion) -> Program:
        return self._repository("put-back", version)

    def wait_ready(self) -> None:
        self.server.wait_ready(self.ready_timeout_s)

    def load(self, version: ModelVersion, placed: Mapping[str, Any]) -> None:
        self._load(placed["config"])

    def serves(self, version: ModelVersion) -> bool:
        config = self.server.config(version.model)
        return config is not None and served_versions(config) == [version.version]

    def prove(
        self, version: ModelVersion, placed: Mapping[str, Any], tensors: Sequence[Mapping[str, Any]] | None = None
    ) -> dict[str, Any]:
        """One inference, with zeros of the right shape if no tensors are given."""
        name, number = version.model, version.version
        sent = list(tensors or blank_tensors(self.server.metadata(name, number)))
        answer = self.server.infer(name, sent, number)
        outputs = {output["name"]: _in_short(output) for output in answer["outputs"]}
        broken = [n for n, o in outputs.items() if not o["values"] or not all(map(_is_sound, o["values"]))]
        if broken or not outputs:
            raise ProofFailed(
                f"Version {number} of model {name} answered {', '.join(broken) or 'nothing'} without finite numbers; "
                "look at the training's metrics and export before promoting it again."
            )
        return {"input": "given" if tensors else "blank", "version": int(answer["model_version"]), "outputs": outputs}

    def put_back(self, version: ModelVersion, active: Mapping[str, Any]) -> None:
        if not self.serves(version):
            return
        if active.get("active"):
            self._load(active["active"])
        else:
            self.server.unload(version.model)

    def endpoint(self, version: ModelVersion) -> str:
        return self.server.endpoint(version.model)

    def _load(self, config: Mapping[str, Any]) -> None:
        name, (number,) = config["name"], served_versions(config)
        self.server.load(name, config)
        if not self.server.model_ready(name, number):
            raise ProofFailed(f"The inference server loaded model {name} but version {number} is not ready.")

    def _repository(self, verb: str, version: ModelVersion, *more: str) -> Program:
        where = [f"--repository={{repository}}/{self.repository_folder}", f"--name={version.model}"]
        return Program(
            program=PROGRAM,
            arguments=[verb, *where, f"--version={version.version}", *more],
            mounts={"repository": _mount(version.svm, self.repository_volume)},
        )


def served_versions(config: Mapping[str, Any]) -> list[int]:
    """The versions that a configuration names; [] when it leaves the choice to the server."""
    named = (config.get("version_policy") or config.get("versionPolicy") or {}).get("specific", {}).get("versions", [])
    return [int(version) for version in named]


def blank_tensors(metadata: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Zeros (empty text for BYTES) for every input, with 1 for each axis of any length."""
    tensors = []
    for described in metadata["inputs"]:
        shape = [max(int(axis), 1) for axis in described["shape"]]
        blank = "" if described["datatype"] == "BYTES" else 0
        data = [blank] * math.prod(shape)
        tensors.append({"name": described["name"], "shape": shape, "datatype": described["datatype"], "data": data})
    return tensors


def _mount(svm: str, volume: str) -> dict[str, str]:
    return {"svm": svm, "junction_path": names.junction_path(volume)}


def _in_short(output: Mapping[str, Any]) -> dict[str, Any]:
    return {"shape": output["shape"], "values": list(output["data"])[:_SHOWN_VALUES]}


def _is_sound(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
