"""The folder that holds everything a set of embedded services has: settings, secrets, data, logs."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote, urlencode

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = ROOT / ".local"


def chosen(local: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder named by argument, else by ONTAP_MLOPS_LOCAL (environment, then .env), else ``.local``."""
    return Path(local or os.environ.get("ONTAP_MLOPS_LOCAL") or dotenv().get("ONTAP_MLOPS_LOCAL") or DEFAULT).resolve()


def dotenv(path: Path = ROOT / ".env") -> dict[str, str]:
    """Return the NAME=value lines of the user's own settings; {} where there is no such file."""
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): _unquoted(value.strip()) for name, value in pairs if value.strip()}


def _unquoted(value: str) -> str:
    """Without the quotes around all of it; a quote that belongs to it stays."""
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def sqlite_url(file: Path, **query: str) -> str:
    """Return the address of a database file as SQLAlchemy reads it: a path in an address is percent-encoded."""
    return f"sqlite:///{quote(str(file))}" + (f"?{urlencode(query)}" if query else "")


def authorities(cluster: Path) -> Path:
    """Return the certificates by which clients know this emulated cluster."""
    return cluster / "tls" / "ca.pem"


def namespace_of(cluster: Path) -> Path:
    """Return where the namespaces of this emulated cluster's SVMs are."""
    return cluster / "namespace"


@dataclass(frozen=True)
class Layout:
    local: Path

    def make(self) -> None:
        """Make the folder, readable by its owner only: secrets, data and logs lie below it."""
        self.local.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.local.chmod(0o700)
        kept = (self.airflow, self.mlflow, self.lake, *self.clusters, self.workloads, self.triton)
        for folder in (self.logs, *kept, self.dialog, self.calls, self.documents):
            folder.mkdir(exist_ok=True)
        if not self.instance_file.exists():
            self.instance_file.write_text(uuid.uuid4().hex)

    @property
    def instance_file(self) -> Path:
        return self.local / "instance"

    @cached_property
    def instance(self) -> str:
        """Marks the processes of this set of services among all others of the machine."""
        return self.instance_file.read_text()

    @property
    def exists(self) -> bool:
        return self.instance_file.exists()

    def settings(self) -> dict[str, str]:
        """Return the user's own values, by environment variable: from .env, then from this folder's settings.json."""
        kept = self.local / "settings.json"
        return dotenv() | (json.loads(kept.read_text()) if kept.exists() else {})

    def keep_settings(self, settings: dict[str, str]) -> None:
        (self.local / "settings.json").write_text(json.dumps(settings, indent=1))

    @property
    def airflow(self) -> Path:
        return self.local / "airflow"

    @property
    def mlflow(self) -> Path:
        return self.local / "mlflow"

    @property
    def lake(self) -> Path:
        return self.local / "lake"

    @property
    def ontap(self) -> Path:
        return self.local / "ontap"

    @property
    def ontap_remote(self) -> Path:
        """The cluster of the second site."""
        return self.local / "ontap_remote"

    @property
    def clusters(self) -> tuple[Path, Path]:
        return self.ontap, self.ontap_remote

    @property
    def ontap_ca(self) -> Path:
        return authorities(self.ontap)

    @property
    def namespace(self) -> Path:
        """Every SVM's namespace, as an NFS client has it mounted: ``<namespace>/<svm>/<junction path>``."""
        return namespace_of(self.ontap)

    @property
    def triton(self) -> Path:
        return self.local / "triton"

    @property
    def dialog(self) -> Path:
        """The conversations of the retail assistant."""
        return self.local / "dialog"

    @property
    def calls(self) -> Path:
        """What was said in calls, and what people corrected of it."""
        return self.local / "calls"

    @property
    def documents(self) -> Path:
        """Who may ask the documents, and what was asked and shown."""
        return self.local / "documents"

    @property
    def model_repository(self) -> Path:
        return self.namespace / "svm1" / "models" / "triton"

    @property
    def workloads(self) -> Path:
        return self.local / "workloads"

    @property
    def logs(self) -> Path:
        return self.local / "logs"

    @property
    def supervisor(self) -> Path:
        return self.local / "supervisor"

    def log(self, program: str) -> Path:
        return self.logs / f"{program}.log"
