"""Write down the names of ONTAP's fields for every resource that the emulator answers, from the official client.

    python -m scripts.generate_ontap_names

The result, emulator/ontap_names.json, has one entry a collection: ``read``, what a GET may name, and ``lists``, which
of all its fields hold several values. Run it after a resource was added to the emulator, or for a newer netapp-ontap.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

import marshmallow

from emulator.ontap_names import FILE, anonymous, collection_of
from emulator.server import URLS

DEEPEST = 6


def main() -> int:
    wanted = {collection_of(route.shape.href) for route in URLS if route.shape}
    found = {path: names(schema) for path, schema in schemas().items() if path in wanted}
    for path in sorted(wanted - found.keys()):
        print(f"The official client has no resource at {path}; its names are those that the emulator has.")
    FILE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    print(f"{FILE.relative_to(Path.cwd())}: {sum(len(entry['read']) for entry in found.values())} names")
    return 0


def schemas() -> dict[str, Any]:
    """The schema of each resource by the path of its collection, with ``{}`` for the parts that vary."""
    import netapp_ontap.resources
    from netapp_ontap.resource import Resource

    classes = [kind for _, kind in inspect.getmembers(netapp_ontap.resources, inspect.isclass)]
    return {path_of(kind): kind._schema() for kind in classes if issubclass(kind, Resource) and hasattr(kind, "_path")}


def path_of(kind: Any) -> str:
    return anonymous(re.sub(r"\[(\w+)\]", r".\1", kind._path.removeprefix("/api")))


def names(schema: Any) -> dict[str, list[str]]:
    read: set[str] = set()
    lists: set[str] = set()
    for name in schema.gettable_fields:
        found = leaves(schema, name.split("."), (), lists)
        # The client's own spelling (tags for _tags) comes in requests too.
        read |= found | ({name} if found and not any(f"{each}.".startswith(f"{name}.") for each in found) else set())
    for name in [*schema.postable_fields, *schema.patchable_fields]:
        leaves(schema, name.split("."), (), lists)
    return {"read": sorted(read), "lists": sorted(lists)}


def leaves(schema: Any, parts: list[str], above: tuple[str, ...], lists: set[str]) -> set[str]:
    """Dotted names, as ONTAP writes them, below one name of the client; what holds several values goes to ``lists``."""
    attribute, *rest = parts
    field = schema.fields.get(attribute)
    if "links" in parts or len(above) >= DEEPEST:
        return set()
    if field is None:
        return {".".join([*above, *parts])}
    path = (*above, field.data_key or attribute)
    if isinstance(field, marshmallow.fields.List):
        lists.add(".".join(path))
        field = field.inner
    if not isinstance(field, marshmallow.fields.Nested):
        return {".".join(path)}
    inner = field.schema
    below = [rest] if rest else inside(inner, whole=not above)
    return set().union(*(leaves(inner, each, path, lists) for each in below))


def inside(schema: Any, *, whole: bool) -> list[list[str]]:
    """What ONTAP shows of an object named without its parts: of another resource, deep inside, its keys only."""
    if not type(schema).__module__.startswith("netapp_ontap.resources."):
        return [[name] for name in schema.fields]
    return [name.split(".") for name in schema.gettable_fields if whole or name in ("name", "uuid")]


if __name__ == "__main__":
    sys.exit(main())
