"""Make each password and key once, lay them before the services that need them, and give volumes to their users.

    python -m scripts.composed.prepare /volumes

Runs as root, without a network, before everything else, and again with every start: what is there stays.
``secrets/kept`` holds each value in a file that only root reads and no other service mounts; every other folder of
``secrets/`` is a volume that only its services mount, written anew from there.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts.composed.databases import OWNERS
from scripts.embedded import people

OWNER = 10001
"""The user of all our images, and of the public ones that let us choose."""
ADMIN = "admin"
GIVEN = {"ontap": "ONTAP_PASSWORD"}
"""What may come from outside, by the variable it comes in: the password of an ONTAP that is not ours."""
NAMES = (
    *("airflow", "postgres", "airflow_db", "mlflow_db", "redis", "fernet", "jwt", "session"),
    *("ontap", "ontap_remote", "lake_access", "lake_secret", "triton", "metrics", "grafana"),
    *("dialog", "dialog_db", "calls", "calls_db", "documents", "documents_db"),
)
STUBS = {"WEATHER": "weatherstack", "PLACES": "yelp", "PRICES": "ebay"}
"""What the retail assistant asks, and the path at which its stubs answer for that."""


def main(volumes: Path) -> None:
    os.umask(0o022)
    values = {name: kept(volumes / "secrets" / "kept", name) for name in NAMES}
    values |= {name: os.environ[variable] for name, variable in GIVEN.items() if os.environ.get(variable)}
    for service, files in files_of(values, os.environ).items():
        for name, text in files.items():
            write(volumes / "secrets" / service / name, text, 0o444)
    for folder in sorted((volumes / "data").iterdir()):
        if folder.stat().st_uid != OWNER:
            os.chown(folder, OWNER, OWNER)
    known = volumes / "data" / "documents" / "people.yaml"
    if not known.exists():  # whoever changes it keeps what they wrote
        write(known, people.told({"documents": (values["documents"], ())}), 0o644)
        os.chown(known, OWNER, OWNER)
    print(f"{len(values)} secrets are in place, and the volumes belong to user {OWNER}.", flush=True)


def kept(folder: Path, name: str) -> str:
    """Return the value of this name; it is made on first use and then stays."""
    file = folder / name
    if not file.exists():
        folder.chmod(0o700)
        write(file, new(name), 0o400)
    return file.read_text()


def new(name: str) -> str:
    if name == "fernet":  # which asks for 32 bytes in URL-safe base 64
        return base64.urlsafe_b64encode(os.urandom(32)).decode()
    return secrets.token_hex(10 if name == "lake_access" else 24)


def files_of(values: dict[str, str], given: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return what each service finds in its /run/secrets: a file ``env`` for a shell, or a value in each file.

    ``given`` are variables from outside: addresses and keys of services that are somebody else's.
    """
    redis, database = f"redis://:{values['redis']}@redis:6379", "postgres:5432"
    return {
        "airflow": {
            "fernet": values["fernet"],
            "jwt": values["jwt"],
            "session": values["session"],
            "sql_alchemy_conn": f"postgresql+psycopg2://airflow:{values['airflow_db']}@{database}/airflow",
            "broker_url": f"{redis}/0",
            "result_backend": f"{redis}/1",
            "admin": values["airflow"],
            "metrics": values["metrics"],
            "passwords.json": json.dumps({ADMIN: values["airflow"]}),
            "connections.json": json.dumps(
                {
                    name: values[name]
                    for name in (
                        *("ontap", "ontap_remote", "lake_access", "lake_secret", "triton", "airflow"),
                        *("dialog", "calls", "documents"),
                    )
                }
            ),
        },
        "postgres": {
            "env": _variables(POSTGRES_USER="postgres", POSTGRES_PASSWORD=values["postgres"]),
            "superuser": values["postgres"],
            **{owner: values[f"{owner}_db"] for owner in OWNERS},
        },
        "redis": {"env": _variables(REDIS_PASSWORD=values["redis"])},
        "mlflow": {
            "env": _variables(
                MLFLOW_BACKEND_STORE_URI=f"postgresql+psycopg2://mlflow:{values['mlflow_db']}@{database}/mlflow"
            )
        },
        "ontap": {"env": _variables(ONTAP_EMULATOR_PASSWORD=values["ontap"])},
        "ontap_remote": {"env": _variables(ONTAP_EMULATOR_PASSWORD=values["ontap_remote"])},
        "lake": {"env": _variables(NANIO_ACCESS_KEY=values["lake_access"], NANIO_SECRET_KEY=values["lake_secret"])},
        "triton": {"env": _variables(TRITON_CONTROL_TOKEN=values["triton"])},
        "prometheus": {"metrics": values["metrics"]},
        "grafana": {
            "env": _variables(GF_SECURITY_ADMIN_USER=ADMIN, GF_SECURITY_ADMIN_PASSWORD=values["grafana"]),
            "admin": values["grafana"],
        },
        "dialog": {
            "env": _variables(PGPASSWORD=values["dialog_db"], DIALOG_EXPORT_TOKEN=values["dialog"], **asked(given)),
            "token": values["dialog"],
        },
        "calls": {"env": _variables(PGPASSWORD=values["calls_db"], CALLS_TOKEN=values["calls"])},
        "documents": {
            "env": _variables(PGPASSWORD=values["documents_db"], GENERATOR_KEY=given.get("GENERATOR_KEY", ""))
        },
    }


def asked(given: Mapping[str, str]) -> dict[str, str]:
    """Return address and key of each service that answers the assistant's wishes: a stub's where none is given."""
    told = {}
    for name, path in STUBS.items():
        url = given.get(f"{name}_URL")
        told[f"{name}_URL"] = url or f"http://dialog-stubs:8700/{path}"
        told[f"{name}_KEY"] = given.get(f"{name}_KEY", "") if url else "stub"
    return told | ({"STOCK_DATABASE": given["STOCK_DATABASE"]} if given.get("STOCK_DATABASE") else {})


def _variables(**values: str) -> str:
    """Lines for a shell's ``.``, whatever a value holds that was given from outside."""
    quoted = {name: value.replace("'", "'\"'\"'") for name, value in values.items()}
    return "".join(f"{name}='{value}'\n" for name, value in quoted.items())


def write(file: Path, text: str, mode: int) -> None:
    """Write whole or not at all: a service may be reading it."""
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    draft.replace(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
