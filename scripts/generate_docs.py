"""Write the generated pages of docs/: DAGs, operators, settings, metrics, calls to ONTAP and rights, examples, what the
emulator covers.

python -m scripts.generate_docs          write them
python -m scripts.generate_docs --check    fail, naming the pages, when one is not what the code says
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import pkgutil
import sys
import tempfile
from pathlib import Path
from textwrap import dedent
from typing import Any

from emulator import coverage
from scripts import roles
from scripts.exporter import subjects

HOUSE = Path(__file__).resolve().parents[1]
PAGES = HOUSE / "docs" / "reference"
HEAD = "<!-- Made by `make docs` from the code; edit the docstrings instead. -->\n\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    pages = {
        PAGES / "dags.md": dags_page(),
        PAGES / "operators.md": operators_page(),
        PAGES / "settings.md": settings_page(),
        PAGES / "metrics.md": HEAD + subjects.page(),
        PAGES / "ontap-calls.md": HEAD + roles.page(),
        PAGES / "ontap-role.txt": roles.script(roles.calls()),
        PAGES / "ontap-role.json": roles.bodies(roles.calls()),
        HOUSE / "docs" / "examples.md": examples_page(),
        HOUSE / "docs" / "emulator-coverage.md": coverage.page(),
    }
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    if not check:
        for path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pages[path])
    names = ", ".join(str(path.relative_to(HOUSE)) for path in stale)
    print(f"{'Stale' if check else 'Written'}: {names}" if stale else "Generated pages are current.")
    return 1 if check and stale else 0


def dags_page() -> str:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(HOUSE / "dags"))
    if bag.import_errors:
        raise SystemExit("\n".join(f"{path}: {error}" for path, error in bag.import_errors.items()))
    parts = ["# DAGs\n\nEach page is what the Airflow UI shows under the DAG's Docs.\n"]
    for dag_id, dag in sorted(bag.dags.items()):
        page = dedent(dag.doc_md or "").strip()
        title, _, body = page.partition("\n")
        parts.append(f"## `{dag_id}`\n\n{title.lstrip('# ')}.\n\n{_one_deeper(body.strip())}\n\n{_parameters(dag)}")
    return HEAD + "\n".join(parts).rstrip() + "\n"


def _one_deeper(text: str) -> str:
    return "\n".join(f"##{line}" if line.startswith("#") else line for line in text.splitlines())


def _parameters(dag) -> str:
    rows = []
    for name in dag.params:
        param = dag.params.get_param(name)
        schema = param.schema
        choices = ", ".join(f"`{choice}`" for choice in schema.get("enum") or [])
        text = " ".join(str(param.description or schema.get("title") or "").split())
        default = param.value if param.has_value else ""
        rows.append(f"| `{name}` | {text}{' One of ' + choices + '.' if choices else ''} | `{default}` |")
    if not rows:
        return ""
    return "\n".join(["| Parameter | Meaning | Default |", "| --- | --- | --- |", *rows]) + "\n"


def operators_page() -> str:
    from airflow.sdk import BaseOperator, BaseSensorOperator

    import ontap_mlops.operators
    import ontap_mlops.sensors

    parts = ["# Operators and sensors\n"]
    rooms = (ontap_mlops.operators, ontap_mlops.sensors)
    listed = [(room.__name__, info.name) for room in rooms for info in pkgutil.iter_modules(room.__path__)]
    for room, name in sorted(listed):
        module = importlib.import_module(f"{room}.{name}")
        classes = [
            kind
            for name, kind in inspect.getmembers(module, inspect.isclass)
            if kind.__module__ == module.__name__
            and issubclass(kind, BaseOperator | BaseSensorOperator)
            and not name.startswith("_")
        ]
        if not classes:
            continue
        parts.append(f"## `{module.__name__}`\n\n{inspect.getdoc(module) or ''}\n")
        parts += [_operator(kind) for kind in sorted(classes, key=lambda kind: kind.__name__)]
    return HEAD + "\n".join(parts).rstrip() + "\n"


def _operator(kind: Any) -> str:
    text, items = [], []
    for line in (inspect.getdoc(kind) or "").splitlines():
        if line.startswith(":param "):
            name, _, meaning = line.removeprefix(":param ").partition(":")
            items.append(f"- `{name.strip()}`: {meaning.strip()}")
        elif line.startswith(":return:"):
            items.append(f"- **Returns** {line.removeprefix(':return:').strip()}")
        elif items and line.startswith(" "):
            items[-1] += " " + line.strip()
        else:
            text.append(line.replace("``", "`"))
    listed = "\n".join(item.replace("``", "`") for item in items)
    templated = ", ".join(f"`{field}`" for field in kind.template_fields)
    return (
        f"### {kind.__name__}\n\n" + "\n".join(text).strip() + f"\n\n{listed}\n\nTemplated: {templated or 'nothing'}.\n"
    )


def examples_page() -> str:
    """The DAGs of examples/ as they are: their tests run the same files."""
    parts = [
        "# Examples\n\nShort DAGs for an Airflow of your own, from `examples/`. They need the connection "
        "`ontap_default` and, where they run a program, [compute.yaml and programs_dir](real-systems.md).\n"
    ]
    for path in sorted((HOUSE / "examples").glob("*.py")):
        docstring, _, code = path.read_text().removeprefix('"""').partition('"""\n')
        title = path.stem.replace("_", " ").capitalize()
        parts.append(f"## {title}\n\n{docstring}\n\n```python\n{code.strip()}\n```\n")
    return HEAD + "\n".join(parts)


def settings_page() -> str:
    from ontap_mlops import settings

    parts = [f"# Settings\n\n{inspect.getdoc(settings)}\n".replace("``", "`")]
    for name, option in settings.OPTIONS.items():
        facts = [
            f"`{settings.variable(name)}`",
            option.type,
            f"default `{option.default}`" if option.default else "unset",
        ]
        facts += [f"for example `{option.example}`"] if option.example else []
        parts.append(f"## `{name}`\n\n{', '.join(facts)}\n\n{option.meaning}\n")
    return HEAD + "\n".join(parts)


if __name__ == "__main__":
    # A DagBag wants an Airflow home with a database; a throw-away one keeps the user's own out of it.
    with tempfile.TemporaryDirectory(prefix="ontap-mlops-docs-") as home:
        os.environ |= {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        sys.exit(main())
