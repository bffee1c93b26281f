"""Puts model versions into the repository an inference server (Triton) loads from, and says which one it serves.

    python -m tasks.models.repository place --repository /models/triton --name tyre --version 3 \
        --source /models/models/tyre/r20261121... --digest sha256:...
    python -m tasks.models.repository activate --repository /models/triton --name tyre --version 3 --keep 3
    python -m tasks.models.repository put-back --repository /models/triton --name tyre --version 3

``place`` adds ``<name>/<version>/`` and changes nothing that serves: its result holds ``config``, to load and prove the
version with, and ``active``, the configuration to return to if that fails. ``activate`` then makes ``config.pbtxt``
name the version, so that a restarted server serves it too, and removes versions too old to return to. ``put-back``
undoes that for a version whose deployment failed, and changes nothing where another version is active; its result holds
``active`` too, null where nothing is left to serve. Each can be run again.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path
from typing import Any

from tasks.common.program import BadInput, run, stop_deferred
from tasks.common.progress import say
from tasks.common.result import write_whole
from tasks.common.tracking import parse_tags
from tasks.models.folders import copy_durably, digest_of, model_files, place_whole
from tasks.models.triton_config import as_text, from_onnx

MAX_BATCH = 32
KEEP = 3
_CONFIG = "config.json"
# First line of config.pbtxt: what was deployed, oldest first; the last one is active. In the same file as what the
# server reads, so that both change in one step.
_HISTORY = re.compile(r"# deployed:((?: \d+)+)\n")


def main() -> dict[str, Any]:
    options = parse_arguments()
    served = ServedModel(options.repository, options.name)
    if options.verb == "place":
        facts = parse_tags(options.fact)
        placed = served.place(options.source, options.version, options.digest, options.max_batch, facts)
        if options.alone:
            served.activate(options.version, keep=1)
        return placed
    if options.verb == "activate":
        return served.activate(options.version, options.keep)
    return served.put_back(options.version)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    place, activate, put_back = (verbs.add_parser(name) for name in ("place", "activate", "put-back"))
    for verb in (place, activate, put_back):
        verb.add_argument("--repository", type=Path, required=True, help="the server's model repository")
        verb.add_argument("--name", required=True, help="name the model is served under")
        verb.add_argument("--version", type=int, required=True)
    place.add_argument("--source", type=Path, required=True, help="folder of the published model, with model.onnx")
    place.add_argument("--digest", default="", help="what the published files must be; unchecked if not given")
    place.add_argument("--max-batch", type=int, default=MAX_BATCH, help="requests joined at most; 0: none")
    place.add_argument("--alone", action="store_true", help="the repository is this version's own, and serves it")
    place.add_argument("--fact", action="append", default=[], help="key=value the server shows with the model")
    activate.add_argument("--keep", type=int, default=KEEP, help="deployed versions to keep, the active one included")
    return parser.parse_args()


class ServedModel:
    """One model's folder in the repository."""

    def __init__(self, repository: Path, name: str) -> None:
        self.name = name
        self.folder = repository / name

    def place(self, source: Path, version: int, digest: str, max_batch: int, facts: dict[str, str]) -> dict[str, Any]:
        published = model_files(source, "*")
        if digest and (found := digest_of(published)) != digest:
            raise BadInput(f"The files in {source} are {found}, not {digest} as registered: promote the model again.")
        files = model_files(source, "model.onnx*")
        config = from_onnx(self.name, version, source / "model.onnx", max_batch, facts)
        destination = self.folder / str(version)
        if destination.exists():
            self._check_same(destination, files)
        else:
            self._place(destination, files, config)
        say(f"Version {version} of {self.name} is in {destination}")
        digest = digest_of(model_files(destination, "*"))
        told = {"name": self.name, "version": version, "digest": digest}
        return {**told, "config": self.config(version), "active": self.active_config()}

    def activate(self, version: int, keep: int) -> dict[str, Any]:
        config = self.config(version)
        history = [v for v in self.history() if v != version and (self.folder / str(v)).exists()]
        kept = [*history, version][-max(keep, 1) :]
        self._name_active(kept, config)
        removed = self._remove_older(version, kept)
        say(f"{self.name} serves version {version}; versions to return to: {kept[:-1] or 'none'}")
        return {"name": self.name, "version": version, "kept": kept, "removed": removed}

    def put_back(self, version: int) -> dict[str, Any]:
        history = self.history()
        if history[-1:] != [version]:
            say(f"Version {version} of {self.name} is not active, so nothing is put back")
        elif history[:-1]:
            self._name_active(history[:-1], self.config(history[-2]))
            say(f"{self.name} serves version {history[-2]} again, not {version}")
        else:
            (self.folder / "config.pbtxt").unlink(missing_ok=True)
            say(f"{self.name} had no version before {version}; a restarted server does not serve it")
        return {"name": self.name, "version": version, "active": self.active_config()}

    def history(self) -> list[int]:
        """Versions deployed, oldest first, the active one last; [] before the first deployment."""
        try:
            found = _HISTORY.match((self.folder / "config.pbtxt").read_text())
        except FileNotFoundError:
            return []
        if found is None:
            raise BadInput(f"{self.folder}/config.pbtxt was not written by this program; serve under another name.")
        return [int(version) for version in found[1].split()]

    def config(self, version: int) -> dict[str, Any]:
        """What to load ``version`` with. Raises BadInput when it is not in the repository."""
        try:
            return json.loads((self.folder / str(version) / _CONFIG).read_text())
        except FileNotFoundError:
            raise BadInput(f"Version {version} of {self.name} is not in {self.folder}: place it first.") from None

    def active_config(self) -> dict[str, Any] | None:
        history = self.history()
        return self.config(history[-1]) if history else None

    def _place(self, destination: Path, files: list[Path], config: dict[str, Any]) -> None:
        def build(folder: Path) -> None:
            for file in files:
                copy_durably(file, folder / file.name)
            write_whole(folder / _CONFIG, json.dumps(config, indent=1).encode())

        self.folder.mkdir(parents=True, exist_ok=True)
        place_whole(destination, build)

    def _check_same(self, destination: Path, files: list[Path]) -> None:
        if digest_of(model_files(destination, "model.onnx*")) != digest_of(files):
            raise BadInput(
                f"{destination} holds another model than the one to serve, and a version never changes: "
                "has the registry been reset? Remove the folder if nothing serves from it, or serve under another name."
            )

    def _name_active(self, history: list[int], config: dict[str, Any]) -> None:
        text = f"# deployed: {' '.join(map(str, history))}\n{as_text(config)}"
        with stop_deferred():
            write_whole(self.folder / "config.pbtxt", text.encode())

    def _remove_older(self, active: int, kept: list[int]) -> list[int]:
        """Removes what no roll-back can reach any more; newer versions may be about to be proven and stay."""
        versions = sorted(int(path.name) for path in self.folder.iterdir() if path.name.isdecimal())
        removed = [version for version in versions if version < active and version not in kept]
        for version in removed:
            # Leftovers do no harm and must not fail a deployment that is done; the next one tries again.
            shutil.rmtree(self.folder / str(version), ignore_errors=True)
        return [version for version in removed if not (self.folder / str(version)).exists()]


if __name__ == "__main__":
    run(main)
