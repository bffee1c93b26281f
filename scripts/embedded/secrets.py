"""Passwords and keys, made once and kept in ``secrets/``, one file each, readable by the owner only."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

from scripts.embedded.layout import Layout

AIRFLOW_ADMIN = "airflow_admin"
ONTAP_ADMIN = "ontap_admin"
ONTAP_REMOTE_ADMIN = "ontap_remote_admin"
LAKE_ACCESS_KEY = "lake_access_key"
LAKE_SECRET_KEY = "lake_secret_key"
TRITON_CONTROL = "triton_control"
DIALOG_EXPORT = "dialog_export"
CALLS = "calls"
DOCUMENTS = "documents"
AIRFLOW_FERNET = "airflow_fernet"
AIRFLOW_JWT = "airflow_jwt"
AIRFLOW_SESSION = "airflow_session"


def path(layout: Layout, name: str) -> Path:
    return layout.local / "secrets" / name


def get(layout: Layout, name: str) -> str:
    """Return the secret of this name; it is made on first use."""
    file = path(layout, name)
    if not file.exists():
        file.parent.mkdir(mode=0o700, exist_ok=True)
        _write_once(file, _new(name))
    return file.read_text()


def _new(name: str) -> str:
    if name == AIRFLOW_FERNET:  # Fernet asks for 32 bytes in URL-safe base 64
        return base64.urlsafe_b64encode(os.urandom(32)).decode()
    return secrets.token_hex(10 if name.endswith("access_key") else 16)


def _write_once(file: Path, text: str) -> None:
    """Write whole or not at all, and never over an earlier one: services may already use it."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
