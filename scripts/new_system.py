"""Write the files of a new system, which runs at once on a small sample; docs/adding-a-system.md explains them.

python -m scripts.new_system bearings
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = Path(__file__).resolve().parent / "templates" / "system"
PLACEHOLDER, TITLE = "newsystem", "New System"
NAME = re.compile(r"[a-z][a-z0-9_]{1,19}")
DATASET = """  {name}_data:
    description: Measurements for {title}.
    source: s3://lake/{name}/
    volume: {name}_data
    size: 1GB
    schedule: "@daily"
    check:
      minimum_files: 1
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "name", help="2 to 20 of a-z, 0-9 and _, and a letter first; its model, DAG and folders bear it"
    )
    parser.add_argument("--into", type=Path, default=ROOT, help="another checkout than this one")
    options = parser.parse_args()
    try:
        written = write(options.name, options.into)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(str(path) for path in written))
    print(f"Next: make demo SYSTEM={options.name}, then read docs/adding-a-system.md and put in your own mathematics.")
    return 0


def write(name: str, root: Path) -> list[Path]:
    """Write every file of the template under ``root`` and enter the dataset and the DAGs where they are listed.

    Raises ValueError, and writes nothing, when the name is none or a file is there already.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"A system cannot be called {name!r}: give 2 to 20 of a-z, 0-9 and _, and a letter first.")
    files = {root / _named(path.relative_to(TEMPLATE), name): path for path in _template()}
    taken = [str(path.relative_to(root)) for path in files if path.exists()]
    if taken:
        raise ValueError(f"There is a system {name!r} already ({', '.join(taken)}); choose another name.")
    datasets, inventory = root / "config" / "datasets.yaml", root / "tests" / "dags" / "inventory.py"
    lists = {
        datasets: datasets.read_text().rstrip("\n") + "\n" + DATASET.format(name=name, title=_title(name)),
        inventory: _listed(inventory.read_text(), name),
    }
    for path, source in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_filled(source.read_text(), name))
    for path, text in lists.items():
        path.write_text(text)
    return sorted([*files, *lists])


def _template() -> list[Path]:
    return sorted(path for path in TEMPLATE.rglob("*.py") if "__pycache__" not in path.parts)


def _named(path: Path, name: str) -> Path:
    return Path(*(part.replace(PLACEHOLDER, name) for part in path.parts))


def _filled(text: str, name: str) -> str:
    title = _title(name)
    return text.replace(PLACEHOLDER, name).replace(TITLE, title).replace(TITLE.replace(" ", ""), title.replace(" ", ""))


def _title(name: str) -> str:
    return name.replace("_", " ").title()


def _listed(text: str, name: str) -> str:
    """The inventory with the new DAGs, each in its set."""
    for head, dag_id in (("TRAINING = {\n", name), ("INGEST = {\n", f"ingest_{name}_data")):
        if head not in text:
            raise ValueError(
                f"tests/dags/inventory.py has no line {head.strip()!r}, so {dag_id} cannot be listed there."
            )
        text = text.replace(head, f'{head}    "{dag_id}",\n')
    return text


if __name__ == "__main__":
    sys.exit(main())
