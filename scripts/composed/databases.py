"""An account and a database of its own in PostgreSQL for each service that keeps its rows there.

python -m scripts.composed.databases

Run again, it changes nothing but the password of an account that has another one than it should.
"""

from __future__ import annotations

from pathlib import Path

HOST = "postgres"
SECRETS = Path("/run/secrets")
OWNERS = ("airflow", "mlflow", "dialog", "calls", "documents")
_WAIT_S = 10


def main() -> None:
    import psycopg2

    connection = psycopg2.connect(
        host=HOST,
        user="postgres",
        dbname="postgres",
        password=(SECRETS / "superuser").read_text(),
        connect_timeout=_WAIT_S,
    )
    connection.autocommit = True  # a database is made outside of any transaction
    with connection.cursor() as cursor:
        for owner in OWNERS:
            print(ensure(cursor, owner, (SECRETS / owner).read_text()), flush=True)
    connection.close()


def ensure(cursor: object, owner: str, password: str) -> str:
    """Make the account and its database where they are missing; return what was done, a sentence."""
    from psycopg2 import sql

    name = sql.Identifier(owner)
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (owner,))  # type: ignore[attr-defined]
    verb = "ALTER" if cursor.fetchone() else "CREATE"  # type: ignore[attr-defined]
    statement = sql.SQL(verb + " ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(password))
    cursor.execute(statement)  # type: ignore[attr-defined]
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (owner,))  # type: ignore[attr-defined]
    if cursor.fetchone():  # type: ignore[attr-defined]
        return f"Database {owner} is there."
    # Whatever the server was made with: rows hold text of all languages.
    made = sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0").format(name, name)
    cursor.execute(made)  # type: ignore[attr-defined]
    cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))  # type: ignore[attr-defined]
    return f"Database {owner} is made."


if __name__ == "__main__":
    main()
