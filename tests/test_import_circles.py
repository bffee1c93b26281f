"""No module imports, by whatever way, a module that stands on it; imports for types alone count too."""

from __future__ import annotations

import grimp
import pytest


def circles(graph: grimp.ImportGraph) -> list[list[str]]:
    """Every import that can be followed back to where it began, as the way it takes."""
    found = []
    for module in sorted(graph.modules):
        for imported in sorted(graph.find_modules_directly_imported_by(module)):
            back = graph.find_shortest_chain(importer=imported, imported=module)
            if back is not None:
                found.append([module, *back])
    return found


# A page's shape: `run` opens what `promoting` and `serving` add to it, and they are one subject to a reader.
ONE_SUBJECT = {f"ontap_mlops.pipelines.{module}" for module in ("run", "promoting", "serving")}


@pytest.mark.parametrize("package", ["emulator", "ontap_mlops"])
def test_no_module_is_imported_in_a_circle(package: str) -> None:
    assert [way for way in circles(grimp.build_graph(package)) if not set(way) <= ONE_SUBJECT] == []
