"""Places for the S3 keys that ONTAP shows once, named by a URI.

==========================================  =========================================================================
URI                                         Where the keys go
==========================================  =========================================================================
``airflow-connection://NAME``               Airflow connection NAME (type aws), through Airflow's REST API with the
                                            login of connection ``airflow_api``; another one as ``?api_conn_id=OTHER``
``aws-secretsmanager://NAME``               AWS Secrets Manager, as JSON, with connection ``aws_default``; another one
                                            as ``?aws_conn_id=OTHER``
``file:///PATH``                            a JSON file that only its owner may read, below the folder
                                            ``[ontap_mlops] secrets_dir``
==========================================  =========================================================================

Only keys are ever replaced: a file, secret or connection that holds anything else stays as it is, and is refused.
A place that could not be reached raises ServiceUnavailable, one that said no ServiceRefused. No error, log line or repr
here holds a secret key.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, quote, unquote, urlsplit

from ontap_mlops import settings
from ontap_mlops.hooks.airflow_rest import AirflowRest
from ontap_mlops.hooks.rest import ServiceRefused, ServiceUnavailable

_KEYS = {"access_key", "secret_key", "endpoint_url"}
KEYS_DESCRIPTION = "Keys of ONTAP's S3 server, written by the provisioning task"
_REGION = "us-east-1"  # ONTAP's S3 has no regions, but signing needs one


@dataclass(frozen=True, kw_only=True)
class StoredKeys:
    """What a store holds, apart from the secret key: that is never read back."""

    access_key: str
    endpoint_url: str | None = None


class SecretStore(Protocol):
    def read(self) -> StoredKeys | None:
        """Return what the store holds; None when nothing is there yet."""

    def put(self, *, access_key: str, secret_key: str, endpoint_url: str) -> None:
        """Replace what is there."""

    def set_endpoint(self, endpoint_url: str) -> None:
        """Keep the keys and change the address."""


def secret_store(uri: str, suffix: str = "") -> SecretStore:
    """Return the store that a URI names. Raises ValueError naming the forms a URI can have.

    :param suffix: appended to the name, or before the file's ending, so that one URI serves several SVMs.
    """
    parts = urlsplit(uri)
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    match parts.scheme:
        case "airflow-connection" if parts.netloc:
            return AirflowConnectionStore(parts.netloc + suffix, api_conn_id=options.get("api_conn_id", "airflow_api"))
        case "aws-secretsmanager" if parts.netloc:
            name = parts.netloc + parts.path + suffix
            return SecretsManagerStore(name, aws_conn_id=options.get("aws_conn_id", "aws_default"))
        case "file" if parts.path.startswith("/") and not parts.netloc:
            path = Path(unquote(parts.path))
            return FileStore(_below_the_folder(path.with_name(path.stem + suffix + path.suffix)))
    raise ValueError(
        f"secret store {uri!r} is not known; give airflow-connection://NAME, aws-secretsmanager://NAME or file:///PATH"
    )


def _below_the_folder(path: Path) -> Path:
    """Links are followed: what counts is where a file would be written."""
    folder = settings.secrets_dir()
    if folder is None:
        raise ServiceRefused(
            f"No file may hold S3 keys, so none go to {path}: set [ontap_mlops] secrets_dir to the folder of such "
            "files, or name another place for the keys."
        )
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ServiceRefused(f"S3 keys do not go to {path}: it is not below {folder}, [ontap_mlops] secrets_dir.")
    return path


class _JsonStore(ABC):
    """One text of JSON with access_key, secret_key and endpoint_url."""

    def read(self) -> StoredKeys | None:
        facts = self._facts()
        return _stored(facts) if facts else None

    def put(self, *, access_key: str, secret_key: str, endpoint_url: str) -> None:
        self._write({"access_key": access_key, "secret_key": secret_key, "endpoint_url": endpoint_url})

    def set_endpoint(self, endpoint_url: str) -> None:
        self._write({**self._facts(), "endpoint_url": endpoint_url})

    @abstractmethod
    def _facts(self) -> dict[str, str]:
        """Return what is there; {} when nothing is."""

    @abstractmethod
    def _write(self, facts: dict[str, str]) -> None: ...


class FileStore(_JsonStore):
    """A JSON file with mode 600, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _facts(self) -> dict[str, str]:
        try:
            return _keys_only(self.path.read_text(), f"File {self.path}")
        except FileNotFoundError:
            return {}

    def _write(self, facts: dict[str, str]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        half = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(facts, file)
            file.flush()
            os.fsync(file.fileno())
        half.replace(self.path)


class SecretsManagerStore(_JsonStore):
    """One secret of AWS Secrets Manager."""

    def __init__(self, name: str, *, aws_conn_id: str) -> None:
        self.name = name
        self.aws_conn_id = aws_conn_id

    def _facts(self) -> dict[str, str]:
        secret = self._call("read", lambda manager: manager.get_secret_value(SecretId=self.name))
        what = f"Secret {self.name!r} of AWS Secrets Manager"
        return _keys_only(secret.get("SecretString", ""), what) if secret else {}

    def _write(self, facts: dict[str, str]) -> None:
        text = json.dumps(facts)
        if self._facts():
            self._call("write", lambda manager: manager.put_secret_value(SecretId=self.name, SecretString=text))
        else:
            self._call("write", lambda manager: manager.create_secret(Name=self.name, SecretString=text))

    def _call(self, verb: str, action: Any) -> Any:
        try:
            from airflow.providers.amazon.aws.hooks.secrets_manager import SecretsManagerHook
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError:
            raise ServiceRefused(
                f"Secret {self.name!r} needs Airflow's Amazon provider, which is not installed; install "
                "apache-airflow-providers-amazon, or name another place for the keys."
            ) from None
        try:
            return action(SecretsManagerHook(aws_conn_id=self.aws_conn_id).get_conn())
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code == "ResourceNotFoundException":
                return {}
            kind = (
                ServiceRefused if code in ("AccessDeniedException", "InvalidRequestException") else ServiceUnavailable
            )
            raise kind(f"AWS Secrets Manager refused to {verb} secret {self.name!r}: {code}.") from None
        except BotoCoreError as error:
            raise ServiceUnavailable(
                f"AWS Secrets Manager could not be asked to {verb} secret {self.name!r}: {type(error).__name__}."
            ) from None


class AirflowConnectionStore:
    """A connection of type aws, written through Airflow's REST API: a task has no other way to write one."""

    def __init__(self, conn_id: str, *, api_conn_id: str) -> None:
        self.conn_id = conn_id
        self._airflow = AirflowRest(api_conn_id, may="edit connections")

    def read(self) -> StoredKeys | None:
        asked = f"read connection {self.conn_id!r}"
        status, body = self._airflow.call("GET", self._path, asked=asked, accept=(200, 404))
        if status == 404:
            return None
        extra = json.loads(body.get("extra") or "{}")
        return StoredKeys(access_key=body.get("login") or "", endpoint_url=extra.get("endpoint_url"))

    def put(self, *, access_key: str, secret_key: str, endpoint_url: str) -> None:
        connection = {
            "connection_id": self.conn_id,
            "conn_type": "aws",
            "description": KEYS_DESCRIPTION,
            "login": access_key,
            "password": secret_key,
            "extra": json.dumps(_aws_extra(endpoint_url)),
        }
        asked = f"write connection {self.conn_id!r}"
        status, _ = self._airflow.call("POST", "/connections", asked=asked, accept=(201, 409), json=connection)
        if status == 409:  # it is there already: an earlier try, or earlier keys
            self._check_that_it_is_ours()
            self._airflow.call("PATCH", self._path, asked=asked, json=connection)

    def set_endpoint(self, endpoint_url: str) -> None:
        body = {"connection_id": self.conn_id, "conn_type": "aws", "extra": json.dumps(_aws_extra(endpoint_url))}
        asked = f"change the endpoint of connection {self.conn_id!r}"
        self._airflow.call("PATCH", f"{self._path}?update_mask=extra", asked=asked, json=body)

    def _check_that_it_is_ours(self) -> None:
        _, there = self._airflow.call("GET", self._path, asked=f"read connection {self.conn_id!r}")
        if there.get("description") != KEYS_DESCRIPTION:
            raise ServiceRefused(
                f"Connection {self.conn_id!r} was not written by the provisioning task, so it stays as it is: remove "
                "it, or name another one in [ontap_mlops] secret_store."
            )

    @property
    def _path(self) -> str:
        return f"/connections/{quote(self.conn_id, safe='')}"


def _keys_only(text: str, what: str) -> dict[str, str]:
    """Raises ServiceRefused for a text that holds anything but keys: somebody else's, which stays as it is."""
    try:
        facts = json.loads(text)
    except ValueError:
        facts = None
    if not isinstance(facts, dict) or "access_key" not in facts or not facts.keys() <= _KEYS:
        raise ServiceRefused(f"{what} holds something other than S3 keys and stays as it is; name another place.")
    return facts


def _stored(facts: dict[str, str]) -> StoredKeys:
    return StoredKeys(access_key=facts.get("access_key", ""), endpoint_url=facts.get("endpoint_url"))


def _aws_extra(endpoint_url: str) -> dict[str, Any]:
    """ONTAP takes buckets in the path, not in the host name."""
    return {
        "endpoint_url": endpoint_url,
        "region_name": _REGION,
        "config_kwargs": {"s3": {"addressing_style": "path"}},
    }
