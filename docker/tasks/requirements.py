"""Print what the programs need, with every system's extras, from their pyproject.toml: one requirement a line."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path(sys.argv[1]).read_text())["project"]
needs = [*project["dependencies"], *(need for extra in project["optional-dependencies"].values() for need in extra)]
sys.stdout.write("\n".join(sorted(set(needs))) + "\n")
