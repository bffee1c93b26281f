"""Every resource of the emulator that the official client knows is driven by it in this folder."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import netapp_ontap.resources as official

from emulator.server import URLS

CLIENT = "netapp_ontap.resources"


def nameless(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path.removeprefix("/api"))


def driven() -> set[str]:
    trees = (ast.parse(file.read_text()) for file in Path(__file__).parent.glob("test_*.py"))
    imports = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return {alias.name for node in imports if (node.module or "").startswith(CLIENT) for alias in node.names}


def test_each_resource_that_is_emulated_is_driven_by_the_official_client():
    emulated = {nameless(route.path) for route in URLS}
    emulated |= {path.removesuffix("/{}/{}") for path in emulated}  # of some resources there is no list
    known = {name: found for name, found in vars(official).items() if inspect.isclass(found)}
    paths = {name: nameless(str(found._path)) for name, found in known.items() if isinstance(found._path, str)}
    assert len(paths) > 200, "the client still says where its resources are"
    assert {name for name, path in paths.items() if path in emulated} - driven() == set()
