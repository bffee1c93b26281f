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
from pathlib import Path

OWNER = 10001
"""The user of all our images, and of the public ones that let us choose."""
ADMIN = "admin"
GIVEN = {"ontap": "ONTAP_PASSWORD"}
"""What may come from outside, by the variable it comes in: the password of an ONTAP that is not ours."""
NAMES = (
    *("airflow", "postgres", "airflow_db", "mlflow_db", "redis", "fernet", "jwt", "session"),
    *("ontap", "lake_access", "lake_secret", "triton", "metrics", "grafana"),
)


def main(volumes: Path) -> None:
    os.umask(0o022)
    values = {name: kept(volumes / "secrets" / "kept", name) for name in NAMES}
    values |= {name: os.environ[variable] for name, variable in GIVEN.items() if os.environ.get(variable)}
    for service, files in files_of(values).items():
        for name, text in files.items():
            write(volumes / "secrets" / service / name, text, 0o444)
    for folder in sorted((volumes / "data").iterdir()):
        if folder.stat().st_uid != OWNER:
            os.chown(folder, OWNER, OWNER)
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


def files_of(values: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return what each service finds in its /run/secrets: a file ``env`` for a shell, or a value in each file."""
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
                {name: values[name] for name in ("ontap", "lake_access", "lake_secret", "triton", "airflow")}
            ),
        },
        "postgres": {
            "env": _variables(POSTGRES_USER="postgres", POSTGRES_PASSWORD=values["postgres"]),
            "superuser": values["postgres"],
            "airflow": values["airflow_db"],
            "mlflow": values["mlflow_db"],
        },
        "redis": {"env": _variables(REDIS_PASSWORD=values["redis"])},
        "mlflow": {
            "env": _variables(
                MLFLOW_BACKEND_STORE_URI=f"postgresql+psycopg2://mlflow:{values['mlflow_db']}@{database}/mlflow"
            )
        },
        "ontap": {"env": _variables(ONTAP_EMULATOR_PASSWORD=values["ontap"])},
        "lake": {"env": _variables(NANIO_ACCESS_KEY=values["lake_access"], NANIO_SECRET_KEY=values["lake_secret"])},
        "triton": {"env": _variables(TRITON_CONTROL_TOKEN=values["triton"])},
        "prometheus": {"metrics": values["metrics"]},
        "grafana": {
            "env": _variables(GF_SECURITY_ADMIN_USER=ADMIN, GF_SECURITY_ADMIN_PASSWORD=values["grafana"]),
            "admin": values["grafana"],
        },
    }


def _variables(**values: str) -> str:
    """Lines for a shell's ``.``; what we make holds no sign that a shell reads as its own."""
    return "".join(f"{name}='{value}'\n" for name, value in values.items())


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
