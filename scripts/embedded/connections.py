"""Airflow's connections to these services, as rows of its database, where one sees, tests and changes them.

A row is written where none of that id exists, and kept current, when a port moves, for as long as it is as it was
written: what is kept of each is a digest, so a row that somebody has changed is known and stays.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ontap_mlops.hooks.secret_store import KEYS_DESCRIPTION

if TYPE_CHECKING:
    from airflow.models.connection import Connection
    from sqlalchemy.orm import Session

DESCRIPTION = "Written by `make up`, which keeps it current; once changed here, it stays as it is"
_FIELDS = ("conn_type", "host", "schema", "login", "password", "port")


def write(wanted: dict[str, dict[str, Any]], s3_endpoints: dict[str, str], kept: Path, session: Session) -> list[str]:
    """Bring the rows up to date and return what was done, a sentence for each row that was written or left.

    ``wanted`` are connections by id, ``s3_endpoints`` the addresses of the S3 servers by cluster, ``kept`` the file
    that remembers what was written last.
    """
    from airflow.models.connection import Connection
    from sqlalchemy import select

    memory = json.loads(kept.read_text()) if kept.exists() else {"rows": {}}
    rows = {row.conn_id: row for row in session.scalars(select(Connection))}
    said = [_ensure(row_id, facts, rows, memory["rows"], session) for row_id, facts in wanted.items()]
    moved = _moved(memory, s3_endpoints)
    said += [_follow(row, moved) for row in rows.values()]
    session.commit()
    ours = (id_ for id_, facts in wanted.items() if id_ not in rows or _digest(rows[id_]) == digest(facts))
    digests = {id_: digest(wanted[id_]) for id_ in ours}
    _keep(kept, {"rows": digests, "s3_endpoints": s3_endpoints})
    return [sentence for sentence in said if sentence]


def _ensure(
    conn_id: str, facts: dict[str, Any], rows: dict[str, Connection], known: dict[str, str], session: Session
) -> str:
    from airflow.models.connection import Connection

    row = rows.get(conn_id)
    if row is None:
        session.add(_fill(Connection(conn_id=conn_id, description=DESCRIPTION), facts))
        return f"Connection {conn_id} is written: {_place(facts)}."
    if _digest(row) == digest(facts):
        return ""
    if _digest(row) == known.get(conn_id):
        _fill(row, facts)
        return f"Connection {conn_id} now names {_place(facts)}."
    return f"Connection {conn_id} is somebody's own and stays as it is; these services have {_place(facts)}."


def _moved(memory: dict[str, Any], now: dict[str, str]) -> dict[str, str]:
    """Old address to new one of the S3 servers that have moved; earlier releases knew one server."""
    before = memory.get("s3_endpoints") or {"ontap": memory.get("s3_endpoint")}
    return {old: now[name] for name, old in before.items() if old and name in now and old != now[name]}


def _follow(row: Connection, moved: dict[str, str]) -> str:
    """Let keys that were made for an S3 server of ONTAP at its old address name its new one."""
    extra = row.extra_dejson
    new = moved.get(extra.get("endpoint_url", ""))
    if new is None or row.description != KEYS_DESCRIPTION:
        return ""
    row.set_extra(json.dumps(extra | {"endpoint_url": new}))
    return f"Connection {row.conn_id} now names {new}."


def _fill(row: Connection, facts: dict[str, Any]) -> Connection:
    for name in _FIELDS:
        if name != "password":
            setattr(row, name, facts.get(name))
    row.set_password(facts.get("password"))
    row.set_extra(json.dumps(facts.get("extra") or {}))
    return row


def digest(facts: dict[str, Any]) -> str:
    """Tell whether two connections are the same, without holding a password."""
    told = {name: facts.get(name) or None for name in _FIELDS} | {"extra": facts.get("extra") or {}}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _digest(row: Connection) -> str:
    return digest({name: getattr(row, name) for name in _FIELDS} | {"extra": row.extra_dejson})


def _place(facts: dict[str, Any]) -> str:
    """Where it leads, without a login."""
    endpoint = urlsplit((facts.get("extra") or {}).get("endpoint_url", ""))
    return endpoint.netloc or f"{facts.get('host')}:{facts.get('port')}"


def _keep(file: Path, memory: dict[str, Any]) -> None:
    draft = file.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(memory, indent=1))
    draft.replace(file)
