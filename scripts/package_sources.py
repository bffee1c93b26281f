"""Where packages come from on this machine, told to a build of images without leaving a trace in them."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from scripts.environment import torch_backend

_TOLD = re.compile(r"(?:global|install|:env:)\.(index-url|extra-index-url|find-links|trusted-host|cert)='(.*)'")


@dataclass(frozen=True)
class PackageSources:
    """``secrets`` are files that the Dockerfiles mount under these names, ``folders`` those that the files name."""

    secrets: dict[str, Path] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    build_args: dict[str, str] = field(default_factory=dict)


def package_sources(scratch: Path) -> PackageSources:
    """Write the settings of pip and uv into ``scratch``, and say where they are."""
    told = pip_settings(pip_config())
    secrets = {}
    for name, text in (("pip", pip_conf(told)), ("uv", uv_toml(told))):
        if text:
            secrets[name] = scratch / name
            secrets[name].touch(mode=0o600)  # the address of a company's index may hold a password
            secrets[name].write_text(text)
    return PackageSources(secrets, tuple(folders(told)), {"TORCH_BACKEND": torch_backend()})


def pip_config() -> str:
    return subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout


def pip_settings(listed: str) -> dict[str, str]:
    """Return what pip is told of packages' sources by file or environment, the environment last, as pip has it."""
    lines = sorted(listed.splitlines(), key=lambda line: line.startswith(":env:"))
    return {found[1]: found[2] for line in lines if (found := _TOLD.fullmatch(line))}


def pip_conf(told: dict[str, str]) -> str:
    lines = [f"{name} = {value}" for name, value in told.items() if name != "cert" or Path(value).exists()]
    return "\n".join(["[global]", *lines, ""]) if lines else ""


def uv_toml(told: dict[str, str]) -> str:
    """Return uv's own settings to the same effect: uv reads none of pip's."""
    lines = []
    if "cert" in told:  # a company's authority is among the system's, which uv does not look at by itself
        lines.append("system-certs = true")
    if "index-url" in told:
        lines.append(f'index-url = "{told["index-url"]}"')
    if links := told.get("find-links", "").split():
        lines.append(f"find-links = [{', '.join(f'{link!r}' for link in links)}]")
    return "\n".join([*lines, ""]) if lines else ""


def folders(told: dict[str, str]) -> list[str]:
    """Return the folders of this machine in which pip looks for packages."""
    found = set()
    for name in ("index-url", "extra-index-url", "find-links"):
        paths = re.findall(r"(?:file://)?(/[^\s'\"]+)", re.sub(r"https?://\S+", "", told.get(name, "")))
        # An index names its files beside its list of names.
        found |= {str(Path(path).parent) if path.endswith("/simple") else path for path in paths}
    return sorted(folder for folder in found if Path(folder).is_dir())
